#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace fleetarium::sim {

namespace detail {
class fleet_state;
}

/// What can be seen of one device.
struct device_view {
    std::string client_id{};
    bool connected = false;
    bool in_coverage = true;
    std::size_t waiting = 0;          ///< QoS 1 and 2 messages, sent and unsent
    std::uint64_t messages_made = 0;
    std::size_t memory_bytes = 0;     ///< the device's own, with what its session holds
};

/// A fleet in a world: a handle, valid as long as the world. Thread rule: the world's.
class fleet {
public:
    explicit fleet(detail::fleet_state& state) : state_(&state) {}

    const fleet_spec& spec() const;
    const std::string& name() const { return spec().name; }
    std::uint32_t size() const { return spec().count; }
    /// Devices whose CONNECT was accepted and whose connection lasts. Constant time.
    std::uint32_t connected() const;
    /// Throws std::out_of_range.
    device_view device(std::uint32_t index) const;
    /// Which cohort of the behaviour's, counted from 1, a device belongs to; 0: none.
    /// Throws std::out_of_range.
    std::uint16_t cohort(std::uint32_t index) const;
    /// Of this fleet's devices alone: other fleets do not change it unless they talk to it.
    std::uint64_t trace_hash() const;

private:
    detail::fleet_state* state_;
};

}  // namespace fleetarium::sim
