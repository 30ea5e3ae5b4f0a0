#include <fleetarium/recording/replay_schedule.hpp>

#include <catch2/catch.hpp>

#include <chrono>

using namespace fleetarium;
using namespace fleetarium::recording;
using namespace std::chrono_literals;

namespace {

constexpr instant begin{100s};

}  // namespace

TEST_CASE("a message is due as long after the first as in the recording", "[replay]") {
    const replay_schedule one(10s, 1, begin);
    CHECK(one.due(10s) == begin);
    CHECK(one.due(17s) == begin + 7s);
    CHECK(replay_schedule(10s, 10, begin).due(17s) == begin + 700ms);
    CHECK(replay_schedule(10s, 0.1, begin).due(17s) == begin + 70s);
}

TEST_CASE("rounding does not add up over a million messages", "[replay]") {
    // A third of a nanosecond is lost at each: a sum of intervals would be 333 us early.
    replay_schedule schedule(0s, 3, begin);
    for (std::int64_t i = 1; i <= 1'000'000; ++i) {
        const duration position{i * 1'000};
        schedule.took(position);
    }
    CHECK(schedule.due(1s) - begin == 333'333'333ns);
    CHECK(schedule.due(1s) == replay_schedule(0s, 3, begin).due(1s));
}

TEST_CASE("a message that was late does not make the next one late", "[replay]") {
    replay_schedule schedule(0s, 1, begin);
    schedule.took(1s);  // whenever that was
    CHECK(schedule.due(2s) == begin + 2s);
}

TEST_CASE("as fast as possible everything is due, and the position is that of the last message",
          "[replay]") {
    replay_schedule schedule(5s, replay_schedule::as_fast_as_possible, begin);
    CHECK(schedule.due(24h) == replay_schedule::at_once);
    CHECK(schedule.position(begin + 1s) == 5s);
    schedule.took(8s);
    CHECK(schedule.position(begin + 1s) == 8s);
}

TEST_CASE("nothing is due while a replay is paused, and then it goes on where it was", "[replay]") {
    replay_schedule schedule(0s, 2, begin);
    schedule.pause(begin + 1s);
    CHECK(schedule.is_paused());
    CHECK(schedule.position(begin + 30s) == 2s);
    CHECK(schedule.due(3s) == never);
    schedule.pause(begin + 40s);  // once more changes nothing
    schedule.resume(begin + 60s);
    CHECK(schedule.position(begin + 60s) == 2s);
    CHECK(schedule.due(3s) == begin + 60s + 500ms);
}

TEST_CASE("a step lets one message out, and the replay goes on from there", "[replay]") {
    replay_schedule schedule(0s, 1, begin);
    schedule.step();  // not paused: no effect
    schedule.pause(begin + 1s);
    CHECK(schedule.due(5s) == never);
    schedule.step(2);
    CHECK(schedule.due(5s) == replay_schedule::at_once);
    schedule.took(5s);
    CHECK(schedule.due(9s) == replay_schedule::at_once);
    schedule.took(9s);
    CHECK(schedule.due(10s) == never);
    CHECK(schedule.position(begin + 20s) == 9s);
    schedule.resume(begin + 20s);
    CHECK(schedule.due(10s) == begin + 21s);
}

TEST_CASE("another speed holds from where the replay is", "[replay]") {
    replay_schedule schedule(0s, 1, begin);
    schedule.set_speed(10, begin + 4s);
    CHECK(schedule.position(begin + 4s) == 4s);
    CHECK(schedule.due(14s) == begin + 5s);
    SECTION("also if it was as fast as possible before") {
        schedule.set_speed(replay_schedule::as_fast_as_possible, begin + 5s);
        schedule.took(100s);
        schedule.set_speed(1, begin + 6s);
        CHECK(schedule.due(101s) == begin + 7s);
    }
    SECTION("also while it is paused") {
        schedule.pause(begin + 5s);
        schedule.set_speed(1, begin + 7s);
        CHECK(schedule.is_paused());
        schedule.resume(begin + 8s);
        CHECK(schedule.due(15s) == begin + 9s);
    }
}

TEST_CASE("what is due after the end of time is never due", "[replay]") {
    const replay_schedule schedule(0s, 0.1, begin);
    CHECK(schedule.due(duration::max()) == never);
}
