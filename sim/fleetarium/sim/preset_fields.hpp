#pragma once

#include <fleetarium/config/object_type.hpp>
#include <fleetarium/sim/scenario.hpp>

/// What a scenario file may say of presets, and of what they are made of.
namespace fleetarium::sim::detail {

const config::detail::object_type<preset_spec>& preset_type();
const config::detail::object_type<sparkplug_payload>& sparkplug_payload_type();
const config::detail::object_type<message_condition>& message_condition_type();
const config::detail::object_type<shadow_service_spec>& shadow_service_type();

/// "connect", or an object.
config::detail::value_type<trigger_spec> trigger_value();

/// As sparkplug_type and sparkplug_message count.
std::vector<std::string_view> sparkplug_type_names();
std::vector<std::string_view> sparkplug_message_names();

}  // namespace fleetarium::sim::detail
