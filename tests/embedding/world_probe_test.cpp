#include <fleetarium/sim/world.hpp>
#include <fleetarium/testing/message_probe.hpp>

#include <catch2/catch.hpp>

#include <fleetarium/testing/catch2.hpp>

using namespace fleetarium;
using namespace fleetarium::testing;
using namespace std::chrono_literals;

namespace {

/// A world with a broker, and a door that tells whenever it is asked to.
struct house {
    sim::world world{{.seed = 7}};
    sim::virtual_broker& broker = world.add_broker();
    sim::client& door = world.add_client("door");

    house() {
        door.connect(broker);
        world.settle();
    }

    /// The door says so now; it arrives as the world runs on.
    void tell(std::string_view topic, std::string_view payload, enum qos qos = qos::at_most_once) {
        door.publish(topic, payload, qos).value();
    }

    /// Twenty doors that tell their state every minute, one after the other.
    void add_doors() {
        sim::fleet_spec doors{.name = "doors", .count = 20, .ramp_up = 1min};
        doors.publications.push_back({.topic = "doors/{index}/state",
                                      .period = distribution::constant(60e9),
                                      .qos = qos::at_least_once,
                                      .payload = "closed"});
        world.add_fleet(doors);
    }
};

std::string failure_of(const probe_outcome& outcome) {
    REQUIRE_FALSE(outcome);
    REQUIRE(outcome.messages.empty());
    return outcome.failure;
}

}  // namespace

TEST_CASE("a probe in a world waits in virtual time", "[probe]") {
    house home;
    home.add_doors();
    message_probe probe(home.world, home.broker);
    const instant begin = home.world.now();
    const probed_message found = probe.wait_for("doors/7/state", 1h);
    CHECK(found.topic == "doors/7/state");
    CHECK(found.payload == "closed");
    CHECK(found.qos == qos::at_least_once);
    CHECK_FALSE(found.retain);
    CHECK(home.world.now() - begin == found.arrived_after);
    CHECK(found.arrived_after > 0s);
    CHECK(found.arrived_after < 3min);
}

TEST_CASE("a wait finds what has arrived before it, and each message once", "[probe]") {
    house home;
    message_probe probe(home.world, home.broker);
    home.tell("doors/1/state", "open");
    home.tell("doors/2/state", "open");
    home.tell("doors/1/state", "closed");
    home.world.settle();
    const instant before = home.world.now();
    // Order between filters does not matter.
    CHECK(probe.wait_for("doors/2/#", 1s).payload == "open");
    CHECK(probe.wait_for("doors/1/#", 1s).payload == "open");
    CHECK(probe.wait_for("#", 1s).payload == "closed");
    CHECK(home.world.now() == before);
    CHECK_FALSE(probe.try_wait_for("#", 1, {}, 1s));
    CHECK(home.world.now() == before + 1s);
    CHECK(probe.messages().size() == 3);
}

TEST_CASE("a wait asks its predicate", "[probe]") {
    house home;
    message_probe probe(home.world, home.broker);
    home.tell("doors/1/state", "closed");
    home.tell("doors/2/state", "open");
    const auto found = probe.wait_for(
        "doors/+/state", [](const auto& m) { return m.payload == "open"; }, 2s);
    CHECK(found.topic == "doors/2/state");
}

TEST_CASE("an exception of the predicate leaves the wait, and nothing is lost", "[probe]") {
    house home;
    message_probe probe(home.world, home.broker);
    home.tell("a", "1");
    const auto angry = [](const probed_message&) -> bool { throw std::logic_error("no"); };
    CHECK_THROWS_AS(probe.wait_for("a", angry, 1s), std::logic_error);
    CHECK(probe.wait_for("a", 1s).payload == "1");
}

TEST_CASE("a wait for several messages returns the first of them", "[probe]") {
    house home;
    message_probe probe(home.world, home.broker);
    for (const char* const each : {"1", "2", "3"}) {
        home.tell("a", each);
    }
    const auto found = probe.wait_for_count("a", 2, 1s);
    REQUIRE(found.size() == 2);
    CHECK(found[0].payload == "1");
    CHECK(found[1].payload == "2");
    CHECK(failure_of(probe.try_wait_for("a", 2, {}, 1s)) ==
          "1 of 2 messages matched a within 1 s; 3 messages arrived, 3 of them matched the "
          "filter:\n"
          "  [0.000 s] a qos 0 \"1\" (already returned)\n"
          "  [0.000 s] a qos 0 \"2\" (already returned)\n"
          "  [0.000 s] a qos 0 \"3\"\n"
          "The probe is subscribed to #.");
    CHECK(probe.wait_for("a", 1s).payload == "3");
}

