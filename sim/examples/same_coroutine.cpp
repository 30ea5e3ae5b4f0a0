// One coroutine, two places: on a real port, and in a world, where its hour takes a millisecond.

#include <fleetarium/client/client.hpp>
#include <fleetarium/live/virtual_environment.hpp>
#include <fleetarium/server/server.hpp>
#include <fleetarium/sim/world.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <string>

using namespace fleetarium;
using namespace std::chrono_literals;

void rethrow(std::exception_ptr failure) {
    if (failure) {
        std::rethrow_exception(failure);
    }
}

boost::asio::awaitable<void> thermostat(environment& where, net::url broker, duration pause,
                                        std::string& heard) {
    client device(where, client_config(broker).id("thermostat"));
    co_await device.async_connect();
    auto own = co_await device.async_subscribe("celsius", qos::exactly_once);
    for (int celsius = 20; celsius < 23; ++celsius) {
        co_await device.async_publish("celsius", std::to_string(celsius), qos::exactly_once);
        const received_message echo = co_await own.async_receive();
        heard += std::string(echo.text()) + ' ';
        co_await device.async_wait_for(pause);
    }
    co_await device.async_disconnect();
}

int main() {
    std::string on_a_network;
    broker::server server(broker::listen_on("mqtt://127.0.0.1:0"));
    server.start();
    boost::asio::io_context context;
    real_environment network(context);
    boost::asio::co_spawn(
        context, thermostat(network, server.listening().front(), 1ms, on_a_network),
        rethrow);
    context.run();

    std::string in_a_world;
    sim::world world({.seed = 7});
    world.add_broker({.name = "cloud"});
    sim::virtual_environment virtual_network(world);
    const net::url cloud{.scheme = net::scheme::mqtt, .host = "cloud", .port = 1883};
    boost::asio::co_spawn(virtual_network.executor(),
                          thermostat(virtual_network, cloud, 20min, in_a_world),
                          rethrow);
    world.run_for(2h);

    std::cout << "network: " << on_a_network << "\nworld:   " << in_a_world << '\n';
    return on_a_network == in_a_world ? 0 : 1;
}
