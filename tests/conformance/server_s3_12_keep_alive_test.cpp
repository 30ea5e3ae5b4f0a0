#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

// Sections 3.1.2.10, 3.2.2.3.14 and 3.12: keep alive, as the broker holds clients to it, and
// PINGREQ.

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

TEST_CASE("PINGREQ is answered with PINGRESP", "[v5/MQTT-3.12.4-1][v3/MQTT-3.12.4-1]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    peer& one = bench.connected({.version = version});
    for (int i = 0; i < 3; ++i) {
        one.send_hex("C0 00");
        CHECK(one.take_hex() == "D0 00");
    }
    CHECK(one.waiting() == 0);
}

TEST_CASE("silence of one and a half times the keep alive ends the connection as a failed network",
          "[v5/MQTT-3.1.2-22][v3/MQTT-3.1.2-24][v5/MQTT-3.2.2-22]") {
    const auto version = GENERATE(v3, v5);
    const auto keep_alive = GENERATE(1, 2, 60, 65'535);
    broker_bench bench;
    peer& watcher = bench.connected({.client_id = "watcher"});
    bench.subscribe(watcher, "will", qos::at_most_once);
    peer& one = bench.connected(
        {.version = version, .keep_alive = static_cast<std::uint16_t>(keep_alive), .will = bye()});
    bench.advance(keep_alive * 1500ms - 1ms);
    CHECK_FALSE(one.closed());
    CHECK(watcher.waiting() == 0);
    bench.advance(1ms);
    CHECK(one.ended_with(reason_code::keep_alive_timeout));
    CHECK(watcher.take_publish() == "will=bye");
    CHECK(bench.core().metrics().keep_alive_timeouts == 1);
    CHECK(bench.core().metrics().protocol_violations == 0);
}

TEST_CASE("any packet of the client counts for keep alive, none of the broker's and no part of one",
          "[keep_alive]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    peer& publisher = bench.connected({.client_id = "p"});
    peer& one = bench.connected({.version = version, .keep_alive = 2});
    bench.subscribe(one, "t", qos::at_most_once);
    for (const char* packet :
         {"C0 00", "40 02 00 09", "50 02 00 09", "62 02 00 09", "70 02 00 09"}) {
        bench.advance(2900ms);
        one.send_hex(packet);
    }
    bench.advance(2s);
    bench.publish(publisher, "t", "x");
    one.send_hex("C0");  // half of a PINGREQ
    bench.advance(999ms);
    CHECK_FALSE(one.closed());
    bench.advance(1ms);
    CHECK(one.closed());
}

TEST_CASE("keep alive 0 is off", "[keep_alive]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    peer& one = bench.connected({.version = version, .keep_alive = 0});
    bench.advance(24h * 365);
    CHECK(one.is_served());
}

TEST_CASE("Server Keep Alive is announced and in force for 5.0; 3.1.1 clients keep their own",
          "[keep_alive]") {
    const auto [server, client] = GENERATE(table<int, int>({{10, 1000}, {10, 2}, {10, 0}}));
    broker::broker_options options;
    options.server_keep_alive = static_cast<std::uint16_t>(server);
    broker_bench bench(options);
    const auto asked = static_cast<std::uint16_t>(client);
    peer& modern = bench.connect({.client_id = "modern", .keep_alive = asked});
    CHECK(modern.take_as<connack>().server_keep_alive == server);
    peer& old = bench.connected({.client_id = "old", .version = v3, .keep_alive = asked});
    bench.advance(15s - 1ms);
    CHECK_FALSE(modern.closed());
    CHECK(old.closed() == (client == 2));
    bench.advance(1ms);
    CHECK(modern.ended_with(reason_code::keep_alive_timeout));
}

TEST_CASE("Server Keep Alive 0 turns keep alive off", "[keep_alive]") {
    broker::broker_options options;
    options.server_keep_alive = 0;
    broker_bench bench(options);
    peer& one = bench.connect({.keep_alive = 2});
    CHECK(one.take_as<connack>().server_keep_alive == 0);
    bench.advance(1h);
    CHECK(one.is_served());
}

}  // namespace
}  // namespace fleetarium::test
