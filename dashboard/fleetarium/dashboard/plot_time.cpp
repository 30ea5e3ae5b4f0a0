#include <fleetarium/dashboard/plot_frame.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace fleetarium::dashboard::plot {

namespace {

/// The points of a series that a picture needs: those that are shown and one beyond each end.
struct visible {
    std::size_t begin = 0;
    std::size_t end = 0;
};

visible visible_part(const series& of, const time_axis& axis) {
    const auto begin = std::lower_bound(of.times.begin(), of.times.end(), axis.from);
    const auto end = std::upper_bound(begin, of.times.end(), axis.to);
    visible part{static_cast<std::size_t>(begin - of.times.begin()),
                 static_cast<std::size_t>(end - of.times.begin())};
    part.begin -= part.begin > 0 ? 1 : 0;
    part.end += part.end < of.times.size() ? 1 : 0;
    return part;
}

void check(const series& of) {
    if (of.times.size() != of.values.size()) {
        throw std::invalid_argument("the series \"" + std::string(of.name) + "\" has " +
                                    std::to_string(of.times.size()) + " times, but " +
                                    std::to_string(of.values.size()) + " values");
    }
}

/// Points that are joined by lines, without gaps.
class stroke {
public:
    stroke(const frame& in, ImU32 colour, bool filled)
        : in_(in), colour_(colour), filled_(filled) {}
    ~stroke() { end(); }
    stroke(const stroke&) = delete;
    stroke& operator=(const stroke&) = delete;

    void add(float x, double value) {
        if (std::isnan(value)) {
            end();
            return;
        }
        points_.push_back({x, in_.y_of(value)});
    }

    void end() {
        if (points_.size() == 1) {
            in_.list->AddCircleFilled(points_[0], em(0.12F), colour_, 8);
        } else if (points_.size() > 1) {
            if (filled_) {
                fill();
            }
            in_.list->AddPolyline(points_.data(), static_cast<int>(points_.size()), colour_, 0,
                                  std::max(1.0F, em(0.1F)));
        }
        points_.clear();
    }

private:
    /// Down to the axis, a pixel wide each: no seams between parts that are transparent.
    void fill() const {
        const ImU32 tint = with_opacity(colour_, 0.12F);
        const float base = std::clamp(in_.y_of(0), in_.from.y, in_.to.y);
        std::size_t at = 0;
        const float first = std::ceil(std::max(in_.from.x, points_.front().x));
        const float last = std::min(in_.to.x, points_.back().x);
        for (float x = first; x < last; x += 1) {
            while (at + 2 < points_.size() && points_[at + 1].x <= x) {
                ++at;
            }
            const ImVec2& a = points_[at];
            const ImVec2& b = points_[at + 1];
            const float share = b.x > a.x ? std::clamp((x - a.x) / (b.x - a.x), 0.0F, 1.0F) : 0.0F;
            const float y = a.y + (b.y - a.y) * share;
            in_.list->AddRectFilled({x, std::min(y, base)}, {x + 1, std::max(y, base)}, tint);
        }
    }

    const frame& in_;
    ImU32 colour_;
    bool filled_;
    std::vector<ImVec2> points_{};
};

void draw_line(const frame& in, const series& of, const time_axis& axis, bool filled) {
    const visible part = visible_part(of, axis);
    stroke line(in, of.colour, filled);
    if (part.end - part.begin <= in.columns()) {
        for (std::size_t i = part.begin; i < part.end; ++i) {
            line.add(in.x_of(of.times[i]), of.values[i]);
        }
        return;
    }
    // More points than pixels: a column of pixels is left by the line between its extremes.
    const std::vector<pixel_column> columns =
        columns_of(of.times, of.values, axis.from, axis.to, in.columns());
    std::size_t empty = 0;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const pixel_column& column = columns[i];
        if (column.count == 0) {
            // Now and then a column has no point without a gap in the series.
            if (++empty == 3) {
                line.end();
            }
            continue;
        }
        empty = 0;
        const float x = in.from.x + static_cast<float>(i) + 0.5F;
        line.add(x, column.first);
        if (column.least != column.most) {
            const bool falls = column.first > column.last;
            line.add(x, falls ? column.most : column.least);
            line.add(x, falls ? column.least : column.most);
            line.add(x, column.last);
        }
    }
}

