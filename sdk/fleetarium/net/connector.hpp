#pragma once

#include <fleetarium/net/byte_stream.hpp>
#include <fleetarium/net/tls_context.hpp>
#include <fleetarium/net/url.hpp>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>

namespace fleetarium::net {

using connect_handler =
    std::function<void(boost::system::error_code why, std::unique_ptr<byte_stream> stream)>;

/// An attempt to connect that can be given up.
class connect_attempt {
public:
    virtual ~connect_attempt() = default;
    /// The handler is not called any more.
    virtual void cancel() noexcept = 0;
};

/// Opens a stream to a URL: resolves the name, tries its addresses in turn, sets the socket's
/// options (no delay, keep alive), and puts TLS and WebSocket on top as the scheme says. The
/// handshakes go on inside the stream. `tls` is used by mqtts and wss, and may be empty for others.
/// An address that does not answer is given up after `address_timeout` if others are left; the last
/// one is waited for until the attempt is cancelled. An empty host is this machine.
///
/// Errors: the resolver's (asio::error::host_not_found ...), those of the operating system for the
/// address that was tried last (connection_refused, no such file ...), name_too_long for a path
/// that no Unix socket can have, invalid_argument for a scheme with TLS and no context.
/// The handler is called once, on the io_context's thread, never from inside the call.
/// Destroying the attempt cancels it.
std::unique_ptr<connect_attempt> connect_stream(boost::asio::io_context& context, const url& to,
                                                const tls_context& tls, connect_handler done);

}  // namespace fleetarium::net
