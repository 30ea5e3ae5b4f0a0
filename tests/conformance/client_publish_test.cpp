#include <support/client_bench.hpp>

#include <catch2/catch.hpp>

#include <set>

// Sections 3.3 to 3.7 and 4.9: PUBLISH and its acknowledgements packet by packet, topic aliases,
// and the window of a client.

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

std::string first_byte(client_bench& bench) { return bench.take().substr(0, 2); }

TEST_CASE("a client's PUBLISH has DUP 0 at first and DUP 1 on each re-delivery",
          "[v5/MQTT-3.3.1-1][v3/MQTT-3.3.1-1][v5/MQTT-4.3.2-2][v5/MQTT-4.3.3-2]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    REQUIRE(bench.publish("a", "1", qos::at_least_once));
    REQUIRE(bench.publish("a", "2", qos::exactly_once));
    CHECK(bench.take() ==
          (version == v5 ? "32 07 00 01 61 00 01 00 31" : "32 06 00 01 61 00 01 31"));
    CHECK(bench.take() ==
          (version == v5 ? "34 07 00 01 61 00 02 00 32" : "34 06 00 01 61 00 02 32"));
    for (int i = 0; i < 3; ++i) {
        bench.reconnected();
        CHECK(bench.take() ==
              (version == v5 ? "3A 07 00 01 61 00 01 00 31" : "3A 06 00 01 61 00 01 31"));
        CHECK(bench.take() ==
              (version == v5 ? "3C 07 00 01 61 00 02 00 32" : "3C 06 00 01 61 00 02 32"));
        CHECK(bench.take().empty());
    }
}

TEST_CASE("a client's QoS 0 PUBLISH has DUP 0, and it takes none with DUP 1",
          "[v5/MQTT-3.3.1-2][v3/MQTT-3.3.1-2][v5/MQTT-4.3.1-1][v3/MQTT-4.3.1-1]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    publish out;
    out.topic = "a";
    out.dup = true;  // not the application's to say
    REQUIRE(bench.session().publish(out, bench.now()));
    CHECK(first_byte(bench) == "30");
    out.retain = true;
    REQUIRE(bench.session().publish(out, bench.now()));
    CHECK(first_byte(bench) == "31");
    bench.receive("38 03 00 01 61", "38 04 00 01 61 00");
    CHECK(bench.messages.empty());
    CHECK(bench.ended_with(reason_code::malformed_packet));
}

TEST_CASE("a client takes no PUBLISH of QoS 3 and sends none",
          "[v5/MQTT-3.3.1-4][v3/MQTT-3.3.1-4]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    CHECK(bench.publish("a", "", static_cast<qos>(3)).error() == error::invalid_argument);
    CHECK(bench.take().empty());
    bench.receive("36 05 00 01 61 00 01", "36 06 00 01 61 00 01 00");
    CHECK(bench.messages.empty());
    CHECK(bench.ended_with(reason_code::malformed_packet));
}

TEST_CASE("topic aliases of either direction die with the connection", "[v5/MQTT-3.3.2-7]") {
    client_options options;
    options.use_topic_aliases = true;
    client_bench bench(v5, options);
    connect request = bench.usual();
    request.topic_alias_maximum = 10;
    bench.connected(request, "20 06 00 00 03 22 00 0A");
    bench.receive("30 07 00 01 61 03 23 00 05");
    bench.receive("30 06 00 00 03 23 00 05");
    REQUIRE(bench.messages.size() == 2);
    CHECK(bench.messages[1].topic == "a");
    REQUIRE(bench.publish("long topic", ""));
    REQUIRE(bench.publish("long topic", ""));
    CHECK_THAT(bench.take(), Catch::Contains("6C 6F 6E 67"));
    CHECK(from_hex(bench.take()).size() == 8);

    bench.cut();
    bench.connected(request, "20 06 01 00 03 22 00 0A");
    REQUIRE(bench.publish("long topic", ""));
    CHECK_THAT(bench.take(), Catch::Contains("6C 6F 6E 67"));
    bench.receive("30 06 00 00 03 23 00 05");
    CHECK(bench.violations.back() == violation::topic_alias_unknown);
    CHECK(bench.ended_with(reason_code::protocol_error));
}

