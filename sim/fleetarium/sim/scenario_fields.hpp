#pragma once

#include <fleetarium/config/object_type.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <string_view>
#include <vector>

/// The one table of what a scenario file may say; config/object_type.hpp tells what is made of it.
namespace fleetarium::sim::detail {

const config::detail::object_type<scenario>& scenario_type();
const config::detail::object_type<broker_spec>& broker_type();
const config::detail::object_type<network_spec>& network_type();
const config::detail::object_type<fleet_spec>& fleet_type();
const config::detail::object_type<fault_spec>& fault_type();
const config::detail::object_type<expectation_spec>& expectation_type();

/// `name_of` of the enumerators, in their order, as the scenario writes them.
std::vector<std::string_view> metric_names();
std::vector<std::string_view> fault_kind_names();

}  // namespace fleetarium::sim::detail
