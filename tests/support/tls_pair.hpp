#pragma once

#include <fleetarium/net/tls_stream.hpp>

#include <support/memory_carrier.hpp>

#include <openssl/ssl.h>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>

namespace fleetarium::test {

enum class tls_version : std::uint8_t { v1_2, v1_3 };

/// The contexts of both ends, held to one version of TLS.
struct tls_contexts {
    tls_contexts(const net::tls_options& server_options, const net::tls_options& client_options,
                 tls_version version)
        : server(net::tls_role::server, server_options),
          client(net::tls_role::client, client_options) {
        SSL_CTX_set_max_proto_version(
            client.native_handle(), version == tls_version::v1_2 ? TLS1_2_VERSION : TLS1_3_VERSION);
    }

    net::tls_context server;
    net::tls_context client;
};

/// A TLS client and a TLS server on carriers that the test moves.
struct tls_pair {
    using side = carrier_pair::side;

    tls_pair(const tls_contexts& contexts, const std::string& host)
        : state_(std::make_unique<shared>()),
          carriers(state_->carriers),
          at_client(state_->at_client),
          at_server(state_->at_server),
          client(net::make_tls_client_stream(
              carriers.make(side::client), state_->context.get_executor(), contexts.client, host)),
          server(net::make_tls_server_stream(carriers.make(side::server),
                                             state_->context.get_executor(), contexts.server)) {}

    tls_pair(const net::tls_options& server_options, const net::tls_options& client_options,
             const std::string& host, tls_version version)
        : tls_pair(tls_contexts(server_options, client_options, version), host) {}

    void start() {
        server->start(at_server);
        client->start(at_client);
    }
    void deliver(std::size_t piece_max = std::size_t{1} << 20) { carriers.deliver(piece_max); }
    void connect() {
        start();
        deliver();
    }
    boost::asio::io_context& context() { return state_->context; }

private:
    // Where streams point to; it stays when this is moved.
    struct shared {
        boost::asio::io_context context{1};
        carrier_pair carriers;
        told_events at_client;
        told_events at_server;
    };
    std::unique_ptr<shared> state_;

public:
    carrier_pair& carriers;
    told_events& at_client;
    told_events& at_server;
    std::unique_ptr<net::byte_stream> client;
    std::unique_ptr<net::byte_stream> server;
};

}  // namespace fleetarium::test
