#include <fleetarium/dashboard/plot_axis.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

namespace fleetarium::dashboard::plot {

namespace {

constexpr double minute = 60;
constexpr double hour = 3600;
constexpr double day = 86'400;

/// Without zeros that say nothing: 12.50 is 12.5.
std::string digits(double value, int decimals) {
    std::string text = fmt::format("{:.{}f}", value, decimals);
    if (text.find('.') != std::string::npos) {
        text.erase(text.find_last_not_of('0') + 1);
        if (text.back() == '.') {
            text.pop_back();
        }
    }
    return text == "-0" ? "0" : text;
}

/// Three digits that count, of a number from 1 to 1000.
std::string three_digits(double value) {
    const double size = std::fabs(value);
    return digits(value, size < 10 ? 2 : size < 100 ? 1 : 0);
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below.
double round_step(double least) {
    const double power = std::pow(10.0, std::floor(std::log10(least)));
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= least * (1 - 1e-9)) {
            return factor * power;
        }
    }
    return 10 * power;
}

std::vector<double> ticks_by(double step, double least, double most) {
    std::vector<double> ticks;
    // Counted, not added up: the last of a thousand ticks is as exact as the first.
    const double first = std::ceil(least / step - 1e-9);
    for (double i = 0;; ++i) {
        const double at = (first + i) * step;
        if (!(at <= most + step * 1e-9) || i > 10'000) {
            return ticks;
        }
        ticks.push_back(at == 0 ? 0.0 : at);
    }
}

bool is_range(double from, double to) {
    return std::isfinite(from) && std::isfinite(to) && from < to && std::isfinite(to - from);
}

}  // namespace

std::string number_words(double value) {
    if (!std::isfinite(value)) {
        return std::isnan(value) ? "–" : value > 0 ? "∞" : "-∞";
    }
    const double size = std::fabs(value);
    if (size == 0) {
        return "0";
    }
    if (size < 0.001) {
        return fmt::format("{:.1e}", value);
    }
    if (size < 1) {
        return digits(value, 3);
    }
    constexpr std::array<const char*, 7> units{"", "k", "M", "G", "T", "P", "E"};
    std::size_t unit = 0;
    double shown = value;
    while (std::fabs(shown) >= 999.5 && unit + 1 < units.size()) {
        shown /= 1000;
        ++unit;
    }
    if (std::fabs(shown) >= 999.5) {
        return fmt::format("{:.1e}", value);
    }
    return three_digits(shown) + units[unit];
}

std::string count_words(double value) {
    if (!std::isfinite(value)) {
        return number_words(value);
    }
    std::string text = fmt::format("{:.0f}", value);
    if (text == "-0") {
        return "0";
    }
    const std::size_t sign = text.front() == '-' ? 1 : 0;
    for (std::size_t at = text.size(); at > sign + 3;) {
        at -= 3;
        text.insert(at, ",");
    }
    return text;
}

std::string duration_words(double seconds) {
    if (!std::isfinite(seconds)) {
        return number_words(seconds);
    }
    struct unit {
        double length;
        const char* words;
    };
    constexpr std::array<unit, 7> units{{{1e-9, " ns"},
                                         {1e-6, " µs"},
                                         {1e-3, " ms"},
                                         {1, " s"},
                                         {minute, " min"},
                                         {hour, " h"},
                                         {day, " d"}}};
    const double size = std::fabs(seconds);
    if (size == 0) {
        return "0 s";
    }
    const unit* best = &units.front();
    for (const unit& each : units) {
        // What would be rounded up to the next unit is written in it.
        if (size >= each.length * 0.9995) {
            best = &each;
        }
    }
    const double shown = seconds / best->length;
    return (std::fabs(shown) >= 999.5 ? digits(shown, 0) : three_digits(shown)) + best->words;
}

