// Publishes to any broker: `publish mqtt://localhost`.

#include <fleetarium/client/client.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>

using namespace fleetarium;
using namespace std::chrono_literals;

boost::asio::awaitable<void> report(client& door) {
    co_await door.async_connect(door.within(10s));

    // Fire and forget: it goes out with what else is published now, and nobody asks.
    door.publish("doors/7/opened", "1");

    // With an answer. A message of QoS 1 or 2 outlives broken connections on its way.
    const reason_code code = co_await door.async_publish(
        "doors/7/state", "open", publish_options(qos::at_least_once).retain().expiry(24h));
    std::cout << "the broker says: " << name_of(code) << '\n';

    co_await door.async_flush();  // what nobody asked for, too
    co_await door.async_disconnect();
}

int main(int argc, char** argv) {
    try {
        boost::asio::io_context context;
        real_environment network(context);
        client_config config(argc > 1 ? argv[1] : "mqtt://localhost");
        config.id("door-7").keep_alive(30s);
        config.will(last_will("doors/7/state", "unknown", publish_options().retain()));
        config.log([](log_severity, std::string_view line) { std::cerr << line << '\n'; });
        client door(network, config);
        boost::asio::co_spawn(context, report(door), [](std::exception_ptr failure) {
            if (failure) {
                std::rethrow_exception(failure);
            }
        });
        context.run();
    } catch (const std::exception& failure) {
        std::cerr << "publish: " << failure.what() << '\n';
        return 1;
    }
}
