#include <support/broker_bench.hpp>
#include <support/raw_connect.hpp>
#include <support/scripted_hooks.hpp>

#include <catch2/catch.hpp>

// The options of a broker that bear on connecting, each at its edge.

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

TEST_CASE("options out of their range are refused with their name", "[options]") {
    using broker::broker_options;
    const auto rejected = [](auto change) {
        broker_options options;
        change(options);
        try {
            broker::broker_core core(options);
        } catch (const std::invalid_argument& thrown) {
            return std::string(thrown.what());
        }
        return std::string();
    };
    const auto begins_with = [](const std::string& text, std::string_view name) {
        return text.substr(0, name.size()) == name;
    };
    CHECK(rejected([](broker_options&) {}).empty());
    CHECK(
        begins_with(rejected([](broker_options& o) { o.receive_maximum = 0; }), "receive_maximum"));
    CHECK(begins_with(rejected([](broker_options& o) { o.maximum_packet_size = 0; }),
                      "maximum_packet_size"));
    CHECK(begins_with(rejected([](broker_options& o) { o.inflight_messages_max = 0; }),
                      "inflight_messages_max"));
    CHECK(begins_with(rejected([](broker_options& o) { o.connect_packet_size_max = 63; }),
                      "connect_packet_size_max"));
    CHECK(begins_with(rejected([](broker_options& o) { o.connect_timeout = {}; }),
                      "connect_timeout"));
    CHECK(begins_with(rejected([](broker_options& o) { o.topic_levels_max = 0; }),
                      "topic_levels_max"));
    CHECK(begins_with(rejected([](broker_options& o) { o.topic_levels_max = 129; }),
                      "topic_levels_max"));
    CHECK(
        begins_with(rejected([](broker_options& o) { o.topic_bytes_max = 0; }), "topic_bytes_max"));
    CHECK(begins_with(rejected([](broker_options& o) { o.sys_interval = -1s; }), "sys_interval"));
    CHECK(begins_with(rejected([](broker_options& o) { o.response_information = "\xFF"; }),
                      "response_information"));
    CHECK(
        begins_with(rejected([](broker_options& o) { o.response_information.assign(65'536, 'a'); }),
                    "response_information"));
    CHECK(rejected([](broker_options& o) { o.response_information.assign(65'535, 'a'); }).empty());
}

TEST_CASE("above connections_max a CONNECT is refused as busy until one has gone", "[options]") {
    const auto version = GENERATE(v3, v5);
    broker::broker_options options;
    options.connections_max = 2;
    broker_bench bench(options);
    peer& first = bench.connected({.client_id = "1", .version = version});
    peer& silent = bench.open(version);
    peer& third = bench.connect({.client_id = "3", .version = version});
    CHECK(third.refused_with(version == v5 ? reason_code::server_busy
                                           : reason_code::server_unavailable));
    silent.cut();
    bench.connected({.client_id = "3", .version = version});
    CHECK(first.is_served());
    CHECK(bench.core().connection_count() == 2);
    CHECK(bench.core().metrics().connections_refused == 1);
}

TEST_CASE("above sessions_max new clients are refused, known ones are not", "[options]") {
    const auto version = GENERATE(v3, v5);
    broker::broker_options options;
    options.sessions_max = 2;
    broker_bench bench(options);
    const auto client = [&](const char* id, bool clean) {
        connect_with how{.client_id = id, .version = version, .clean_start = clean};
        how.session_expiry = version == v5 ? std::optional(60u) : std::nullopt;
        return how;
    };
    bench.connected(client("1", false)).cut();
    bench.connected(client("2", false));
    const auto refusal =
        version == v5 ? reason_code::quota_exceeded : reason_code::server_unavailable;
    CHECK(bench.connect(client("3", true)).refused_with(refusal));
    CHECK(bench.connect(client("1", false)).take_as<connack>().session_present);
    bench.connected(client("2", true));  // takes over and begins anew: still two
    CHECK(bench.core().session_count() == 2);
    // A session of 5.0 is kept after DISCONNECT, one of Clean Session 1 makes room.
    bench.connected(client("1", true)).send(disconnect{});
    CHECK(bench.core().session_count() == (version == v5 ? 2 : 1));
    CHECK(bench.connect(client("3", true)).closed() == (version == v5));
}

TEST_CASE("a client that sends no CONNECT in time is closed without a byte",
          "[options][threat/slow_connect]") {
    broker::broker_options options;
    options.connect_timeout = 3s;
    broker_bench bench(options);
    peer& silent = bench.open();
    peer& slow = bench.open();
    bench.advance(2s);
    const bytes request = raw_connect(v5, 0x02, "00 01 61");
    slow.send_bytes(bytes(request.begin(), request.end() - 1));  // parts do not count
    bench.advance(1s - 1ms);
    CHECK_FALSE(silent.closed());
    CHECK_FALSE(slow.closed());
    bench.advance(1ms);
    CHECK(silent.closed_silently());
    CHECK(slow.closed_silently());
    CHECK(bench.core().metrics().connect_timeouts == 2);
    CHECK(bench.core().metrics().connections_refused == 2);
    CHECK(bench.core().metrics().protocol_violations == 0);
    CHECK(bench.core().connection_count() == 0);
}

TEST_CASE("a CONNECT may have connect_packet_size_max bytes, later packets more",
          "[options][threat/large_packets]") {
    const auto version = GENERATE(v3, v5);
    broker::broker_options options;
    options.connect_packet_size_max = 64;
    broker_bench bench(options);
    // 12 bytes before the identifier's length in 3.1.1, 13 in 5.0
    const std::size_t fitting = 64 - (version == v5 ? 15 : 14);
    peer& one = bench.connected({.client_id = std::string(fitting, 'i'), .version = version});
    bench.subscribe(one, "t", qos::at_most_once);
    bench.publish(one, "t", std::string(1000, 'x'));
    CHECK(one.take_as<publish>().payload.size() == 1000);
    peer& larger = bench.connect({.client_id = std::string(fitting + 1, 'i'), .version = version});
    CHECK(larger.closed_silently());
    // Refused as soon as the size is known.
    peer& endless = bench.open(version);
    endless.send_hex("10 FF FF FF 7F");
    CHECK(endless.closed_silently());
}

TEST_CASE("maximum_packet_size is announced and enforced to the byte",
          "[options][threat/large_packets]") {
    broker::broker_options options;
    options.maximum_packet_size = 64;
    broker_bench bench(options);
    peer& one = bench.connect();
    CHECK(one.take_as<connack>().maximum_packet_size == 64);
    bench.subscribe(one, "t", qos::at_most_once);
    bench.publish(one, "t", std::string(58, 'x'));
    CHECK(one.take()->raw.size() == 64);
    bench.publish(one, "t", std::string(59, 'x'));
    CHECK(one.ended_with(reason_code::packet_too_large));
    // It holds for CONNECT too.
    CHECK(bench.connect({.client_id = std::string(50, 'i')}).closed_silently());
}

TEST_CASE("receive_maximum is announced and enforced, in 5.0 alone", "[options]") {
    const auto version = GENERATE(v3, v5);
    broker::broker_options options;
    options.receive_maximum = 3;
    broker_bench bench(options);
    peer& one = bench.connect({.version = version});
    CHECK(one.take_as<connack>().receive_maximum ==
          (version == v5 ? std::optional<std::uint16_t>(3) : std::nullopt));
    for (std::uint16_t id = 1; id <= 3; ++id) {
        bench.publish(one, "t", "x", qos::exactly_once, id);
        CHECK(one.take_as<pubrec>().packet_id == id);
    }
    // A completed one makes room for another.
    one.send_hex("62 02 00 02");
    one.discard();
    bench.publish(one, "t", "x", qos::exactly_once, 4);
    CHECK(one.take_as<pubrec>().packet_id == 4);
    bench.publish(one, "t", "x", qos::at_least_once, 5);
    if (version == v5) {
        CHECK(one.ended_with(reason_code::receive_maximum_exceeded));
    } else {
        CHECK(one.take_as<puback>().packet_id == 5);
    }
}

TEST_CASE("session_expiry_maximum caps what clients ask for and tells them", "[options]") {
    broker::broker_options options;
    options.session_expiry_maximum = 100;
    broker_bench bench(options);
    const auto [asked, told] =
        GENERATE(table<std::optional<std::uint32_t>, std::optional<std::uint32_t>>({
            {std::nullopt, std::nullopt},
            {0, std::nullopt},
            {99, std::nullopt},
            {100, std::nullopt},
            {101, 100},
            {0xFFFF'FFFF, 100},
        }));
    peer& one = bench.connect({.session_expiry = asked});
    CHECK(one.take_as<connack>().session_expiry_interval == told);
    if (asked.value_or(0) > 0) {
        one.send(disconnect{.session_expiry_interval = 1000});
        bench.advance(100s - 1ms);
        CHECK(bench.core().session_count() == 1);
        bench.advance(1ms);
    } else {
        one.cut();
    }
    CHECK(bench.core().session_count() == 0);

    bench.connected({.version = v3, .clean_start = false}).cut();
    bench.advance(100s - 1ms);
    CHECK(bench.core().session_count() == 1);
    bench.advance(1ms);
    CHECK(bench.core().session_count() == 0);
}

TEST_CASE("session_expiry_maximum of 0 ends every session with its connection", "[options]") {
    broker::broker_options options;
    options.session_expiry_maximum = 0;
    broker_bench bench(options);
    peer& modern = bench.connect({.client_id = "modern", .session_expiry = 5});
    CHECK(modern.take_as<connack>().session_expiry_interval == 0);
    peer& old = bench.connected({.client_id = "old", .version = v3, .clean_start = false});
    CHECK(bench.core().session_count() == 2);
    modern.cut();
    old.cut();
    CHECK(bench.core().session_count() == 0);
}

TEST_CASE("features that are off are said to be off and are off", "[options]") {
    broker::broker_options options;
    options.wildcard_subscription_available = false;
    options.subscription_identifier_available = false;
    options.shared_subscription_available = false;
    options.retain_available = false;
    broker_bench bench(options);
    const auto [packet, code] = GENERATE(table<std::string, reason_code>({
        {"82 07 00 01 00 00 01 23 00", reason_code::wildcard_subscriptions_not_supported},
        {"82 09 00 01 02 0B 01 00 01 61 00", reason_code::subscription_identifiers_not_supported},
        {"82 10 00 01 00 00 0A 24 73 68 61 72 65 2F 67 2F 61 00",
         reason_code::shared_subscriptions_not_supported},
        {"31 04 00 01 61 00", reason_code::retain_not_supported},
    }));
    peer& one = bench.connected();
    one.send_hex(packet);
    CHECK(one.ended_with(code));
}

TEST_CASE("topic aliases are used towards clients that allow them, unless use_topic_aliases is off",
          "[options]") {
    const auto use = GENERATE(true, false);
    broker::broker_options options;
    options.use_topic_aliases = use;
    broker_bench bench(options);
    peer& one = bench.connected({.topic_alias_maximum = 10});
    bench.subscribe(one, "#", qos::exactly_once);
    for (const auto level : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        bench.publish(one, "some/long/topic", "x", level, 1);
        std::optional<publish> delivered;
        while (one.waiting() > 0 && !delivered) {
            if (one.take()->type == packet_type::publish) {
                delivered = one.current_as<publish>();
            }
        }
        REQUIRE(delivered);
        CHECK(delivered->topic_alias.has_value() == use);
        one.discard();
    }
}

TEST_CASE("clients that come and go leave no deadlines behind", "[options]") {
    broker_bench bench;
    const auto cycle = [&] {
        peer& one = bench.connected({.keep_alive = 60'000, .session_expiry = 31'536'000});
        one.cut();
        bench.advance(11s);
        bench.forget_closed();
    };
    for (int i = 0; i < 2000; ++i) {
        cycle();
    }
    const std::size_t after_2000 = bench.core().memory_bytes();
    for (int i = 0; i < 4000; ++i) {
        cycle();
    }
    CHECK(bench.core().memory_bytes() <= after_2000);
}

}  // namespace
}  // namespace fleetarium::test
