#pragma once

#include <boost/system/error_code.hpp>

namespace fleetarium::net {

/// What goes wrong with WebSocket beside the faults of its framing, which Beast reports.
enum class websocket_error {
    not_http = 1,
    mqtt_without_websocket,
    tls_instead,
    header_too_large,
    bad_request,
    wrong_path,
    wrong_origin,
    not_an_upgrade,
    no_subprotocol,
    closed_in_handshake,
    not_a_websocket_server,
    subprotocol_not_taken,
    text_frame,
    too_many_pings,
};

const boost::system::error_category& websocket_error_category() noexcept;

boost::system::error_code make_error_code(websocket_error error) noexcept;

/// A server answered the request for a WebSocket with this HTTP status.
boost::system::error_code make_upgrade_refused(unsigned http_status) noexcept;

}  // namespace fleetarium::net

template <>
struct boost::system::is_error_code_enum<fleetarium::net::websocket_error> : std::true_type {};
