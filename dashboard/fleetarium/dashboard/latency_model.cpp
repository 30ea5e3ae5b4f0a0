#include <fleetarium/dashboard/latency_model.hpp>

#include <fleetarium/dashboard/overview_model.hpp>
#include <fleetarium/feed/latency_buckets.hpp>

#include <algorithm>
#include <numeric>

namespace fleetarium::dashboard {

namespace buckets = feed::latency_buckets;

namespace {

latency_summary summary_between(const feed::totals& before, const feed::totals& now) {
    latency_summary out;
    out.from = before.at;
    out.until = now.at;
    out.counts = latency_between(before, now);
    out.count = std::accumulate(out.counts.begin(), out.counts.end(), std::uint64_t{0});
    out.p50 = buckets::percentile(out.counts, 50);
    out.p90 = buckets::percentile(out.counts, 90);
    out.p99 = buckets::percentile(out.counts, 99);
    out.p999 = buckets::percentile(out.counts, 99.9);
    out.most = buckets::percentile(out.counts, 100);
    return out;
}

/// The point at or before an instant; the first where there is none. Instants are whole
/// nanoseconds: what differs by less is the same.
std::size_t place_at(const std::vector<feed::totals>& points, double instant) {
    constexpr double half_nanosecond = 5e-10;
    const auto after =
        std::upper_bound(points.begin(), points.end(), instant + half_nanosecond,
                         [](double wanted, const feed::totals& each) { return wanted < each.at; });
    return after == points.begin() ? 0 : static_cast<std::size_t>(after - points.begin()) - 1;
}

}  // namespace

double lower_bound_of(std::size_t bucket) {
    return static_cast<double>(bucket == 0 ? buckets::bound(0) / 2 : buckets::bound(bucket - 1)) *
           1e-9;
}

latency_summary summary_of(const feed::history_answer& history, double from, double until) {
    const std::vector<feed::totals>& points = history.points;
    if (points.empty()) {
        return {};
    }
    // What was before the first point counts where everything is wanted.
    if (from <= points.front().at) {
        feed::totals nothing_yet;
        nothing_yet.at = std::min(from, points.front().at);
        const bool is_begin = points.front().at <= 1e-9 || points.front().latency.empty();
        return summary_between(is_begin ? nothing_yet : points.front(),
                               points[place_at(points, until)]);
    }
    return summary_between(points[place_at(points, from)], points[place_at(points, until)]);
}

latency_summary summary_at(const feed::history_answer& history, double instant) {
    const std::vector<feed::totals>& points = history.points;
    if (points.size() < 2 || instant < points.front().at) {
        return {};
    }
    const std::size_t place = std::min(place_at(points, instant) + 1, points.size() - 1);
    return summary_between(points[place - 1], points[place]);
}

latency_heat heat_of(const feed::history_answer& history) {
    latency_heat out;
    const std::vector<feed::totals>& points = history.points;
    std::vector<std::vector<std::uint64_t>> columns;
    std::size_t first = buckets::count;
    std::size_t last = 0;
    for (std::size_t i = 1; i < points.size(); ++i) {
        if (points[i].at <= points[i - 1].at) {
            continue;  // two at one instant are no column
        }
        if (out.times.empty()) {
            out.times.push_back(points[i - 1].at);
        }
        out.times.push_back(points[i].at);
        std::vector<std::uint64_t>& made =
            columns.emplace_back(latency_between(points[i - 1], points[i]));
        for (std::size_t j = 0; j < made.size(); ++j) {
            if (made[j] > 0) {
                first = std::min(first, j);
                last = std::max(last, j);
            }
        }
    }
    if (first > last) {
        return {};
    }
    for (std::size_t j = first; j <= last + 1; ++j) {
        out.bounds.push_back(lower_bound_of(j));
    }
    out.counts.reserve(columns.size() * (last + 1 - first));
    for (const std::vector<std::uint64_t>& each : columns) {
        for (std::size_t j = first; j <= last; ++j) {
            out.counts.push_back(j < each.size() ? static_cast<double>(each[j]) : 0.0);
        }
    }
    return out;
}

}  // namespace fleetarium::dashboard
