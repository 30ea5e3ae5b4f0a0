#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

#include <set>

// Section 2: fixed headers and packet identifiers, as the broker reads and writes them.

namespace fleetarium::test {
namespace {

TEST_CASE("flags of the fixed header that are not those of the type are malformed",
          "[v5/MQTT-2.1.3-1][v3/MQTT-2.2.2-2]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    const auto packet = GENERATE("41 02 00 01", "51 02 00 01", "60 02 00 01", "63 02 00 01",
                                 "71 02 00 01", "80 00", "A0 00", "C1 00", "E1 00", "E8 00");
    CAPTURE(packet);
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_hex(packet);
    CHECK(sender.ended_with(reason_code::malformed_packet));
}

TEST_CASE("packet identifier 0 ends the connection without an acknowledgement",
          "[v3/MQTT-2.3.1-1]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    const bool v5 = version == protocol_version::v5;
    const std::string subscribe = v5 ? "82 07 00 00 00 00 01 61 00" : "82 06 00 00 00 01 61 00";
    const std::string unsubscribe = v5 ? "A2 06 00 00 00 00 01 61" : "A2 05 00 00 00 01 61";
    const std::string publish = v5 ? "32 06 00 01 61 00 00 00" : "32 05 00 01 61 00 00";
    const auto packet = GENERATE_COPY(as<std::string>{}, subscribe, unsubscribe, publish);
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_hex(packet);
    CHECK(sender.ended_with(reason_code::protocol_error));
}

TEST_CASE("each PUBLISH of the broker has an identifier that is not in use",
          "[v5/MQTT-2.2.1-4][v3/MQTT-2.3.1-4]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    const auto level = GENERATE(qos::at_least_once, qos::exactly_once);
    broker_bench bench;
    const connect_with subscriber_options{.client_id = "s",
                                          .version = version,
                                          .clean_start = false,
                                          .session_expiry = version == protocol_version::v5
                                                                ? std::optional<std::uint32_t>(60)
                                                                : std::nullopt};
    peer* subscriber = &bench.connected(subscriber_options);
    bench.subscribe(*subscriber, "t", level);
    peer& publisher = bench.connected({.client_id = "p"});
    const auto publish = [&] {
        bench.publish(publisher, "t", "x", level, 1);
        publisher.discard();
        publisher.send_hex("62 02 00 01");
        publisher.discard();
    };

    std::vector<std::uint16_t> withheld;
    for (int i = 0; i < 200; ++i) {
        publish();
        withheld.push_back(subscriber->take_as<fleetarium::publish>().packet_id);
    }
    CHECK(std::set<std::uint16_t>(withheld.begin(), withheld.end()).size() == 200);
    CHECK(std::count(withheld.begin(), withheld.end(), 0) == 0);

    SECTION("resent with the same identifiers in a resumed session") {
        subscriber->cut();
        subscriber = &bench.connected(subscriber_options);
        for (const std::uint16_t id : withheld) {
            const auto resent = subscriber->take_as<fleetarium::publish>();
            CHECK(resent.packet_id == id);
            CHECK(resent.dup);
        }
        CHECK(subscriber->waiting() == 0);
    }
    SECTION("skipped while in use when the counter comes round, free after the acknowledgement") {
        const std::set<std::uint16_t> in_use(withheld.begin(), withheld.end());
        std::set<std::uint16_t> seen;
        for (int i = 0; i < 66'000; ++i) {
            publish();
            const auto id = subscriber->take_as<fleetarium::publish>().packet_id;
            if (id == 0 || in_use.contains(id)) {
                FAIL("identifier " << id << " is in use");
            }
            seen.insert(id);
            if (level == qos::at_least_once) {
                subscriber->send(puback{.packet_id = id});
            } else {
                subscriber->send(pubrec{.packet_id = id});
                subscriber->send(pubcomp{.packet_id = id});
                subscriber->discard();
            }
        }
        CHECK(seen.size() == 65'535 - in_use.size());
    }
}

TEST_CASE("acknowledgements repeat the identifier of their PUBLISH",
          "[v5/MQTT-2.2.1-5][v3/MQTT-2.3.1-6]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    broker_bench bench;
    peer& one = bench.connected({.version = version});
    bench.subscribe(one, "t", qos::exactly_once);

    // As receiver. To another topic, which has a subscriber: else 5.0 says that nobody has.
    peer& other = bench.connected({.client_id = "other"});
    bench.subscribe(other, "u", qos::at_most_once);
    bench.publish(one, "u", "x", qos::at_least_once, 0x1234);
    CHECK(one.take_hex() == "40 02 12 34");
    bench.publish(one, "u", "x", qos::exactly_once, 0xFFFF);
    CHECK(one.take_hex() == "50 02 FF FF");
    one.send_hex("62 02 FF FF");
    CHECK(one.take_hex() == "70 02 FF FF");

    // As sender.
    bench.publish(other, "t", "x", qos::exactly_once, 9);
    const std::uint16_t id = one.take_as<fleetarium::publish>().packet_id;
    one.send(pubrec{.packet_id = id});
    CHECK(one.take_as<pubrel>().packet_id == id);
}

TEST_CASE("SUBACK and UNSUBACK repeat the identifier of their request",
          "[v5/MQTT-2.2.1-6][v3/MQTT-2.3.1-7]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    const bool v5 = version == protocol_version::v5;
    broker_bench bench;
    peer& one = bench.connected({.version = version});
    one.send_hex(v5 ? "82 07 00 FE 00 00 01 61 00" : "82 06 00 FE 00 01 61 00");
    CHECK(one.take_hex() == (v5 ? "90 04 00 FE 00 00" : "90 03 00 FE 00"));
    one.send_hex(v5 ? "A2 06 FE 00 00 00 01 61" : "A2 05 FE 00 00 01 61");
    CHECK(one.take_hex() == (v5 ? "B0 04 FE 00 00 00" : "B0 02 FE 00"));
}

}  // namespace
}  // namespace fleetarium::test
