#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace fleetarium::feed {

/// "meters[3]": its fleet and index; none: it is no name of a device.
std::optional<std::pair<std::string_view, std::uint32_t>> parts_of_device_name(
    std::string_view name);

}  // namespace fleetarium::feed
