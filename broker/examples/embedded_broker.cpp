// A broker in this process and a client of it: no port, no second process, nothing to clean up.

#include <fleetarium/client/client.hpp>
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
    auto orders = co_await lamp.async_subscribe("lamps/7/set", qos::at_least_once);
    if (const auto said = server.publish("lamps/7/set", "on", qos::at_least_once); !said) {
        throw boost::system::system_error(said.error());
    }
    const received_message order = co_await orders.async_receive();
    std::cout << "the lamp is told: " << order.text() << '\n';
    for (const broker::client_description& each : server.clients()) {
        std::cout << each.client_id << " is connected by " << each.address << " and has "
                  << each.subscriptions << " subscription\n";
    }
    co_await lamp.async_disconnect();
}

int main() {
    broker::server server;  // broker::listen_on("mqtt://127.0.0.1:0") would open a port
    server.start();

    boost::asio::io_context context;
    const auto network = server.pipe_environment(context);
    client lamp(*network, client_config("mqtt://in-process").id("lamp-7"));
    boost::asio::co_spawn(context, run(lamp, server), rethrow);
    context.run();
}
