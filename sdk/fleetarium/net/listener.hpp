#pragma once

#include <fleetarium/net/byte_stream.hpp>
#include <fleetarium/net/tls_context.hpp>
#include <fleetarium/net/url.hpp>
#include <fleetarium/net/websocket_origin.hpp>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>

namespace fleetarium::net {

/// Accepts connections on one URL.
///
/// Each connection goes to the io_context that `pick` names (any thread's), and `accepted` is
/// called on that context's thread with its stream, not yet started; TLS and WebSocket handshakes
/// go on inside the stream. When the process is out of file descriptors accepting rests for a
/// while, and goes on.
/// Thread rule: the thread of the acceptor's io_context, or any while that is not run.
class listener {
public:
    using context_picker = std::function<boost::asio::io_context&()>;
    using accept_handler =
        std::function<void(std::unique_ptr<byte_stream> stream, boost::asio::io_context& of)>;

    virtual ~listener() = default;

    /// As bound: with the port that was free if the URL said 0.
    virtual const url& bound() const = 0;

    /// Which web pages may open a WebSocket; before `start`.
    virtual void check_origins(origin_check may_ask) = 0;

    /// Begins to accept.
    virtual void start(context_picker pick, accept_handler accepted) = 0;

    /// For connections accepted from now on; those that are open keep theirs.
    virtual void use_tls(const tls_context& tls) = 0;

    /// Accepts no more; a Unix socket's path is removed.
    virtual void stop() noexcept = 0;
};

/// Binds and listens at once. Throws std::runtime_error with a sentence that names the URL and
/// what is wrong: an address in use, no permission, a name that is no address of this machine, a
/// path with a file on it that is no socket. A stale Unix socket, which nobody listens on, is
/// replaced.
std::unique_ptr<listener> make_listener(boost::asio::io_context& context, const url& at,
                                        const tls_context& tls);

}  // namespace fleetarium::net
