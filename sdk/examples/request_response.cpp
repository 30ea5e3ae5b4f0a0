// One client serves sums, another asks for them: `request_response mqtt://localhost`.

#include <fleetarium/client/client.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

using namespace fleetarium;
using namespace std::chrono_literals;
using boost::asio::awaitable;

constexpr auto no_throw = boost::asio::as_tuple(boost::asio::use_awaitable);

/// The sum of the whole numbers in a text.
long sum_of(std::string text) {
    long sum = 0;
    char* at = text.data();
    for (char* end = at;; at = end) {
        const long number = std::strtol(at, &end, 10);
        if (end == at) {
            return sum;
        }
        sum += number;
    }
}

awaitable<void> serve(client& server) {
    co_await server.async_connect();
    subscription requests = co_await server.async_subscribe("sums/add", qos::at_least_once);
    for (;;) {
        const auto [why, request] = co_await requests.async_receive(no_throw);
        if (why) {
            co_return;  // the client has left
        }
        if (!server.reply(request, std::to_string(sum_of(std::string(request.text()))))) {
            std::cerr << "a request that says not where to answer\n";
        }
    }
}

awaitable<void> ask(client& asker, client& server) {
    co_await asker.async_connect(asker.within(10s));
    for (;;) {
        const auto [why, sum] = co_await asker.async_request("sums/add", "1 2 39", 5s, no_throw);
        if (!why) {
            std::cout << "the sum is " << sum.text() << '\n';
            break;
        }
        if (why != error::no_responder) {
            throw boost::system::system_error(why);
        }
        co_await asker.async_wait_for(100ms);  // the server has not subscribed yet
    }
    co_await asker.async_disconnect();
    co_await server.async_disconnect();
}

void rethrow(std::exception_ptr failure) {
    if (failure) {
        std::rethrow_exception(failure);
    }
}

int main(int argc, char** argv) {
    try {
        const std::string url = argc > 1 ? argv[1] : "mqtt://localhost";
        boost::asio::io_context context;
        real_environment network(context);
        client server(network, client_config(url).id("sums"));
        client asker(network, client_config(url).id("asker"));
        boost::asio::co_spawn(context, serve(server), rethrow);
        boost::asio::co_spawn(context, ask(asker, server), rethrow);
        context.run();
    } catch (const std::exception& failure) {
        std::cerr << "request_response: " << failure.what() << '\n';
        return 1;
    }
}
