#include <fleetarium/session/server_session.hpp>

#include <support/hex.hpp>
#include <support/session_pair.hpp>

#include <catch2/catch.hpp>

#include <chrono>
#include <deque>
#include <string>
#include <variant>

using namespace fleetarium;
using namespace fleetarium::test;

namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

constexpr auto connect_v3 = "10 0D 00 04 4D 51 54 54 04 02 00 3C 00 01 63";
constexpr auto connect_v5 = "10 0E 00 04 4D 51 54 54 05 02 00 3C 00 00 01 63";
/// With authentication method "M".
constexpr auto connect_auth = "10 12 00 04 4D 51 54 54 05 02 00 3C 04 15 00 01 4D 00 01 63";

/// A server session to which the test speaks in bytes.
class server_bench {
public:
    explicit server_bench(std::uint16_t window_max = 65'535) {
        connection_limits before;
        before.maximum_packet_size = 1'000;
        session.open(before, window_max, 10s, now);
    }

    /// What the last packet in these bytes means.
    server_event receive(std::string_view hex) {
        input_.push_back(from_hex(hex));
        server_event last;
        for (bytes_view rest = input_.back(); !rest.empty();) {
            server_event event = session.handle_bytes(rest, now);
            if (!std::holds_alternative<std::monostate>(event)) {
                last = std::move(event);
            }
        }
        return last;
    }
    void accept(std::string_view connect_hex, const connection_limits& own = {},
                std::uint16_t keep_alive = 60) {
        REQUIRE(std::holds_alternative<connect>(receive(connect_hex)));
        REQUIRE(session.accept({}, own, keep_alive, state, now));
        take();
    }
    std::string take() { return to_hex(to_bytes(session.poll_transmit())); }
    violation broken_by(std::string_view hex) {
        const server_event event = receive(hex);
        const auto* const broken = std::get_if<protocol_violation>(&event);
        return broken == nullptr ? violation::none : broken->broken;
    }
    void push(std::string_view payload, enum qos level) {
        publish in;
        in.topic = "a";
        in.payload = as_bytes_view(payload);
        delivery added;
        added.message = message::make(in, {});
        added.qos = level;
        state.outbound.push(std::move(added));
    }
    send_step send_next() { return session.send_next(now, affected); }

    instant now{};
    session_state state;
    server_session session;
    delivery affected;

private:
    std::deque<bytes> input_;
};

}  // namespace

TEST_CASE("a server session takes CONNECT first, once, and in time", "[server_session]") {
    server_bench bench;
    SECTION("another packet first") {
        CHECK(bench.broken_by("C0 00") == violation::first_packet_not_connect);
        CHECK(bench.take().empty());
    }
    SECTION("twice") {
        bench.accept(connect_v5);
        CHECK(bench.broken_by(connect_v5) == violation::second_connect);
        CHECK(bench.take().substr(0, 2) == "E0");
    }
    SECTION("twice in 3.1.1") {
        bench.accept(connect_v3);
        CHECK(bench.broken_by(connect_v3) == violation::second_connect);
        CHECK(bench.take().empty());
    }
    SECTION("not in time") {
        CHECK(bench.session.poll_timeout() == bench.now + 10s);
        bench.now += 10s;
        const server_event event = bench.session.handle_timeout(bench.now);
        CHECK(std::get<protocol_violation>(event).broken == violation::connect_timeout);
        CHECK(bench.take().empty());
    }
    SECTION("too large") {
        CHECK(bench.broken_by("10 FF 07") == violation::packet_too_large);
        CHECK(bench.take().empty());
    }
    CHECK(bench.session.should_close());
    // Nothing more is looked at.
    CHECK(std::holds_alternative<std::monostate>(bench.receive("C0 00")));
    CHECK(bench.take().empty());
}

