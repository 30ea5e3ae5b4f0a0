// The code of README.md and broker/README.md on networks, run: a lamp that heeds orders, and the
// broker in this process that carries them.

#include <fleetarium/client/client.hpp>
#include <fleetarium/server/server.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <catch2/catch.hpp>

#include <exception>
#include <string>

using namespace fleetarium;
using namespace std::chrono_literals;

namespace {

boost::asio::awaitable<void> serve(client& lamp) {
    co_await lamp.async_connect();
    auto orders = co_await lamp.async_subscribe("lamps/7/set", qos::at_least_once);
    for (;;) {
        const auto order = co_await orders.async_receive();
        co_await lamp.async_publish("lamps/7/state", order.text(), qos::at_least_once);
    }
}

boost::asio::awaitable<void> use(client& person, std::string& state) {
    co_await person.async_connect();
    auto states = co_await person.async_subscribe("lamps/7/state", qos::at_least_once);
    // Until the lamp is there to hear it.
    for (reason_code heard = reason_code::no_matching_subscribers;
         heard == reason_code::no_matching_subscribers;) {
        heard = co_await person.async_publish("lamps/7/set", "on", qos::at_least_once);
    }
    const auto answer = co_await states.async_receive();
    state = std::string(answer.text());
}

}  // namespace

TEST_CASE("the code of the README turns a lamp on by a broker without a port", "[readme]") {
    boost::asio::io_context context;
    std::string state;

    broker::server server;  // broker::listen_on("mqtt://127.0.0.1:0") would open a port
    server.start();
    const auto network = server.pipe_environment(context);  // where its clients live

    client lamp(*network, client_config("mqtt://in-process").id("lamp-7"));
    client person(*network, client_config("mqtt://in-process").id("person"));
    boost::asio::co_spawn(context, serve(lamp), [](const std::exception_ptr&) {});
    boost::asio::co_spawn(context, use(person, state), [&](const std::exception_ptr& failure) {
        CHECK(failure == nullptr);
        context.stop();
    });
    context.run_for(30s);
    CHECK(state == "on");
}
