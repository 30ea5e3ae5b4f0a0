#include <fleetarium/core/timing_wheel.hpp>

#include <fleetarium/core/random.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>

using namespace fleetarium;

namespace {

struct event {
    instant time;
    std::uint32_t host;
    std::uint32_t sequence;
    std::uint64_t payload[2];

    friend bool operator<(const event& a, const event& b) {
        if (a.time != b.time) {
            return a.time < b.time;
        }
        return a.host != b.host ? a.host < b.host : a.sequence < b.sequence;
    }
    friend bool operator==(const event& a, const event& b) {
        return a.time == b.time && a.host == b.host && a.sequence == b.sequence &&
               a.payload[0] == b.payload[0];
    }
};

static_assert(sizeof(event) == 32);

instant at(std::int64_t nanoseconds) { return instant(duration(nanoseconds)); }

event make_event(std::int64_t nanoseconds, std::uint32_t host = 0, std::uint32_t sequence = 0) {
    return {at(nanoseconds), host, sequence, {combine(host, sequence), 0}};
}

/// A wheel and a plain ordered set that must always agree.
class checked_wheel {
public:
    void push(std::int64_t nanoseconds) {
        // Hosts and sequence numbers fall in no order, so that ties are not broken by age.
        const event made = make_event(nanoseconds, static_cast<std::uint32_t>(draws_.below(16)),
                                      static_cast<std::uint32_t>(random_at({1}, pushed_++)));
        wheel_.push(made);
        model_.insert(made);
    }

    event pop() {
        REQUIRE(wheel_.next_time() == model_.begin()->time);
        const event taken = wheel_.pop();
        REQUIRE(taken == *model_.begin());
        model_.erase(model_.begin());
        REQUIRE(wheel_.size() == model_.size());
        return taken;
    }

    void drain() {
        while (!model_.empty()) {
            pop();
        }
        REQUIRE(wheel_.empty());
        REQUIRE(wheel_.next_time() == never);
    }

    std::size_t size() const { return model_.size(); }
    random_stream& draws() { return draws_; }

private:
    timing_wheel<event> wheel_;
    std::set<event> model_;
    random_stream draws_{42, 0, "checked_wheel"};
    std::uint64_t pushed_ = 0;
};

}  // namespace

TEST_CASE("an empty timing wheel has no next time", "[timing_wheel]") {
    const timing_wheel<event> wheel;
    CHECK(wheel.empty());
    CHECK(wheel.size() == 0);
    CHECK(wheel.next_time() == never);
    CHECK(wheel.peek(0) == nullptr);
}

TEST_CASE("events at one instant come out by host and sequence, not by age", "[timing_wheel]") {
    const std::int64_t nanoseconds = GENERATE(0, 1, 70'000, 5'000'000'000, 86'400'000'000'000);
    timing_wheel<event> wheel;
    for (const std::uint32_t host : {3u, 1u, 2u}) {
        for (const std::uint32_t sequence : {9u, 7u, 8u}) {
            wheel.push(make_event(nanoseconds, host, sequence));
        }
    }
    for (const std::uint32_t host : {1u, 2u, 3u}) {
        for (const std::uint32_t sequence : {7u, 8u, 9u}) {
            CHECK(wheel.next_time() == at(nanoseconds));
            CHECK(wheel.pop() == make_event(nanoseconds, host, sequence));
        }
    }
    CHECK(wheel.empty());
}

TEST_CASE("events come out in order from the first instant to the last", "[timing_wheel]") {
    checked_wheel wheel;
    for (int bit = 0; bit != 63; ++bit) {
        const std::int64_t power = std::int64_t{1} << bit;
        for (const std::int64_t near : {power - 1, power, power + 1}) {
            wheel.push(near);
            wheel.push(-near);
        }
    }
    wheel.push(0);
    wheel.push(std::numeric_limits<std::int64_t>::min());
    wheel.push(std::numeric_limits<std::int64_t>::max());
    wheel.drain();
}

