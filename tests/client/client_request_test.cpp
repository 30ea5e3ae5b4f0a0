#include <support/client_support.hpp>
#include <support/scripted_hooks.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <catch2/catch.hpp>

#include <deque>

namespace fleetarium::test {
namespace {

namespace asio = boost::asio;

struct response {
    bool done = false;
    boost::system::error_code why;
    received_message message;
};

auto keep(response& into) {
    return [&into](boost::system::error_code why, received_message got) {
        CHECK(!into.done);
        into.done = true;
        into.why = why;
        into.message = std::move(got);
    };
}

/// One who asks and one who answers.
struct bench {
    explicit bench(client_config asker = usual(), broker::broker_hooks* hooks = nullptr)
        : broker(network, {}, hooks),
          c(network, std::move(asker)),
          server(network, usual().id("server")),
          requests(*server.subscribe("service/#", qos::at_least_once)) {
        server.start();
        c.start();
        network.settle();
    }
    void serve() {
        while (const auto request = requests.try_receive()) {
            CHECK(server.reply(*request, "re: " + std::string(request->text())));
        }
        network.settle();
    }

    virtual_network network;
    memory_broker broker;
    client c;
    client server;
    subscription requests;
};

}  // namespace

TEST_CASE("a request gets the response that belongs to it", "[client][request]") {
    bench t;
    std::deque<response> got(3);
    for (std::size_t i = 0; i < got.size(); ++i) {
        t.c.async_request("service/echo", std::to_string(i), 5s, keep(got[i]));
    }
    t.network.settle();
    CHECK(!got[0].done);
    t.serve();
    for (std::size_t i = 0; i < got.size(); ++i) {
        CHECK(got[i].done);
        CHECK(!got[i].why);
        CHECK(got[i].message.text() == "re: " + std::to_string(i));
        CHECK(got[i].message.topic() == "responses/c");
    }
    CHECK(t.broker.core().subscription_count() == 2);  // one for all responses
    t.network.advance(1min);
}

TEST_CASE("a request carries what a responder needs, and expires with the wait",
          "[client][request]") {
    bench t(usual().response_topic("my/answers"));
    response got;
    request_options options(4500ms);
    options.message(publish_options(qos::exactly_once).content_type("text/plain"));
    t.c.async_request("service/x", "payload", options, keep(got));
    t.network.settle();
    const auto request = t.requests.try_receive();
    REQUIRE(request);
    CHECK(request->response_topic() == "my/answers");
    CHECK(request->correlation_data()->size() == 8);
    CHECK(request->content_type() == "text/plain");
    CHECK(request->message_expiry_interval() == 5);
    t.network.advance(4s);
    CHECK(!got.done);
    t.network.advance(500ms);
    CHECK(got.why == error::timed_out);

    CHECK(t.server.reply(*request, "too late"));
    t.network.settle();
    CHECK(t.c.metrics().responses_late == 1);
}

TEST_CASE("a request whose topic nobody subscribes to fails at once", "[client][request]") {
    bench t;
    response got;
    t.c.async_request("nobody", "x", 5s, keep(got));
    t.network.settle();
    CHECK(got.why == error::no_responder);
}

TEST_CASE("a request that the server refuses fails with its code", "[client][request]") {
    scripted_hooks hooks;
    bench t(usual(), &hooks);
    response got;
    SECTION("the message") {
        hooks.on_authorize_publish = [](const auto&, const publish& m) {
            return m.topic != "service/secret";
        };
        t.c.async_request("service/secret", "x", 5s, keep(got));
        t.network.settle();
        CHECK(got.why == reason_code::not_authorized);
    }
    SECTION("the subscription to responses") {
        hooks.on_authorize_subscribe = [](const auto&, std::string_view filter) {
            return !filter.starts_with("responses/");
        };
        t.c.async_request("service/x", "x", 5s, keep(got));
        t.network.settle();
        CHECK(got.why == reason_code::not_authorized);

        hooks.on_authorize_subscribe = nullptr;  // the next one tries again
        response again;
        t.c.async_request("service/x", "x", 5s, keep(again));
        t.network.settle();
        t.serve();
        CHECK(again.done);
        CHECK(!again.why);
    }
}

TEST_CASE("a request outlives a break of the connection", "[client][request]") {
    bench t;
    response got;
    t.c.async_request("service/x", "x", 30s, keep(got));
    t.network.settle();
    t.network.cut();
    t.network.advance(1s);
    t.serve();
    CHECK(got.done);
    CHECK(!got.why);
    CHECK(got.message.text() == "re: x");
}

TEST_CASE("a request can be made before there is a connection, and given up", "[client][request]") {
    virtual_network network;
    memory_broker broker(network);
    client c(network, usual());
    asio::cancellation_signal signal;
    response got;
    c.async_request("service/x", "x", 30s, asio::bind_cancellation_slot(signal.slot(), keep(got)));
    network.settle();
    CHECK(c.queued() == 1);
    signal.emit(asio::cancellation_type::total);
    network.settle();
    CHECK(got.why == asio::error::operation_aborted);
    CHECK(c.queued() == 0);
}

TEST_CASE("a request ends with its client", "[client][request]") {
    bench t;
    response got;
    t.c.async_request("service/x", "x", 30s, keep(got));
    t.network.settle();
    const bool disconnects = GENERATE(false, true);
    if (disconnects) {
        t.c.async_disconnect([](auto) {});
    } else {
        const client dead = std::move(t.c);
    }
    t.network.settle();
    CHECK(got.why == asio::error::operation_aborted);
}

TEST_CASE("MQTT 3.1.1 knows no requests", "[client][request]") {
    bench t(usual(protocol_version::v3_1_1));
    response got;
    t.c.async_request("service/x", "x", 30s, keep(got));
    t.network.settle();
    CHECK(got.why == error::not_in_this_version);
}

TEST_CASE("only what asks for a response can be replied to", "[client][request]") {
    bench t;
    CHECK(t.c.publish("service/x", "x", qos::at_least_once));
    t.network.settle();
    const auto message = t.requests.try_receive();
    REQUIRE(message);
    CHECK(t.server.reply(*message, "y").error() == error::invalid_argument);
}

}  // namespace fleetarium::test
