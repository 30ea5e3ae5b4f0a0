#include <fleetarium/server/server.hpp>
#include <fleetarium/testing/message_probe.hpp>

#include <catch2/catch.hpp>

#include <fleetarium/testing/catch2.hpp>

#include <optional>

using namespace fleetarium;
using namespace fleetarium::testing;
using namespace std::chrono_literals;

namespace {

/// Far beyond what anything takes on a slow machine under a sanitizer.
constexpr auto patience = 60s;

}  // namespace

TEST_CASE("a probe hears a broker in this process without a port", "[probe]") {
    broker::server server;
    server.start();
    message_probe probe(server);
    server.publish("doors/1/state", "closed", qos::at_least_once).value();
    server.publish("doors/2/state", "open", qos::exactly_once).value();
    const auto found = FLEETARIUM_WAIT_FOR(
        probe, "doors/+/state", [](const auto& m) { return m.payload == "open"; }, patience);
    CHECK(found.topic == "doors/2/state");
    CHECK(found.qos == qos::exactly_once);
    CHECK(found.arrived_after > 0s);
    CHECK(FLEETARIUM_WAIT_FOR(probe, "#", patience).payload == "closed");
    FLEETARIUM_EXPECT_NONE(probe, "#", 1ms);
}

TEST_CASE("a probe hears a broker by its URL", "[probe]") {
    broker::server server(broker::listen_on("mqtt://127.0.0.1:0"));
    server.start();
    message_probe probe("mqtt://127.0.0.1:" + std::to_string(server.port()));
    for (int i = 0; i < 1000; ++i) {
        server.publish("a", std::to_string(i), qos::at_least_once).value();
    }
    const auto all = FLEETARIUM_WAIT_FOR_COUNT(probe, "a", 1000, patience);
    for (int i = 0; i < 1000; ++i) {
        REQUIRE(all[static_cast<std::size_t>(i)].payload == std::to_string(i));
    }
}

TEST_CASE("a probe hears everything of several filters once, with properties", "[probe]") {
    broker::server server;
    server.start();
    message_probe probe(server, {.client_id = "listener", .filters = {"#", "a/#", "a/b"}});
    CHECK(server.clients().at(0).client_id == "listener");
    publish message;
    message.topic = "a/b";
    message.payload = as_bytes_view("x");
    message.content_type = "text/plain";
    message.response_topic = "c";
    message.correlation_data = as_bytes_view("7");
    const user_property property{"color", "red"};
    message.user_properties = user_properties({&property, 1});
    server.publish(message).value();
    const auto found = FLEETARIUM_WAIT_FOR(probe, "a/b", patience);
    CHECK(found.content_type == "text/plain");
    CHECK(found.response_topic == "c");
    CHECK(found.correlation_data == "7");
    CHECK(found.user_properties ==
          std::vector<std::pair<std::string, std::string>>{{"color", "red"}});
    FLEETARIUM_EXPECT_NONE(probe, "#", 10ms);
}

TEST_CASE("in real time, too, a wait that fails tells what did arrive", "[probe]") {
    broker::server server;
    server.start();
    message_probe probe(server);
    server.publish("doors/1/state", "closed").value();
    FLEETARIUM_WAIT_FOR(probe, "doors/1/state", patience);
    const probe_outcome outcome = probe.try_wait_for("gates/#", 1, {}, 20ms);
    REQUIRE_FALSE(outcome);
    CHECK_THAT(outcome.failure,
               Catch::StartsWith("no message matched gates/# within 20 ms; 1 message arrived, none "
                                 "of them matched the filter:\n  [0.") &&
                   Catch::EndsWith(" s] doors/1/state qos 0 \"closed\" (already returned)\n"
                                   "The probe is subscribed to #."));
}

TEST_CASE("a probe without a broker says what it tried", "[probe]") {
    std::optional<broker::server> server(broker::listen_on("mqtt://127.0.0.1:0"));
    server->start();
    const std::string url = "mqtt://127.0.0.1:" + std::to_string(server->port());
    server.reset();
    CHECK_THROWS_WITH(message_probe(url, {.begin_within = 300ms}),
                      Catch::Contains("the probe was not subscribed within 300 ms") &&
                          Catch::Contains("it could not connect to " + url));
    CHECK_THROWS_AS(message_probe("door://1"), std::invalid_argument);
}

TEST_CASE("a probe that may not subscribe says so at once", "[probe]") {
    broker::server_options options;
    options.allow_anonymous = false;
    broker::server server(options);
    server.start();
    CHECK_THROWS_WITH(message_probe(server), Catch::StartsWith("the probe was not subscribed. ") &&
                                                 Catch::Contains("ot authorized"));
}

TEST_CASE("a probe whose broker stops says so, and hears it again afterwards", "[probe]") {
    broker::server server;
    server.start();
    message_probe probe(server);
    server.stop();
    const probe_outcome outcome = probe.try_wait_for("#", 1, {}, 50ms);
    REQUIRE_FALSE(outcome);
    CHECK_THAT(outcome.failure, Catch::Contains("; it lost its connection to") ||
                                    Catch::Contains("; it could not connect to"));
    server.start();
    // It has come back when what is published reaches it.
    const auto found = [&] {
        server.publish("a", "again").value();
        return static_cast<bool>(probe.try_wait_for("a", 1, {}, 10ms));
    };
    bool heard = false;
    for (int i = 0; i < 6000 && !heard; ++i) {
        heard = found();
    }
    CHECK(heard);
}

TEST_CASE("a probe ends before its broker, whatever state that is in", "[probe]") {
    broker::server server;
    server.start();
    { const message_probe probe(server); }
    {
        const message_probe probe(server);
        server.stop();
    }
    CHECK(server.metrics().connections_opened >= 2);
}