TEST_CASE("a server session answers what it cannot accept as the version has it",
          "[server_session]") {
    server_bench bench;
    SECTION("an unknown version") {
        CHECK(bench.broken_by("10 0D 00 04 4D 51 54 54 06 02 00 3C 00 01 63") ==
              violation::protocol_version_unsupported);
        CHECK(bench.take() == "20 02 00 01");
    }
    SECTION("an unknown protocol") {
        CHECK(bench.broken_by("10 0D 00 04 4D 51 54 58 04 02 00 3C 00 01 63") ==
              violation::protocol_name_invalid);
        CHECK(bench.take().empty());
    }
    SECTION("a reserved flag in 5.0") {
        CHECK(bench.broken_by("10 0E 00 04 4D 51 54 54 05 03 00 3C 00 00 01 63") ==
              violation::connect_flags_reserved);
        CHECK(bench.take().substr(6, 5) == "00 81");
    }
    SECTION("a reserved flag in 3.1.1") {
        CHECK(bench.broken_by("10 0D 00 04 4D 51 54 54 04 03 00 3C 00 01 63") ==
              violation::connect_flags_reserved);
        CHECK(bench.take().empty());
    }
    SECTION("a refusal has no Session Present") {
        bench.receive(connect_v5);
        connack answer;
        answer.session_present = true;
        answer.code = reason_code::banned;
        bench.session.refuse(answer, bench.now);
        CHECK(bench.take() == "20 03 00 8A 00");
    }
    SECTION("a refusal that 3.1.1 has no code for") {
        bench.receive(connect_v3);
        connack answer;
        answer.code = reason_code::packet_too_large;
        bench.session.refuse(answer, bench.now);
        CHECK(bench.take().empty());
    }
    CHECK(bench.session.should_close());
}

TEST_CASE("a CONNACK above the client's maximum packet size accepts nothing", "[server_session]") {
    server_bench bench;
    // Maximum Packet Size 8
    bench.receive("10 13 00 04 4D 51 54 54 05 02 00 3C 05 27 00 00 00 08 00 01 63");
    connack answer;
    answer.receive_maximum = 5;
    answer.topic_alias_maximum = 5;
    CHECK_FALSE(bench.session.accept(answer, {}, 60, bench.state, bench.now));
    CHECK(bench.take().empty());
    CHECK_FALSE(bench.session.is_accepted());
    CHECK(bench.session.should_close());
}

TEST_CASE("a server session gives up a client that is silent for one and a half keep alives",
          "[server_session]") {
    server_bench bench;
    const auto version = GENERATE(v3, v5);
    bench.accept(version == v5 ? connect_v5 : connect_v3, {}, 10);
    bench.now += 14'999ms;
    CHECK(std::holds_alternative<std::monostate>(bench.session.handle_timeout(bench.now)));
    CHECK(std::holds_alternative<std::monostate>(bench.receive("C0 00")));
    CHECK(bench.take() == "D0 00");
    CHECK(bench.session.poll_timeout() == bench.now + 15s);
    bench.now += 10s;
    bench.receive("C0");  // a part of a packet does not count
    bench.now += 5s;
    const server_event event = bench.session.handle_timeout(bench.now);
    CHECK(std::get<protocol_violation>(event).broken == violation::keep_alive_timeout);
    CHECK(bench.take().substr(0, 2) == (version == v5 ? "E0" : ""));
    CHECK(bench.session.should_close());
}

TEST_CASE("a refused QoS 2 message leaves its packet id free",
          "[server_session][v5/MQTT-4.3.3-9]") {
    server_bench bench;
    bench.accept(connect_v5);
    server_event event = bench.receive("34 06 00 01 61 00 09 00");
    bench.session.acknowledge(std::get<publish>(event), reason_code::not_authorized, bench.now);
    CHECK(bench.take() == "50 03 00 09 87");
    CHECK(bench.state.inbound.size() == 0);
    event = bench.receive("34 06 00 01 62 00 09 00");
    REQUIRE(std::holds_alternative<publish>(event));
    bench.session.acknowledge(std::get<publish>(event), reason_code::success, bench.now);
    CHECK(bench.take() == "50 02 00 09");
    CHECK(std::holds_alternative<publish_repeated>(bench.receive("3C 06 00 01 62 00 09 00")));
    CHECK(bench.take() == "50 02 00 09");
}

TEST_CASE("refusals make room in the receive maximum that was announced", "[server_session]") {
    server_bench bench;
    connection_limits own;
    own.receive_maximum = 1;
    bench.accept(connect_v5, own);
    for (int i = 0; i < 3; ++i) {
        const server_event event = bench.receive("34 06 00 01 61 00 09 00");
        REQUIRE(std::holds_alternative<publish>(event));
        bench.session.acknowledge(std::get<publish>(event), reason_code::quota_exceeded, bench.now);
    }
    const server_event event = bench.receive("34 06 00 01 61 00 09 00");
    bench.session.acknowledge(std::get<publish>(event), reason_code::success, bench.now);
    bench.take();
    CHECK(bench.broken_by("34 06 00 01 61 00 0A 00") == violation::receive_maximum_exceeded);
}

