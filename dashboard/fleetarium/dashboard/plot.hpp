#pragma once

#include <fleetarium/dashboard/plot_axis.hpp>
#include <fleetarium/dashboard/theme.hpp>

#include <imgui.h>

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>

// Charts on ImGui's draw list. They take plain numbers, draw as many points as there are pixels,
// and are as wide as there is room. Times are in seconds. An `id` is unique in its view and names
// the chart's area for tests.
//
// In a chart over time: the wheel zooms, dragging pans, dragging with Shift or the right button
// selects, a click sets `time_axis::clicked`, a double click shows everything.

namespace fleetarium::dashboard::plot {

struct series {
    std::string_view name{};
    ImU32 colour = 0;
    std::span<const double> times{};
    std::span<const double> values{};  ///< NaN: nothing is known then, the line has a gap
};

/// A time over which something holds, laid over charts: a fault, a gap in a recording. It has a
/// label at its top, so that it is not known by colour alone.
struct band {
    double from = 0;
    double to = 0;
    ImU32 colour = 0;
    std::string_view label{};
};

/// An instant at which something happened.
struct mark {
    double at = 0;
    ImU32 colour = 0;
    std::string_view label{};
};

struct overlay {
    std::span<const band> bands{};
    std::span<const mark> marks{};
};

/// How values are written.
enum class value_kind : unsigned char { number, count, duration };
std::string value_words(value_kind kind, double value);

struct chart_options {
    std::string_view title{};
    std::string_view unit{};  ///< "msg/s", behind the title
    value_kind kind = value_kind::number;
    float height = 8;        ///< of the plot, in heights of text
    double least = 0;        ///< the axis begins here or lower; NaN: at the least value
    double most = nothing;   ///< the axis ends here or higher
    bool filled = false;     ///< line charts: the area below is tinted
    bool shows_time = true;  ///< times below; not needed for all but the lowest of a stack
};

void line_chart(const char* id, time_axis& axis, std::span<const series> lines, const overlay& over,
                const chart_options& options);

/// Each series upon the sum of those before it. Where points are denser than pixels, the mean.
void stacked_chart(const char* id, time_axis& axis, std::span<const series> layers,
                   const overlay& over, const chart_options& options);

/// Counts by time and by value.
struct heat {
    std::span<const double> times{};   ///< begin of each column and the end of the last: n + 1
    std::span<const double> bounds{};  ///< of the buckets of values, rising, above 0: m + 1
    std::span<const double> counts{};  ///< n * m, a column after the other, lowest value first
};

/// What the pointer is on.
struct heat_cell {
    double from = nothing, to = nothing;     ///< of time
    double least = nothing, most = nothing;  ///< of values
    double count = 0;
};

/// Colours by the logarithm of the count, so that a single one shows beside a million.
/// Throws std::invalid_argument: the numbers of times, bounds and counts do not fit.
heat_cell heat_map(const char* id, time_axis& axis, const heat& data, const overlay& over,
                   const chart_options& options);

/// One bar of a histogram.
struct bucket {
    double least = 0;  ///< above 0: the axis is logarithmic
    double most = 0;
    double count = 0;
};

/// A value that is marked on a histogram: p99.
struct value_mark {
    double at = 0;
    std::string_view label{};
    ImU32 colour = 0;
};

inline constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

/// Returns the bucket that the pointer is on, or `none`.
std::size_t histogram(const char* id, std::span<const bucket> buckets,
                      std::span<const value_mark> marks, const chart_options& options);

/// A small line without axes, in the place of a word; from the least to the greatest value.
void sparkline(const char* id, std::span<const double> values, ImU32 colour, ImVec2 size);

/// Part of what a stage of a funnel loses.
struct funnel_loss {
    std::string_view reason{};
    double count = 0;
};

struct funnel_stage {
    std::string_view name{};
    double count = 0;
    ImU32 colour = 0;
    std::span<const funnel_loss> losses{};  ///< between the stage before and this one
};

/// What was clicked: a stage (`loss` is none), a loss, or nothing (both none).
struct funnel_click {
    std::size_t stage = none;
    std::size_t loss = none;
};

/// A bar a stage, as long as its share of the first; below it the losses by reason.
funnel_click funnel(const char* id, std::span<const funnel_stage> stages);

}  // namespace fleetarium::dashboard::plot
