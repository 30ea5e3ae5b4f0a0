#include <support/client_bench.hpp>

#include <catch2/catch.hpp>

#include <set>

// Sections 1.5, 2 and 4.7: strings, integers, packet ids and topics, as the client reads them and
// lets its application send them.

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

/// A QoS 0 PUBLISH whose topic is these bytes.
bytes publish_to(protocol_version version, const bytes& topic) {
    bytes body{static_cast<std::uint8_t>(topic.size() >> 8),
               static_cast<std::uint8_t>(topic.size())};
    body.insert(body.end(), topic.begin(), topic.end());
    if (version == v5) {
        body.push_back(0);
    }
    bytes out{0x30, static_cast<std::uint8_t>(body.size())};
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

std::string text_of(std::string_view hex) { return std::string(as_text(from_hex(hex))); }

TEST_CASE("a client drops a connection on which a topic is not well-formed UTF-8, and sends none",
          "[v5/MQTT-1.5.4-1][v3/MQTT-1.5.3-1][v5/MQTT-3.3.2-1][v3/MQTT-3.3.2-1]") {
    const auto version = GENERATE(v3, v5);
    const std::string topic = GENERATE("61 ED A0 80", "C0 AF", "F5 80 80 80", "E0 80 80", "C3 28");
    CAPTURE(version, topic);
    client_bench bench(version);
    bench.connected();
    CHECK(bench.publish(text_of(topic), "x").error() == error::invalid_topic_name);
    CHECK(bench.subscribe(text_of(topic)).error() == error::invalid_topic_filter);
    CHECK(bench.take().empty());
    bench.receive(publish_to(version, from_hex(topic)));
    CHECK(bench.messages.empty());
    CHECK(bench.ended_with(reason_code::malformed_packet));
}

TEST_CASE("a client drops a connection on which a topic holds U+0000, and sends none",
          "[v5/MQTT-1.5.4-2][v3/MQTT-1.5.3-2][v5/MQTT-4.7.3-2][v3/MQTT-4.7.3-2]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    const std::string topic("a\0b", 3);
    CHECK(bench.publish(topic, "x").error() == error::invalid_topic_name);
    CHECK(bench.subscribe(topic).error() == error::invalid_topic_filter);
    CHECK(bench.unsubscribe(topic).error() == error::invalid_topic_filter);
    CHECK(bench.take().empty());
    bench.receive(publish_to(version, from_hex("61 00")));
    CHECK(bench.messages.empty());
    CHECK(bench.ended_with(reason_code::malformed_packet));
}

TEST_CASE("a client keeps EF BB BF in topics, sent and received",
          "[v5/MQTT-1.5.4-3][v3/MQTT-1.5.3-3]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    const std::string topic = text_of("EF BB BF 61");
    REQUIRE(bench.publish(topic, ""));
    CHECK(bench.take() == to_hex(publish_to(version, from_hex("EF BB BF 61"))));
    bench.receive(publish_to(version, from_hex("EF BB BF 61")));
    REQUIRE(bench.messages.size() == 1);
    CHECK(bench.messages[0].topic == topic);
}

TEST_CASE("a client writes variable byte integers in the fewest bytes and takes no longer form",
          "[v5/MQTT-1.5.5-1]") {
    struct number {
        std::uint32_t value;
        const char* bytes;
    };
    const auto identifier =
        GENERATE(number{127, "7F"}, number{128, "80 01"}, number{16'384, "80 80 01"},
                 number{2'097'152, "80 80 80 01"}, number{268'435'455, "FF FF FF 7F"});
    client_bench bench;
    bench.connected();
    REQUIRE(bench.subscribe("a", {}, identifier.value));
    CHECK_THAT(bench.take(), Catch::Contains("0B " + std::string(identifier.bytes) + " 00 01 61"));
    CHECK(bench.subscribe("a", {}, 0).error() == error::invalid_argument);
    CHECK(bench.subscribe("a", {}, 268'435'456).error() == error::invalid_argument);

    bench.receive("30 07 00 01 61 03 0B 81 00");  // 1 in two bytes
    CHECK(bench.ended_with(reason_code::malformed_packet));
}

TEST_CASE("both halves of a string pair are checked, in what a client receives and sends",
          "[v5/MQTT-1.5.7-1]") {
    client_bench bench;
    bench.connected();
    const std::string bad = text_of("FF");
    const bool bad_value = GENERATE(false, true);
    const user_property pair = bad_value ? user_property{"k", bad} : user_property{bad, "v"};
    publish out;
    out.topic = "a";
    out.user_properties = user_properties({&pair, 1});
    CHECK(bench.session().publish(out, bench.now()).error() == error::invalid_argument);
    CHECK(bench.take().empty());
    bench.receive(bad_value ? "30 0B 00 01 61 07 26 00 01 6B 00 01 FF"
                            : "30 0B 00 01 61 07 26 00 01 FF 00 01 76");
    CHECK(bench.messages.empty());
    CHECK(bench.ended_with(reason_code::malformed_packet));
}

TEST_CASE("a client drops a connection on which reserved flags are wrong, and sends the fixed ones",
          "[v5/MQTT-2.1.3-1][v3/MQTT-2.2.2-1][v3/MQTT-2.2.2-2]") {
    const auto version = GENERATE(v3, v5);
    SECTION("received") {
        // PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, PINGRESP
        const std::string packet =
            GENERATE("41 02 00 01", "58 02 00 01", "60 02 00 01", "72 02 00 01", "92 03 00 01 00",
                     "B2 02 00 01", "D1 00");
        client_bench bench(version);
        bench.connected();
        bench.receive(packet);
        CHECK(bench.ended_with(reason_code::malformed_packet));
    }
    SECTION("sent") {
        client_bench bench(version);
        REQUIRE(bench.session().connect(bench.usual(), bench.now()));
        CHECK(bench.take().substr(0, 2) == "10");
        bench.receive("20 02 00 00", "20 03 00 00 00");
        REQUIRE(bench.subscribe("a"));
        CHECK(bench.take().substr(0, 2) == "82");
        REQUIRE(bench.unsubscribe("a"));
        CHECK(bench.take().substr(0, 2) == "A2");
        REQUIRE(bench.session().ping(bench.now()));
        CHECK(bench.take() == "C0 00");
        REQUIRE(bench.publish("a", "", qos::exactly_once));
        CHECK(bench.take().substr(0, 2) == "34");
        bench.receive("50 02 00 03");
        CHECK(bench.take().substr(0, 2) == "62");
        bench.receive("32 05 00 01 61 00 09", "32 06 00 01 61 00 09 00");
        CHECK(bench.take().substr(0, 2) == "40");
        bench.receive("34 05 00 01 61 00 09", "34 06 00 01 61 00 09 00");
        CHECK(bench.take().substr(0, 2) == "50");
        bench.receive("62 02 00 09");
        CHECK(bench.take().substr(0, 2) == "70");
        REQUIRE(bench.session().disconnect({}, bench.now()));
        CHECK(bench.take() == "E0 00");
    }
}

TEST_CASE("a client's QoS 0 PUBLISH has no packet id", "[v5/MQTT-2.2.1-2][v3/MQTT-2.3.1-5]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    REQUIRE(bench.publish("a", "x"));
    CHECK(bench.take() == (version == v5 ? "30 05 00 01 61 00 78" : "30 04 00 01 61 78"));
}

TEST_CASE("a client takes a packet id that is not 0 and not in use for each new packet",
          "[v5/MQTT-2.2.1-3][v3/MQTT-2.3.1-1][v3/MQTT-2.3.1-2][v5/MQTT-4.3.2-1][v5/MQTT-4.3.3-1]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    std::set<std::string> ids;
    const auto note = [&](std::size_t at) {
        const std::string packet = bench.take();
        const std::string id = packet.substr(at * 3, 5);
        CAPTURE(packet, id);
        CHECK(id != "00 00");
        CHECK(ids.insert(id).second);
    };
    for (int i = 0; i < 20; ++i) {
        REQUIRE(bench.publish("a", "", qos::at_least_once));
        note(5);
        REQUIRE(bench.subscribe("a"));
        note(2);
        REQUIRE(bench.publish("a", "", qos::exactly_once));
        note(5);
        REQUIRE(bench.unsubscribe("a"));
        note(2);
    }
    CHECK(ids.size() == 80);
}

TEST_CASE("with all packet ids in use a client's next message waits, and SUBSCRIBE is refused",
          "[v5/MQTT-2.2.1-3][v3/MQTT-2.3.1-2][v3/MQTT-2.3.1-3]") {
    const auto version = GENERATE(v3, v5);
    client_options options;
    options.queue_messages_max = 70'000;
    client_bench bench(version, options);
    bench.connected();
    REQUIRE(bench.subscribe("a"));  // id 1 is not free, whoever has it
    REQUIRE(bench.take().substr(6, 5) == "00 01");
    std::set<std::string> ids;
    for (int i = 0; i < 65'534; ++i) {
        REQUIRE(bench.publish("a", "", qos::at_least_once));
        ids.insert(bench.take().substr(15, 5));
    }
    CHECK(ids.size() == 65'534);
    CHECK(ids.count("00 01") == 0);
    CHECK(ids.count("00 00") == 0);

    REQUIRE(bench.publish("a", "", qos::at_least_once));
    CHECK(bench.take().empty());
    CHECK(bench.session().queued() == 1);
    CHECK(bench.subscribe("a").error() == error::packet_ids_exhausted);
    CHECK(bench.take().empty());

    SECTION("an acknowledgement frees its id for the message that waits") {
        bench.receive("40 02 12 34");
        CHECK(bench.take().substr(15, 5) == "12 34");
        CHECK(bench.session().queued() == 0);
    }
    SECTION("so does SUBACK") {
        bench.receive("90 03 00 01 00", "90 04 00 01 00 00");
        // In 5.0 the window of 65,535 has room for one more.
        CHECK(bench.take().substr(15, 5) == "00 01");
    }
}

TEST_CASE(
    "a client resends under the old packet id, which is not given out before its last "
    "acknowledgement",
    "[v3/MQTT-2.3.1-3][v5/MQTT-4.4.0-1][v3/MQTT-4.4.0-1]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    bench.reconnected();
    CHECK(bench.take().substr(0, 20) ==
          "3C " + std::string(version == v5 ? "06" : "05") + " 00 01 61 00 01");
    bench.receive("50 02 00 01");
    CHECK(bench.take() == "62 02 00 01");
    // Through a whole turn of the ids, 1 stays in use until PUBCOMP.
    for (int i = 0; i < 65'600; ++i) {
        const auto id = bench.subscribe("a");
        REQUIRE(id);
        REQUIRE(id.value() != 1);
        bytes answer{0x90, 3, static_cast<std::uint8_t>(id.value() >> 8),
                     static_cast<std::uint8_t>(id.value()), 0};
        if (version == v5) {
            answer[1] = 4;
            answer.push_back(0);
        }
        bench.receive(answer);
        bench.answers.clear();
        bench.take_all();
    }
    bench.receive("70 02 00 01");
    CHECK(bench.acknowledged.size() == 1);
    CHECK(bench.session().state().outbound.empty());
}

TEST_CASE("a client repeats the packet id of a PUBLISH in each acknowledgement",
          "[v5/MQTT-2.2.1-5][v3/MQTT-2.3.1-6]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    bench.receive("32 05 00 01 61 12 34", "32 06 00 01 61 12 34 00");
    CHECK(bench.take() == "40 02 12 34");
    bench.receive("34 05 00 01 61 43 21", "34 06 00 01 61 43 21 00");
    CHECK(bench.take() == "50 02 43 21");
    bench.receive("62 02 43 21");
    CHECK(bench.take() == "70 02 43 21");
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    bench.take();
    bench.receive("50 02 00 01");
    CHECK(bench.take() == "62 02 00 01");
}

TEST_CASE("a client writes the length of an empty property block", "[v5/MQTT-2.2.2-1]") {
    client_bench bench;
    connect request;
    request.client_id = "c";
    REQUIRE(bench.session().connect(request, bench.now()));
    CHECK(bench.take() == "10 0E 00 04 4D 51 54 54 05 02 00 00 00 00 01 63");
    bench.receive("20 03 00 00 00");
    REQUIRE(bench.subscribe("a"));
    CHECK(bench.take() == "82 07 00 01 00 00 01 61 00");
    REQUIRE(bench.unsubscribe("a"));
    CHECK(bench.take() == "A2 06 00 02 00 00 01 61");
    REQUIRE(bench.publish("a", ""));
    CHECK(bench.take() == "30 04 00 01 61 00");
}

TEST_CASE("a client sends no topic name with a wildcard and takes none",
          "[v5/MQTT-3.3.2-2][v3/MQTT-3.3.2-2][v5/MQTT-4.7.0-1][v3/MQTT-4.7.1-1]") {
    const auto version = GENERATE(v3, v5);
    const std::string topic = GENERATE("a/+", "#", "a/b#", "+/a");
    client_bench bench(version);
    bench.connected();
    CHECK(bench.publish(topic, "x").error() == error::invalid_topic_name);
    CHECK(bench.publish(topic, "x", qos::exactly_once).error() == error::invalid_topic_name);
    CHECK(bench.take().empty());
    bench.receive(publish_to(version, bytes(topic.begin(), topic.end())));
    CHECK(bench.messages.empty());
    CHECK(bench.ended_with(reason_code::topic_name_invalid));
}

TEST_CASE("a client sends # and + only where they may stand",
          "[v5/MQTT-4.7.1-1][v3/MQTT-4.7.1-2][v5/MQTT-4.7.1-2][v3/MQTT-4.7.1-3]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    for (const char* const filter :
         {"a#", "a/#/b", "#/a", "a/b#", "a+", "+a/b", "a/b+/c", "a/+b"}) {
        CAPTURE(filter);
        CHECK(bench.subscribe(filter).error() == error::invalid_topic_filter);
        CHECK(bench.unsubscribe(filter).error() == error::invalid_topic_filter);
    }
    CHECK(bench.take().empty());
    for (const char* const filter : {"#", "a/#", "+", "a/+/c", "+/+/#", "/+"}) {
        CAPTURE(filter);
        CHECK(bench.subscribe(filter));
        CHECK(bench.unsubscribe(filter));
    }
}

TEST_CASE("a client sends no topic or filter without a character and takes no such topic",
          "[v5/MQTT-4.7.3-1][v3/MQTT-4.7.3-1]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    CHECK(bench.publish("", "x").error() == error::invalid_topic_name);
    CHECK(bench.subscribe("").error() == error::invalid_topic_filter);
    CHECK(bench.unsubscribe("").error() == error::invalid_topic_filter);
    CHECK(bench.take().empty());
    bench.receive("30 02 00 00", "30 03 00 00 00");
    CHECK(bench.ended_with(reason_code::protocol_error));
}

TEST_CASE("a client sends topics and filters of up to 65,535 bytes",
          "[v5/MQTT-4.7.3-3][v3/MQTT-4.7.3-3]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    const std::string longest(65'535, 'a');
    CHECK(bench.publish(longest + "a", "").error() == error::invalid_topic_name);
    CHECK(bench.subscribe(longest + "a").error() == error::invalid_topic_filter);
    CHECK(bench.unsubscribe(longest + "a").error() == error::invalid_topic_filter);
    CHECK(bench.take().empty());
    REQUIRE(bench.publish(longest, ""));
    CHECK(bench.take().size() / 3 + 1 == (version == v5 ? 65'542u : 65'541u));
    REQUIRE(bench.subscribe(longest));
    CHECK(bench.take().size() / 3 + 1 == (version == v5 ? 65'545u : 65'544u));
}

TEST_CASE("a client's shared filter has a share name and a valid filter behind it",
          "[v5/MQTT-4.8.2-1][v5/MQTT-4.8.2-2][v5/MQTT-3.8.3-4]") {
    client_bench bench;
    bench.connected();
    for (const char* const filter : {"$share/", "$share//a", "$share/g", "$share/g/", "$share/g+/a",
                                     "$share/g#/a", "$share/g/a#", "$share/g/#/a"}) {
        CAPTURE(filter);
        CHECK(bench.subscribe(filter).error() == error::invalid_topic_filter);
    }
    CHECK(bench.subscribe("$share/g/a", {.no_local = true}).error() == error::invalid_argument);
    CHECK(bench.take().empty());
    REQUIRE(bench.subscribe("$share/g/+/a"));
    CHECK(bench.take() == "82 12 00 01 00 00 0C 24 73 68 61 72 65 2F 67 2F 2B 2F 61 00");
}

TEST_CASE("a client's SUBSCRIBE and UNSUBSCRIBE have a filter, which is UTF-8",
          "[v5/MQTT-3.8.1-1][v3/MQTT-3.8.1-1][v5/MQTT-3.8.3-1][v3/MQTT-3.8.3-1][v5/MQTT-3.8.3-2]"
          "[v3/MQTT-3.8.3-3][v5/MQTT-3.10.1-1][v3/MQTT-3.10.1-1][v5/MQTT-3.10.3-1]"
          "[v3/MQTT-3.10.3-1][v5/MQTT-3.10.3-2][v3/MQTT-3.10.3-2]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    CHECK(bench.session().subscribe({}, bench.now()).error() == error::invalid_argument);
    CHECK(bench.session().unsubscribe({}, bench.now()).error() == error::invalid_argument);
    CHECK(bench.subscribe(text_of("FF")).error() == error::invalid_topic_filter);
    CHECK(bench.unsubscribe(text_of("FF")).error() == error::invalid_topic_filter);
    CHECK(bench.take().empty());

    const subscription_request requests[] = {{"a", {qos::at_least_once}},
                                             {"b/#", {qos::exactly_once}}};
    subscribe wanted;
    wanted.requests = subscription_requests(requests);
    REQUIRE(bench.session().subscribe(wanted, bench.now()));
    CHECK(bench.take() == (version == v5 ? "82 0D 00 01 00 00 01 61 01 00 03 62 2F 23 02"
                                         : "82 0C 00 01 00 01 61 01 00 03 62 2F 23 02"));
    const std::string_view filters[] = {"a", "b/#"};
    unsubscribe unwanted;
    unwanted.filters = topic_filters(filters);
    REQUIRE(bench.session().unsubscribe(unwanted, bench.now()));
    CHECK(bench.take() == (version == v5 ? "A2 0B 00 02 00 00 01 61 00 03 62 2F 23"
                                         : "A2 0A 00 02 00 01 61 00 03 62 2F 23"));
}

}  // namespace
}  // namespace fleetarium::test
