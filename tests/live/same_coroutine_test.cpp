#include <fleetarium/client/client.hpp>
#include <fleetarium/live/virtual_environment.hpp>
#include <fleetarium/server/server.hpp>

#include <support/net_thread.hpp>

#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace std::chrono_literals;

namespace {

using lines = std::vector<std::string>;

/// A user's program: asks the other one for a number, again and again, and sends what comes.
boost::asio::awaitable<void> ask(environment& where, net::url broker, duration pause, lines& log) {
    client asker(where, client_config(std::move(broker)).id("asker"));
    const connection_info there = co_await asker.async_connect();
    log.push_back("connected as " + there.client_id);
    auto news = co_await asker.async_subscribe("news/#", qos::at_least_once);
    for (int i = 1; i <= 3; ++i) {
        const received_message answer = co_await asker.async_request("double", std::to_string(i));
        log.push_back(std::to_string(i) + " twice is " + std::string(answer.text()));
        co_await asker.async_publish("news/" + std::to_string(i), answer.text(), qos::exactly_once);
        const received_message own = co_await news.async_receive();
        log.push_back(std::string(own.topic()) + ": " + std::string(own.text()));
        co_await asker.async_wait_for(pause);
    }
    co_await asker.async_disconnect();
    log.push_back("gone");
}

/// The other one.
boost::asio::awaitable<void> double_numbers(client& server) {
    auto requests = co_await server.async_subscribe("double", qos::at_least_once);
    for (;;) {
        const received_message request = co_await requests.async_receive();
        const int number = std::stoi(std::string(request.text()));
        if (server.reply(request, std::to_string(2 * number)).has_error()) {
            throw std::runtime_error("no reply");
        }
    }
}

const auto keep = [](std::exception_ptr& into, int& running) {
    return [&into, &running](std::exception_ptr failure) {
        --running;
        if (failure) {
            into = failure;
        }
    };
};

lines on_a_network() {
    broker::server server(broker::listen_on("mqtt://127.0.0.1:0"));
    server.start();
    boost::asio::io_context context;
    real_environment network(context);
    const net::url at = server.listening().front();
    lines log;
    std::exception_ptr failure;
    int running = 1;
    client doubler(network, client_config(at).id("doubler"));
    doubler.start();
    boost::asio::co_spawn(context, double_numbers(doubler), [](std::exception_ptr) {});
    boost::asio::co_spawn(context, ask(network, at, 1ms, log), keep(failure, running));
    CHECK(test::run_until(context, [&] { return running == 0; }));
    CHECK_FALSE(failure);
    return log;
}

struct in_a_world {
    explicit in_a_world(std::uint64_t seed, sim::network_spec by = {.name = "fast"},
                        duration wait = 1h) {
        sim::world w({.seed = seed});
        auto& cloud = w.add_broker({.name = "cloud"});
        sim::virtual_environment here(w, {.network = by});
        client doubler(here, client_config("mqtt://cloud").id("doubler"));
        doubler.start();
        std::exception_ptr failure;
        int running = 1;
        boost::asio::co_spawn(here.executor(), double_numbers(doubler), [](std::exception_ptr) {});
        boost::asio::co_spawn(here.executor(),
                              ask(here, net::parse_url("mqtt://cloud").value, wait, log),
                              keep(failure, running));
        CHECK(here.run_until([&] { return running == 0; }, 24h));
        CHECK_FALSE(failure);
        took = w.now() - instant{};
        hash = w.trace_hash();
        published = cloud.metrics().publish_received[1] + cloud.metrics().publish_received[2];
    }
    lines log;
    duration took{};
    std::uint64_t hash = 0;
    std::uint64_t published = 0;
};

}  // namespace

TEST_CASE("one coroutine does the same on a real network and in a world") {
    const lines expected{"connected as asker", "1 twice is 2", "news/1: 2", "2 twice is 4",
                         "news/2: 4",          "3 twice is 6", "news/3: 6", "gone"};
    CHECK(on_a_network() == expected);
    const in_a_world there(1);
    CHECK(there.log == expected);
    CHECK(there.took >= 3h);
    CHECK(there.took < 3h + 1s);
    CHECK(there.published == 9);  // requests, replies, news
}

TEST_CASE("clients of the SDK feel the latency of a world, and nothing of the machine's") {
    const auto each = distribution::constant(50e6);
    const in_a_world far(1, {.name = "far", .up = {.latency = each}, .down = {.latency = each}},
                         duration{});
    // At least: the link, CONNECT, SUBSCRIBE, then thrice a request there and back on two links
    // and QoS 2.
    CHECK(far.took > 1s);
    CHECK(far.took < 10s);
    const in_a_world again(1, {.name = "far", .up = {.latency = each}, .down = {.latency = each}},
                           duration{});
    CHECK(again.took == far.took);
}

namespace {

/// Devices of a fleet, and clients of the SDK whose links break, in one world.
std::uint64_t hash_of_storm(std::uint64_t seed, std::uint64_t* delivered = nullptr) {
    sim::world w({.seed = seed});
    w.add_broker({.name = "cloud"});
    sim::fleet_spec sensors{.name = "sensors", .count = 20};
    sensors.publications.push_back({.topic = "s/{index}",
                                    .period = distribution::exponential(10e9),
                                    .qos = qos::at_least_once,
                                    .payload = "{random:0..100}"});
    w.add_fleet(sensors);
    sim::virtual_environment here(
        w, {.network = sim::network_spec{.name = "radio",
                                         .up = {.latency = distribution::lognormal(30e6, 0.5)},
                                         .down = {.latency = distribution::uniform(5e6, 50e6)}}});
    std::vector<std::unique_ptr<client>> all;
    std::uint64_t heard = 0;
    for (int i = 0; i < 5; ++i) {
        all.push_back(std::make_unique<client>(
            here, client_config("mqtt://cloud").id("display-" + std::to_string(i))));
        all.back()->start();
        boost::asio::co_spawn(
            here.executor(),
            [](client& display, std::uint64_t& count) -> boost::asio::awaitable<void> {
                auto seen = co_await display.async_subscribe("s/#", qos::at_least_once);
                for (;;) {
                    const received_message message = co_await seen.async_receive();
                    ++count;
                    co_await display.async_publish("seen", message.topic(), qos::at_least_once);
                }
            }(*all.back(), heard),
            [](std::exception_ptr) {});
    }
    for (int minute = 0; minute < 10; ++minute) {
        w.run_for(1min);
        here.cut_links();
    }
    w.run_for(1min);
    if (delivered != nullptr) {
        *delivered = heard;
    }
    for (const auto& each : all) {
        CHECK(each->is_connected());
        CHECK(each->metrics().connections > 10);
    }
    return w.trace_hash();
}

}  // namespace

TEST_CASE("a world with clients of the SDK in it repeats to the bit", "[determinism]") {
    std::uint64_t delivered = 0;
    const std::uint64_t hash = hash_of_storm(1, &delivered);
    CHECK(delivered > 5 * 20 * 50);
    CHECK(hash == hash_of_storm(1));
    CHECK(hash != hash_of_storm(2));
    CHECK(in_a_world(1).hash == in_a_world(1).hash);
}
