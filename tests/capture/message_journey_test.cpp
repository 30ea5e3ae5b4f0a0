#include <fleetarium/capture/message_journey.hpp>
#include <fleetarium/capture/packet_log.hpp>
#include <fleetarium/capture/packet_text.hpp>
#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

// The packets around an instant, and the way of one message, in words.

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace fleetarium::capture;
using namespace std::chrono_literals;

namespace {

distribution every(duration period) {
    return distribution::constant(static_cast<double>(period.count()));
}

/// Three meters that report every 10 s at QoS 1, and a head end that keeps its session.
scenario meters() {
    scenario s;
    s.name = "meters";
    s.duration = 2min;
    s.networks.push_back({.name = "mesh",
                          .up = {.latency = every(10ms)},
                          .down = {.latency = every(10ms)},
                          .split_probability = 0.5});
    fleet_spec meters{.name = "meters", .count = 3, .clean_start = false};
    meters.session_expiry = for_ever;
    meters.publications.push_back({.topic = "meters/{index}",
                                   .period = every(10s),
                                   .phase = duration{5s},
                                   .qos = qos::at_least_once,
                                   .payload = "{seq}"});
    s.fleets.push_back(meters);
    fleet_spec head_end{.name = "head_end", .clean_start = false};
    head_end.session_expiry = for_ever;
    head_end.subscriptions.push_back({.filter = "meters/+"});
    s.fleets.push_back(head_end);
    return s;
}

std::string lines(const std::vector<logged_packet>& of) {
    std::string out;
    for (const logged_packet& each : of) {
        out += to_string(each) + '\n';
    }
    return out;
}

}  // namespace

TEST_CASE("packets are told in one line", "[capture]") {
    CHECK(packet_text(publish{.topic = "a/b",
                              .packet_id = 7,
                              .qos = qos::exactly_once,
                              .dup = true,
                              .retain = true}) ==
          "PUBLISH id 7, QoS 2, DUP, RETAIN, \"a/b\", 0 bytes");
    CHECK(packet_text(publish{.topic = "a"}) == "PUBLISH QoS 0, \"a\", 0 bytes");
    CHECK(packet_text(puback{.packet_id = 3}) == "PUBACK id 3");
    CHECK(packet_text(pubrec{.packet_id = 3, .code = reason_code::quota_exceeded}) ==
          "PUBREC id 3, Quota exceeded (0x97)");
    CHECK(packet_text(connack{.session_present = true}) ==
          "CONNACK Success (0x00), session present");
    CHECK(packet_text(connect{.keep_alive = 60, .client_id = "x\ny"}) ==
          "CONNECT \"x\\x0Ay\", MQTT 5.0, clean start, keep alive 60 s");
    const std::array<subscription_request, 1> asked{
        {{.filter = "a/#", .options = {.qos = qos::at_least_once}}}};
    CHECK(packet_text(subscribe{.packet_id = 2, .requests = subscription_requests(asked)}) ==
          "SUBSCRIBE id 2, \"a/#\" QoS 1");
    CHECK(packet_text(pingreq{}) == "PINGREQ");
    CHECK(packet_text(publish{.topic = std::string(59, 'x') + "\xC3\xA4z"}) ==
          "PUBLISH QoS 0, \"" + std::string(59, 'x') + "...\", 0 bytes");
}

TEST_CASE("the packets around an instant are those of the clients concerned", "[capture]") {
    const scenario s = meters();
    ledger_violation seen;
    seen.at = instant{25s + 30ms};
    seen.publisher = "meters[1]";
    seen.receiver = "head_end[0]";
    seen.topic = "meters/1";
    const auto around = packets_around(s, seen);
    CHECK(around.size() == 12);
    const std::string text = lines(around);
    INFO(text);
    CHECK(text.find("25s10ms  meters[1] -> broker: PUBLISH id ") != std::string::npos);
    CHECK(text.find("25s20ms  broker -> head_end[0]: PUBLISH id ") != std::string::npos);
    CHECK(text.find("25s30ms  head_end[0] -> broker: PUBACK id ") != std::string::npos);
    CHECK(text.find("meters[0]") == std::string::npos);
    CHECK(text.find("\"meters/2\"") == std::string::npos);
    // What follows, and is soon enough, comes last.
    CHECK(std::is_sorted(around.begin(), around.end(),
                         [](const auto& a, const auto& b) { return a.at < b.at; }));
    seen.at = instant{20s};
    seen.publisher = "broker";
    seen.receiver.clear();
    CHECK(packets_around(s, seen).empty());
}