TEST_CASE("an event pushed before all others is the next", "[timing_wheel]") {
    checked_wheel wheel;
    wheel.push(86'400'000'000'000);
    // Asking for the next time must not commit the wheel to the far event.
    for (std::int64_t nanoseconds = 1'000'000'000; nanoseconds > 0; nanoseconds /= 3) {
        wheel.push(nanoseconds);
        wheel.push(86'400'000'000'000 + nanoseconds);
    }
    wheel.pop();
    wheel.push(-5);
    CHECK(wheel.pop().time == at(-5));
    wheel.drain();
}

TEST_CASE("events pushed while their own instant runs take their place in it", "[timing_wheel]") {
    // More than the run inserts into, so that the heap beside it takes part.
    const std::size_t waiting = GENERATE(3u, 120u, 3000u);
    checked_wheel wheel;
    for (std::size_t i = 0; i != waiting; ++i) {
        wheel.push(1'000'000);
        wheel.push(1'000'000 + static_cast<std::int64_t>(wheel.draws().below(1000)));
    }
    for (std::size_t i = 0; i != 4 * waiting; ++i) {
        const std::int64_t now = wheel.pop().time.time_since_epoch().count();
        wheel.push(now);
        if (wheel.draws().bernoulli(0.3)) {
            wheel.push(now + wheel.draws().between(0, 500));
            wheel.pop();
        }
    }
    wheel.drain();
}

TEST_CASE("a burst among events already lined up keeps the order", "[timing_wheel]") {
    checked_wheel wheel;
    // Sparse events within one turn of the lowest level are lined up ahead ...
    for (std::int64_t slot = 1; slot != 250; slot += 3) {
        wheel.push(slot << 16);
    }
    wheel.pop();
    // ... and a burst falls among them, twice, with pops between.
    for (int burst = 0; burst != 2; ++burst) {
        for (int i = 0; i != 2000; ++i) {
            wheel.push(wheel.draws().between(std::int64_t{2} << 16, std::int64_t{255} << 16));
        }
        for (int i = 0; i != 700; ++i) {
            wheel.pop();
        }
    }
    wheel.drain();
}