TEST_CASE("a wait that fails tells what did arrive", "[probe]") {
    house home;
    message_probe probe(home.world, home.broker);
    home.world.run_for(120ms);
    home.tell("doors/1/state", "closed", qos::at_least_once);
    home.world.run_for(1s);
    home.tell("windows/1/state", "open");
    home.tell("doors/2/state", "closed");
    home.world.settle();
    CHECK(failure_of(probe.try_wait_for(
              "doors/+/state", 1, [](const auto& m) { return m.payload == "open"; }, 2s)) ==
          "no message matched doors/+/state and the predicate within 2 s; 3 messages arrived, 2 "
          "of them matched the filter:\n"
          "  [0.120 s] doors/1/state qos 1 \"closed\"\n"
          "  [1.120 s] doors/2/state qos 0 \"closed\"\n"
          "The probe is subscribed to #.");
    CHECK(failure_of(probe.try_wait_for("gates/#", 1, {}, 90min)) ==
          "no message matched gates/# within 1 h 30 min; 3 messages arrived, none of them matched "
          "the filter:\n"
          "  [0.120 s] doors/1/state qos 1 \"closed\"\n"
          "  [1.120 s] windows/1/state qos 0 \"open\"\n"
          "  [1.120 s] doors/2/state qos 0 \"closed\"\n"
          "The probe is subscribed to #.");
    probe.clear();
    CHECK(failure_of(probe.try_wait_for("#", 1, {}, 150ms)) ==
          "no message matched # within 150 ms; no message arrived and 3 before, forgotten\n"
          "The probe is subscribed to #.");
    CHECK_THROWS_WITH(probe.wait_for("#", 1s), Catch::StartsWith("no message matched # within"));
}

TEST_CASE("long payloads, bytes and many messages are told in short", "[probe]") {
    house home;
    message_probe probe(home.world, home.broker);
    for (int i = 0; i < 30; ++i) {
        home.tell("a", std::to_string(i));
    }
    home.tell("text", std::string(79, 'x') + "\xC3\xA4" + std::string(1000, 'y'));
    home.tell("bytes", std::string_view("\x00\xFF\x10", 3));
    home.tell("empty", "");
    home.world.settle();
    const std::string many = failure_of(probe.try_wait_for("a", 31, {}, 1s));
    CHECK(many.find("\n  ... 10 earlier\n  [0.000 s] a qos 0 \"10\"\n") != std::string::npos);
    const auto told = [&](const char* filter) {
        return failure_of(probe.try_wait_for(filter, 2, {}, 1ms));
    };
    CHECK(told("text").find("\"" + std::string(79, 'x') + "\"... (1081 bytes)") !=
          std::string::npos);
    CHECK(told("bytes").find("bytes qos 0 00 FF 10\n") != std::string::npos);
    CHECK(told("empty").find("empty qos 0 \"\"\n") != std::string::npos);
}

TEST_CASE("a message that is not expected fails at once, whenever it arrived", "[probe]") {
    house home;
    message_probe probe(home.world, home.broker);
    probe.expect_none("alarms/#", 1h);
    CHECK(home.world.now() >= instant{} + 1h);

    home.tell("alarms/fire", "!");
    const instant before = home.world.now();
    CHECK(failure_of(probe.try_expect_none("alarms/#", {}, 1h)) ==
          "a message matched alarms/# within 1 h, none was expected: alarms/fire qos 0 \"!\"\n"
          "1 message arrived, 1 of them matched the filter:\n"
          "  [3600.000 s] alarms/fire qos 0 \"!\" (already returned)");
    CHECK(home.world.now() == before);
    home.tell("alarms/fire", "!");
    home.world.settle();
    CHECK_THROWS_AS(probe.expect_none("alarms/#", 1h), probe_error);
    probe.expect_none("alarms/#", 1h);  // those that were told of are done with
}

