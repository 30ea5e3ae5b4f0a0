#pragma once

#include <fleetarium/config/object_type.hpp>
#include <fleetarium/sim/generator.hpp>

namespace fleetarium::sim::detail {

/// What a scenario says of a generator; a part of the table in scenario_fields.hpp.
const config::detail::object_type<generator_spec>& generator_spec_type();

}  // namespace fleetarium::sim::detail
