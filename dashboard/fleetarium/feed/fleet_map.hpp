#pragma once

#include <fleetarium/feed/feed_types.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace fleetarium::feed {

/// Devices that are shown together, in their order.
struct device_group {
    std::string name{};
    std::vector<std::uint32_t> devices{};
};

/// What a cell shows of a device.
struct device_look {
    device_state state = device_state::unseen;
    std::uint64_t measure = 0;
};

/// Cells of groups, as fleet_answer has them; `at` is for the caller. Linear in the devices shown.
/// Throws feed_error for a group or range that is none.
fleet_answer map_fleet(const fleet_question& asked, const std::vector<device_group>& groups,
                       const std::function<device_look(std::uint32_t device)>& look);

/// The device at a place. Throws feed_error if there is none.
std::uint32_t device_at(const cell_question& asked, const std::vector<device_group>& groups);

/// 0..31 on the scale of fleet_group::cells.
std::uint8_t level_of(std::uint64_t measure);

}  // namespace fleetarium::feed