TEST_CASE("a client takes each alias from 1 to the maximum that it announced, and no other",
          "[v5/MQTT-3.3.2-8][v5/MQTT-3.3.2-10]") {
    client_bench bench;
    connect request = bench.usual();
    request.topic_alias_maximum = 10;
    bench.connected(request);
    for (std::uint8_t alias = 1; alias <= 10; ++alias) {
        const auto letter = static_cast<std::uint8_t>('a' + alias);
        bench.receive(bytes{0x30, 7, 0, 1, letter, 3, 0x23, 0, alias});
        bench.receive(bytes{0x30, 6, 0, 0, 3, 0x23, 0, alias});
        REQUIRE(bench.messages.size() == 2u * alias);
        CHECK(bench.messages.back().topic == std::string(1, static_cast<char>(letter)));
    }
    CHECK(bench.violations.empty());
    SECTION("an alias can be set anew") {
        bench.receive("30 07 00 01 7A 03 23 00 03");
        bench.receive("30 06 00 00 03 23 00 03");
        CHECK(bench.messages.back().topic == "z");
        bench.receive("30 06 00 00 03 23 00 04");
        CHECK(bench.messages.back().topic == "e");
    }
    SECTION("above") { bench.receive("30 07 00 01 61 03 23 00 0B"); }
    SECTION("0") { bench.receive("30 07 00 01 61 03 23 00 00"); }
    if (!bench.violations.empty()) {
        CHECK(bench.messages.size() == 20);
        CHECK(bench.ended_with(reason_code::topic_alias_invalid));
    }
}

TEST_CASE("a client that announced no aliases takes none", "[v5/MQTT-3.3.2-8]") {
    client_bench bench;
    bench.connected();
    bench.receive("30 07 00 01 61 03 23 00 01");
    CHECK(bench.ended_with(reason_code::topic_alias_invalid));
}

TEST_CASE("a client's aliases lie between 1 and the server's maximum",
          "[v5/MQTT-3.2.2-17][v5/MQTT-3.3.2-9][v5/MQTT-3.3.2-8]") {
    client_options options;
    options.use_topic_aliases = true;
    client_bench bench(v5, options);
    bench.connected(bench.usual(), "20 06 00 00 03 22 00 02");
    std::set<std::string> aliases;
    std::size_t without_topic = 0;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 20; ++i) {
            REQUIRE(bench.publish("topic/" + std::to_string(i / 2), ""));
            const std::string packet = bench.take();
            const bytes raw = from_hex(packet);
            REQUIRE(raw.size() >= 3);
            REQUIRE(raw[raw.size() - 3] == 0x23);
            aliases.insert(packet.substr(packet.size() - 5));
            without_topic += raw[3] == 0 ? 1 : 0;
        }
    }
    CHECK(aliases == std::set<std::string>{"00 01", "00 02"});
    CHECK(without_topic >= 30);  // each second message of a topic
}

TEST_CASE("a client sets no alias where the server allows none, or its application does not ask",
          "[v5/MQTT-3.2.2-18]") {
    client_options options;
    options.use_topic_aliases = GENERATE(true, false);
    const std::string connack = options.use_topic_aliases
                                    ? GENERATE("20 03 00 00 00", "20 06 00 00 03 22 00 00")
                                    : "20 06 00 00 03 22 00 0A";
    client_bench bench(v5, options);
    bench.connected(bench.usual(), connack);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(bench.publish("abcdefgh", ""));
        CHECK(bench.take() == "30 0B 00 08 61 62 63 64 65 66 67 68 00");
    }
}