TEST_CASE("retained messages come first, and are marked", "[probe]") {
    house home;
    home.door.publish("a", "before", qos::at_least_once, true).value();
    home.world.settle();
    message_probe probe(home.world, home.broker);
    home.tell("a", "after");
    const auto found = probe.wait_for_count("a", 2, 1s);
    CHECK(found[0].payload == "before");
    CHECK(found[0].retain);
    CHECK_FALSE(found[1].retain);
}

TEST_CASE("a probe brings the properties of messages", "[probe]") {
    house home;
    message_probe probe(home.world, home.broker);
    publish message;
    message.topic = "a";
    message.content_type = "text/plain";
    message.response_topic = "b";
    message.correlation_data = as_bytes_view("7");
    home.door.publish(message).value();
    const auto found = probe.wait_for("a", 1s);
    CHECK(found.content_type == "text/plain");
    CHECK(found.response_topic == "b");
    CHECK(found.correlation_data == "7");
}

TEST_CASE("a probe that is refused says why", "[probe]") {
    sim::world world;
    sim::broker_spec spec;
    spec.users.push_back({.user_name = "anna", .password = "secret"});
    spec.allow_anonymous = false;
    auto& broker = world.add_broker(spec);
    CHECK_THROWS_WITH(
        message_probe(world, broker),
        Catch::StartsWith("the probe was not subscribed. The probe wants to subscribe to #; ") &&
            Catch::Contains("CONNECT was refused: Not authorized"));
    message_probe probe(world, broker, {.user_name = "anna", .password = "secret"});
    probe.expect_none("#", 1s);
}

TEST_CASE("a probe takes filters of its own, and what is no filter is an error", "[probe]") {
    house home;
    message_probe probe(home.world, home.broker, {.filters = {"a/#", "b"}});
    home.tell("c", "1");
    home.tell("b", "2");
    CHECK(probe.wait_for("#", 1s).topic == "b");
    CHECK(failure_of(probe.try_wait_for("c", 1, {}, 1s)).find("subscribed to a/#, b.") !=
          std::string::npos);
    CHECK_THROWS_AS(probe.wait_for("a/#/b", 1s), std::invalid_argument);
    CHECK_THROWS_AS(probe.wait_for("$share/g/a", 1s), std::invalid_argument);
    CHECK_THROWS_AS(message_probe(home.world, home.broker, {.filters = {}}), std::invalid_argument);
    CHECK_THROWS_AS(message_probe(home.world, home.broker, {.filters = {"a+"}}),
                    std::invalid_argument);
}

TEST_CASE("two probes, and one that ended before the other", "[probe]") {
    house home;
    message_probe first(home.world, home.broker);
    {
        message_probe second(home.world, home.broker);
        home.tell("a", "1");
        CHECK(second.wait_for("a", 1s).payload == "1");
    }
    home.tell("a", "2");
    CHECK(first.wait_for_count("a", 2, 1s).size() == 2);
}

TEST_CASE("a probe keeps a bounded number of messages", "[probe]") {
    house home;
    message_probe probe(home.world, home.broker, {.messages_max = 10});
    for (int i = 0; i < 30; ++i) {
        home.tell("a", std::to_string(i));
    }
    home.world.settle();
    CHECK(probe.messages().size() == 10);
    CHECK(probe.wait_for("a", 1s).payload == "20");
}

TEST_CASE("Catch2 knows waits as assertions with a value", "[probe]") {
    house home;
    message_probe probe(home.world, home.broker);
    home.tell("a", "1");
    const auto found = FLEETARIUM_WAIT_FOR(
        probe, "a", [](const auto& m) { return m.payload == "1"; }, 1s);
    CHECK(found.topic == "a");
    home.tell("a", "2");
    home.tell("a", "3");
    CHECK(FLEETARIUM_WAIT_FOR_COUNT(probe, "a", 2, 1s).back().payload == "3");
    FLEETARIUM_EXPECT_NONE(probe, "a", 1s);
}

TEST_CASE("a wait that fails is a failed assertion of Catch2", "[probe][!shouldfail]") {
    house home;
    message_probe probe(home.world, home.broker);
    FLEETARIUM_WAIT_FOR(probe, "a", 1s);
}
