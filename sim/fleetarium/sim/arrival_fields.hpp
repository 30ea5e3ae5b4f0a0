#pragma once

#include <fleetarium/config/object_type.hpp>
#include <fleetarium/config/problem.hpp>
#include <fleetarium/sim/arrival.hpp>

#include <string>
#include <vector>

/// What a scenario says of arrivals; a part of the table in scenario_fields.hpp.
namespace fleetarium::sim::detail {

const config::detail::object_type<arrival_spec>& arrival_type();
const config::detail::object_type<stage_spec>& stage_type();

/// What is wrong with when a publication's messages fall due, apart from period and times.
std::vector<config::problem> check_arrival(const publication_spec& publication,
                                           const std::string& pointer);

}  // namespace fleetarium::sim::detail
