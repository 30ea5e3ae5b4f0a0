#include <fleetarium/server/connection_limiter.hpp>

#include <fleetarium/server/log_limiter.hpp>
#include <fleetarium/server/password_turns.hpp>
#include <fleetarium/server/refusal_log.hpp>

#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

#include <cstring>

// Bounds of a server on what comes before CONNECT, in virtual time.

namespace fleetarium::test {
namespace {

using broker::address_key;
using broker::address_key_of;
using broker::connection_bounds;
using broker::connection_limiter;
using broker::token_bucket;
using verdict = connection_limiter::verdict;

constexpr instant begin{};

TEST_CASE("a bucket gives a second's worth at once, and then as many as come back",
          "[server][bounds]") {
    token_bucket bucket(4);
    instant now = begin + 1h;
    for (int i = 0; i < 4; ++i) {
        CHECK(bucket.take(now));
    }
    CHECK_FALSE(bucket.take(now));
    CHECK_FALSE(bucket.take(now + 249ms));
    CHECK(bucket.take(now + 250ms));
    CHECK_FALSE(bucket.take(now + 250ms));
    CHECK_FALSE(bucket.is_full(now + 1s));
    CHECK(bucket.is_full(now + 1250ms));
    now += 1h;
    for (int i = 0; i < 4; ++i) {
        CHECK(bucket.take(now));
    }
    CHECK_FALSE(bucket.take(now));

    token_bucket boundless(0);
    for (int i = 0; i < 1000; ++i) {
        CHECK(boundless.take(now));
    }
}

TEST_CASE("over an hour of a flood a bucket gives what its rate says, to the last one",
          "[server][bounds]") {
    const std::uint32_t rate = GENERATE(1u, 7u, 1000u);
    token_bucket bucket(rate);
    std::uint64_t given = 0;
    for (instant now = begin; now < begin + 60s; now += std::chrono::microseconds{300}) {
        given += bucket.take(now);
    }
    CHECK(given >= 60 * rate);
    CHECK(given <= 61 * rate);
}

TEST_CASE("an address is an IPv4 address or the first half of an IPv6 one", "[server][bounds]") {
    const auto same = [](std::string_view one, std::string_view other) {
        const auto left = address_key_of(one);
        const auto right = address_key_of(other);
        REQUIRE(left.has_value());
        REQUIRE(right.has_value());
        return *left == *right;
    };
    CHECK(same("10.0.0.1:1000", "10.0.0.1:1001"));
    CHECK_FALSE(same("10.0.0.1:1000", "10.0.0.2:1000"));
    CHECK(same("[2001:db8:1:2::1]:5", "[2001:db8:1:2:ffff:eeee:dddd:cccc]:6"));
    CHECK_FALSE(same("[2001:db8:1:2::1]:5", "[2001:db8:1:3::1]:5"));
    CHECK(same("[::ffff:10.0.0.1]:5", "10.0.0.1:6"));  // IPv4 at a socket of both
    CHECK_FALSE(same("[a00:1::]:5", "10.0.0.1:5"));    // the same first bytes
    for (const char* none : {"", "pipe", "unix", "nowhere:80", "[::1:5"}) {
        CHECK_FALSE(address_key_of(none).has_value());
    }
}

TEST_CASE("a listener's rate holds for all addresses together, an address's for it alone",
          "[server][bounds][threat/connection_flood]") {
    const auto a = address_key_of("10.0.0.1:1");
    const auto b = address_key_of("10.0.0.2:1");
    SECTION("of the listener") {
        connection_limiter limiter({.rate_max = 3});
        CHECK(limiter.arrive(a, begin) == verdict::admitted);
        CHECK(limiter.arrive(b, begin) == verdict::admitted);
        CHECK(limiter.arrive({}, begin) == verdict::admitted);
        CHECK(limiter.arrive(a, begin) == verdict::too_fast);
        CHECK(limiter.arrive({}, begin) == verdict::too_fast);
        CHECK(limiter.arrive(a, begin + 334ms) == verdict::admitted);
        CHECK(limiter.addresses() == 0);
    }
    SECTION("of an address, which takes nothing from others") {
        connection_limiter limiter({.rate_max = 4, .address_rate_max = 2});
        CHECK(limiter.arrive(a, begin) == verdict::admitted);
        CHECK(limiter.arrive(a, begin) == verdict::admitted);
        for (int i = 0; i < 100; ++i) {
            CHECK(limiter.arrive(a, begin) == verdict::address_too_fast);
        }
        CHECK(limiter.arrive(b, begin) == verdict::admitted);
        CHECK(limiter.arrive(b, begin) == verdict::admitted);
        CHECK(limiter.arrive(a, begin + 500ms) == verdict::admitted);
    }
    SECTION("connections of an address") {
        connection_limiter limiter({.address_connections_max = 2});
        CHECK(limiter.arrive(a, begin) == verdict::admitted);
        CHECK(limiter.arrive(a, begin) == verdict::admitted);
        CHECK(limiter.arrive(a, begin) == verdict::too_many_of_an_address);
        CHECK(limiter.arrive(b, begin) == verdict::admitted);
        CHECK(limiter.arrive({}, begin) == verdict::admitted);
        limiter.leave(a, begin);
        CHECK(limiter.arrive(a, begin) == verdict::admitted);
        CHECK(limiter.arrive(a, begin) == verdict::too_many_of_an_address);
    }
}

TEST_CASE("addresses without connections are forgotten, however many come",
          "[server][bounds][threat/connection_flood]") {
    connection_limiter limiter({.address_rate_max = 1, .address_connections_max = 5});
    const auto stays = address_key_of("10.9.9.9:1");
    CHECK(limiter.arrive(stays, begin) == verdict::admitted);
    address_key key;
    key.is_v6 = true;
    for (std::uint32_t i = 0; i < 200'000; ++i) {
        std::memcpy(key.bytes.data(), &i, sizeof i);
        CHECK(limiter.arrive(key, begin) == verdict::admitted);
        limiter.leave(key, begin);
        if (i % 1000 == 0) {
            REQUIRE(limiter.addresses() <= connection_limiter::idle_addresses_max + 1);
        }
    }
    // Who is connected is not forgotten: it has had its one for this second.
    CHECK(limiter.arrive(stays, begin) == verdict::address_too_fast);
    limiter.leave(stays, begin + 2s);
    std::memset(key.bytes.data(), 0xFF, key.bytes.size());
    const std::size_t before = limiter.addresses();
    CHECK(limiter.arrive(key, begin + 2s) == verdict::admitted);
    limiter.leave(key, begin + 4s);
    CHECK(limiter.addresses() <= before);
}

TEST_CASE("passwords that wait have a bound, and one address has a quarter of it",
          "[server][bounds][threat/password_flood]") {
    broker::password_turns turns(8);
    const auto a = address_key_of("10.0.0.1:1");
    const auto b = address_key_of("10.0.0.2:1");
    CHECK(turns.enter(a));
    CHECK(turns.enter(a));
    CHECK_FALSE(turns.enter(a));
    CHECK(turns.enter(b));
    CHECK(turns.enter(b));
    CHECK(turns.enter({}));
    CHECK(turns.enter({}));
    CHECK_FALSE(turns.enter({}));
    for (const char* each : {"10.0.0.3:1", "10.0.0.4:1"}) {
        CHECK(turns.enter(address_key_of(each)));
    }
    CHECK_FALSE(turns.enter(address_key_of("10.0.0.5:1")));  // eight of eight
    turns.leave(a);
    CHECK(turns.enter(address_key_of("10.0.0.5:1")));
    CHECK_FALSE(turns.enter(a));
}

TEST_CASE("a flood of lines leaves a few a second, and says how many more there were",
          "[server][log][threat/log_flood]") {
    broker::log_limiter limiter(10);
    std::vector<std::string> written;
    for (int i = 0; i < 10'000; ++i) {
        if (const auto more = limiter.admit(begin + i * 1ms)) {
            written.push_back(*more);
        }
    }
    CHECK(written.size() >= 100);
    CHECK(written.size() <= 110);
    CHECK(written.front().empty());
    CHECK(written.back() == " (99 lines like this one were left out)");
}

TEST_CASE("each bound that refuses something is told of in a line, at most each ten seconds",
          "[server][log][bounds]") {
    broker::broker_options options;
    options.memory_max = std::size_t{1} << 20;
    options.subscriptions_per_session_max = 1;
    broker_bench bench(options);
    peer& one = bench.connected();
    bench.subscribe(one, "a", qos::at_most_once);
    broker::refusal_log log;
    broker::server_counters of_server;
    instant now = begin;
    CHECK(log.poll(bench.core(), of_server, now).empty());

    bench.subscribe(one, "b", qos::at_most_once);
    bench.subscribe(one, "c", qos::at_most_once);
    of_server.rate_refused = 7;
    auto lines = log.poll(bench.core(), of_server, now);
    REQUIRE(lines.size() == 2);
    CHECK_THAT(lines[0], Catch::StartsWith("7 connections refused: connection_rate_max"));
    CHECK_THAT(lines[1], Catch::StartsWith("2 subscriptions refused: "));
    for (int i = 1; i < 10; ++i) {
        of_server.rate_refused += 1000;
        CHECK(log.poll(bench.core(), of_server, now + i * 1s).empty());
    }
    lines = log.poll(bench.core(), of_server, now + 10s);
    REQUIRE(lines.size() == 1);
    CHECK_THAT(lines[0], Catch::StartsWith("9000 connections refused"));

    bench.core().note_transport_bytes(options.memory_max);
    lines = log.poll(bench.core(), of_server, now + 11s);
    REQUIRE(lines.size() == 1);
    CHECK_THAT(lines[0], Catch::StartsWith("memory: ") && Catch::EndsWith("PUBLISH is refused"));
    bench.core().note_transport_bytes(0);
    lines = log.poll(bench.core(), of_server, now + 12s);
    REQUIRE(lines.size() == 1);
    CHECK_THAT(lines[0], Catch::EndsWith("nothing is refused for it any more"));
}

}  // namespace
}  // namespace fleetarium::test