TEST_CASE("the way of a message is told step by step", "[capture]") {
    scenario s = meters();
    const message_story plain = find_message(s, {"meters[1]", 3});
    INFO(to_string(plain));
    CHECK(plain.topic == "meters/1");
    CHECK(plain.published == instant{25s});
    CHECK(plain.arrived == instant{25s + 10ms});
    REQUIRE(plain.deliveries.size() == 1);
    CHECK(plain.deliveries[0].receiver == "head_end[0]");
    CHECK(plain.deliveries[0].qos == qos::at_least_once);
    CHECK(plain.deliveries[0].end == "acknowledged");
    CHECK(plain.deliveries[0].sent == 1);
    CHECK(plain.deliveries[0].first_received == instant{25s + 20ms});
    CHECK(plain.deliveries[0].ended == instant{25s + 30ms});
    const std::string told = to_string(plain);
    for (const char* const part :
         {"message 3 of meters[1], \"meters/1\": published at 25s, at a broker at 25s10ms",
          "25s10ms  meters[1] -> broker: PUBLISH id ", "broker: takes it on, at QoS 1",
          "broker: makes 1 delivery of it", "broker: sends it to head_end[0]",
          "25s20ms  broker -> meters[1]: PUBACK id ", "25s20ms  broker -> head_end[0]: PUBLISH id ",
          "25s30ms  head_end[0] -> broker: PUBACK id ",
          "to head_end[0], QoS 1: acknowledged at 25s30ms"}) {
        INFO(part);
        CHECK(told.find(part) != std::string::npos);
    }

    SECTION("a message that is sent again") {
        // The link breaks behind the PUBLISH: the acknowledgement of the head end is lost.
        s.faults.push_back({.kind = fault_kind::cut, .at = 25s + 25ms, .fleet = "head_end"});
        const message_story again = find_message(s, {"meters[1]", 3});
        INFO(to_string(again));
        REQUIRE(again.deliveries.size() == 1);
        CHECK(again.deliveries[0].sent == 2);
        CHECK(again.deliveries[0].first == 1);
        CHECK(again.deliveries[0].end == "acknowledged");
        CHECK(to_string(again).find("came 2 times") != std::string::npos);
        CHECK(to_string(again).find("the link is broken") != std::string::npos);
        CHECK(to_string(again).find("sends it to head_end[0], again") != std::string::npos);
    }
    SECTION("a message that nobody gets in time") {
        s.fleets[1].online = coverage_spec{.up = every(1s), .down = every(1h)};
        s.fleets[0].publications[0].message_expiry = duration{30s};
        const message_story waits = find_message(s, {"meters[1]", 12});
        INFO(to_string(waits));
        REQUIRE(waits.deliveries.size() == 1);
        CHECK(waits.deliveries[0].end == "under way");
        CHECK(waits.deliveries[0].sent == 0);
    }
    SECTION("a message that nobody wants") {
        s.fleets[1].subscriptions.clear();
        const message_story lost = find_message(s, {"meters[1]", 3});
        CHECK(lost.deliveries.empty());
        CHECK(to_string(lost).find("no delivery was made of it") != std::string::npos);
    }
    SECTION("a message that was never made") {
        CHECK(to_string(find_message(s, {"meters[1]", 999})) ==
              "message 999 of meters[1]: neither a link nor a broker has seen it\n");
    }
}

TEST_CASE("following a message changes nothing in the run", "[capture]") {
    const scenario s = meters();
    world plain = world::from(s);
    plain.run_until(instant{s.duration});
    world followed = world::from(s);
    {
        message_journey journey(followed, {"meters[1]", 3});
        followed.run_until(instant{1min});
        CHECK(journey.story().deliveries.size() == 1);
    }
    followed.run_until(instant{s.duration});
    CHECK(followed.trace_hash() == plain.trace_hash());
}

TEST_CASE("messages have names", "[capture]") {
    const auto named = parse_message_name("meters[3]:17");
    REQUIRE(named);
    CHECK(named->publisher == "meters[3]");
    CHECK(named->number == 17);
    for (const char* const wrong :
         {"", "meters[3]", "meters[3]:", ":17", "meters[3]:0", "meters[3]:1x", "meters[3]:-1"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_message_name(wrong));
    }
}
