#include <support/client_bench.hpp>

#include <catch2/catch.hpp>

// Sections 3.1, 3.2 and 3.14: what a client sends to connect, what it makes of CONNACK, keep alive,
// and how a connection ends.

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

/// The CONNECT that a fresh client sends, or the error.
std::string sent_for(const connect& request) {
    client_bench bench(request.version);
    const auto done = bench.session().connect(request, bench.now());
    return done ? bench.take() : done.error().message();
}

connect minimal(protocol_version version) {
    connect request;
    request.version = version;
    request.client_id = "c";
    return request;
}

std::string head(protocol_version version, std::string_view flags) {
    return "00 04 4D 51 54 54 0" + std::string(version == v5 ? "5 " : "4 ") + std::string(flags) +
           " 00 00" + (version == v5 ? " 00" : "") + " 00 01 63";
}

bool is_refused(const connect& request) {
    client_bench bench(request.version);
    const auto done = bench.session().connect(request, bench.now());
    return !done && bench.take().empty() && !bench.session().is_open();
}

TEST_CASE("the first packet of a client on each connection is CONNECT",
          "[v5/MQTT-3.1.0-1][v3/MQTT-3.1.0-1]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    for (int connection = 0; connection < 2; ++connection) {
        CHECK(bench.publish("a", "x").error() == error::not_connected);
        CHECK(bench.publish("a", "x", qos::at_least_once));
        CHECK(bench.subscribe("a").error() == error::not_connected);
        CHECK(bench.session().ping(bench.now()).error() == error::not_connected);
        CHECK(bench.session().disconnect({}, bench.now()).error() == error::not_connected);
        CHECK(bench.take().empty());
        REQUIRE(bench.session().connect(bench.usual(), bench.now()));
        CHECK(bench.session().connect(bench.usual(), bench.now()).error() ==
              error::already_connected);
        CHECK(bench.take().substr(0, 2) == "10");
        CHECK(bench.take().empty());
        bench.cut();
    }
}

TEST_CASE("a client that connects clean gives up what was in flight, both ways",
          "[v5/MQTT-3.1.2-4][v3/MQTT-3.1.2-6]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    REQUIRE(bench.publish("a", "old", qos::exactly_once));
    bench.receive("34 05 00 01 61 00 09", "34 06 00 01 61 00 09 00");
    CHECK(bench.messages.size() == 1);
    bench.cut();

    connect clean = bench.usual();
    clean.clean_start = true;
    // Even if the server, against the rules, says that it has the session.
    bench.connected(clean, version == v5 ? "20 03 00 00 00" : "20 02 01 00");
    CHECK(bench.take().empty());
    CHECK(bench.session().in_flight() == 0);
    const auto dropped = bench.session().poll_dropped();
    REQUIRE(dropped.size() == 1);
    CHECK(dropped[0].why == delivery_dropped::reason::session_ended);
    bench.receive("34 05 00 01 61 00 09", "34 06 00 01 61 00 09 00");
    CHECK(bench.messages.size() == 2);
    CHECK(bench.repeats == 0);
}

TEST_CASE("a 3.1.1 session begun clean ends with its connection", "[v3/MQTT-3.1.2-6]") {
    client_bench bench(v3);
    connect clean = bench.usual();
    clean.clean_start = true;
    bench.connected(clean);
    REQUIRE(bench.publish("a", "old", qos::at_least_once));
    bench.cut();
    CHECK(bench.session().poll_dropped().size() == 1);
    bench.connected();
    CHECK(bench.take().empty());
}

TEST_CASE("a client's session outlives its connection if it is asked to",
          "[v5/MQTT-3.1.2-23][v3/MQTT-3.1.2-4][v5/MQTT-3.1.3-2][v3/MQTT-3.1.3-2]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    REQUIRE(bench.publish("a", "", qos::at_least_once));
    bench.receive("34 05 00 01 61 00 09", "34 06 00 01 61 00 09 00");
    SECTION("under its client id: it goes on where it was") {
        bench.reconnected();
        CHECK(bench.take().substr(0, 2) == "3A");
        bench.receive("3C 05 00 01 61 00 09", "3C 06 00 01 61 00 09 00");
        CHECK(bench.repeats == 1);
        CHECK(bench.messages.size() == 1);
    }
    SECTION("not under another one") {
        bench.cut();
        connect other = bench.usual();
        other.client_id = "d";
        bench.connected(other);
        CHECK(bench.take().empty());
        CHECK(bench.session().poll_dropped().size() == 1);
        bench.receive("34 05 00 01 61 00 09", "34 06 00 01 61 00 09 00");
        CHECK(bench.messages.size() == 2);
    }
}

