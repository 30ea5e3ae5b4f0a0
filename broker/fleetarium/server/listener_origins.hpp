#pragma once

#include <fleetarium/net/websocket_origin.hpp>
#include <fleetarium/server/server_options.hpp>

namespace fleetarium::broker {

/// Which web pages may connect by a listener, as its options say.
net::origin_check origin_check_of(const listener_options& of);

}  // namespace fleetarium::broker
