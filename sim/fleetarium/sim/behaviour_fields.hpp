#pragma once

#include <fleetarium/config/object_type.hpp>
#include <fleetarium/sim/behaviour.hpp>

#include <string_view>
#include <vector>

namespace fleetarium::sim::detail {

/// What a scenario says of a behaviour; a part of the table in scenario_fields.hpp.
const config::detail::object_type<behaviour_spec>& behaviour_type_of_scenario();

/// "connected", ... in the order of behaviour_occasion.
std::vector<std::string_view> occasion_names();

/// "mon", ... in the order of weekday.
std::vector<std::string_view> weekday_names();

}  // namespace fleetarium::sim::detail
