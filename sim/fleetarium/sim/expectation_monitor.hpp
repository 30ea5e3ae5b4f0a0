#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/sim/expectation_sums.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace fleetarium::sim::detail {

struct world_state;

/// The expectations over time of a world: when to look next, what was seen.
///
/// A sample reads counters between two events, so it changes nothing in the run and is linear in
/// accounting rows; only the backlog in `eventually` walks through sessions.
class expectation_monitor {
public:
    /// One with `always` or `eventually`; before the first event. `run_end` is `never` where
    /// nobody knows. Throws std::invalid_argument for what cannot be.
    void add(const expectation_spec& expected, instant run_end);

    /// When the last fault was over; none while one lasts or is to come.
    void set_fault_free_since(std::optional<instant> since);

    /// When the next sample is due; it is taken once all events up to then have been handled.
    instant next_due() const;
    void sample(const world_state& world, instant at);

    /// Whether an `always` is broken.
    bool has_failed() const { return failed_; }

    std::vector<sampled_report> report() const;

private:
    struct watched {
        sampled_report seen;
        duration every{};
        instant run_end = never;
        // Of the present attempt: another begins after each fault, if the last one counts.
        instant begin = never;
        instant end = never;
        instant next = never;
        instant last = never;
        expectation_sums before{};  // at `last`, or at `begin`
    };

    static const sampling_spec& spec_of(const watched& of) {
        const expectation_spec& expected = of.seen.expected;
        return expected.always ? *expected.always : *expected.eventually;
    }
    static void start(watched& of, instant base);
    void look(const world_state& world, watched& of, instant at);
    void judge(watched& of, double value, instant at);

    std::vector<watched> watched_;
    bool failed_ = false;
};

}  // namespace fleetarium::sim::detail
