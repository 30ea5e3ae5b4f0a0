#pragma once

#include <fleetarium/config/object_type.hpp>
#include <fleetarium/sim/generator.hpp>

#include <vector>

namespace fleetarium::sim::detail {

/// What a scenario says of a generator; a part of the table in scenario_fields.hpp.
const config::detail::object_type<generator_spec>& generator_spec_type();

/// Any names, with numbers or texts: what a scenario tells code of the user's own.
config::detail::value_type<std::vector<custom_generator::parameter>> custom_parameters();

}  // namespace fleetarium::sim::detail