std::string legend_value(const series& of, const time_axis& axis, value_kind kind) {
    const double shown = std::isnan(axis.playhead) ? axis.to : axis.playhead;
    const double at = std::isnan(axis.cursor) ? shown : axis.cursor;
    const double value = value_at(of.times, of.values, at);
    return std::isnan(value) ? "–" : value_words(kind, value);
}

struct range {
    double least = std::numeric_limits<double>::infinity();
    double most = -std::numeric_limits<double>::infinity();
    void add(double value) {
        if (std::isfinite(value)) {
            least = std::min(least, value);
            most = std::max(most, value);
        }
    }
};

range with_options(range values, const chart_options& options) {
    values.add(options.least);
    values.add(options.most);
    return values;
}

/// A series as heights of columns of pixels: means where points are dense, lines between them where
/// they are not; NaN where nothing is known.
std::vector<double> heights_of(const series& of, const time_axis& axis, std::size_t count) {
    std::vector<double> heights(count, nothing);
    const std::vector<pixel_column> columns =
        columns_of(of.times, of.values, axis.from, axis.to, count);
    const double by = axis.length() / static_cast<double>(count);
    for (std::size_t i = 0; i < count; ++i) {
        if (columns[i].count > 0) {
            heights[i] = columns[i].sum / static_cast<double>(columns[i].count);
            continue;
        }
        const double instant = axis.from + (static_cast<double>(i) + 0.5) * by;
        const auto next = static_cast<std::size_t>(
            std::upper_bound(of.times.begin(), of.times.end(), instant) - of.times.begin());
        if (next == 0 || next == of.times.size()) {
            continue;
        }
        const double span = of.times[next] - of.times[next - 1];
        const double share = span > 0 ? (instant - of.times[next - 1]) / span : 0;
        heights[i] = of.values[next - 1] + (of.values[next] - of.values[next - 1]) * share;
    }
    return heights;
}

}  // namespace

std::string value_words(value_kind kind, double value) {
    switch (kind) {
        case value_kind::count: return count_words(value);
        case value_kind::duration: return duration_words(value);
        case value_kind::number: break;
    }
    return number_words(value);
}

void line_chart(const char* id, time_axis& axis, std::span<const series> lines, const overlay& over,
                const chart_options& options) {
    frame in(id, options, &axis);
    range values;
    std::vector<legend_entry> legend;
    for (const series& each : lines) {
        check(each);
        const visible part = visible_part(each, axis);
        for (std::size_t i = part.begin; i < part.end; ++i) {
            values.add(each.values[i]);
        }
        legend.push_back({each.name, each.colour, legend_value(each, axis, options.kind)});
    }
    values = with_options(values, options);
    in.set_values(values.least, values.most, options.kind);
    in.time_lines();
    in.bands(over);
    in.clip();
    for (const series& each : lines) {
        draw_line(in, each, axis, options.filled);
    }
    in.unclip();
    in.finish(over);
    in.legend(legend);
}

void stacked_chart(const char* id, time_axis& axis, std::span<const series> layers,
                   const overlay& over, const chart_options& options) {
    frame in(id, options, &axis);
    const std::size_t count = in.columns();
    std::vector<std::vector<double>> tops;
    std::vector<legend_entry> legend;
    std::vector<double> sum(count, 0);
    std::vector<bool> known(count, false);
    range values;
    for (const series& each : layers) {
        check(each);
        const std::vector<double> heights = heights_of(each, axis, count);
        for (std::size_t i = 0; i < count; ++i) {
            if (!std::isnan(heights[i])) {
                sum[i] += std::max(0.0, heights[i]);
                known[i] = true;
            }
            values.add(sum[i]);
        }
        tops.push_back(sum);
        legend.push_back({each.name, each.colour, legend_value(each, axis, options.kind)});
    }
    values = with_options(values, options);
    in.set_values(std::min(0.0, values.least), values.most, options.kind);
    in.time_lines();
    in.bands(over);
    in.clip();
    for (std::size_t layer = 0; layer < tops.size(); ++layer) {
        const ImU32 colour = layers[layer].colour;
        for (std::size_t i = 0; i < count; ++i) {
            const double bottom = layer == 0 ? 0 : tops[layer - 1][i];
            const double top = tops[layer][i];
            if (!known[i] || !(top > bottom)) {
                continue;
            }
            const float x = in.from.x + static_cast<float>(i);
            // Whole pixels, so layers meet without a seam.
            const float upper = std::floor(in.y_of(top) + 0.5F);
            const float lower = std::floor(in.y_of(bottom) + 0.5F);
            if (upper < lower) {
                in.list->AddRectFilled({x, upper}, {x + 1, lower}, with_opacity(colour, 0.75F));
                in.list->AddRectFilled({x, upper}, {x + 1, std::min(lower, upper + 1)}, colour);
            }
        }
    }
    in.unclip();
    in.finish(over);
    in.legend(legend);
}

