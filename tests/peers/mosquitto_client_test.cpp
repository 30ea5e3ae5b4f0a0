#include <fleetarium/client/client.hpp>

#include <support/mosquitto.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <catch2/catch.hpp>

#include <functional>
#include <string>
#include <vector>

// mosquitto, which knows MQTT from another hand, judges our client.

namespace fleetarium::test {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

constexpr auto tuple = asio::as_tuple(asio::use_awaitable);
constexpr auto deadline = std::chrono::seconds{60};

bool mosquitto_is_missing() {
    if (mosquitto::program()) {
        return false;
    }
    WARN("this test was skipped: mosquitto is not installed");
    return true;
}

/// Runs a coroutine on a network of its own.
void run(const std::function<awaitable<void>(real_environment&)>& body) {
    asio::io_context context;
    real_environment network(context);
    bool ended = false;
    asio::co_spawn(context, body(network), [&](std::exception_ptr thrown) {
        ended = true;
        if (thrown) {
            std::rethrow_exception(thrown);
        }
    });
    context.run_for(deadline);
    REQUIRE(ended);
}

backoff quick() { return backoff().first(50ms).max(200ms); }

}  // namespace

TEST_CASE("messages of every QoS go through mosquitto, over every transport, in both versions",
          "[client][mosquitto]") {
    if (mosquitto_is_missing()) {
        return;
    }
    const mosquitto broker;
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    for (const std::string& url :
         {broker.tcp(), broker.tls(), broker.websocket(), broker.unix_socket()}) {
        INFO(url);
        // mosquitto sends some 40 kB a second over WebSockets, to any client.
        const std::size_t size_max = url.starts_with("ws") ? 20'000 : 300'000;
        run([&](real_environment& network) -> awaitable<void> {
            client_config config(url);
            config.id("c").version(version).tls(broker.authority().anonymous_tls());
            client c(network, config);
            co_await c.async_connect(c.within(20s));
            subscription stream = co_await c.async_subscribe("a/#", qos::exactly_once);
            for (const auto level : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
                for (const std::size_t size :
                     std::initializer_list<std::size_t>{0, 10, 5'000, size_max}) {
                    const std::string payload(size, 'x');
                    const reason_code code = co_await c.async_publish("a/b", payload, level);
                    CHECK(code == reason_code::success);
                    const received_message got = co_await stream.async_receive(c.within(20s));
                    CHECK(got.topic() == "a/b");
                    CHECK(got.qos() == level);
                    CHECK(got.text() == payload);
                }
            }
            const auto codes = co_await stream.async_unsubscribe();
            CHECK(codes.size() == 1);
            co_await c.async_disconnect();
        });
    }
}

TEST_CASE("a certificate that mosquitto shows is checked", "[client][mosquitto]") {
    if (mosquitto_is_missing()) {
        return;
    }
    const mosquitto broker;
    run([&](real_environment& network) -> awaitable<void> {
        const net::test_certificate_authority other(8);
        client_config config(broker.tls());
        config.tls(other.anonymous_tls()).reconnect(backoff().attempts(1));
        client c(network, config);
        const auto [why, info] = co_await c.async_connect(c.within(20s, tuple));
        CHECK(why.failed());
        CHECK(why != error::timed_out);
    });
}

TEST_CASE("a session is resumed when mosquitto is started again", "[client][mosquitto]") {
    if (mosquitto_is_missing()) {
        return;
    }
    mosquitto broker;
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    run([&](real_environment& network) -> awaitable<void> {
        client_config config(broker.tcp());
        config.id("kept").version(version).clean_start(false).reconnect(quick());
        client c(network, config);
        subscription stream = *c.subscribe("a", qos::exactly_once);
        co_await c.async_connect(c.within(20s));
        co_await stream.async_answer();
        broker.stop();
        while (c.is_connected()) {
            co_await c.async_wait_for(10ms);
        }
        // Published while there is no broker: waits, and arrives by the session.
        CHECK(c.publish("a", "1", qos::at_least_once));
        CHECK(c.publish("a", "2", qos::exactly_once));
        broker.start();
        const received_message first = co_await stream.async_receive(c.within(20s));
        const received_message second = co_await stream.async_receive(c.within(20s));
        CHECK(first.text() == "1");
        CHECK(second.text() == "2");
        CHECK(c.connection().session_present);
        CHECK(c.metrics().connections == 2);
        co_await c.async_flush();
        co_await c.async_disconnect();
    });
}

TEST_CASE("messages that come while the client is away come with the session",
          "[client][mosquitto]") {
    if (mosquitto_is_missing()) {
        return;
    }
    const mosquitto broker;
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    run([&](real_environment& network) -> awaitable<void> {
        client_config config(broker.tcp());
        config.id("kept").version(version).clean_start(false);
        {
            client c(network, config);
            c.start();
            subscription stream =
                co_await c.async_subscribe("a", qos::at_least_once, c.within(20s));
            co_await c.async_disconnect();
        }
        client other(network, client_config(broker.tcp()).id("other"));
        co_await other.async_connect(other.within(20s));
        for (int i = 0; i < 50; ++i) {
            co_await other.async_publish("a", std::to_string(i), qos::at_least_once);
        }
        client c(network, config);
        subscription stream = *c.subscribe("a", qos::at_least_once);
        const connection_info info = co_await c.async_connect(c.within(20s));
        CHECK(info.session_present);
        for (int i = 0; i < 50; ++i) {
            const received_message got = co_await stream.async_receive(c.within(20s));
            CHECK(got.text() == std::to_string(i));
        }
        co_await c.async_disconnect();
        co_await other.async_disconnect();
    });
}

TEST_CASE("requests, properties and reason codes of MQTT 5 go through mosquitto",
          "[client][mosquitto]") {
    if (mosquitto_is_missing()) {
        return;
    }
    const mosquitto broker;
    run([&](real_environment& network) -> awaitable<void> {
        client server(network, client_config(broker.tcp()).id("server"));
        client asker(network, client_config(broker.tcp()).id("asker").use_topic_aliases(true));
        co_await server.async_connect(server.within(20s));
        co_await asker.async_connect(asker.within(20s));
        const auto [nobody, none] = co_await asker.async_request("sum", "1 2", 10s, tuple);
        CHECK(nobody == error::no_responder);
        subscription requests = co_await server.async_subscribe("sum", qos::at_least_once);
        for (int i = 0; i < 3; ++i) {
            bool answered = false;
            asker.async_request("sum", "1 2", 10s,
                                [&](boost::system::error_code why, received_message got) {
                                    CHECK(!why);
                                    CHECK(got.text() == "3");
                                    CHECK(got.user_property("unit") == "one");
                                    answered = true;
                                });
            const received_message request = co_await requests.async_receive(server.within(20s));
            CHECK(request.text() == "1 2");
            CHECK(server.reply(request, "3",
                               publish_options(qos::at_least_once).user_property("unit", "one")));
            for (int tries = 0; tries < 1000 && !answered; ++tries) {
                co_await asker.async_wait_for(10ms);
            }
            CHECK(answered);
        }
        subscription shared =
            co_await server.async_subscribe("$share/g/work/#", qos::at_least_once);
        const reason_code code = co_await asker.async_publish("work/1", "x", qos::at_least_once);
        CHECK(code == reason_code::success);
        const received_message job = co_await shared.async_receive(server.within(20s));
        CHECK(job.topic() == "work/1");
        co_await asker.async_disconnect();
        co_await server.async_disconnect();
    });
}

TEST_CASE("mosquitto refuses a wrong password, and the client stops", "[client][mosquitto]") {
    if (mosquitto_is_missing()) {
        return;
    }
    const mosquitto broker;
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    run([&](real_environment& network) -> awaitable<void> {
        const auto config = client_config(broker.guarded()).version(version);
        client good(network, client_config(config).user("lamp", "secret"));
        co_await good.async_connect(good.within(20s));
        co_await good.async_disconnect();
        client bad(network, client_config(config).user("lamp", "wrong"));
        const auto [why, info] = co_await bad.async_connect(bad.within(20s, tuple));
        CHECK(
            (why == reason_code::not_authorized || why == reason_code::bad_user_name_or_password));
        CHECK(bad.metrics().attempts_failed == 1);
    });
}

TEST_CASE("a will reaches others when the client is gone", "[client][mosquitto]") {
    if (mosquitto_is_missing()) {
        return;
    }
    const mosquitto broker;
    run([&](real_environment& network) -> awaitable<void> {
        client listener(network, client_config(broker.tcp()).id("listener"));
        co_await listener.async_connect(listener.within(20s));
        subscription wills = co_await listener.async_subscribe("will", qos::at_least_once);
        auto mortal = std::make_unique<client>(
            network, client_config(broker.tcp())
                         .id("mortal")
                         .session_expiry(0s)
                         .will(last_will("will", "gone", publish_options(qos::at_least_once))));
        co_await mortal->async_connect(listener.within(20s));
        mortal.reset();
        const received_message got = co_await wills.async_receive(listener.within(20s));
        CHECK(got.text() == "gone");
        co_await listener.async_disconnect();
    });
}

}  // namespace fleetarium::test