TEST_CASE("without a session expiry a client's session ends with its connection",
          "[v5/MQTT-3.1.2-23]") {
    client_bench bench;
    connect request = bench.usual();
    request.session_expiry_interval.reset();
    SECTION("none asked for") { bench.connected(request); }
    SECTION("none granted") { bench.connected(bench.usual(), "20 08 00 00 05 11 00 00 00 00"); }
    SECTION("given up by DISCONNECT") {
        bench.connected();
        REQUIRE(bench.publish("a", "", qos::at_least_once));
        REQUIRE(bench.session().disconnect({.session_expiry_interval = 0}, bench.now()));
    }
    if (!bench.session().should_close()) {
        REQUIRE(bench.publish("a", "", qos::at_least_once));
    }
    bench.cut();
    CHECK(bench.session().poll_dropped().size() == 1);
    bench.open(request).receive("20 03 01 00 00");
    CHECK(bench.violations.back() == violation::session_present_without_session);
}

TEST_CASE("a session expiry that the server grants on its own counts", "[v5/MQTT-3.1.2-23]") {
    client_bench bench;
    connect request = bench.usual();
    request.session_expiry_interval.reset();
    bench.connected(request, "20 08 00 00 05 11 00 00 00 64");
    REQUIRE(bench.publish("a", "", qos::at_least_once));
    bench.reconnected();
    CHECK(bench.take().substr(0, 2) == "3A");
}

TEST_CASE("CONNECT has will fields and will bits with a will, and none of them without",
          "[v5/MQTT-3.1.2-9][v3/MQTT-3.1.2-9][v3/MQTT-3.1.2-11][v5/MQTT-3.1.2-11]"
          "[v3/MQTT-3.1.2-13][v5/MQTT-3.1.2-12][v3/MQTT-3.1.2-14][v5/MQTT-3.1.2-13]"
          "[v3/MQTT-3.1.2-15][v5/MQTT-3.1.3-11][v3/MQTT-3.1.3-10]") {
    const auto version = GENERATE(v3, v5);
    const bool is_v5 = version == v5;
    connect request = minimal(version);
    CHECK(sent_for(request) == (is_v5 ? "10 0E " : "10 0D ") + head(version, "02"));

    will last;
    last.topic = "w";
    last.payload = as_bytes_view("x");
    last.qos = GENERATE(qos::at_most_once, qos::at_least_once, qos::exactly_once);
    last.retain = GENERATE(false, true);
    request.will = last;
    const bytes flags{static_cast<std::uint8_t>(0x06 | static_cast<unsigned>(last.qos) << 3 |
                                                (last.retain ? 0x20 : 0))};
    CHECK(sent_for(request) == (is_v5 ? "10 15 " : "10 13 ") + head(version, to_hex(flags)) +
                                   (is_v5 ? " 00" : "") + " 00 01 77 00 01 78");

    request.will->qos = static_cast<enum qos>(3);
    CHECK(is_refused(request));
    request.will->qos = qos::at_most_once;
    for (const std::string_view topic : {"", "a/#", "\xFF"}) {
        request.will->topic = topic;
        CHECK(is_refused(request));
    }
}

