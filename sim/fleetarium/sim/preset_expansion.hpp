#pragma once

#include <fleetarium/sim/scenario.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim::detail {

/// Which part of a preset a part of the expanded fleet comes from, as JSON pointers from the fleet.
struct preset_origin {
    std::string part{};    ///< "/publications/3"
    std::string preset{};  ///< "/preset/sparkplug_b/devices/0"
    bool alike = false;    ///< what is below the one is below the other too
};

struct preset_expansion {
    fleet_spec fleet{};
    std::vector<preset_origin> origins{};

    /// The pointer of what was written by hand for one into the expanded fleet; both from the
    /// fleet.
    std::string origin_of(std::string_view pointer) const;
};

/// The names of presets that are set, as in JSON.
std::vector<std::string_view> presets_of(const preset_spec& preset);

preset_expansion expand(const fleet_spec& fleet);

}  // namespace fleetarium::sim::detail
