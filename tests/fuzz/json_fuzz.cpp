#include <fleetarium/config/json_document.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/bytes.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Any text as JSON with comments. What is read without a fault is JSON for another reader too, says
// the same when it is written and read again, and knows where in the text it was.

namespace {

using namespace fleetarium;
using config::json_value;

void check_positions(const json_value& value, std::uint32_t lines) {
    FLEETARIUM_ASSERT(value.position.line >= 1 && value.position.line <= lines);
    FLEETARIUM_ASSERT(value.position.column >= 1);
    for (const json_value& each : value.elements) {
        check_positions(each, lines);
    }
    for (const auto& each : value.members) {
        FLEETARIUM_ASSERT(each.position.line >= 1 && each.position.line <= lines);
        const json_value* const first = value.find(each.name);
        FLEETARIUM_ASSERT(first != nullptr);
        check_positions(each.value, lines);
    }
}

/// Numbers that only a reader of doubles finds too large.
bool has_overflow(const json_value& value) {
    return (value.kind == config::json_kind::number && !config::json_double(value)) ||
           std::any_of(value.elements.begin(), value.elements.end(), has_overflow) ||
           std::any_of(value.members.begin(), value.members.end(),
                       [](const auto& each) { return has_overflow(each.value); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = as_text({data, size});
    const auto read = config::parse_json(text);
    const auto lines = static_cast<std::uint32_t>(std::count(text.begin(), text.end(), '\n') +
                                                  std::count(text.begin(), text.end(), '\r') + 1);
    FLEETARIUM_ASSERT(read.root || !read.faults.empty());
    for (const auto& each : read.faults) {
        FLEETARIUM_ASSERT(!each.found.empty() && !each.expected.empty());
        FLEETARIUM_ASSERT(each.position.line <= lines);
    }
    if (!read.root) {
        return 0;
    }
    check_positions(*read.root, lines);
    const std::string compact = config::json_compact(*read.root);
    for (const std::string& written : {compact, config::json_pretty(*read.root)}) {
        const auto again = config::parse_json(written);
        FLEETARIUM_ASSERT(again.root && again.faults.size() <= read.faults.size());
        FLEETARIUM_ASSERT(config::json_compact(*again.root) == compact);
    }
    if (!has_overflow(*read.root)) {
        FLEETARIUM_ASSERT(nlohmann::json::accept(compact));
    }
    return 0;
}