heat_cell heat_map(const char* id, time_axis& axis, const heat& data, const overlay& over,
                   const chart_options& options) {
    const std::size_t columns = data.times.empty() ? 0 : data.times.size() - 1;
    const std::size_t rows = data.bounds.empty() ? 0 : data.bounds.size() - 1;
    if (data.counts.size() != columns * rows || (columns > 0 && rows == 0)) {
        throw std::invalid_argument("a heat map of " + std::to_string(data.times.size()) +
                                    " times and " + std::to_string(data.bounds.size()) +
                                    " bounds has " + std::to_string(data.counts.size()) +
                                    " counts, not " + std::to_string(columns * rows));
    }
    if (rows > 0 && !(data.bounds.front() > 0)) {
        throw std::invalid_argument(
            "the bounds of a heat map are above 0, its axis is "
            "logarithmic");
    }
    frame in(id, options, &axis);
    heat_cell under;
    if (rows == 0) {
        in.time_lines();
        in.finish(over);
        return under;
    }
    in.set_powers(data.bounds.front(), data.bounds.back(), options.kind);

    // Columns that share a pixel are added up.
    struct slice {
        float left = 0;
        float right = 0;
        double from = 0;
        double to = 0;
        std::vector<double> counts{};
    };
    std::vector<slice> slices;
    double most = 0;
    for (std::size_t i = 0; i < columns; ++i) {
        if (data.times[i + 1] <= axis.from || data.times[i] >= axis.to) {
            continue;
        }
        const float left = std::floor(in.x_of(data.times[i]) + 0.5F);
        const float right = std::max(left + 1, std::floor(in.x_of(data.times[i + 1]) + 0.5F));
        if (slices.empty() || slices.back().left != left) {
            slices.push_back(
                {left, right, data.times[i], data.times[i + 1], std::vector<double>(rows, 0.0)});
        }
        slice& last = slices.back();
        last.right = std::max(last.right, right);
        last.to = data.times[i + 1];
        for (std::size_t j = 0; j < rows; ++j) {
            last.counts[j] += data.counts[i * rows + j];
            most = std::max(most, last.counts[j]);
        }
    }
    std::vector<float> edges(rows + 1);
    for (std::size_t j = 0; j <= rows; ++j) {
        edges[j] = std::floor(in.y_of_power(data.bounds[j]) + 0.5F);
    }
    const ImVec2 pointer = ImGui::GetIO().MousePos;
    const double scale = std::log1p(most);
    in.clip();
    in.list->AddRectFilled(in.from, in.to, cividis(0));
    for (const slice& each : slices) {
        for (std::size_t j = 0; j < rows; ++j) {
            if (each.counts[j] > 0) {
                // The least that is not 0 is told from 0.
                const double shade = 0.12 + 0.88 * std::log1p(each.counts[j]) / scale;
                in.list->AddRectFilled({each.left, edges[j + 1]}, {each.right, edges[j]},
                                       cividis(shade));
            }
            if (in.hovered && pointer.x >= each.left && pointer.x < each.right &&
                pointer.y >= edges[j + 1] && pointer.y < edges[j]) {
                under = {each.from, each.to, data.bounds[j], data.bounds[j + 1], each.counts[j]};
            }
        }
    }
    in.unclip();
    in.bands(over);
    in.finish(over);
    if (options.shows_time) {
        in.time_lines();
    }
    in.legend({{"none", cividis(0), ""},
               {"1 to", cividis(0.12), ""},
               {"", cividis(1), number_words(most)}});
    if (!std::isnan(under.from)) {
        ImGui::SetTooltip("%s – %s: %s", value_words(options.kind, under.least).c_str(),
                          value_words(options.kind, under.most).c_str(),
                          count_words(under.count).c_str());
    }
    return under;
}

}  // namespace fleetarium::dashboard::plot
