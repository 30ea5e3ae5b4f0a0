#include <fleetarium/broker/session_journal.hpp>

#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

// A core that goes on from what storage kept.

namespace fleetarium::test {
namespace {

constexpr instant far_away{24h * 365 * 30};

TEST_CASE("an absent session lasts no longer than its interval, whatever its clock said",
          "[persistence][v5/MQTT-3.1.2-23]") {
    const duration ahead = GENERATE(as<duration>(), 24h * 365 * 30, 90s);
    broker_bench bench;
    bench.core().restore_session(
        {.client_id = "s", .expiry_interval = 60, .expires_at = instant{ahead}});
    bench.core().go_on(bench.now());
    bench.advance(59s);
    CHECK(bench.core().session_count() == 1);
    bench.advance(2s);
    CHECK(bench.core().session_count() == 0);
}

TEST_CASE("an absent session without an end, or with less to go, keeps that", "[persistence]") {
    broker_bench bench;
    bench.core().restore_session({.client_id = "always",
                                  .expiry_interval = broker::session_expiry_never,
                                  .expires_at = never});
    bench.core().restore_session(
        {.client_id = "soon", .expiry_interval = 60, .expires_at = instant{10s}});
    bench.core().go_on(bench.now());
    bench.advance(11s);
    CHECK_FALSE(bench.core().find_session("soon"));
    bench.advance(24h * 365);
    CHECK(bench.core().find_session("always"));
}

TEST_CASE("a will waits no longer than its delay, whatever its clock said", "[persistence]") {
    broker_bench bench;
    fleetarium::publish last_words;
    last_words.topic = "gone";
    auto will = std::make_unique<broker::stored_will>();
    will->message = message::make(last_words, {});
    will->delay_interval = 30;
    will->due = far_away;
    broker::restored_session kept{
        .client_id = "s", .expiry_interval = 3600, .expires_at = far_away};
    kept.will = std::move(will);
    bench.core().restore_session(std::move(kept));
    bench.core().go_on(bench.now());
    peer& heir = bench.connected({.client_id = "heir"});
    bench.subscribe(heir, "gone");
    bench.advance(29s);
    CHECK(heir.waiting() == 0);
    bench.advance(2s);
    CHECK(heir.take_publish() == "gone=");
}

}  // namespace
}  // namespace fleetarium::test