TEST_CASE("the receive maximum binds 5.0 clients only", "[server_session]") {
    server_bench bench;
    connection_limits own;
    own.receive_maximum = 1;
    bench.accept(connect_v3, own);
    for (const char* const packet : {"34 05 00 01 61 00 01", "34 05 00 01 61 00 02"}) {
        const server_event event = bench.receive(packet);
        REQUIRE(std::holds_alternative<publish>(event));
        bench.session.acknowledge(std::get<publish>(event), reason_code::success, bench.now);
    }
    CHECK_FALSE(bench.session.should_close());
}

TEST_CASE("a server session sends within its own window and the client's receive maximum",
          "[server_session]") {
    const bool own_is_smaller = GENERATE(true, false);
    server_bench bench(own_is_smaller ? std::uint16_t{2} : std::uint16_t{50});
    // Receive Maximum 50 or 2
    bench.accept(own_is_smaller ? "10 11 00 04 4D 51 54 54 05 02 00 3C 03 21 00 32 00 01 63"
                                : "10 11 00 04 4D 51 54 54 05 02 00 3C 03 21 00 02 00 01 63");
    for (int i = 0; i < 4; ++i) {
        bench.push(std::to_string(i), qos::exactly_once);
    }
    bench.push("z", qos::at_most_once);
    CHECK(bench.send_next() == send_step::sent);
    CHECK(bench.send_next() == send_step::sent);
    CHECK(bench.send_next() == send_step::window_full);
    CHECK(bench.session.is_window_full());
    bench.receive("50 02 00 01");
    CHECK(bench.send_next() == send_step::window_full);
    const server_event event = bench.receive("70 02 00 01");
    REQUIRE(std::holds_alternative<delivery_acknowledged>(event));
    CHECK(bench.send_next() == send_step::sent);
    CHECK(bench.send_next() == send_step::window_full);
    CHECK(bench.affected.packet_id == 3);
}

TEST_CASE("what a server session takes out of its queue is named with the reason",
          "[server_session]") {
    server_bench bench;
    // Maximum Packet Size 20
    bench.accept("10 13 00 04 4D 51 54 54 05 02 00 3C 05 27 00 00 00 14 00 01 63");
    bench.push(std::string(100, 'x'), qos::at_least_once);
    publish in;
    in.topic = "a";
    delivery expiring;
    expiring.message = message::make(in, {{}, 0, bench.now + 5s});
    expiring.qos = qos::at_least_once;
    bench.state.outbound.push(expiring);
    bench.push("good", qos::at_least_once);
    bench.now += 5s;
    CHECK(bench.send_next() == send_step::too_large);
    CHECK(bench.affected.message->payload().size() == 100);
    CHECK(bench.send_next() == send_step::expired);
    CHECK(bench.send_next() == send_step::sent);
    CHECK(as_text(bench.affected.message->payload()) == "good");
    CHECK(bench.send_next() == send_step::idle);
    CHECK(bench.take() == "32 0A 00 01 61 00 02 00 67 6F 6F 64");
}