TEST_CASE("a message that fits only without its alias goes out without", "[v5/MQTT-3.2.2-15]") {
    client_options options;
    options.use_topic_aliases = true;
    client_bench bench(v5, options);
    bench.connected(bench.usual(), "20 0B 00 00 08 22 00 0A 27 00 00 00 14");  // 20 bytes
    REQUIRE(bench.publish("abcdefgh", "123456"));                              // 19 without
    CHECK(bench.take() == "30 11 00 08 61 62 63 64 65 66 67 68 00 31 32 33 34 35 36");
    // The alias was not set by it: the next message names the topic.
    REQUIRE(bench.publish("abcdefgh", ""));
    CHECK_THAT(bench.take(), Catch::Contains("61 62 63 64"));
    REQUIRE(bench.publish("abcdefgh", ""));
    CHECK(from_hex(bench.take()).size() == 8);
}

TEST_CASE("response topic and content type are UTF-8, the former a topic name",
          "[v5/MQTT-3.3.2-13][v5/MQTT-3.3.2-14][v5/MQTT-3.3.2-19]") {
    client_bench bench;
    bench.connected();
    publish out;
    out.topic = "a";
    SECTION("content type") {
        out.content_type = "\xC0";
        CHECK(bench.session().publish(out, bench.now()).error() == error::invalid_argument);
        bench.receive("30 08 00 01 61 04 03 00 01 C0");
        CHECK(bench.violations.back() == violation::string_not_utf8);
    }
    SECTION("response topic not UTF-8") {
        out.response_topic = "\xFF";
        CHECK(bench.session().publish(out, bench.now()).error() == error::invalid_argument);
        bench.receive("30 08 00 01 61 04 08 00 01 FF");
        CHECK(bench.violations.back() == violation::string_not_utf8);
    }
    SECTION("response topic with a wildcard") {
        out.response_topic = "a/#";
        CHECK(bench.session().publish(out, bench.now()).error() == error::invalid_argument);
        bench.receive("30 0A 00 01 61 06 08 00 03 61 2F 23");
        CHECK(bench.violations.back() == violation::response_topic_invalid);
    }
    CHECK(bench.messages.empty());
    CHECK(from_hex(bench.take())[0] == 0xE0);
    CHECK(bench.session().should_close());
}

TEST_CASE("a client answers a PUBLISH by its QoS, whether or not anyone asked for it",
          "[v5/MQTT-3.3.4-1][v3/MQTT-3.3.4-1][v5/MQTT-4.5.0-2][v3/MQTT-4.5.0-2]"
          "[v5/MQTT-4.3.2-4][v5/MQTT-4.3.3-8]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();  // no subscription at all
    bench.receive("30 03 00 01 61", "30 04 00 01 61 00");
    CHECK(bench.take().empty());
    bench.receive("32 05 00 01 61 00 09", "32 06 00 01 61 00 09 00");
    CHECK(bench.take() == "40 02 00 09");
    bench.receive("34 05 00 01 61 00 09", "34 06 00 01 61 00 09 00");
    CHECK(bench.take() == "50 02 00 09");
    CHECK(bench.take().empty());
    CHECK(bench.messages.size() == 3);
}

TEST_CASE("a client's PUBLISH has no subscription identifier", "[v5/MQTT-3.3.4-6]") {
    client_bench bench;
    bench.connected();
    const std::uint32_t identifier = 7;
    publish out;
    out.topic = "a";
    out.subscription_identifiers = subscription_identifiers({&identifier, 1});
    for (const auto level : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        out.qos = level;
        REQUIRE(bench.session().publish(out, bench.now()));
        const bytes raw = from_hex(bench.take());
        CHECK(raw.back() == 0);  // the length of the properties, and no payload
    }
    // From a server it is welcome.
    bench.receive("30 06 00 01 61 02 0B 07");
    CHECK(bench.messages.size() == 1);
}

