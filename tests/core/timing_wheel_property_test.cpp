#include <fleetarium/core/timing_wheel.hpp>

#include "support/property.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <string>

using namespace fleetarium;
using namespace fleetarium::test;

namespace {

/// A deadline: who is due, and which of those it has had.
struct entry {
    instant time;
    std::uint32_t owner;
    std::uint32_t number;

    friend bool operator<(const entry& a, const entry& b) {
        return a.time != b.time     ? a.time < b.time
               : a.owner != b.owner ? a.owner < b.owner
                                    : a.number < b.number;
    }
    friend bool operator==(const entry&, const entry&) = default;
};

constexpr std::size_t push = 0;
constexpr std::size_t push_far = 1;
constexpr std::size_t push_same = 2;
constexpr std::size_t push_past = 3;
constexpr std::size_t push_edge = 4;
constexpr std::size_t pop = 5;
constexpr std::size_t pop_until = 6;
constexpr std::size_t arm = 7;
constexpr std::size_t burst = 8;

/// A wheel and a multimap in its order, and timers that are armed again before they are due, as the
/// broker keeps its own: what comes out and is not the newest of its owner means nothing.
class twin_queues {
public:
    std::string run(property_steps steps) {
        for (const property_step& step : steps) {
            std::string problem = take(step);
            if (!problem.empty()) {
                return problem;
            }
            if (wheel_.size() != plain_.size() || wheel_.empty() != plain_.empty()) {
                return "it holds " + std::to_string(wheel_.size()) + " events, not " +
                       std::to_string(plain_.size());
            }
            const instant wanted = plain_.empty() ? never : plain_.begin()->first;
            if (wheel_.next_time() != wanted) {
                return "next_time is " + text(wheel_.next_time()) + ", not " + text(wanted);
            }
            for (std::size_t i = 0; wheel_.peek(i) != nullptr && wheel_.peek(i + 1) != nullptr;
                 ++i) {
                if (!(*wheel_.peek(i) < *wheel_.peek(i + 1))) {
                    return "what is ahead is not in order";
                }
            }
        }
        while (!plain_.empty()) {
            std::string problem = pop_one();
            if (!problem.empty()) {
                return problem;
            }
        }
        return wheel_.next_time() == never ? "" : "an empty wheel has a next time";
    }

private:
    static std::string text(instant time) {
        return std::to_string(time.time_since_epoch().count());
    }

    std::string take(const property_step& step) {
        switch (step.kind) {
            case push: add(in(step.a % 1'000'000'000)); return {};
            case push_far: add(in(static_cast<std::int64_t>(step.a) << step.b % 31)); return {};
            case push_same: add(now_); return {};
            case push_past: add(now_ - duration(step.a)); return {};
            case push_edge: {
                // Beside the edges of slots and levels, 2^(16 + 8n) ns.
                const std::int64_t edge = std::int64_t{1} << (16 + 8 * (step.a % 6));
                const std::int64_t slot = now_.time_since_epoch().count() / edge + step.b % 3;
                if (slot < std::numeric_limits<std::int64_t>::max() / edge - 1) {
                    add(instant(duration(slot * edge + step.c % 3 - 1)));
                }
                return {};
            }
            case pop: return plain_.empty() ? std::string() : pop_one();
            case pop_until: {
                const instant until = in(static_cast<std::int64_t>(step.a) << step.b % 20);
                while (!plain_.empty() && wheel_.next_time() <= until) {
                    std::string problem = pop_one();
                    if (!problem.empty()) {
                        return problem;
                    }
                }
                now_ = std::max(now_, until);
                return {};
            }
            case arm: {
                const std::size_t owner = step.a % armed_.size();
                armed_[owner] = in(step.b % 100'000'000);
                add(armed_[owner], static_cast<std::uint32_t>(owner));
                return {};
            }
            case burst:
                for (std::uint32_t i = 0; i < step.a % 400; ++i) {
                    add(in(step.b % 70'000));
                }
                return {};
            default:
                wheel_.clear();
                plain_.clear();
                return {};
        }
    }

    /// So much later, but not so late that nothing could be later still.
    instant in(std::int64_t nanoseconds) const {
        const std::int64_t room =
            std::numeric_limits<std::int64_t>::max() / 2 -
            std::min(now_.time_since_epoch().count(), std::numeric_limits<std::int64_t>::max() / 2);
        return now_ + duration(std::min(nanoseconds, room));
    }

    void add(instant time, std::uint32_t owner = 1000) {
        // Numbers fall in no order, so that ties are not broken by age.
        const entry made{time, owner, static_cast<std::uint32_t>(random_at({1}, pushed_++))};
        wheel_.push(made);
        plain_.emplace(time, made);
    }

    std::string pop_one() {
        const auto [first, last] = plain_.equal_range(plain_.begin()->first);
        const auto wanted = std::min_element(
            first, last, [](const auto& a, const auto& b) { return a.second < b.second; });
        const entry taken = wheel_.pop();
        if (!(taken == wanted->second)) {
            return "popped the event of " + text(taken.time) + ", owner " +
                   std::to_string(taken.owner) + ", not that of " + text(wanted->first) +
                   ", owner " + std::to_string(wanted->second.owner);
        }
        plain_.erase(wanted);
        now_ = std::max(now_, taken.time);
        return {};
    }

    timing_wheel<entry> wheel_;
    std::multimap<instant, entry> plain_;
    std::array<instant, 5> armed_{};
    instant now_{};
    std::uint64_t pushed_ = 0;
};

}  // namespace

TEST_CASE(
    "a timing wheel gives out what a multimap would: far and near, at one instant, in the "
    "past, armed again",
    "[timing_wheel][property]") {
    check_property({
        .name = "timing wheel",
        .kinds = {{"push", 6},
                  {"push far", 2},
                  {"push same", 2},
                  {"push past", 1},
                  {"push edge", 2},
                  {"pop", 8},
                  {"pop until", 2},
                  {"arm", 3},
                  {"burst", 1},
                  {"clear", 1}},
        .cases = 300,
        .steps_max = 600,
        .broken_by = [](property_steps steps) { return twin_queues().run(steps); },
    });
}
