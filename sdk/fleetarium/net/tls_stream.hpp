#pragma once

#include <fleetarium/net/byte_stream.hpp>
#include <fleetarium/net/tls_context.hpp>
#include <fleetarium/net/tls_errors.hpp>

#include <memory>
#include <string>

namespace fleetarium::net {

/// TLS 1.2 or 1.3 on top of `carrier`, which it owns; OpenSSL works on memory only, so it runs on
/// whatever carries bytes. Errors of the handshake come as on_closed with the category of
/// `tls_error_category`, whose message says which check failed.
///
/// `close` before the handshake is done gives the handshake up; what was written is lost then.
std::unique_ptr<byte_stream> make_tls_server_stream(std::unique_ptr<byte_stream> carrier,
                                                    const tls_context& context);

/// `host` is the name that the server's certificate must carry, unless the options name another.
std::unique_ptr<byte_stream> make_tls_client_stream(std::unique_ptr<byte_stream> carrier,
                                                    const tls_context& context,
                                                    const std::string& host);

}  // namespace fleetarium::net