TEST_CASE("a client has no more messages open than the server's receive maximum",
          "[v5/MQTT-3.3.4-7][v5/MQTT-4.9.0-1][v5/MQTT-4.9.0-2]") {
    client_bench bench;
    bench.connected(bench.usual(), "20 06 00 00 03 21 00 02");
    for (int i = 0; i < 6; ++i) {
        REQUIRE(bench.publish("a", std::to_string(i),
                              i % 2 == 0 ? qos::at_least_once : qos::exactly_once));
    }
    CHECK(first_byte(bench) == "32");  // 1
    CHECK(first_byte(bench) == "34");  // 2
    CHECK(bench.take().empty());
    CHECK(bench.session().in_flight() == 2);
    CHECK(bench.session().queued() == 4);

    bench.receive("50 02 00 02");  // PUBREC of success leaves it open
    CHECK(bench.take() == "62 02 00 02");
    CHECK(bench.take().empty());
    bench.receive("70 02 00 02");
    CHECK(first_byte(bench) == "32");  // 3
    CHECK(bench.take().empty());
    bench.receive("40 02 00 01");
    CHECK(first_byte(bench) == "34");  // 4
    CHECK(bench.take().empty());
    bench.receive("50 03 00 04 97");  // PUBREC of failure closes it
    CHECK(first_byte(bench) == "32");
    CHECK(bench.take().empty());
    // What the server acknowledges without having got it opens nothing.
    bench.receive("40 02 00 63");
    bench.receive("70 02 00 64");
    CHECK(bench.take().empty());
    CHECK(bench.session().queued() == 1);
}

TEST_CASE("what a resumed session brings along counts against the window anew",
          "[v5/MQTT-3.3.4-7][v5/MQTT-4.9.0-1]") {
    client_bench bench;
    bench.connected();
    for (int i = 0; i < 6; ++i) {
        REQUIRE(bench.publish("a", std::to_string(i), qos::exactly_once));
    }
    bench.receive("50 02 00 02");  // 2 and 5 await PUBCOMP
    bench.receive("50 02 00 05");
    bench.cut();
    bench.connected(bench.usual(), "20 06 01 00 03 21 00 02");
    CHECK(first_byte(bench) == "3C");  // 1
    CHECK(bench.take() == "62 02 00 02");
    CHECK(first_byte(bench) == "3C");  // 3
    // The window is full, but a PUBREL owed needs none.
    CHECK(bench.take() == "62 02 00 05");
    CHECK(bench.take().empty());
    // Its PUBLISH was of another connection: done, it makes no room on this one.
    bench.receive("70 02 00 02");
    bench.receive("70 02 00 05");
    CHECK(bench.take().empty());
    bench.receive("50 02 00 01").receive("70 02 00 01");
    CHECK(bench.take() == "62 02 00 01");
    CHECK(first_byte(bench) == "3C");  // 4
    CHECK(bench.take().empty());
    bench.receive("50 02 00 03").receive("70 02 00 03");
    bench.receive("50 02 00 04").receive("70 02 00 04");
    CHECK(bench.take() == "62 02 00 03");
    CHECK(first_byte(bench) == "3C");  // 6
    CHECK(bench.acknowledged.size() == 5);
}

TEST_CASE("a full window delays nothing but PUBLISH of QoS 1 and 2",
          "[v5/MQTT-3.3.4-8][v5/MQTT-4.9.0-3]") {
    client_bench bench;
    bench.connected(bench.usual(), "20 06 00 00 03 21 00 01");
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    bench.take();
    REQUIRE(bench.take().empty());
    REQUIRE(bench.publish("a", ""));
    CHECK(first_byte(bench) == "30");
    REQUIRE(bench.session().ping(bench.now()));
    CHECK(bench.take() == "C0 00");
    REQUIRE(bench.subscribe("a"));
    CHECK(first_byte(bench) == "82");
    REQUIRE(bench.unsubscribe("a"));
    CHECK(first_byte(bench) == "A2");
    bench.receive("32 06 00 01 61 00 09 00");
    CHECK(bench.take() == "40 02 00 09");
    bench.receive("34 06 00 01 61 00 09 00");
    CHECK(bench.take() == "50 02 00 09");
    bench.receive("62 02 00 09");
    CHECK(bench.take() == "70 02 00 09");
    bench.receive("50 02 00 01");
    CHECK(bench.take() == "62 02 00 01");
    CHECK(bench.take().empty());
}