TEST_CASE("CONNECT has a user name and a password exactly when their flags say so",
          "[v5/MQTT-3.1.2-16][v3/MQTT-3.1.2-18][v5/MQTT-3.1.2-17][v3/MQTT-3.1.2-19]"
          "[v5/MQTT-3.1.2-18][v3/MQTT-3.1.2-20][v5/MQTT-3.1.2-19][v3/MQTT-3.1.2-21]"
          "[v3/MQTT-3.1.2-22][v5/MQTT-3.1.3-12][v3/MQTT-3.1.3-11]") {
    const auto version = GENERATE(v3, v5);
    const bool is_v5 = version == v5;
    connect request = minimal(version);
    request.user_name = "u";
    CHECK(sent_for(request) == (is_v5 ? "10 11 " : "10 10 ") + head(version, "82") + " 00 01 75");
    request.password = as_bytes_view("p");
    CHECK(sent_for(request) ==
          (is_v5 ? "10 14 " : "10 13 ") + head(version, "C2") + " 00 01 75 00 01 70");
    request.user_name.reset();
    if (is_v5) {
        CHECK(sent_for(request) == "10 11 " + head(version, "42") + " 00 01 70");
    } else {
        CHECK(is_refused(request));
    }
    request.user_name = "\xFE";
    CHECK(is_refused(request));
}

TEST_CASE("the fields of CONNECT come in their order, the client id always first",
          "[v5/MQTT-3.1.3-1][v3/MQTT-3.1.3-1][v5/MQTT-3.1.3-3][v3/MQTT-3.1.3-3]") {
    const auto version = GENERATE(v3, v5);
    connect request = minimal(version);
    will last;
    last.topic = "t";
    last.payload = as_bytes_view("w");
    last.delay_interval = 5;
    request.will = last;
    request.user_name = "u";
    request.password = as_bytes_view("p");
    CHECK(sent_for(request) ==
          (version == v5 ? "10 20 " + head(v5, "C6") +
                               " 05 18 00 00 00 05 00 01 74 00 01 77 00 01 75 00 01 70"
                         : "10 19 " + head(v3, "C6") + " 00 01 74 00 01 77 00 01 75 00 01 70"));
    request = minimal(version);
    request.client_id = "";
    CHECK(sent_for(request) == (version == v5 ? "10 0D 00 04 4D 51 54 54 05 02 00 00 00 00 00"
                                              : "10 0C 00 04 4D 51 54 54 04 02 00 00 00 00"));
}

