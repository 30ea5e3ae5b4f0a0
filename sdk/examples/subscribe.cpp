// Prints what doors report until none has for a while: `subscribe mqtt://localhost`.

#include <fleetarium/client/client.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>

using namespace fleetarium;
using namespace std::chrono_literals;
using namespace boost::asio::experimental::awaitable_operators;

boost::asio::awaitable<void> watch(client& display) {
    const connection_info info = co_await display.async_connect(display.within(10s));
    std::cout << "connected as " << info.client_id << '\n';

    // The stream goes on over broken connections; the filter is subscribed to again if need be.
    subscription doors = co_await display.async_subscribe("doors/+/state", qos::at_least_once);
    for (;;) {
        auto next = co_await (doors.async_receive() || display.async_wait_for(2s));
        if (next.index() == 1) {
            break;
        }
        const received_message& message = std::get<0>(next);
        std::cout << message.topic() << ": " << message.text()
                  << (message.retain() ? " (as it was before)\n" : "\n");
    }
    co_await display.async_disconnect();
}

int main(int argc, char** argv) {
    try {
        boost::asio::io_context context;
        real_environment network(context);
        client_config config(argc > 1 ? argv[1] : "mqtt://localhost");
        config.on_disconnected([](const disconnection_info& info) {
            if (info.next_attempt_in) {
                std::cerr << info.why.message() << "; the client will be back\n";
            }
        });
        client display(network, config);
        boost::asio::co_spawn(context, watch(display), [](std::exception_ptr failure) {
            if (failure) {
                std::rethrow_exception(failure);
            }
        });
        context.run();
    } catch (const std::exception& failure) {
        std::cerr << "subscribe: " << failure.what() << '\n';
        return 1;
    }
}
