// Broker and device know each other by certificates, made here from a seed: the device's Common
// Name is its user name.

#include <fleetarium/client/client.hpp>
#include <fleetarium/net/test_certificates.hpp>
#include <fleetarium/server/server.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>

using namespace fleetarium;

void rethrow(std::exception_ptr failure) {
    if (failure) {
        std::rethrow_exception(failure);
    }
}

boost::asio::awaitable<void> run(client& lamp, broker::server& server) {
    co_await lamp.async_connect();
    for (const broker::client_description& each : server.clients()) {
        std::cout << each.client_id << " is user " << each.user_name << '\n';
    }
    co_await lamp.async_disconnect();
}

int main() {
    using certificates = net::test_certificate_authority;
    const certificates authority(7);

    broker::server_options options = broker::listen_on("mqtts://127.0.0.1:0");
    options.listeners[0].tls = authority.server_tls(certificates::client_certificates::required);
    options.listeners[0].subject_as_user_name = true;
    broker::server server(options);
    server.start();

    boost::asio::io_context context;
    real_environment network(context);
    client_config config(server.listening().front());
    config.id("lamp").tls(authority.device_tls("lamp-7"));
    client lamp(network, config);
    boost::asio::co_spawn(context, run(lamp, server), rethrow);
    context.run();
}
