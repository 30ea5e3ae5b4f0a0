#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/server/http_exchange.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace boost::asio {
class io_context;
}

namespace fleetarium::broker {

/// An address that is none, or one that needs a token and has none.
struct bad_http_address : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct http_options {
    /// HOST:PORT; port 0 takes a free one. Without HOST (":9090", "9090"): 127.0.0.1.
    std::string address = "127.0.0.1:0";
    /// What clients have to show, see http_exchange. Must be there if others than this machine can
    /// reach the address.
    std::string token{};
    http_limits limits{};
    /// Above it the one that is idle for longest is closed, or the newest refused with 503. An
    /// open WebSocket counts, and is never idle.
    std::size_t connections_max = 64;
    duration request_timeout = std::chrono::seconds{10};  ///< from its first byte to its last
    duration idle_timeout = std::chrono::seconds{60};     ///< from a request to the next
    /// A client that reads its answer slower than this, after the request's timeout, is cut off.
    std::size_t answer_bytes_per_second_min = std::size_t{64} << 10;
    /// One line for a person, where something went wrong; empty: none.
    std::function<void(std::string_view)> log{};
};

/// The control surface of a broker or a run: an HTTP server with the routes of its owner.
///
/// A connection has a bounded cost whatever its client does: bytes of a request, time for it, and
/// time to take the answer.
/// Thread rule: one thread runs the io_context; all calls from that thread, or from any while it is
/// not run. Handlers are called on that thread. The io_context must outlive the server.
class http_server {
public:
    /// Binds and accepts at once. Throws bad_http_address, or std::runtime_error if it is in use,
    /// with a sentence that says what to do. Throws std::invalid_argument if a path is none that a
    /// route can have.
    http_server(boost::asio::io_context& context, const http_options& options,
                std::vector<http_route> routes, std::vector<websocket_route> websockets = {});
    /// As `stop`.
    ~http_server();
    http_server(const http_server&) = delete;
    http_server& operator=(const http_server&) = delete;

    /// HOST:PORT as bound.
    const std::string& listening() const;

    std::size_t connection_count() const;

    /// Accepts no more and closes all connections at once, WebSockets with 1001; no handler is
    /// called any more. Not from inside a handler. Idempotent.
    void stop() noexcept;

private:
    class implementation;
    std::unique_ptr<implementation> implementation_;
};

}  // namespace fleetarium::broker