TEST_CASE("any mixture of pushes and pops agrees with an ordered set", "[timing_wheel]") {
    struct mixture {
        std::int64_t span;       // of the delays pushed
        std::size_t pending;     // aimed at
        std::int64_t same_time;  // one in so many pushes has no delay
        std::int64_t far;        // one in so many pushes is far away
    };
    const auto mixed = GENERATE(
        mixture{1, 300, 2, 1000}, mixture{1000, 2000, 5, 100}, mixture{100'000, 5000, 50, 1000},
        mixture{20'000'000, 100, 7, 10}, mixture{20'000'000, 20'000, 100, 1000},
        mixture{5'000'000'000, 3000, 10, 20}, mixture{3'600'000'000'000, 10'000, 10, 50});
    CAPTURE(mixed.span, mixed.pending);
    checked_wheel wheel;
    random_stream draws(7, static_cast<std::uint64_t>(mixed.span), "mixture");
    std::int64_t now = 0;
    for (int step = 0; step != 40'000; ++step) {
        const bool grow =
            wheel.size() < mixed.pending ? draws.bernoulli(0.7) : draws.bernoulli(0.3);
        if (grow || wheel.size() == 0) {
            std::int64_t delay = draws.between(0, mixed.span);
            if (draws.between(1, mixed.same_time) == 1) {
                delay = 0;
            } else if (draws.between(1, mixed.far) == 1) {
                delay = static_cast<std::int64_t>(draws.next_u64() >> draws.between(8, 60));
            }
            if (draws.between(1, 200) == 1) {
                delay = -draws.between(0, mixed.span);  // into the past
            }
            wheel.push(now + delay);
        } else {
            now = std::max(now, wheel.pop().time.time_since_epoch().count());
            // An owner may let time pass without events, up to the next one.
            if (wheel.size() == 0 && draws.bernoulli(0.5)) {
                now += draws.between(0, 1'000'000'000'000);
            }
        }
        if (now > std::numeric_limits<std::int64_t>::max() / 4) {
            wheel.drain();
            break;
        }
    }
    wheel.drain();
}

TEST_CASE("peek shows the events to come in their order", "[timing_wheel]") {
    timing_wheel<event> wheel;
    // Each in a slot of its own, within one turn of the lowest level.
    for (std::uint32_t i = 0; i != 100; ++i) {
        wheel.push(make_event(std::int64_t{i} * 150'000 % 15'000'000 + 17'000'000, i));
    }
    event last = wheel.pop();
    for (int left = 99; left != 0; --left) {
        const auto ahead =
            std::min<std::size_t>(timing_wheel<event>::lookahead, static_cast<std::size_t>(left));
        for (std::size_t i = 1; i < ahead; ++i) {
            REQUIRE(wheel.peek(i) != nullptr);
            REQUIRE(*wheel.peek(i - 1) < *wheel.peek(i));
        }
        REQUIRE(wheel.peek(static_cast<std::size_t>(left)) == nullptr);
        const event announced = *wheel.peek(0);
        const event taken = wheel.pop();
        REQUIRE(taken == announced);
        REQUIRE(last < taken);
        last = taken;
    }
}

TEST_CASE("a cleared timing wheel is as good as a new one", "[timing_wheel]") {
    timing_wheel<event> wheel;
    for (std::uint32_t i = 0; i != 5000; ++i) {
        wheel.push(make_event(static_cast<std::int64_t>(random_at({3}, i) >> 20), i));
    }
    for (int i = 0; i != 1000; ++i) {
        wheel.pop();
    }
    const std::size_t held = wheel.memory_bytes();
    wheel.clear();
    CHECK(wheel.empty());
    CHECK(wheel.next_time() == never);
    CHECK(wheel.peek(0) == nullptr);
    wheel.push(make_event(7, 1));
    wheel.push(make_event(5, 2));
    CHECK(wheel.next_time() == at(5));
    CHECK(wheel.pop().host == 2);
    CHECK(wheel.pop().host == 1);
    CHECK(wheel.memory_bytes() == held);
}

TEST_CASE("a million pending events take less than 36 bytes each", "[timing_wheel]") {
    timing_wheel<event> wheel;
    constexpr std::uint32_t count = 1'000'000;
    for (std::uint32_t i = 0; i != count; ++i) {
        wheel.push(make_event(static_cast<std::int64_t>(random_at({9}, i) % 60'000'000'000), i));
    }
    CHECK(wheel.memory_bytes() < std::size_t{36} * count);
    // Half of them move on by up to two minutes, as timers do.
    for (std::uint32_t i = 0; i != count / 2; ++i) {
        event moved = wheel.pop();
        moved.time += duration(static_cast<std::int64_t>(random_at({8}, i) % 120'000'000'000));
        wheel.push(moved);
    }
    CHECK(wheel.size() == count);
    CHECK(wheel.memory_bytes() < std::size_t{36} * count);
}

TEST_CASE("events may be ordered by something other than operator <", "[timing_wheel]") {
    struct timer {
        std::int64_t deadline;
        int id;
    };
    struct by_deadline_then_largest_id {
        static instant time(const timer& of) { return instant(duration(of.deadline)); }
        static bool before(const timer& a, const timer& b) {
            return a.deadline != b.deadline ? a.deadline < b.deadline : a.id > b.id;
        }
    };
    timing_wheel<timer, by_deadline_then_largest_id> wheel;
    for (int id = 0; id != 10; ++id) {
        wheel.push({1000, id});
    }
    for (int id = 10; id-- != 0;) {
        CHECK(wheel.pop().id == id);
    }
}

TEST_CASE("a long exchange at one instant does not make the wheel grow", "[timing_wheel]") {
    timing_wheel<event> wheel;
    std::uint32_t sequence = 0;
    for (; sequence != 10; ++sequence) {
        wheel.push(make_event(1000, 1, sequence));
    }
    wheel.pop();
    const std::size_t held = wheel.memory_bytes();
    for (; sequence != 200'000; ++sequence) {
        wheel.push(make_event(1000, 1, sequence));
        REQUIRE(wheel.pop().sequence == sequence - 9);
    }
    CHECK(wheel.memory_bytes() < held + std::size_t{32} * 1024);
}
