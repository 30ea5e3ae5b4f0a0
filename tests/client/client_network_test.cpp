#include <fleetarium/client/client.hpp>
#include <fleetarium/net/test_certificates.hpp>
#include <fleetarium/server/server.hpp>

#include <support/temporary_folder.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

// The client on a real network: loopback, the machine's clock, and our own server.

namespace fleetarium::test {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""h;

constexpr auto tuple = asio::as_tuple(asio::use_awaitable);
constexpr auto deadline = std::chrono::seconds{60};

void run(asio::io_context& context, awaitable<void> body) {
    bool ended = false;
    asio::co_spawn(context, std::move(body), [&](std::exception_ptr thrown) {
        ended = true;
        if (thrown) {
            std::rethrow_exception(thrown);
        }
    });
    context.restart();
    context.run_for(deadline);
    REQUIRE(ended);
}

/// A story that does not know where it is told.
awaitable<void> story(environment& where, client_config config) {
    client c(where, std::move(config));
    co_await c.async_connect(c.within(20s));
    subscription stream = co_await c.async_subscribe("story/#", qos::exactly_once);
    for (const auto level : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        const std::string payload(100'000, 'x');
        co_await c.async_publish("story/1", payload, level, c.within(20s));
        const received_message got = co_await stream.async_receive(c.within(20s));
        CHECK(got.text() == payload);
        CHECK(got.qos() == level);
    }
    const instant begun = c.now();
    co_await c.async_wait_for(20ms);
    CHECK(c.now() - begun >= 20ms);
    co_await c.async_disconnect();
}

broker::server_options options_with(const std::string& url, const net::tls_options& tls = {}) {
    broker::server_options options = broker::listen_on(url);
    options.listeners.front().tls = tls;
    return options;
}

}  // namespace

TEST_CASE("one story, told over every transport and in both versions", "[client][network]") {
    const temporary_folder folder;
    const net::test_certificate_authority authority(7);
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    std::string url = GENERATE(values<std::string>({"mqtt://127.0.0.1:0", "mqtts://127.0.0.1:0",
                                                    "ws://127.0.0.1:0", "wss://127.0.0.1:0",
                                                    "unix://"}));
    if (url == "unix://") {
        url += folder.path() + "/socket";
    }
    INFO(url);
    broker::server server(options_with(url, authority.server_tls()));
    server.start();
    asio::io_context context;
    real_environment network(context);
    client_config config(server.listening().front());
    config.id("c").version(version).tls(authority.anonymous_tls());
    run(context, story(network, config));
}

TEST_CASE("the same story without a network", "[client][network]") {
    broker::server server;
    server.start();
    asio::io_context context;
    const auto pipes = server.pipe_environment(context);
    run(context, story(*pipes, client_config("mqtt://anywhere").id("c")));
}

TEST_CASE("a certificate that does not fit ends the attempt with a word why", "[client][network]") {
    const net::test_certificate_authority authority(7);
    const net::test_certificate_authority other(8);
    broker::server server(options_with("mqtts://127.0.0.1:0", authority.server_tls()));
    server.start();
    asio::io_context context;
    real_environment network(context);
    client_config config(server.listening().front());
    config.tls(other.anonymous_tls()).reconnect(backoff().attempts(1));
    client c(network, config);
    boost::system::error_code why;
    c.async_connect([&](boost::system::error_code got, const connection_info&) { why = got; });
    context.run_for(deadline);
    CHECK(why.failed());
    CHECK(why.message().find("certificate") != std::string::npos);
}

TEST_CASE("a port on which nobody listens is told as such", "[client][network]") {
    std::string url;
    {
        broker::server server(broker::listen_on("mqtt://127.0.0.1:0"));
        server.start();
        url = net::to_string(server.listening().front());
    }
    asio::io_context context;
    real_environment network(context);
    client c(network, client_config(url).reconnect(backoff().attempts(1)));
    boost::system::error_code why;
    c.async_connect([&](boost::system::error_code got, const connection_info&) { why = got; });
    context.run_for(deadline);
    CHECK(why == asio::error::connection_refused);
}

TEST_CASE("a client comes back to a server that was away, and resumes", "[client][network]") {
    broker::server server(broker::listen_on("mqtt://127.0.0.1:0"));
    server.start();
    const net::url url = server.listening().front();
    // The same port again: options as bound.
    server.stop();
    broker::server_options options;
    options.listeners.emplace_back();
    options.listeners.back().url = url;
    broker::server same(options);
    same.start();

    asio::io_context context;
    real_environment network(context);
    const auto body = [&]() -> awaitable<void> {
        client c(network, client_config(url).id("c").reconnect(backoff().first(20ms).max(100ms)));
        co_await c.async_connect(c.within(20s));
        subscription stream = co_await c.async_subscribe("a", qos::at_least_once);
        same.stop();
        while (c.is_connected()) {
            co_await c.async_wait_for(5ms);
        }
        CHECK(c.publish("a", "meanwhile", qos::at_least_once));
        same.start();
        const received_message got = co_await stream.async_receive(c.within(20s));
        CHECK(got.text() == "meanwhile");
        CHECK(c.connection().session_present);
        co_await c.async_disconnect();
    };
    run(context, body());
}

TEST_CASE("a client whose server stops is told that it shuts down", "[client][network]") {
    broker::server server(broker::listen_on("mqtt://127.0.0.1:0"));
    server.start();
    asio::io_context context;
    real_environment network(context);
    std::vector<disconnection_info> told;
    client_config config(server.listening().front());
    config.reconnect(backoff().attempts(1).first(1ms));
    config.on_disconnected([&](const disconnection_info& info) { told.push_back(info); });
    client c(network, config);
    const auto body = [&]() -> awaitable<void> {
        co_await c.async_connect(c.within(20s));
        server.stop();
        const auto [why] = co_await c.async_run(c.within(20s, tuple));
        CHECK(why == asio::error::connection_refused);
    };
    run(context, body());
    REQUIRE(told.size() == 2);
    CHECK(told[0].why == reason_code::server_shutting_down);
    CHECK(told[0].was_connected);
}

TEST_CASE("real timers fire once, in time, and can be set again from inside", "[client][network]") {
    asio::io_context context;
    real_environment network(context);
    std::vector<std::string> fired;
    auto timer = network.make_timer();
    auto other = network.make_timer();
    const instant begun = network.now();
    timer->start(begun + 1h, [&] { fired.emplace_back("replaced"); });
    timer->start(begun + 10ms, [&] {
        fired.emplace_back("first");
        timer->start(network.now(), [&] {
            fired.emplace_back("again");
            timer.reset();  // from inside itself
        });
    });
    other->start(begun - 1h, [&] { fired.emplace_back("past"); });
    CHECK(fired.empty());
    context.run_for(deadline);
    CHECK(fired == std::vector<std::string>{"past", "first", "again"});
    CHECK(network.now() - begun >= 10ms);

    other->start(never, [&] { fired.emplace_back("never"); });
    context.restart();
    context.run_for(deadline);  // returns at once: nothing is waited for
    other->start(network.now() + 1h, [&] { fired.emplace_back("cancelled"); });
    other->cancel();
    context.restart();
    context.run_for(deadline);
    CHECK(fired.size() == 3);
    CHECK(network.next_seed() != network.next_seed());
}

}  // namespace fleetarium::test
