#pragma once

#include <fleetarium/sim/report.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim {

/// What an expectation came to.
struct expectation_result {
    std::string name{};
    enum metric metric = metric::delivery_ratio;
    /// Ratios 0..1, counts, or seconds; none where nothing was there to measure, for instance the
    /// latency of messages that were never delivered. That fails the expectation.
    std::optional<double> measured{};
    std::optional<double> min{};
    std::optional<double> max{};
    bool met = false;
    /// Over time: when it broke, was kept, or was nearest to breaking. None: at the end.
    std::optional<instant> at{};
    bool over_time = false;  ///< with `always` or `eventually`
    /// The run ended before it could be told. That fails the expectation.
    bool too_short = false;
    /// False: with a broker outside of the world nobody can know; neither met nor failed.
    bool observable = true;
};

/// Compares a report with what was expected of the run; one result for each expectation, in their
/// order. The world must have been told of them before the run (world::expect, world::from).
std::vector<expectation_result> evaluate(std::span<const expectation_spec> expectations,
                                         const run_report& report);

/// Whether none failed.
bool all_met(std::span<const expectation_result> results);

/// The name of a metric as scenarios write it.
std::string_view name_of(metric what);

/// One line: "delivery_ratio of fleet meters: 0.9995, at least 0.999".
std::string to_string(const expectation_result& result);

/// A measured value in the unit of its metric: "99.95 %", "12.5 ms", "1,234".
std::string measured_text(metric what, double value);

}  // namespace fleetarium::sim
