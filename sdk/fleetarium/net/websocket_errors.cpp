#include <fleetarium/net/websocket_errors.hpp>

#include <string>

namespace fleetarium::net {

namespace {

constexpr int status_base = 1000;

const char* own_message(websocket_error error) {
    switch (error) {
        case websocket_error::not_http:
            return "the peer does not speak HTTP, with which WebSocket begins";
        case websocket_error::mqtt_without_websocket:
            return "the peer does not speak WebSocket (it sent an MQTT packet; clients need ws:// "
                   "here, or a listener with mqtt://)";
        case websocket_error::tls_instead:
            return "the peer speaks TLS (clients need ws:// here, or a listener with wss://)";
        case websocket_error::header_too_large:
            return "the peer's HTTP request has a header that is too large";
        case websocket_error::bad_request: return "the peer's request for a WebSocket is malformed";
        case websocket_error::wrong_path:
            return "the peer asked for another path than the WebSocket's";
        case websocket_error::wrong_origin:
            return "a web page of another origin asked for the WebSocket (the listener's "
                   "\"origins\" "
                   "say which may)";
        case websocket_error::not_an_upgrade:
            return "the peer sent an HTTP request that asks for no WebSocket (a browser, or a "
                   "check of health, on the port for MQTT?)";
        case websocket_error::no_subprotocol:
            return "the peer does not offer the WebSocket subprotocol \"mqtt\"";
        case websocket_error::closed_in_handshake:
            return "the peer closed the connection during the WebSocket handshake";
        case websocket_error::not_a_websocket_server:
            return "the server does not answer as a WebSocket server does (is it the right port?)";
        case websocket_error::subprotocol_not_taken:
            return "the server did not take the WebSocket subprotocol \"mqtt\"";
        case websocket_error::text_frame:
            return "the peer sent a text frame; MQTT travels in binary frames";
        case websocket_error::too_many_pings:
            return "the peer sends WebSocket pings and does not read the pongs";
    }
    return "unknown WebSocket error";
}

class category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "fleetarium.websocket"; }

    std::string message(int value) const override {
        if (value < status_base) {
            return own_message(static_cast<websocket_error>(value));
        }
        const int status = value - status_base;
        return "the server answered the request for a WebSocket with HTTP status " +
               std::to_string(status) + (status == 404 ? " (is the path right?)" : "");
    }
};

}  // namespace

const boost::system::error_category& websocket_error_category() noexcept {
    static const category one;
    return one;
}

boost::system::error_code make_error_code(websocket_error error) noexcept {
    return {static_cast<int>(error), websocket_error_category()};
}

boost::system::error_code make_upgrade_refused(unsigned http_status) noexcept {
    return {status_base + static_cast<int>(http_status), websocket_error_category()};
}

}  // namespace fleetarium::net
