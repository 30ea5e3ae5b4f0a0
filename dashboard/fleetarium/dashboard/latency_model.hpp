#pragma once

#include <fleetarium/feed/feed_types.hpp>

#include <cstdint>
#include <vector>

// What the view of latencies shows, computed from totals over time. Nothing here draws.

namespace fleetarium::dashboard {

/// Latencies from publishing to delivery, of what was delivered within some time.
struct latency_summary {
    double from = 0;
    double until = 0;
    std::uint64_t count = 0;
    double p50 = 0;  ///< in seconds; 0 where nothing was delivered
    double p90 = 0;
    double p99 = 0;
    double p999 = 0;
    double most = 0;  ///< bound of the last bucket that is not empty
    std::vector<std::uint64_t> counts{};
};

/// Between the totals at or before `from` and those at or before `until`.
latency_summary summary_of(const feed::history_answer& history, double from, double until);

/// The step of history at an instant; `count` 0 where there is none.
latency_summary summary_at(const feed::history_answer& history, double instant);

/// Counts by time and latency, for the buckets that are not empty at all times.
struct latency_heat {
    std::vector<double> times{};   ///< a column's begin; the end of the last
    std::vector<double> bounds{};  ///< of latencies in seconds
    std::vector<double> counts{};  ///< a column after the other

    bool is_empty() const { return counts.empty(); }
};

latency_heat heat_of(const feed::history_answer& history);

/// The lower bound of a bucket, above 0 as logarithmic axes need it; in seconds.
double lower_bound_of(std::size_t bucket);

}  // namespace fleetarium::dashboard
