#pragma once

#include <fleetarium/config/object_type.hpp>
#include <fleetarium/server/server_config.hpp>

namespace fleetarium::broker::detail {

/// The tables of what a configuration file may say; config/object_type.hpp tells what is made of
/// them.
const config::detail::object_type<server_config>& server_config_type();
const config::detail::object_type<listener_options>& listener_type();
const config::detail::object_type<net::tls_options>& tls_type();

}  // namespace fleetarium::broker::detail
