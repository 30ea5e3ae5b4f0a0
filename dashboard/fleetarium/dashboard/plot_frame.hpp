#pragma once

#include <fleetarium/dashboard/plot.hpp>

#include <imgui.h>

#include <string>
#include <vector>

// What charts have in common: title with a legend, axes, the pointer, what lies over them.

namespace fleetarium::dashboard::plot {

/// An entry of the legend, in the title's line: text in it changes, its place does not.
struct legend_entry {
    std::string_view name{};
    ImU32 colour = 0;
    std::string value{};
};

class frame {
public:
    /// Takes the room, and draws the ground. Without an axis of time nothing reacts to the mouse.
    frame(const char* id, const chart_options& options, time_axis* axis);
    frame(const frame&) = delete;
    frame& operator=(const frame&) = delete;

    ImVec2 from{};  ///< of the plot, in pixels
    ImVec2 to{};
    bool hovered = false;
    ImDrawList* list = nullptr;

    float width() const { return to.x - from.x; }
    float height() const { return to.y - from.y; }
    std::size_t columns() const { return static_cast<std::size_t>(width()); }

    float x_of(double seconds) const;
    double time_of(float x) const;

    /// The range of values, rounded out to its ticks; lines and numbers at the left.
    void set_values(double least, double most, value_kind kind);
    float y_of(double value) const;
    /// The same for a logarithmic axis; both above 0.
    void set_powers(double least, double most, value_kind kind);
    float y_of_power(double value) const;

    void legend(const std::vector<legend_entry>& entries) const;
    /// Times below the plot, if wanted, with lines through it.
    void time_lines() const;
    /// Bands below what is drawn next.
    void bands(const overlay& over) const;
    /// Marks, selection, playhead and pointer: after everything else.
    void finish(const overlay& over);

    void clip() const { list->PushClipRect(from, to, true); }
    void unclip() const { list->PopClipRect(); }

private:
    void react();
    void tick_left(float y, const std::string& words, bool line) const;

    chart_options options_;
    time_axis* axis_;
    ImVec2 top_left_{};
    float right_ = 0;
    double least_ = 0;
    double most_ = 1;
};

/// Width of the numbers at the left, the same for all charts: their times are below each other.
float gutter();

}  // namespace fleetarium::dashboard::plot
