#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/server/http_path.hpp>
#include <fleetarium/server/websocket_peer.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::broker {

struct http_header {
    std::string name{};
    std::string value{};
};

/// A request for one of the routes. Owns what it holds.
struct http_request {
    std::string method{};  ///< "GET"; HEAD comes as GET, and its body is not sent
    std::string path{};    ///< "/metrics", percent-encoded as it came
    std::string query{};   ///< what follows the '?', see query_value; decoded it is UTF-8
    std::string body{};
    /// What stands for the names in the route's path.
    std::vector<http_parameter> parameters{};
    /// All but those with secrets: Authorization, Proxy-Authorization, Cookie and
    /// Sec-WebSocket-Protocol. One that came several times is joined with ", ".
    std::vector<http_header> headers{};

    /// The value of the path's `{name}`, which is UTF-8; empty if it has no such name.
    std::string_view parameter(std::string_view name) const;
    /// Whatever the case of the name; empty if it did not come.
    std::string_view header(std::string_view name) const;
};

struct http_response {
    unsigned status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body{};
    /// Beside those of every answer; Cache-Control stands for the one that every answer has.
    std::vector<http_header> headers{};
};

enum class http_access : std::uint8_t {
    with_token,  ///< if the server has one
    open         ///< without: for what holds no data, such as the files of a page
};

/// One thing that the HTTP server has. Routes are told apart by method and path; of several that
/// match, the closest is meant (is_closer_route_path).
struct http_route {
    std::string method = "GET";
    std::string path{};  ///< "/metrics", "/api/devices/{name}": see check_route_path
    std::string what{};  ///< a few words, for those who ask for something else; empty: not told
    /// Called on the server's thread. What it throws becomes status 500.
    std::function<http_response(const http_request&)> handle{};
    http_access access = http_access::with_token;
};

/// What clients of the HTTP server may do.
struct http_limits {
    std::uint32_t header_bytes_max = 8 * 1024;
    std::uint64_t body_bytes_max = std::uint64_t{1} << 20;
    /// Answers to requests sent ahead that may wait for the connection; then nothing more is read.
    std::size_t output_bytes_max = std::size_t{64} << 10;
};

/// What an exchange needs to know; outlives it.
struct http_service {
    std::vector<http_route> routes{};
    std::string token{};  ///< of `Authorization: Bearer TOKEN`; empty: the Host has to be loopback
    http_limits limits{};
    std::vector<websocket_route> websockets{};
};

/// A request for a WebSocket that is to be granted.
struct http_upgrade {
    const websocket_route* route = nullptr;
    std::string key{};          ///< Sec-WebSocket-Key
    std::string subprotocol{};  ///< empty: none
    http_request request{};
    std::string rest{};  ///< what came behind the request
};

/// One connection of the HTTP server without I/O: bytes go in, bytes come out.
///
/// Order of calls: `handle_bytes` as they come and `handle_timeout` when the driver's patience
/// ends; after each, write what `poll_transmit` gives, and close if `should_close`. While
/// `is_blocked`, read nothing more, and call `handle_written` when all that was given is written.
/// Rules: HTTP/1.1 and 1.0 (RFC 9112), keep-alive, requests sent ahead, chunked bodies, HEAD,
/// Expect: 100-continue. Bytes that are no HTTP are answered with 400 and a sentence.
/// Without a token a request has to name a loopback address as its Host, and as its Origin if it
/// has one: a stranger's web page can make a browser on this machine send requests here, but not
/// hide the page's name. With a token an Origin has to be the Host, and the token comes as
/// `Authorization: Bearer TOKEN` or, for a WebSocket, as one of its subprotocols: `bearer.TOKEN`.
/// A request for a WebSocket that is granted ends the exchange: `poll_upgrade` after
/// `poll_transmit`, and whatever comes then is not HTTP.
/// Thread rule: one thread at a time.
class http_exchange {
public:
    explicit http_exchange(const http_service& service);
    ~http_exchange();
    http_exchange(const http_exchange&) = delete;
    http_exchange& operator=(const http_exchange&) = delete;

    /// Answers with 503 at once, whatever comes: there are too many connections.
    void refuse_busy();

    void handle_bytes(bytes_view bytes);
    void handle_written();
    /// The client took too long: 408 if a request has begun, else a silent close.
    void handle_timeout();

    std::string poll_transmit();
    /// Once, when a WebSocket is to be opened.
    std::optional<http_upgrade> poll_upgrade();
    bool should_close() const;
    bool is_blocked() const;

    /// No request has begun that is not answered.
    bool is_idle() const;
    std::uint64_t requests_answered() const;
    /// What is worth a line in a log since the last call, or empty.
    std::string poll_notice();

private:
    class implementation;
    std::unique_ptr<implementation> implementation_;
};

}  // namespace fleetarium::broker