TEST_CASE("a session state taken to a new connection is resent from its first delivery",
          "[server_session]") {
    server_bench bench;
    bench.accept(connect_v5);
    bench.push("1", qos::at_least_once);
    bench.push("2", qos::exactly_once);
    bench.send_next();
    bench.send_next();
    bench.receive("50 02 00 02");
    bench.take();
    // The owner forgot to rewind: the next connection does.
    server_session next;
    next.open({}, 65'535, 10s, bench.now);
    const bytes connect_bytes = from_hex(connect_v5);
    bytes_view input = connect_bytes;
    next.handle_bytes(input, bench.now);
    bench.session.detach();
    REQUIRE(next.accept({.session_present = true}, {}, 60, bench.state, bench.now));
    CHECK(next.send_next(bench.now, bench.affected) == send_step::resent);
    CHECK(next.send_next(bench.now, bench.affected) == send_step::resent);
    CHECK(bench.affected.state == delivery_state::wait_pubcomp);
    CHECK(next.send_next(bench.now, bench.affected) == send_step::idle);
    CHECK(to_hex(to_bytes(next.poll_transmit())) ==
          "20 03 01 00 00 3A 07 00 01 61 00 01 00 31 62 02 00 02");
}

TEST_CASE("a server session runs an authentication with one method from CONNECT to CONNACK",
          "[server_session]") {
    server_bench bench;
    CHECK(std::holds_alternative<connect>(bench.receive(connect_auth)));
    CHECK(bench.session.authenticates());
    auth question;
    question.authentication_data = as_bytes_view("1");
    bench.session.challenge(question, bench.now);
    CHECK(bench.take() == "F0 0A 18 08 15 00 01 4D 16 00 01 31");
    SECTION("accepted") {
        CHECK(std::holds_alternative<auth>(bench.receive("F0 06 18 04 15 00 01 4D")));
        REQUIRE(bench.session.accept({}, {}, 60, bench.state, bench.now));
        CHECK(bench.take() == "20 07 00 00 04 15 00 01 4D");

        // And again.
        CHECK(bench.broken_by("30 04 00 01 61 00") == violation::none);
        CHECK(std::holds_alternative<auth>(bench.receive("F0 06 19 04 15 00 01 4D")));
        bench.session.challenge({}, bench.now);
        CHECK(bench.take() == "F0 06 18 04 15 00 01 4D");
        CHECK(std::holds_alternative<auth>(bench.receive("F0 06 18 04 15 00 01 4D")));
        bench.session.finish_re_authentication({}, bench.now);
        CHECK(bench.take() == "F0 06 00 04 15 00 01 4D");
        CHECK(bench.broken_by("F0 06 18 04 15 00 01 4D") == violation::authentication_out_of_order);
        CHECK(bench.take().substr(0, 2) == "E0");
    }
    SECTION("another method") {
        CHECK(bench.broken_by("F0 06 18 04 15 00 01 4E") ==
              violation::authentication_method_changed);
        CHECK(bench.take().substr(6, 5) == "00 82");
    }
    SECTION("no method") {
        CHECK(bench.broken_by("F0 00") == violation::authentication_method_changed);
    }
    SECTION("a code out of order") {
        CHECK(bench.broken_by("F0 06 19 04 15 00 01 4D") == violation::authentication_out_of_order);
    }
    SECTION("another packet") {
        CHECK(bench.broken_by("30 04 00 01 61 00") == violation::packet_before_connack);
        CHECK(bench.take().substr(6, 5) == "00 82");
    }
    SECTION("DISCONNECT") {
        CHECK(std::holds_alternative<disconnect>(bench.receive("E0 00")));
        CHECK(bench.take().empty());
    }
    SECTION("silence") {
        bench.now += 10s;
        const server_event event = bench.session.handle_timeout(bench.now);
        CHECK(std::get<protocol_violation>(event).broken == violation::connect_timeout);
        CHECK(bench.take().empty());  // no code of CONNACK says so
    }
    CHECK(bench.session.should_close());
}

TEST_CASE("a server session judges DISCONNECT by what CONNECT said", "[server_session]") {
    server_bench bench;
    SECTION("a session expiry raised from none") {
        bench.accept(connect_v5);
        CHECK(bench.broken_by("E0 07 00 05 11 00 00 00 01") ==
              violation::session_expiry_raised_from_zero);
        CHECK(bench.take().substr(0, 2) == "E0");
    }
    SECTION("one lowered") {
        // Session Expiry Interval 9
        bench.accept("10 13 00 04 4D 51 54 54 05 02 00 3C 05 11 00 00 00 09 00 01 63");
        const server_event event = bench.receive("E0 07 00 05 11 00 00 00 01");
        REQUIRE(std::holds_alternative<disconnect>(event));
        CHECK(bench.take().empty());
    }
    SECTION("a server reference") {
        bench.accept(connect_v5);
        CHECK(bench.broken_by("E0 06 00 04 1C 00 01 61") ==
              violation::server_reference_from_client);
    }
    SECTION("of 3.1.1") {
        bench.accept(connect_v3);
        CHECK(std::holds_alternative<disconnect>(bench.receive("E0 00")));
    }
    CHECK(bench.session.should_close());
}

TEST_CASE("a farewell of the server has no session expiry, and none goes out in 3.1.1",
          "[server_session]") {
    server_bench bench;
    const auto version = GENERATE(v3, v5);
    bench.accept(version == v5 ? connect_v5 : connect_v3);
    bench.session.disconnect(
        {.code = reason_code::server_shutting_down, .session_expiry_interval = 5}, bench.now);
    CHECK(bench.take() == (version == v5 ? "E0 01 8B" : ""));
    CHECK(bench.session.should_close());
}

TEST_CASE("a client that wants no problem information gets no reason string", "[server_session]") {
    server_bench bench;
    bench.accept("10 10 00 04 4D 51 54 54 05 02 00 3C 02 17 00 00 01 63");
    CHECK_FALSE(bench.session.sends_problem_information());
    CHECK(bench.broken_by("C1 00") == violation::fixed_header_flags_invalid);
    CHECK(bench.take() == "E0 01 81");
}

TEST_CASE("an idle server session holds no memory, also after a packet that came in pieces",
          "[server_session]") {
    server_bench bench;
    bench.accept(connect_v5);
    CHECK(bench.session.memory_bytes() == 0);
    bench.receive("C0");
    CHECK(bench.session.memory_bytes() > 0);
    bench.receive("00");
    bench.take();
    CHECK(bench.session.memory_bytes() == 0);
}

// Both ends

TEST_CASE("a server's aliases stay within the client's maximum and save its topics",
          "[server_session]") {
    pair_options how;
    how.client_topic_alias_maximum = 3;
    session_pair pair(how);
    pair.reconnect();
    pair.forget_sent();
    for (int i = 0; i < 30; ++i) {
        pair.server_publish("a/long/topic/" + std::to_string(i % 5), "x", qos::at_least_once);
        pair.drive();
    }
    REQUIRE(pair.at_client.size() == 30);
    for (int i = 0; i < 30; ++i) {
        CHECK(pair.at_client[static_cast<std::size_t>(i)].topic ==
              "a/long/topic/" + std::to_string(i % 5));
    }
    CHECK(pair.client_violations.empty());
    std::size_t short_packets = 0;
    for (const std::string& one : pair.sent(side::server, packet_type::publish)) {
        short_packets += from_hex(one).size() < 15 ? 1 : 0;
    }
    CHECK(short_packets > 0);
}

TEST_CASE("keep alive of both ends agrees: an idle connection lives for days", "[server_session]") {
    const auto version = GENERATE(v3, v5);
    pair_options how;
    how.version = version;
    how.keep_alive = 30;
    how.latency = 2s;
    session_pair pair(how);
    pair.connect();
    pair.advance(48h);
    CHECK(pair.is_open());
    CHECK(pair.client_violations.empty());
    CHECK(pair.server_violations.empty());
    CHECK(pair.sent(side::client, packet_type::pingreq).size() >= 48 * 3'600 / 30 - 2);
}

TEST_CASE("packets keep to the maximum packet size of either end", "[server_session]") {
    pair_options how;
    how.client_packet_size_max = 40;
    how.server_packet_size_max = 60;
    session_pair pair(how);
    pair.server_publish("a", std::string(200, 'x'), qos::exactly_once);
    pair.server_publish("a", "fits", qos::exactly_once);
    REQUIRE(pair.client_publish("a", std::string(200, 'x'), qos::exactly_once));
    REQUIRE(pair.client_publish("a", "fits", qos::exactly_once));
    pair.reconnect();
    REQUIRE(pair.at_client.size() == 1);
    CHECK(pair.at_client[0].payload == "fits");
    REQUIRE(pair.at_server.size() == 1);
    CHECK(pair.at_server[0].payload == "fits");
    for (const side by : {side::client, side::server}) {
        for (const std::string& one : pair.sent(by)) {
            CHECK(from_hex(one).size() <= (by == side::client ? 60u : 40u));
        }
    }
    CHECK(pair.server_violations.empty());
    CHECK(pair.client_violations.empty());
}

TEST_CASE("a farewell ends the connection at both ends", "[server_session]") {
    const auto version = GENERATE(v3, v5);
    pair_options how;
    how.version = version;
    session_pair pair(how);
    pair.reconnect();
    REQUIRE(pair.client().disconnect({}, pair.now()));
    pair.drive();
    CHECK_FALSE(pair.is_open());
    CHECK(pair.server_saw_disconnect == reason_code::normal_disconnection);
    pair.reconnect();
    pair.server().disconnect({.code = reason_code::administrative_action}, pair.now());
    pair.drive();
    CHECK_FALSE(pair.is_open());
    CHECK(pair.client_saw_disconnect.has_value() == (version == v5));
    CHECK(pair.client().is_open() == false);
}
