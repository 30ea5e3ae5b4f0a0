#pragma once

#include <fleetarium/net/byte_stream.hpp>
#include <fleetarium/net/tls_context.hpp>
#include <fleetarium/net/tls_errors.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string>

namespace fleetarium::net {

/// TLS 1.2 or 1.3 on top of `carrier`, which it owns; OpenSSL works on memory only, so it runs on
/// whatever carries bytes. Errors of the handshake come as on_closed with the category of
/// `tls_error_category`, whose message says which check failed.
///
/// `executor` is the carrier's: it bounds the time that `close` waits for a handshake, where
/// something was written before. The peer's farewell is told as eof.
std::unique_ptr<byte_stream> make_tls_server_stream(std::unique_ptr<byte_stream> carrier,
                                                    const boost::asio::any_io_executor& executor,
                                                    const tls_context& context);

/// `host` is the name that the server's certificate must carry, unless the options name another.
std::unique_ptr<byte_stream> make_tls_client_stream(std::unique_ptr<byte_stream> carrier,
                                                    const boost::asio::any_io_executor& executor,
                                                    const tls_context& context,
                                                    const std::string& host);

}  // namespace fleetarium::net
