#include <fleetarium/sim/fault.hpp>

#include <fleetarium/sim/fault_engine.hpp>

#include <array>
#include <utility>

namespace fleetarium::sim {

namespace {

struct kind_facts {
    std::string_view name;
    bool lasts;
    bool hits_broker;
};

constexpr std::array<kind_facts, fault_kind_count> facts{{
    {"cut", false, false},
    {"half_open", false, false},
    {"partition", true, false},
    {"latency", true, false},
    {"bandwidth", true, false},
    {"split", true, false},
    {"cut_in_packet", true, false},
    {"slow_reader", true, false},
    {"power_loss", true, false},
    {"hostile_bytes", false, false},
    {"broker_stop", true, true},
    {"broker_crash", true, true},
    {"take_over", true, false},
    {"clock_skew", true, false},
}};

const kind_facts& facts_of(fault_kind kind) { return facts[static_cast<std::size_t>(kind)]; }

}  // namespace

std::string_view name_of(fault_kind kind) { return facts_of(kind).name; }
bool lasts(fault_kind kind) { return facts_of(kind).lasts; }
bool hits_broker(fault_kind kind) { return facts_of(kind).hits_broker; }
bool may_be_at_once(fault_kind kind) { return kind == fault_kind::take_over; }

fault_guard::fault_guard(fault_guard&& other) noexcept
    : engine_(std::exchange(other.engine_, nullptr)), id_(other.id_) {}

fault_guard& fault_guard::operator=(fault_guard&& other) noexcept {
    if (this != &other) {
        heal();
        engine_ = std::exchange(other.engine_, nullptr);
        id_ = other.id_;
    }
    return *this;
}

void fault_guard::heal() {
    if (auto* const engine = std::exchange(engine_, nullptr)) {
        engine->end(id_);
    }
}

}  // namespace fleetarium::sim
