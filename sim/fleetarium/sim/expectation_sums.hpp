#pragma once

#include <fleetarium/sim/report.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <cstdint>
#include <optional>

namespace fleetarium::sim::detail {

/// What the metric of an expectation is made from, as it stands at an instant.
struct expectation_sums {
    flow_counts flows{};
    publisher_counts publishers{};
    std::uint64_t connected = 0;
    std::uint64_t devices = 0;
};

/// The metric of what happened from `before` to `now`, which took `span`. Ratios of devices and
/// the backlog are those of `now`. None where there is nothing to measure.
std::optional<double> measure(const expectation_spec& expected, const expectation_sums& now,
                              const expectation_sums& before, duration span);

/// Whether a value is within the bounds.
bool is_within(const expectation_spec& expected, double value);

/// Whether the metric needs the histograms of the sums.
inline bool needs_latency(metric what) {
    return what == metric::latency || what == metric::reply_latency;
}

/// Whether the metric is of an instant, not of what happened up to it.
inline bool is_of_instant(metric what) {
    return what == metric::connected_ratio || what == metric::backlog;
}

inline bool is_ratio(metric what) {
    return what == metric::delivery_ratio || what == metric::connected_ratio ||
           what == metric::reply_ratio || what == metric::state_ratio;
}

/// Whether the metric is of the states of a fleet's behaviour, at the end of the run.
inline bool is_of_states(metric what) {
    return what == metric::state_ratio || what == metric::states_entered;
}

/// None of nothing.
std::optional<double> ratio(std::uint64_t part, std::uint64_t whole);

inline bool is_rate(metric what) {
    return what == metric::publish_rate || what == metric::delivery_rate;
}

/// Whether the metric counts what happened: it never falls.
inline bool is_count(metric what) {
    return what == metric::messages_published || what == metric::messages_delivered ||
           what == metric::duplicates || what == metric::drops;
}

}  // namespace fleetarium::sim::detail