TEST_CASE("3.1.1 has no window", "[client]") {
    client_bench bench(v3);
    bench.connected();
    for (int i = 0; i < 1'000; ++i) {
        REQUIRE(bench.publish("a", "", qos::at_least_once));
    }
    CHECK(bench.take_all().size() == 1'000);
}

TEST_CASE("a client drops a server that has more messages open than it announced to take",
          "[v5/MQTT-4.9.0-2]") {
    client_bench bench;
    connect request = bench.usual();
    request.receive_maximum = 2;
    bench.connected(request);
    // QoS 1 is done at once, so it is QoS 2 that stays open.
    for (int i = 0; i < 10; ++i) {
        bench.receive("32 06 00 01 61 00 09 00");
    }
    bench.receive("34 06 00 01 61 00 01 00");
    bench.receive("34 06 00 01 61 00 02 00");
    bench.receive("3C 06 00 01 61 00 02 00");  // a repeat is not one more
    bench.receive("62 02 00 01");
    bench.receive("34 06 00 01 61 00 03 00");
    CHECK(bench.violations.empty());
    bench.take_all();
    bench.receive("34 06 00 01 61 00 04 00");
    CHECK(bench.ended_with(reason_code::receive_maximum_exceeded));
    CHECK(bench.messages.size() == 13);
}

TEST_CASE("QoS 2 messages of an earlier connection do not count against what a client takes",
          "[v5/MQTT-4.9.0-1]") {
    client_bench bench;
    connect request = bench.usual();
    request.receive_maximum = 2;
    bench.connected(request);
    bench.receive("34 06 00 01 61 00 01 00");
    bench.receive("34 06 00 01 61 00 02 00");
    bench.cut();
    bench.connected(request, "20 03 01 00 00");
    bench.receive("34 06 00 01 61 00 03 00");
    bench.receive("34 06 00 01 61 00 04 00");
    CHECK(bench.violations.empty());
    CHECK(bench.messages.size() == 4);
}

TEST_CASE("acknowledgements hold the codes that are theirs and no other",
          "[v5/MQTT-3.4.2-1][v5/MQTT-3.5.2-1][v5/MQTT-3.6.2-1][v5/MQTT-3.7.2-1]") {
    struct kind {
        std::uint8_t first;
        std::string codes;
    };
    const std::string of_publish = "00 10 80 83 87 90 91 97 99";
    const auto one = GENERATE_REF(kind{0x40, of_publish}, kind{0x50, of_publish},
                                  kind{0x62, "00 92"}, kind{0x70, "00 92"});
    for (int code = 0; code < 256; ++code) {
        const auto byte = static_cast<std::uint8_t>(code);
        const bool is_allowed = one.codes.find(to_hex({&byte, 1})) != std::string::npos;
        client_bench bench;
        bench.connected();
        bench.receive(bytes{one.first, 3, 0, 9, byte});
        CAPTURE(one.first, code);
        CHECK(bench.violations.empty() == is_allowed);
        if (!is_allowed) {
            CHECK(bench.ended_with(reason_code::protocol_error));
        }
    }
}

TEST_CASE("a client's acknowledgements are short enough for any server, with no text in them",
          "[v5/MQTT-3.4.2-2][v5/MQTT-3.4.2-3][v5/MQTT-3.5.2-2][v5/MQTT-3.5.2-3][v5/MQTT-3.6.2-2]"
          "[v5/MQTT-3.6.2-3][v5/MQTT-3.7.2-2][v5/MQTT-3.7.2-3]") {
    client_bench bench;
    REQUIRE(bench.publish("", "").error() == error::invalid_topic_name);
    bench.connected();
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    bench.cut();
    // 9 bytes are enough for the PUBLISH and for every acknowledgement.
    bench.connected(bench.usual(), "20 08 01 00 05 27 00 00 00 09");
    CHECK(bench.take() == "3C 06 00 01 61 00 01 00");
    bench.receive("50 02 00 01");
    CHECK(bench.take() == "62 02 00 01");
    bench.receive("50 02 00 63");
    CHECK(bench.take() == "62 03 00 63 92");
    bench.receive("32 06 00 01 61 00 09 00");
    CHECK(bench.take() == "40 02 00 09");
    bench.receive("34 06 00 01 61 00 09 00");
    CHECK(bench.take() == "50 02 00 09");
    bench.receive("62 02 00 09");
    CHECK(bench.take() == "70 02 00 09");
    bench.receive("62 02 00 09");
    CHECK(bench.take() == "70 03 00 09 92");
}

TEST_CASE("a client sends PUBREL with flags 2 and takes it with no other",
          "[v5/MQTT-3.6.1-1][v3/MQTT-3.6.1-1]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    bench.take();
    bench.receive("50 02 00 01");
    CHECK(bench.take() == "62 02 00 01");
    const std::string wrong = GENERATE("60 02 00 01", "61 02 00 01", "6A 02 00 01");
    bench.receive(wrong);
    CHECK(bench.ended_with(reason_code::malformed_packet));
}

TEST_CASE("an acknowledgement of the wrong kind ends the connection, one of nothing does not",
          "[client]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    REQUIRE(bench.publish("a", "", qos::at_least_once));  // 1
    REQUIRE(bench.publish("a", "", qos::exactly_once));   // 2
    bench.take_all();
    bench.receive("40 02 00 09").receive("70 02 00 09");
    CHECK(bench.take().empty());
    bench.receive("50 02 00 09");
    CHECK(bench.take() == (version == v5 ? "62 03 00 09 92" : "62 02 00 09"));
    CHECK(bench.violations.empty());
    const std::string wrong = GENERATE("50 02 00 01", "70 02 00 01", "40 02 00 02", "70 02 00 02");
    bench.receive(wrong);
    CHECK(bench.violations.back() == violation::acknowledgement_of_wrong_kind);
    CHECK(bench.ended_with(reason_code::protocol_error));
}

TEST_CASE("a packet above the client's maximum packet size ends the connection at its header",
          "[client]") {
    client_bench bench;
    connect request = bench.usual();
    request.maximum_packet_size = 20;
    bench.connected(request);
    bench.receive("30 12 00 01 61 00 +78*14");
    CHECK(bench.messages.size() == 1);
    bench.receive("30 13");
    CHECK(bench.ended_with(reason_code::packet_too_large));
}

TEST_CASE("a queue that is full refuses messages and takes them again when there is room",
          "[client]") {
    const auto version = GENERATE(v3, v5);
    client_options options;
    options.queue_messages_max = 2;
    client_bench bench(version, options);
    REQUIRE(bench.publish("a", "", qos::at_least_once));
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    CHECK(bench.publish("a", "", qos::at_least_once).error() == error::queue_full);
    bench.connected();
    CHECK(bench.take_all().size() == 2);
    CHECK(bench.publish("a", "", qos::at_least_once).error() == error::queue_full);
    REQUIRE(bench.publish("a", ""));  // QoS 0 is not queued
    bench.receive("40 02 00 01");
    CHECK(bench.publish("a", "", qos::at_least_once));
}

TEST_CASE("a message that expired in the queue is not sent, one in flight is", "[client]") {
    client_bench bench;
    publish out;
    out.topic = "a";
    out.qos = qos::at_least_once;
    out.message_expiry_interval = 5;
    bench.connected();
    REQUIRE(bench.session().publish(out, bench.now()));
    CHECK(bench.take() == "32 0B 00 01 61 00 01 05 02 00 00 00 05");
    bench.cut();
    REQUIRE(bench.session().publish(out, bench.now()));
    out.message_expiry_interval = 60;
    REQUIRE(bench.session().publish(out, bench.now()));
    bench.advance(10s);
    bench.reconnected();
    CHECK(bench.take() == "3A 0B 00 01 61 00 01 05 02 00 00 00 00");
    CHECK(bench.take() == "32 0B 00 01 61 00 02 05 02 00 00 00 32");
    CHECK(bench.take().empty());
    const auto dropped = bench.session().poll_dropped();
    REQUIRE(dropped.size() == 1);
    CHECK(dropped[0].why == delivery_dropped::reason::expired);
    CHECK(bench.session().poll_dropped().empty());
}

}  // namespace
}  // namespace fleetarium::test
