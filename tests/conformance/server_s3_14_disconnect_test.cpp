#include <support/broker_bench.hpp>
#include <support/raw_connect.hpp>
#include <support/scripted_hooks.hpp>

#include <catch2/catch.hpp>

// Section 3.14: DISCONNECT, in both directions.

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

will bye() {
    will out;
    out.topic = "will";
    out.payload = as_bytes_view("bye");
    return out;
}

/// A broker with somebody who sees the will.
struct watched_bench : broker_bench {
    explicit watched_bench() : watcher(connected({.client_id = "watcher"})) {
        subscribe(watcher, "will", qos::at_most_once);
    }
    peer& watcher;
};

TEST_CASE("no DISCONNECT is sent before a CONNACK of success", "[v5/MQTT-3.14.0-1]") {
    scripted_hooks hooks;
    hooks.on_authenticate_enhanced = [](const broker::client_info&, std::string_view,
                                        std::string_view) -> broker::authentication_step {
        return {broker::authentication_step::outcome::challenged, "?"};
    };
    broker_bench bench({}, &hooks);
    SECTION("another packet comes first") {
        peer& one = bench.open();
        one.send_hex("30 04 00 01 61 00");
        CHECK(one.closed_silently());
    }
    SECTION("CONNECT is broken") {
        peer& one = bench.open();
        one.send_bytes(raw_connect(v5, 0x03, "00 01 61"));
        CHECK(one.refused_with(reason_code::malformed_packet));
    }
    SECTION("no CONNECT comes in time") {
        peer& one = bench.open();
        bench.advance(1min);
        CHECK(one.closed_silently());
    }
    SECTION("the broker shuts down, before CONNECT or during authentication") {
        peer& silent = bench.open();
        peer& authenticating = bench.connect({.authentication_method = "M"});
        CHECK(authenticating.take_as<auth>().code == reason_code::continue_authentication);
        bench.core().shut_down(bench.now());
        bench.drain();
        CHECK(silent.closed_silently());
        CHECK(authenticating.closed_silently());
    }
}

TEST_CASE("a DISCONNECT with flags is malformed and lets the will go out",
          "[v5/MQTT-3.14.1-1][v3/MQTT-3.14.1-1]") {
    const auto version = GENERATE(v3, v5);
    const auto first = GENERATE("E1", "E2", "E4", "E8", "EF");
    watched_bench bench;
    peer& one = bench.connected({.version = version, .will = bye()});
    one.send_hex(std::string(first) + " 00");
    CHECK(one.ended_with(reason_code::malformed_packet));
    CHECK(bench.watcher.take_publish() == "will=bye");
}

TEST_CASE("a DISCONNECT with a code that it may not hold lets the will go out",
          "[v5/MQTT-3.14.2-1]") {
    const auto code = GENERATE("01", "02", "10", "18", "7F", "84", "85", "86", "88", "8A", "91",
                               "92", "A3", "FF");
    CAPTURE(code);
    watched_bench bench;
    peer& one = bench.connected({.will = bye()});
    one.send_hex(std::string("E0 01 ") + code);
    CHECK(one.ended_with(reason_code::protocol_error));
    CHECK(bench.watcher.take_publish() == "will=bye");
}

TEST_CASE("the broker sends DISCONNECT with no other codes than the embedder may choose",
          "[v5/MQTT-3.14.2-1]") {
    // What a server may send, by the table of section 3.14.2.1.
    const std::vector<int> listed{0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E,
                                  0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A,
                                  0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2};
    broker_bench bench;
    for (int code = 0; code < 256; ++code) {
        CAPTURE(code);
        peer& one = bench.connected();
        const auto done = bench.core().disconnect("c", static_cast<reason_code>(code), bench.now());
        bench.drain();
        if (std::count(listed.begin(), listed.end(), code) == 1) {
            CHECK(done.has_value());
            CHECK(one.ended_with(static_cast<reason_code>(code)));
        } else {
            CHECK(done.error() == error::invalid_argument);
            CHECK(one.is_served());
        }
    }
    CHECK(bench.core().disconnect("x", reason_code::administrative_action, bench.now()).error() ==
          error::not_connected);
}

