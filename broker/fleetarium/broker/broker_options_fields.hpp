#pragma once

#include <fleetarium/broker/broker_options.hpp>
#include <fleetarium/config/object_type.hpp>

#include <vector>

namespace fleetarium::broker::detail {

/// How broker_options look in JSON, for a scenario's brokers and for a server's configuration.
const std::vector<config::detail::field<broker_options>>& broker_options_fields();

}  // namespace fleetarium::broker::detail
