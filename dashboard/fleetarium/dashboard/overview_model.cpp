#include <fleetarium/dashboard/overview_model.hpp>

#include <fleetarium/feed/latency_buckets.hpp>

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

namespace fleetarium::dashboard {

namespace {

/// The reason of messages that nobody wants.
constexpr std::string_view no_loss = "no_subscriber";
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

/// Counts never fall, but for a source that began anew.
std::uint64_t risen(std::uint64_t before, std::uint64_t now) {
    return now > before ? now - before : 0;
}

std::uint64_t at_or_0(const std::vector<std::uint64_t>& of, std::size_t place) {
    return place < of.size() ? of[place] : 0;
}

double percentile_or_nothing(const std::vector<std::uint64_t>& counts, double percent) {
    return counts.empty() ? unknown : feed::latency_buckets::percentile(counts, percent);
}

std::uint64_t resent(const feed::totals& all) {
    return all.qos[0].resent + all.qos[1].resent + all.qos[2].resent;
}

}  // namespace

std::uint64_t drops_of(const feed::totals& all) {
    std::uint64_t out = 0;
    for (const feed::qos_totals& each : all.qos) {
        out += each.dropped + each.lost;
    }
    return out;
}

std::vector<std::uint64_t> latency_between(const feed::totals& before, const feed::totals& now) {
    std::vector<std::uint64_t> out = now.latency;
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = risen(at_or_0(before.latency, i), out[i]);
    }
    return feed::latency_buckets::trimmed(out);
}

double rate_window(const feed::totals& now) { return std::max(1.0, now.speed); }

totals_rates rates_between(const feed::totals& before, const feed::totals& now) {
    totals_rates out;
    out.seconds = std::max(0.0, now.at - before.at);
    const std::vector<std::uint64_t> latency = latency_between(before, now);
    out.p50 = percentile_or_nothing(latency, 50);
    out.p90 = percentile_or_nothing(latency, 90);
    out.p99 = percentile_or_nothing(latency, 99);
    out.p999 = percentile_or_nothing(latency, 99.9);
    if (!out.is_known()) {
        return out;
    }
    const auto rate = [&](std::uint64_t from, std::uint64_t to) {
        return static_cast<double>(risen(from, to)) / out.seconds;
    };
    for (std::size_t i = 0; i < 3; ++i) {
        out.in[i] = rate(before.qos[i].published, now.qos[i].published);
        out.out[i] = rate(before.qos[i].delivered, now.qos[i].delivered);
    }
    out.bytes_in = rate(before.payload_bytes_in, now.payload_bytes_in);
    out.bytes_out = rate(before.payload_bytes_out, now.payload_bytes_out);
    out.drops = rate(drops_of(before), drops_of(now));
    out.resends = rate(resent(before), resent(now));
    return out;
}

overview_series series_of(const feed::history_answer& history,
                          std::span<const std::string> drop_reasons) {
    overview_series out;
    const std::vector<feed::totals>& points = history.points;
    if (points.empty()) {
        return out;
    }
    // The reasons of most losses each have a curve.
    const std::size_t reasons = drop_reasons.size();
    std::vector<std::pair<std::uint64_t, std::size_t>> most;
    for (std::size_t i = 0; i < reasons; ++i) {
        const std::uint64_t count =
            risen(at_or_0(points.front().dropped, i), at_or_0(points.back().dropped, i));
        if (count > 0 && drop_reasons[i] != no_loss) {
            most.emplace_back(count, i);
        }
    }
    std::stable_sort(most.begin(), most.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    const bool has_others = most.size() > drop_series_max;
    const std::size_t shown = has_others ? drop_series_max - 1 : most.size();
    const auto rate_of = [](const feed::totals& from, const feed::totals& to, std::size_t reason) {
        return static_cast<double>(
                   risen(at_or_0(from.dropped, reason), at_or_0(to.dropped, reason))) /
               (to.at - from.at);
    };
    for (std::size_t i = 0; i < shown; ++i) {
        out.drops.push_back({drop_reasons[most[i].second], {}});
    }
    if (has_others) {
        out.drops.push_back({"others", {}});
    }
    const feed::totals* before = nullptr;
    for (const feed::totals& each : points) {
        const bool is_known = before != nullptr && each.at > before->at;
        const totals_rates rates = is_known ? rates_between(*before, each) : totals_rates();
        const auto or_unknown = [&](double value) { return is_known ? value : unknown; };
        out.times.push_back(each.at);
        for (std::size_t i = 0; i < 3; ++i) {
            out.in[i].push_back(or_unknown(rates.in[i]));
            out.out[i].push_back(or_unknown(rates.out[i]));
        }
        out.connected.push_back(each.connected);
        out.queued.push_back(static_cast<double>(each.queued));
        out.in_flight.push_back(static_cast<double>(each.in_flight));
        out.p50.push_back(or_unknown(rates.p50));
        out.p90.push_back(or_unknown(rates.p90));
        out.p99.push_back(or_unknown(rates.p99));
        out.p999.push_back(or_unknown(rates.p999));
        for (std::size_t i = 0; i < shown; ++i) {
            out.drops[i].values.push_back(is_known ? rate_of(*before, each, most[i].second)
                                                   : unknown);
        }
        if (has_others) {
            double others = is_known ? 0 : unknown;
            for (std::size_t i = shown; i < most.size() && is_known; ++i) {
                others += rate_of(*before, each, most[i].second);
            }
            out.drops.back().values.push_back(others);
        }
        before = &each;
    }
    return out;
}

}  // namespace fleetarium::dashboard
