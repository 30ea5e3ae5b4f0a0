#include <fleetarium/codec/violation.hpp>

#include <fleetarium/core/assert.hpp>

#include <array>
#include <cstddef>

namespace fleetarium {

namespace {

constexpr std::array rows{
    violation_info{"none", reason_code::success, "", "", "no rule is broken"},
#define FLEETARIUM_VIOLATION_ROW(name, code, v3_id, v5_id, phrase) \
    violation_info{#name, reason_code::code, v3_id, v5_id, phrase},
    FLEETARIUM_VIOLATIONS(FLEETARIUM_VIOLATION_ROW)
#undef FLEETARIUM_VIOLATION_ROW
};

}  // namespace

const violation_info& describe(violation broken) {
    const auto index = static_cast<std::size_t>(broken);
    FLEETARIUM_ASSERT(index < rows.size());
    return rows[index];
}

}  // namespace fleetarium
