#pragma once

#include <fleetarium/config/problem.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/sim/generator.hpp>
#include <fleetarium/sim/scenario_inputs.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace fleetarium::sim {

/// Numbers over time, as read from a file: rises from 0, the time of the first row.
/// Thread rule: const calls from any thread.
class value_series {
public:
    struct point {
        duration at{};
        double value = 0;
    };

    /// Points in the order of time, one at least; `closing` is from the last to the first of the
    /// next round.
    value_series(std::vector<point> points, duration closing, std::uint8_t decimals)
        : points_(std::move(points)), closing_(closing), decimals_(decimals) {}

    const std::vector<point>& points() const { return points_; }
    std::uint8_t decimals() const { return decimals_; }  ///< the most that a row is written with
    duration length() const { return points_.back().at + closing_; }  ///< of a round

    /// The value at a time >= 0. O(log n).
    double at(duration time, bool between, series_end end) const;

private:
    std::vector<point> points_;
    duration closing_;
    std::uint8_t decimals_;
};

namespace detail {

/// Reads the column that the spec names, or gives the first mistake, with the file and its line.
///
/// The file is RFC 4180's CSV with a line of names first: fields between commas, perhaps in double
/// quotes. Times are seconds, or dates such as 2010-01-31, 2010-01-31T06:30 and
/// 2010-01-31 06:30:15, and rise from row to row. `folder` is where a relative path begins; the
/// file comes from `inputs`, or null: from where it lies.
std::variant<std::shared_ptr<const value_series>, config::problem> read_series(
    const series_generator& spec, const std::string& folder, scenario_inputs* inputs = nullptr);

/// The same with the text of the file at hand; `file` is for the problem.
std::variant<std::shared_ptr<const value_series>, config::problem> parse_series(
    std::string_view text, const std::string& file, const series_generator& spec);

}  // namespace detail

}  // namespace fleetarium::sim