std::string time_words(double seconds, double step) {
    if (!std::isfinite(seconds)) {
        return number_words(seconds);
    }
    int decimals = 0;
    if (step > 0 && step < 1) {
        decimals = std::min(9, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
    }
    const double unit = std::pow(10.0, -decimals);
    const double rounded = std::floor(std::fabs(seconds) / unit + 0.5) * unit;
    double whole = std::floor(rounded + unit * 1e-3);
    const double part = std::max(0.0, rounded - whole);
    const char* const sign = seconds < 0 && rounded > 0 ? "-" : "";
    std::string days;
    if (whole >= day) {
        const double count = std::floor(whole / day);
        days = fmt::format("{:.0f}d ", count);
        whole -= count * day;
    }
    const int left = static_cast<int>(whole);
    std::string text =
        days.empty() ? fmt::format("{}", left / 3600) : fmt::format("{}{:02}", days, left / 3600);
    text = sign + text + fmt::format(":{:02}:{:02}", left / 60 % 60, left % 60);
    if (decimals > 0) {
        text += fmt::format("{:.{}f}", part, decimals).substr(1);
    }
    return text;
}

std::vector<double> number_ticks(double least, double most, int count) {
    if (!is_range(least, most) || count < 1) {
        return {};
    }
    double step = round_step((most - least) / count);
    std::vector<double> ticks = ticks_by(step, least, most);
    while (ticks.size() > static_cast<std::size_t>(count)) {
        step = round_step(step * 1.5);
        ticks = ticks_by(step, least, most);
    }
    return ticks;
}

std::vector<double> time_ticks(double from, double to, int count) {
    if (!is_range(from, to) || count < 1) {
        return {};
    }
    const double least = (to - from) / count;
    if (least <= 0.5) {
        return number_ticks(from, to, count);
    }
    constexpr std::array<double, 23> steps{
        1,          2,           5,           10,          15,       30,       minute,   2 * minute,
        5 * minute, 10 * minute, 15 * minute, 30 * minute, hour,     2 * hour, 3 * hour, 6 * hour,
        12 * hour,  day,         2 * day,     5 * day,     10 * day, 30 * day, 100 * day};
    for (const double step : steps) {
        if (step >= least) {
            std::vector<double> ticks = ticks_by(step, from, to);
            if (ticks.size() <= static_cast<std::size_t>(count)) {
                return ticks;
            }
        }
    }
    return ticks_by(round_step(least / day) * day, from, to);
}

double step_of(std::span<const double> ticks) { return ticks.size() < 2 ? 1 : ticks[1] - ticks[0]; }

std::vector<double> power_ticks(double least, double most, int count) {
    if (!is_range(least, most) || least <= 0 || count < 1) {
        return {};
    }
    const int first = static_cast<int>(std::ceil(std::log10(least) - 1e-9));
    const int last = static_cast<int>(std::floor(std::log10(most) + 1e-9));
    const int every = std::max(1, (last - first + count) / count);
    std::vector<double> ticks;
    for (int power = first; power <= last; ++power) {
        if (power % every == 0) {
            ticks.push_back(std::pow(10.0, power));
        }
    }
    return ticks;
}

std::vector<pixel_column> columns_of(std::span<const double> times, std::span<const double> values,
                                     double from, double to, std::size_t count) {
    if (times.size() != values.size()) {
        throw std::invalid_argument("a series has " + std::to_string(times.size()) +
                                    " times, but " + std::to_string(values.size()) + " values");
    }
    std::vector<pixel_column> columns(count);
    if (count == 0 || !is_range(from, to)) {
        return columns;
    }
    const auto begin = std::lower_bound(times.begin(), times.end(), from) - times.begin();
    const double by = static_cast<double>(count) / (to - from);
    for (auto i = static_cast<std::size_t>(begin); i < times.size() && times[i] <= to; ++i) {
        const double value = values[i];
        if (std::isnan(value)) {
            continue;
        }
        const auto place = std::min(count - 1, static_cast<std::size_t>((times[i] - from) * by));
        pixel_column& column = columns[place];
        if (column.count++ == 0) {
            column.first = column.least = column.most = value;
        }
        column.last = value;
        column.least = std::min(column.least, value);
        column.most = std::max(column.most, value);
        column.sum += value;
    }
    return columns;
}

double value_at(std::span<const double> times, std::span<const double> values, double instant) {
    const auto after = std::upper_bound(times.begin(), times.end(), instant) - times.begin();
    return after == 0 || static_cast<std::size_t>(after) > values.size()
               ? nothing
               : values[static_cast<std::size_t>(after) - 1];
}

void set_extent(time_axis& axis, double least, double most) {
    axis.least = least;
    axis.most = std::max(most, least + shortest);
    if (axis.whole) {
        show_whole(axis);
    } else if (axis.follows) {
        const double length = axis.length();
        show(axis, axis.most - length, axis.most);
    } else {
        // What was forgotten at the start can no longer be shown.
        show(axis, axis.from, axis.to);
    }
}

void show(time_axis& axis, double from, double to) {
    const double all = axis.most - axis.least;
    const double length = std::clamp(to - from, std::min(shortest, all), all);
    axis.from = std::clamp(from, axis.least, std::max(axis.least, axis.most - length));
    axis.to = axis.from + length;
    axis.whole = length >= all;
    // What touches the end goes on with it; rounding may leave a hair between.
    axis.follows = axis.to >= axis.most - length * 1e-9;
    if (axis.follows) {
        axis.to = axis.most;
    }
}

void show_whole(time_axis& axis) {
    axis.from = axis.least;
    axis.to = axis.most;
    axis.whole = true;
    axis.follows = true;
}

void zoom(time_axis& axis, double instant, double factor) {
    const bool followed = axis.follows;
    const double from = instant - (instant - axis.from) * factor;
    const double to = instant + (axis.to - instant) * factor;
    // Zooming while it follows keeps following: the end stays, not the instant.
    if (followed && !axis.whole) {
        show(axis, axis.most - (to - from), axis.most);
    } else {
        show(axis, from, to);
    }
}

void pan(time_axis& axis, double seconds) {
    if (!axis.whole) {
        show(axis, axis.from + seconds, axis.to + seconds);
    }
}

void clear_selection(time_axis& axis) { axis.select_from = axis.select_to = nothing; }

}  // namespace fleetarium::dashboard::plot
