#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What charts compute before they draw: where ticks are, how numbers and times are written, how a
// million points become as many as there are pixels. Nothing here draws.

namespace fleetarium::dashboard::plot {

inline constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

/// A number as it is read at a glance, in three or four digits: 0, 0.25, 12.5, 999, 12.3k, 4.56M.
std::string number_words(double value);

/// A whole number with its thousands apart: 12,345,678.
std::string count_words(double value);

/// A length of time in its best unit: 250 ns, 12.5 µs, 8.1 ms, 2.5 s, 3 min, 2 h, 4 d.
std::string duration_words(double seconds);

/// An instant since the start, 0:12:34.5 or 3d 02:00:00, with as many decimals as `step` seconds
/// need to differ, nine at most.
std::string time_words(double seconds, double step);

/// Ticks at round numbers (1, 2 or 5 times a power of ten) from `least` to `most`, at most `count`.
std::vector<double> number_ticks(double least, double most, int count);
/// Ticks at round times: up to a second as numbers, then 1, 2, 5, 10, 15, 30 s and so on.
std::vector<double> time_ticks(double from, double to, int count);
/// The ticks' distance, for `time_words`.
double step_of(std::span<const double> ticks);
/// The powers of ten from `least` to `most`, both above 0; every second or third, if more than
/// `count`.
std::vector<double> power_ticks(double least, double most, int count);

/// What a column of pixels shows of the points that fall into it.
struct pixel_column {
    double first = nothing;
    double last = nothing;
    double least = nothing;
    double most = nothing;
    double sum = 0;
    std::size_t count = 0;  ///< of points that are numbers
};

/// Puts points in the order of time into `count` columns from `from` to `to`. Linear in the points
/// of that range, logarithmic in the others. Throws std::invalid_argument: times and values are not
/// as many.
std::vector<pixel_column> columns_of(std::span<const double> times, std::span<const double> values,
                                     double from, double to, std::size_t count);

/// The value at an instant: that of the point at or before it. NaN before the first point.
double value_at(std::span<const double> times, std::span<const double> values, double instant);

/// Time as charts of one screen share it: what is shown, where the pointer is, what is selected.
/// Seconds. Plain data: a view keeps it, tests set it.
struct time_axis {
    double least = 0;  ///< what there is
    double most = 1;
    double from = 0;  ///< what is shown
    double to = 1;
    bool whole = true;        ///< everything is shown, whatever comes
    bool follows = true;      ///< the end of what is shown stays the end of what there is
    double cursor = nothing;  ///< under the pointer, in any chart
    double select_from = nothing;
    double select_to = nothing;
    double clicked = nothing;   ///< by the last click; whoever uses it sets it back
    double playhead = nothing;  ///< where a recording stands; drawn in every chart

    double drag_from = nothing;  ///< of a selection that is being made
    int cursor_frame = -1;

    bool has_selection() const { return select_from < select_to; }
    double length() const { return to - from; }
};

/// Shortest time that can be shown.
inline constexpr double shortest = 1e-6;

/// There is time from `least` to `most` now; what is shown goes with it, if it follows.
void set_extent(time_axis& axis, double least, double most);
/// Shows a part, within what there is.
void show(time_axis& axis, double from, double to);
void show_whole(time_axis& axis);
/// Shows a part `factor` times as long; `instant` stays where it is.
void zoom(time_axis& axis, double instant, double factor);
void pan(time_axis& axis, double seconds);
void clear_selection(time_axis& axis);

}  // namespace fleetarium::dashboard::plot
