#include <support/client_support.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <catch2/catch.hpp>

#include <future>
#include <memory>

// No co_await inside CHECK: the macro would evaluate it twice.
//
// The same operations through every kind of completion token, and what happens to those who wait
// when their client, or the whole context, goes.

namespace fleetarium::test {
namespace {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using asio::awaitable;
using asio::use_awaitable;
using boost::system::system_error;

constexpr auto tuple = asio::as_tuple(use_awaitable);

struct bench {
    virtual_network network;
    memory_broker broker{network};
    client c{network, usual()};
};

/// Destroyed when the coroutine that owns it is.
struct sentinel {
    explicit sentinel(int& into) : gone(&into) {}
    sentinel(const sentinel&) = delete;
    ~sentinel() { ++*gone; }
    int* gone;
};

}  // namespace

TEST_CASE("a coroutine drives a client as it reads", "[client][tokens]") {
    bench t;
    int received = 0;
    const auto lamp = [&]() -> awaitable<void> {
        co_await t.c.async_connect();
        subscription orders = co_await t.c.async_subscribe("lamps/7/set", qos::at_least_once);
        const reason_code done =
            co_await t.c.async_publish("lamps/7/set", "on", qos::at_least_once);
        CHECK(done == reason_code::success);
        const received_message order = co_await orders.async_receive();
        CHECK(order.text() == "on");
        ++received;
        co_await t.c.async_publish("lamps/7/state", order.payload(), publish_options().retain());
        co_await t.c.async_wait_for(1h);
        const auto codes = co_await orders.async_unsubscribe();
        CHECK(codes.size() == 1);
        co_await t.c.async_flush();
        co_await t.c.async_disconnect();
    };
    t.network.run(lamp());
    CHECK(received == 1);
    CHECK(t.network.now() == instant(1h));
    CHECK(t.broker.core().retained().size() == 1);
}

TEST_CASE("errors are exceptions in a coroutine, or values", "[client][tokens]") {
    bench t;
    const auto body = [&]() -> awaitable<void> {
        co_await t.c.async_connect();
        bool thrown = false;
        try {
            co_await t.c.async_publish("a/#", "x");
        } catch (const system_error& why) {
            thrown = why.code() == error::invalid_topic_name;
        }
        CHECK(thrown);
        const auto [why, code] = co_await t.c.async_publish("a", "x", qos::at_least_once, tuple);
        CHECK(!why);
        CHECK(code == reason_code::no_matching_subscribers);
        auto [refused, none] = co_await t.c.async_subscribe("a/#/b", qos::at_most_once, tuple);
        CHECK(refused == error::invalid_topic_filter);
        CHECK(!none);
    };
    t.network.run(body());
}

TEST_CASE("options made in a co_await expression are destroyed once", "[client][tokens]") {
    bench t;
    const std::string text(1000, 'x');  // owned memory, so that a second destruction shows
    const auto body = [&]() -> awaitable<void> {
        co_await t.c.async_connect();
        subscription all = co_await t.c.async_subscribe(
            std::string("topic/") + text,
            subscribe_options(qos::at_least_once).user_property("k" + text, text));
        co_await t.c.async_publish(std::string("topic/") + text, text + text,
                                   publish_options(qos::at_least_once)
                                       .content_type(text)
                                       .user_property("k" + text, text)
                                       .correlation_data(text));
        const received_message got = co_await all.async_receive();
        CHECK(got.user_property("k" + text) == text);
        const reason_code code =
            co_await t.c.async_publish("a", text, qos::at_least_once, t.c.within(5s));
        CHECK(code == reason_code::no_matching_subscribers);
        const auto [why, response] = co_await t.c.async_request(
            text, text, request_options(2s).message(publish_options().content_type(text)), tuple);
        CHECK(why == error::timed_out);
        co_await t.c.async_disconnect(disconnect_options().reason(text));
    };
    t.network.run(body());
}

TEST_CASE("the first of two operations ends the other", "[client][tokens]") {
    bench t;
    const auto body = [&]() -> awaitable<void> {
        co_await t.c.async_connect();
        subscription stream = co_await t.c.async_subscribe("a", qos::at_least_once);
        const instant begun = t.c.now();
        auto first = co_await (stream.async_receive() || t.c.async_wait_for(5s));
        CHECK(first.index() == 1);
        CHECK(t.c.now() - begun == 5s);

        CHECK(t.c.publish("a", "x", qos::at_least_once));
        auto second = co_await (stream.async_receive() || t.c.async_wait_for(5s));
        CHECK(second.index() == 0);
        CHECK(std::get<0>(second).text() == "x");
        CHECK(t.c.now() - begun == 5s);

        const auto [one, two] = co_await (t.c.async_publish("a", "1", qos::at_least_once) &&
                                          t.c.async_publish("a", "2", qos::exactly_once));
        CHECK(one == reason_code::success);
        CHECK(two == reason_code::success);
        // What a cancelled receive did not take is still there.
        const received_message third = co_await stream.async_receive();
        const received_message fourth = co_await stream.async_receive();
        CHECK(third.text() == "1");
        CHECK(fourth.text() == "2");
    };
    t.network.run(body());
}

TEST_CASE("a coroutine that is cancelled leaves its operation", "[client][tokens]") {
    bench t;
    asio::cancellation_signal stop;
    int gone = 0;
    boost::system::error_code why;
    const auto body = [&]() -> awaitable<void> {
        const sentinel here(gone);
        subscription stream = *t.c.subscribe("a");
        try {
            co_await stream.async_receive();
        } catch (const system_error& thrown) {
            why = thrown.code();
        }
    };
    asio::co_spawn(t.network.context(), body(),
                   asio::bind_cancellation_slot(stop.slot(), asio::detached));
    t.network.advance(1s);
    CHECK(gone == 0);
    stop.emit(asio::cancellation_type::terminal);
    t.network.settle();
    CHECK(gone == 1);
    CHECK(why == asio::error::operation_aborted);
}

TEST_CASE("futures", "[client][tokens]") {
    bench t;
    std::future<connection_info> connected = t.c.async_connect(asio::use_future);
    std::future<reason_code> published =
        t.c.async_publish("a", "x", qos::at_least_once, asio::use_future);
    std::future<subscription> subscribed =
        t.c.async_subscribe("a", qos::at_least_once, asio::use_future);
    std::future<subscription> refused = t.c.async_subscribe("#/a", asio::use_future);
    t.network.settle();
    CHECK(connected.get().client_id == "c");
    CHECK(published.get() == reason_code::success);
    CHECK(subscribed.get().codes().size() == 1);
    CHECK_THROWS_AS(refused.get(), system_error);
    std::future<void> left = t.c.async_disconnect(asio::use_future);
    t.network.settle();
    CHECK_NOTHROW(left.get());
}

TEST_CASE("a deferred operation owns its arguments and begins when it is awaited or called",
          "[client][tokens]") {
    bench t;
    auto connect = t.c.async_connect(asio::deferred);
    auto publish = [&] {
        const std::string topic = "a/" + std::string(100, 'x');
        return t.c.async_publish(topic, std::string(100, 'y'), qos::at_least_once, asio::deferred);
    }();
    t.network.settle();
    CHECK(t.network.attempts().empty());
    outcome connected;
    std::move(connect)(note(connected));
    t.network.settle();
    CHECK(connected.succeeded());
    const auto body = [&]() -> awaitable<void> {
        const reason_code code = co_await std::move(publish);
        CHECK(code == reason_code::no_matching_subscribers);
    };
    t.network.run(body());
}

TEST_CASE("a deferred operation of a client that is gone is aborted", "[client][tokens]") {
    bench t;
    auto publish = t.c.async_publish("a", "x", qos::at_least_once, asio::deferred);
    auto wait = t.c.async_wait_for(1s, asio::deferred);
    { const client gone = std::move(t.c); }
    outcome published;
    outcome waited;
    std::move(publish)(note(published));
    std::move(wait)(note(waited));
    t.network.settle();
    CHECK(published.why == asio::error::operation_aborted);
    CHECK(waited.why == asio::error::operation_aborted);
}

TEST_CASE("a handler runs on its own executor and may own what cannot be copied",
          "[client][tokens]") {
    bench t;
    asio::io_context other;
    auto owned = std::make_unique<int>(7);
    int seen = 0;
    t.c.async_connect(asio::bind_executor(
        other,
        [owned = std::move(owned), &seen](boost::system::error_code why, const connection_info&) {
            CHECK(!why);
            seen = *owned;
        }));
    t.network.settle();
    CHECK(seen == 0);
    other.run();  // returns: the operation no longer keeps it busy
    CHECK(seen == 7);
}

TEST_CASE("an operation keeps its executor busy until it is done", "[client][tokens]") {
    bench t;
    asio::io_context other;
    bool done = false;
    t.c.async_wait_for(1s,
                       asio::bind_executor(other, [&](boost::system::error_code) { done = true; }));
    CHECK(other.poll() == 0);
    CHECK(!other.stopped());
    t.network.advance(1s);
    other.run();
    CHECK(done);
}

TEST_CASE("waits end in time, in their order, and can be cancelled", "[client][tokens]") {
    bench t;
    std::vector<std::string> ended;
    asio::cancellation_signal signal;
    const auto push = [&](const char* name) {
        return [&ended, name](boost::system::error_code why) {
            ended.push_back(why ? std::string(name) + " " + why.message() : name);
        };
    };
    t.c.async_wait_for(3s, push("third"));
    t.c.async_wait_until(instant(1s), push("first"));
    t.c.async_wait_for(2s, asio::bind_cancellation_slot(signal.slot(), push("second")));
    t.c.async_wait_until(never, t.c.within(5s, push("never")));
    t.network.advance(1500ms);
    signal.emit(asio::cancellation_type::total);
    t.network.advance(10s);
    CHECK(ended == std::vector<std::string>{"first", "second Operation canceled", "third",
                                            "never no answer within the time limit"});
}

TEST_CASE("a client may be destroyed with everything under way", "[client][tokens]") {
    virtual_network network;
    memory_broker broker(network);
    auto c = std::make_unique<client>(network, usual());
    const int when = GENERATE(0, 1, 2, 3);
    if (when == 1) {
        network.set_mood("broker", host_mood::is_silent);  // opening
    } else if (when == 3) {
        network.set_mood("broker", host_mood::refuses);  // waiting for the next attempt
    }
    if (when != 0) {
        c->start();
        network.settle();
    }
    network.stall(true);
    std::vector<outcome> all(when == 1 || when == 3 ? 9 : 7);
    auto stream = *c->subscribe("a", qos::at_least_once);
    c->async_publish("a", "b", qos::at_least_once, note(all[0]));
    c->async_publish("a", "b", qos::exactly_once, note(all[1]));
    c->async_subscribe("b", qos::at_least_once, note(all[2]));
    c->async_request("a", "b", 5s, note(all[3]));
    c->async_wait_for(5s, note(all[4]));
    c->async_flush(note(all[5]));
    stream.async_receive(note(all[6]));
    if (when == 1 || when == 3) {
        c->async_connect(note(all[7]));
        c->async_run(note(all[8]));
    }
    network.settle();
    c.reset();
    for (const outcome& one : all) {
        CHECK(!one.done);
    }
    network.advance(1h);
    for (const outcome& one : all) {
        CHECK(one.why == asio::error::operation_aborted);
    }
    outcome late;
    stream.async_receive(note(late));
    network.settle();
    CHECK(late.why == asio::error::operation_aborted);
    CHECK(network.open_links() == 0);
}

TEST_CASE("a context that is destroyed takes along coroutines that own their client",
          "[client][tokens]") {
    virtual_network network;
    auto broker = std::make_unique<memory_broker>(network);
    int gone = 0;
    const auto body = [&](int which) -> awaitable<void> {
        const sentinel here(gone);
        client mine(network, usual().id("c" + std::to_string(which)));
        if (which == 0) {
            co_await mine.async_run();
        }
        co_await mine.async_connect();
        subscription stream = co_await mine.async_subscribe("a", qos::at_least_once);
        if (which == 1) {
            co_await stream.async_receive();
        }
        if (which == 2) {
            co_await mine.async_wait_for(1h);
        }
        co_await (stream.async_receive() || mine.async_wait_for(1h));
    };
    for (int which = 0; which < 4; ++which) {
        asio::co_spawn(network.context(), body(which), asio::detached);
    }
    network.advance(1s);
    CHECK(broker->core().connected_count() == 4);
    CHECK(gone == 0);
    broker.reset();
    network.destroy_context();
    CHECK(gone == 4);
}

TEST_CASE("a client can be moved", "[client][tokens]") {
    bench t;
    client moved = std::move(t.c);
    outcome connected;
    moved.async_connect(note(connected));
    t.network.settle();
    CHECK(connected.succeeded());
    client other(t.network, usual().id("other"));
    other.start();
    t.network.settle();
    CHECK(t.broker.core().connected_count() == 2);
    other = std::move(moved);
    t.network.settle();
    CHECK(t.broker.core().connected_count() == 1);
    CHECK(other.connection().client_id == "c");
}

}  // namespace fleetarium::test