TEST_CASE("a client id is UTF-8 and fits its length", "[v5/MQTT-3.1.3-4][v3/MQTT-3.1.3-4]") {
    const auto version = GENERATE(v3, v5);
    connect request = minimal(version);
    request.client_id = "\xC3(";
    CHECK(is_refused(request));
    const std::string longest(65'536, 'a');
    request.client_id = longest;
    CHECK(is_refused(request));
    request.client_id = std::string_view(longest).substr(1);
    CHECK_FALSE(is_refused(request));
}

TEST_CASE("a 3.1.1 client without an id connects clean only", "[v3/MQTT-3.1.3-7]") {
    connect request = minimal(v3);
    request.client_id = "";
    request.clean_start = false;
    CHECK(is_refused(request));
    request.clean_start = true;
    CHECK_FALSE(is_refused(request));
    request.version = v5;
    request.clean_start = false;
    CHECK_FALSE(is_refused(request));
}

TEST_CASE("a client refuses values of CONNECT that the standard has no room for", "[client]") {
    connect request = minimal(v5);
    const std::string long_text(65'536, 'a');
    SECTION("receive maximum 0") { request.receive_maximum = 0; }
    SECTION("maximum packet size 0") { request.maximum_packet_size = 0; }
    SECTION("authentication data without method") {
        request.authentication_data = as_bytes_view("x");
    }
    SECTION("password too long") { request.password = as_bytes_view(long_text); }
    SECTION("user property not UTF-8") {
        static constexpr user_property bad{"k", "\xFF"};
        request.user_properties = user_properties({&bad, 1});
    }
    SECTION("will payload too long") {
        will last;
        last.topic = "w";
        last.payload = as_bytes_view(long_text);
        request.will = last;
    }
    SECTION("response topic of the will with a wildcard") {
        will last;
        last.topic = "w";
        last.response_topic = "a/#";
        request.will = last;
    }
    CHECK(is_refused(request));
}

TEST_CASE("an idle client sends PINGREQ within its keep alive, and nothing without one",
          "[v5/MQTT-3.1.2-20][v3/MQTT-3.1.2-23]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    connect request = bench.usual();
    request.keep_alive = 2;
    bench.connected(request);
    bench.advance(1'999ms);
    CHECK(bench.take().empty());
    bench.advance(1ms);
    CHECK(bench.take() == "C0 00");
    SECTION("again and again") {
        for (int i = 0; i < 10; ++i) {
            bench.receive("D0 00");
            bench.advance(2s);
            CHECK(bench.take() == "C0 00");
        }
    }
    SECTION("also while an answer is late") {
        bench.advance(2s);
        CHECK(bench.take() == "C0 00");
        bench.advance(2s);
        CHECK(bench.take() == "C0 00");
    }
    SECTION("counted from the last packet of any kind") {
        bench.receive("D0 00");
        bench.advance(1s);
        REQUIRE(bench.publish("a", ""));
        bench.take();
        bench.advance(1'999ms);
        CHECK(bench.take().empty());
        bench.advance(1ms);
        CHECK(bench.take() == "C0 00");
    }
    SECTION("until no answer comes at all") {
        bench.advance(20s);
        CHECK(bench.violations.back() == violation::response_timeout);
        CHECK(bench.session().should_close());
    }
    SECTION("off") {
        bench.cut();
        request.keep_alive = 0;
        bench.connected(request, version == v5 ? "20 03 01 00 00" : "20 02 01 00");
        CHECK(bench.session().poll_timeout() == never);
        bench.advance(24h);
        CHECK(bench.take().empty());
    }
}

TEST_CASE("a client closes a connection on which CONNACK does not come in time", "[client]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.open();
    bench.advance(9s);
    CHECK_FALSE(bench.session().should_close());
    bench.advance(1s);
    CHECK(bench.violations.back() == violation::response_timeout);
    CHECK(bench.closed_silently());
}

TEST_CASE("the server's keep alive replaces the client's", "[v5/MQTT-3.1.2-21][v5/MQTT-3.2.2-21]") {
    client_bench bench;
    connect request = bench.usual();
    request.keep_alive = 60;
    SECTION("a shorter one") {
        bench.connected(request, "20 06 00 00 03 13 00 02");
        CHECK(bench.session().keep_alive() == 2);
        bench.advance(2s);
        CHECK(bench.take() == "C0 00");
    }
    SECTION("a longer one") {
        bench.connected(request, "20 06 00 00 03 13 00 78");
        bench.advance(119s);
        CHECK(bench.take().empty());
        bench.advance(1s);
        CHECK(bench.take() == "C0 00");
    }
    SECTION("none") {
        bench.connected(request, "20 06 00 00 03 13 00 00");
        bench.advance(1h);
        CHECK(bench.take().empty());
    }
}

TEST_CASE("a client takes nothing before CONNACK", "[client]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.open();
    const std::string packet =
        GENERATE("D0 00", "30 03 00 01 61", "40 02 00 01", "E0 00", "F0 00", "10 00");
    bench.receive(packet);
    CHECK(bench.violations.back() == violation::first_packet_not_connack);
    CHECK(bench.messages.empty());
    CHECK(bench.closed_silently());
}

TEST_CASE("a client drops a connection on which CONNACK has a reserved flag, or comes twice",
          "[v5/MQTT-3.2.2-1]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.open().receive("20 02 02 00", "20 03 02 00 00");
    CHECK(bench.violations.back() == violation::connack_flags_reserved);
    CHECK(bench.closed_silently());
    bench.cut();
    bench.connected();
    bench.receive("20 02 00 00", "20 03 00 00 00");
    CHECK(bench.violations.back() == violation::second_connack);
    CHECK(bench.ended_with(reason_code::protocol_error));
}

TEST_CASE("a client without a session does not take Session Present 1", "[v5/MQTT-3.2.2-4]") {
    client_bench bench;
    SECTION("fresh") {
        bench.open().receive("20 03 01 00 00");
        CHECK(bench.violations.back() == violation::session_present_without_session);
        CHECK(bench.session().should_close());
    }
    SECTION("clean") {
        bench.connected().cut();
        connect clean = bench.usual();
        clean.clean_start = true;
        bench.open(clean).receive("20 03 01 00 00");
        CHECK(bench.session().should_close());
    }
    SECTION("but does where CONNACK to its first CONNECT was lost") {
        bench.open().cut();
        bench.open().receive("20 03 01 00 00");
        CHECK(bench.session().is_connected());
    }
    SECTION("and not where the first CONNECT was refused") {
        bench.open().receive("20 03 00 88 00").cut();
        bench.open().receive("20 03 01 00 00");
        CHECK(bench.session().should_close());
    }
    SECTION("in 3.1.1 it goes on") {
        client_bench older(v3);
        older.open().receive("20 02 01 00");
        CHECK(older.session().is_connected());
    }
}

TEST_CASE("a client whose session the server has lost gives up what was in flight",
          "[v5/MQTT-3.2.2-5]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    REQUIRE(bench.publish("a", "", qos::at_least_once));
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    bench.receive("50 02 00 02");
    bench.receive("34 05 00 01 61 00 09", "34 06 00 01 61 00 09 00");
    bench.cut();
    REQUIRE(bench.publish("a", "", qos::at_least_once));  // never sent: not part of what is lost
    bench.reconnected(false);
    // A new id: an old acknowledgement cannot be taken for one of this message.
    CHECK(bench.take().substr(0, 20) ==
          "32 0" + std::string(version == v5 ? "6" : "5") + " 00 01 61 00 03");
    CHECK(bench.take().empty());
    const auto dropped = bench.session().poll_dropped();
    REQUIRE(dropped.size() == 2);
    CHECK(dropped[0].dropped.state == delivery_state::wait_puback);
    CHECK(dropped[1].dropped.state == delivery_state::wait_pubcomp);
    CHECK(dropped[1].why == delivery_dropped::reason::session_ended);
    bench.receive("34 05 00 01 61 00 09", "34 06 00 01 61 00 09 00");
    CHECK(bench.repeats == 0);
}

TEST_CASE("a refused CONNECT ends the connection and leaves the session as it was",
          "[v5/MQTT-4.13.2-1]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    REQUIRE(bench.publish("a", "", qos::at_least_once));
    bench.cut();
    connect request = bench.usual();
    if (version == v5) {
        request.session_expiry_interval.reset();
    }
    bench.open(request).receive("20 02 00 03", "20 03 00 88 00");
    REQUIRE(bench.last<connack>() != nullptr);
    CHECK(bench.last<connack>()->code == reason_code::server_unavailable);
    CHECK(bench.closed_silently());
    CHECK(bench.publish("a", "").error() == error::not_connected);
    bench.reconnected();
    CHECK(bench.take().substr(0, 2) == "3A");
}

TEST_CASE("the codes of a 3.1.1 CONNACK are known and others are refused", "[client]") {
    const reason_code codes[] = {
        reason_code::unsupported_protocol_version, reason_code::client_identifier_not_valid,
        reason_code::server_unavailable, reason_code::bad_user_name_or_password,
        reason_code::not_authorized};
    for (std::uint8_t value = 1; value <= 5; ++value) {
        client_bench bench(v3);
        bench.open().receive(bytes{0x20, 2, 0, value});
        REQUIRE(bench.last<connack>() != nullptr);
        CHECK(bench.last<connack>()->code == codes[value - 1]);
        CHECK(bench.closed_silently());
    }
    client_bench bench(v3);
    bench.open().receive("20 02 00 06");
    CHECK(bench.violations.back() == violation::reason_code_invalid);
    CHECK(bench.closed_silently());
}

TEST_CASE("a client keeps to the server's maximum QoS, also with what it queued before",
          "[v5/MQTT-3.2.2-11]") {
    client_bench bench;
    bench.connected();
    REQUIRE(bench.publish("in flight", "", qos::exactly_once));
    bench.cut();
    REQUIRE(bench.publish("queued", "", qos::exactly_once));
    REQUIRE(bench.publish("good", "", qos::at_least_once));
    bench.connected(bench.usual(), "20 05 01 00 02 24 01");
    CHECK_THAT(bench.take(), Catch::Contains("67 6F 6F 64"));
    CHECK(bench.take().empty());
    const auto dropped = bench.session().poll_dropped();
    REQUIRE(dropped.size() == 2);
    CHECK(dropped[0].why == delivery_dropped::reason::qos_not_supported);
    CHECK(dropped[0].dropped.message->topic() == "in flight");
    CHECK(dropped[1].dropped.message->topic() == "queued");

    CHECK(bench.publish("a", "", qos::exactly_once).error() == error::qos_not_supported);
    CHECK(bench.take().empty());
    REQUIRE(bench.subscribe("a", {qos::exactly_once}));  // any QoS may be asked for
    CHECK_FALSE(bench.take().empty());
    REQUIRE(bench.publish("a", "", qos::at_least_once));
    CHECK(bench.take().substr(0, 2) == "32");
}

TEST_CASE("a client sends nothing retained to a server that keeps none, queued before or not",
          "[v5/MQTT-3.2.2-14]") {
    client_bench bench;
    REQUIRE(bench.publish("queued", "", qos::at_least_once, true));
    bench.connected(bench.usual(), "20 05 00 00 02 25 00");
    CHECK(bench.take().empty());
    const auto dropped = bench.session().poll_dropped();
    REQUIRE(dropped.size() == 1);
    CHECK(dropped[0].why == delivery_dropped::reason::retain_not_supported);
    for (const auto level : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        CHECK(bench.publish("a", "", level, true).error() == error::retain_not_supported);
    }
    CHECK(bench.take().empty());
    REQUIRE(bench.publish("a", "", qos::at_least_once, false));
    CHECK(bench.take().substr(0, 2) == "32");
    // The next server may keep them.
    bench.reconnected();
    bench.take_all();
    CHECK(bench.publish("a", "", qos::at_most_once, true));
}

TEST_CASE("a client sends no packet above the server's maximum packet size, queued before or not",
          "[v5/MQTT-3.2.2-15]") {
    client_bench bench;
    const std::string payload(100, 'x');
    const std::string fitting(64 - 10, 'x');  // QoS 1 to topic "a": 8 bytes and the payload
    REQUIRE(bench.publish("a", payload, qos::at_least_once));
    bench.connected(bench.usual(), "20 08 00 00 05 27 00 00 00 40");
    CHECK(bench.take().empty());
    const auto dropped = bench.session().poll_dropped();
    REQUIRE(dropped.size() == 1);
    CHECK(dropped[0].why == delivery_dropped::reason::too_large);

    for (const auto level : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        CHECK(bench.publish("a", payload, level).error() == error::packet_too_large);
    }
    CHECK(bench.subscribe(std::string(60, 'f')).error() == error::packet_too_large);
    CHECK(bench.unsubscribe(std::string(60, 'f')).error() == error::packet_too_large);
    CHECK(bench.take().empty());
    CHECK(bench.session().in_flight() == 0);

    REQUIRE(bench.publish("a", std::string(56, 'x'), qos::at_least_once));
    CHECK(from_hex(bench.take()).size() == 64);
    CHECK(bench.publish("a", std::string(57, 'x'), qos::at_least_once).error() ==
          error::packet_too_large);
    CHECK(bench.session().disconnect({.reason_string = payload}, bench.now()));
    CHECK(bench.take() == "E0 00");
}

TEST_CASE("a packet that is not sent does not count for keep alive", "[v5/MQTT-3.1.2-20]") {
    client_bench bench;
    connect request = bench.usual();
    request.keep_alive = 10;
    bench.connected(request, "20 08 00 00 05 27 00 00 00 20");
    bench.advance(9s);
    CHECK(bench.publish("a", std::string(100, 'x')).error() == error::packet_too_large);
    bench.advance(1s);
    CHECK(bench.take() == "C0 00");
}

TEST_CASE("a client holds its application to what the server does not offer", "[client]") {
    client_bench bench;
    SECTION("wildcards") {
        bench.connected(bench.usual(), "20 05 00 00 02 28 00");
        CHECK(bench.subscribe("a/#").error() == error::wildcard_subscriptions_not_supported);
        CHECK(bench.subscribe("$share/g/+").error() == error::wildcard_subscriptions_not_supported);
        CHECK(bench.subscribe("a"));
    }
    SECTION("identifiers") {
        bench.connected(bench.usual(), "20 05 00 00 02 29 00");
        CHECK(bench.subscribe("a", {}, 1).error() == error::subscription_identifiers_not_supported);
        CHECK(bench.subscribe("a"));
    }
    SECTION("shared subscriptions") {
        bench.connected(bench.usual(), "20 05 00 00 02 2A 00");
        CHECK(bench.subscribe("$share/g/a").error() == error::shared_subscriptions_not_supported);
        CHECK(bench.subscribe("a"));
    }
    SECTION("identifiers in 3.1.1") {
        client_bench older(v3);
        older.connected();
        CHECK(older.subscribe("a", {}, 1).error() == error::not_in_this_version);
    }
}

TEST_CASE("response information reaches the application that asked for it", "[client]") {
    client_bench bench;
    connect request = bench.usual();
    request.request_response_information = true;
    REQUIRE(bench.session().connect(request, bench.now()));
    CHECK_THAT(bench.take(), Catch::Contains("19 01"));
    bench.receive("20 08 00 00 05 1A 00 02 72 2F");
    REQUIRE(bench.last<connack>() != nullptr);
    CHECK(bench.last<connack>()->response_information == "r/");
}

TEST_CASE("a client sends nothing after DISCONNECT and closes the connection",
          "[v5/MQTT-3.14.4-1][v5/MQTT-3.14.4-2][v3/MQTT-3.14.4-1][v3/MQTT-3.14.4-2]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    connect request = bench.usual();
    request.receive_maximum = version == v5 ? std::optional<std::uint16_t>(5) : std::nullopt;
    bench.connected(request, version == v5 ? "20 06 00 00 03 21 00 01" : "20 02 00 00");
    for (int i = 0; i < 5; ++i) {
        REQUIRE(bench.publish("a", "", qos::at_least_once));
    }
    bench.take_all();
    REQUIRE(bench.session().disconnect({}, bench.now()));
    CHECK(bench.take() == "E0 00");
    CHECK(bench.session().should_close());

    CHECK(bench.publish("a", "").error() == error::not_connected);
    CHECK(bench.publish("a", "", qos::at_least_once));
    CHECK(bench.subscribe("a").error() == error::not_connected);
    CHECK(bench.session().ping(bench.now()).error() == error::not_connected);
    CHECK(bench.session().disconnect({}, bench.now()).error() == error::not_connected);
    bench.receive("40 02 00 01");  // would open the window
    bench.receive("32 05 00 01 61 00 07", "32 06 00 01 61 00 07 00");
    bench.advance(1h);
    CHECK(bench.take().empty());
    CHECK(bench.messages.empty());
}

TEST_CASE("a client sends DISCONNECT with the codes and properties that are for clients",
          "[v5/MQTT-3.14.2-1]") {
    client_bench bench;
    bench.connected();
    for (int code = 0; code < 256; ++code) {
        client_bench other;
        other.connected();
        disconnect farewell;
        farewell.code = static_cast<reason_code>(code);
        const auto done = other.session().disconnect(farewell, other.now());
        const std::string allowed = "00 04 80 81 82 83 90 93 94 95 96 97 98 99 9B";
        const std::uint8_t byte = static_cast<std::uint8_t>(code);
        CAPTURE(code);
        const bool is_allowed = allowed.find(to_hex({&byte, 1})) != std::string::npos;
        CHECK(done.has_value() == is_allowed);
        CHECK(other.take().empty() != is_allowed);
    }
    CHECK(bench.session().disconnect({.server_reference = "s"}, bench.now()).error() ==
          error::invalid_argument);
    CHECK(bench.session().disconnect({.reason_string = "\xFF"}, bench.now()).error() ==
          error::invalid_argument);
    REQUIRE(bench.session().disconnect(
        {.code = reason_code::disconnect_with_will_message, .session_expiry_interval = 7},
        bench.now()));
    CHECK(bench.take() == "E0 07 04 05 11 00 00 00 07");
}

TEST_CASE("a client does not raise a session expiry from zero by DISCONNECT", "[client]") {
    client_bench bench;
    connect request = bench.usual();
    request.session_expiry_interval = 0;
    bench.connected(request);
    CHECK(bench.session().disconnect({.session_expiry_interval = 1}, bench.now()).error() ==
          error::invalid_argument);
    CHECK(bench.take().empty());
    CHECK(bench.session().disconnect({.session_expiry_interval = 0}, bench.now()));
}

TEST_CASE("a client leaves out of DISCONNECT what would not fit the server's maximum packet size",
          "[v5/MQTT-3.14.2-3][v5/MQTT-3.14.2-4]") {
    const std::string text(50, 'r');
    const user_property pair{"key", text};
    disconnect farewell;
    farewell.code = reason_code::unspecified_error;
    farewell.reason_string = text;
    client_bench bench;
    SECTION("the reason string") {
        bench.connected(bench.usual(), "20 08 00 00 05 27 00 00 00 3F");
        const user_property small{"k", "v"};
        farewell.user_properties = user_properties({&small, 1});
        REQUIRE(bench.session().disconnect(farewell, bench.now()));
        CHECK(bench.take() == "E0 09 80 07 26 00 01 6B 00 01 76");
    }
    SECTION("the user properties too") {
        bench.connected(bench.usual(), "20 08 00 00 05 27 00 00 00 20");
        farewell.user_properties = user_properties({&pair, 1});
        REQUIRE(bench.session().disconnect(farewell, bench.now()));
        CHECK(bench.take() == "E0 01 80");
    }
}

TEST_CASE("a client closes the connection when the server sends DISCONNECT", "[v5/MQTT-4.13.2-1]") {
    client_bench bench;
    bench.connected();
    bench.receive("E0 01 8E");
    REQUIRE(bench.last<disconnect>() != nullptr);
    CHECK(bench.last<disconnect>()->code == reason_code::session_taken_over);
    CHECK(bench.closed_silently());
    // What comes behind it is not looked at.
    bench.receive("30 04 00 01 61 00");
    CHECK(bench.messages.empty());
}

TEST_CASE("a client refuses a DISCONNECT that is malformed or not for it",
          "[v5/MQTT-3.14.1-1][v5/MQTT-3.14.2-1]") {
    client_bench bench;
    bench.connected();
    SECTION("flags") {
        bench.receive("E1 00");
        CHECK(bench.ended_with(reason_code::malformed_packet));
    }
    SECTION("a code of other packets") {
        bench.receive("E0 01 01");
        CHECK(bench.ended_with(reason_code::protocol_error));
    }
    SECTION("a session expiry") {
        bench.receive("E0 07 00 05 11 00 00 00 01");
        CHECK(bench.violations.back() == violation::session_expiry_from_server);
        CHECK(bench.ended_with(reason_code::protocol_error));
    }
    SECTION("any in 3.1.1") {
        client_bench older(v3);
        older.connected();
        older.receive("E0 00");
        CHECK(older.closed_silently());
    }
}

TEST_CASE("a packet that only a client may send ends the connection", "[v3/MQTT-4.8.0-1]") {
    const auto version = GENERATE(v3, v5);
    const std::string packet =
        GENERATE("10 00", "82 06 00 01 00 01 61 00", "A2 05 00 01 00 01 61", "C0 00");
    client_bench bench(version);
    bench.connected();
    bench.receive(packet);
    CHECK(bench.violations.back() == violation::packet_type_wrong_direction);
    CHECK(bench.ended_with(reason_code::protocol_error));
}

TEST_CASE("an answer to no request, or with another number of codes, ends the connection",
          "[client]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    REQUIRE(bench.subscribe("a"));
    REQUIRE(bench.unsubscribe("a"));
    bench.take_all();
    SECTION("answered") {
        bench.receive("B0 02 00 02", "B0 04 00 02 00 11");
        bench.receive("90 03 00 01 02", "90 04 00 01 00 02");
        CHECK(bench.violations.empty());
        REQUIRE(bench.last<suback>() != nullptr);
        REQUIRE(bench.last<unsuback>() != nullptr);
        bench.receive("90 03 00 01 02", "90 04 00 01 00 02");
        CHECK(bench.violations.size() == 1);
    }
    SECTION("another id") { bench.receive("90 03 00 03 00", "90 04 00 03 00 00"); }
    SECTION("the other kind") { bench.receive("90 03 00 02 00", "90 04 00 02 00 00"); }
    SECTION("too many codes") { bench.receive("90 04 00 01 00 00", "90 05 00 01 00 00 00"); }
    CHECK(bench.violations.back() == violation::acknowledgement_unexpected);
    CHECK(bench.session().should_close());
}

}  // namespace
}  // namespace fleetarium::test