TEST_CASE("a DISCONNECT of the broker has no Session Expiry Interval", "[v5/MQTT-3.14.2-2]") {
    broker_bench bench;
    const connect_with how{.clean_start = false, .session_expiry = 60};
    peer& taken_over = bench.connected(how);
    peer& faulty = bench.connected(how);
    CHECK(taken_over.take_as<disconnect>().session_expiry_interval == std::nullopt);
    faulty.send_hex("C1 00");
    CHECK(faulty.take_as<disconnect>().session_expiry_interval == std::nullopt);
    peer& stopped = bench.connected(how);
    bench.core().shut_down(bench.now());
    bench.drain();
    CHECK(stopped.take_hex() == "E0 01 8B");
}

TEST_CASE("a Reason String that does not fit is left out of DISCONNECT", "[v5/MQTT-3.14.2-3]") {
    broker_bench bench;
    peer& roomy = bench.connected({.client_id = "roomy"});
    roomy.send_hex("C1 00");
    const auto whole = roomy.take();
    REQUIRE(whole);
    const auto size = static_cast<std::uint32_t>(whole->raw.size());
    REQUIRE(size > 20);
    for (const std::uint32_t maximum : {size, size - 1, 20u}) {
        peer& small = bench.connected({.client_id = "small", .maximum_packet_size = maximum});
        small.send_hex("C1 00");
        CHECK(small.take_hex() == (maximum == size ? whole->hex() : "E0 01 81"));
        CHECK(small.closed_silently());
    }
}

TEST_CASE("after DISCONNECT the broker sends nothing and closes",
          "[v5/MQTT-3.14.4-1][v5/MQTT-3.14.4-2]") {
    broker_bench bench;
    peer& one = bench.connected({.session_expiry = 60, .receive_maximum = 1});
    bench.subscribe(one, "t", qos::at_least_once);
    peer& publisher = bench.connected({.client_id = "p"});
    for (int i = 0; i < 3; ++i) {
        bench.publish(publisher, "t", "x", qos::at_least_once, 1);
    }
    CHECK(one.take_publish() == "t=x q1");
    // The acknowledgement would open the window; the packets behind the fault are not read.
    one.send_hex("C1 00 40 02 00 01 C0 00");
    bench.publish(publisher, "t", "late");
    CHECK(one.ended_with(reason_code::malformed_packet));
    CHECK(bench.core().find_session("c")->queued == 2);
    CHECK(bench.core().find_session("c")->in_flight == 1);
}

TEST_CASE("a close is told once, whatever the client still sends", "[disconnect]") {
    broker::broker_core core({});
    const auto id = core.handle_open(instant{});
    const auto send = [&](std::string_view hex) {
        core.handle_bytes(id, from_hex(hex), instant{});
    };
    send("10 0D 00 04 4D 51 54 54 04 02 00 3C 00 01 61");
    CHECK(core.poll_output()->close == false);
    send("C1 00");
    CHECK(core.poll_output()->close == true);
    send("C0 00");
    core.shut_down(instant{});
    core.handle_timeout(instant{} + 1h);
    CHECK_FALSE(core.poll_output());
    core.handle_closed(id, instant{} + 1h);
    CHECK(core.connection_count() == 0);
    CHECK_FALSE(core.poll_output());
}

TEST_CASE("a client's DISCONNECT closes the connection, and what comes behind it is not read",
          "[disconnect]") {
    const auto version = GENERATE(v3, v5);
    watched_bench bench;
    peer& one = bench.connected({.version = version});
    one.send_hex(version == v5 ? "E0 00 30 08 00 04 77 69 6C 6C 00 78"
                               : "E0 00 30 07 00 04 77 69 6C 6C 78");
    CHECK(one.closed_silently());
    CHECK(bench.watcher.waiting() == 0);
}

TEST_CASE("3.1.1: DISCONNECT has no body", "[disconnect]") {
    watched_bench bench;
    peer& one = bench.connected({.version = v3, .will = bye()});
    one.send_hex("E0 01 00");
    CHECK(one.closed_silently());
    CHECK(bench.watcher.take_publish() == "will=bye");
}

TEST_CASE("a Server Reference from a client is a protocol error", "[disconnect]") {
    watched_bench bench;
    peer& one = bench.connected({.will = bye()});
    one.send(disconnect{.server_reference = "elsewhere"});
    CHECK(one.ended_with(reason_code::protocol_error));
    CHECK(bench.watcher.take_publish() == "will=bye");
}

}  // namespace
}  // namespace fleetarium::test
