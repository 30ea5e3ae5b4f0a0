#include <fleetarium/sim/world_observer.hpp>

#include <fleetarium/sim/event.hpp>

namespace fleetarium::sim {

void world_observer::on_message(std::uint32_t, std::uint32_t, const publish&,
                                const message_identity&, instant) {}
void world_observer::on_decision(std::uint32_t, std::uint32_t, const broker::broker_event&) {}
void world_observer::on_received(std::uint32_t, const message_identity&, bool, instant) {}
void world_observer::on_acknowledged(std::uint32_t, std::uint64_t, instant) {}
void world_observer::on_lost(std::uint32_t, std::uint64_t, instant) {}
void world_observer::on_fault(std::uint32_t, bool, instant) {}

std::uint64_t world_observer::base_number(std::uint64_t number) {
    return detail::message_number::base_of(number);
}

bool world_observer::is_copy(std::uint64_t number) {
    return detail::message_number::is_copy(number);
}

}  // namespace fleetarium::sim
