#pragma once

#include <fleetarium/feed/feed_types.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

// What the overview shows, computed from totals. Nothing here draws.

namespace fleetarium::dashboard {

/// Between two totals of one run: counts by their difference, a second.
struct totals_rates {
    double seconds = 0;           ///< between them; 0: there is nothing to compute
    std::array<double, 3> in{};   ///< messages that brokers took on, by QoS
    std::array<double, 3> out{};  ///< deliveries that receivers had, by QoS
    double bytes_in = 0;
    double bytes_out = 0;
    double drops = 0;    ///< by brokers, and with a broken link
    double resends = 0;  ///< with DUP
    double p50 = 0;      ///< latencies in seconds; NaN: nothing was delivered
    double p90 = 0;
    double p99 = 0;
    double p999 = 0;

    bool is_known() const { return seconds > 0; }
    double in_all() const { return in[0] + in[1] + in[2]; }
    double out_all() const { return out[0] + out[1] + out[2]; }
};

totals_rates rates_between(const feed::totals& before, const feed::totals& now);

/// Latencies by bucket of what was delivered between two totals.
std::vector<std::uint64_t> latency_between(const feed::totals& before, const feed::totals& now);

/// How long ago the totals are to be that rates beside `now` are taken from, in seconds.
double rate_window(const feed::totals& now);

struct named_series {
    std::string name{};
    std::vector<double> values{};
};

/// Curves over time: a value for each of `times`; of rates the first is NaN.
struct overview_series {
    std::vector<double> times{};
    std::array<std::vector<double>, 3> in{};
    std::array<std::vector<double>, 3> out{};
    std::vector<double> connected{};
    std::vector<double> queued{};
    std::vector<double> in_flight{};
    std::vector<double> p50{};
    std::vector<double> p90{};
    std::vector<double> p99{};
    std::vector<double> p999{};
    std::vector<named_series> drops{};  ///< a second, the reasons of most; others in the last
};

inline constexpr std::size_t drop_series_max = 6;

overview_series series_of(const feed::history_answer& history,
                          std::span<const std::string> drop_reasons);

/// Deliveries that were lost: dropped by a broker, or of QoS 0 and broken off with their link.
std::uint64_t drops_of(const feed::totals& all);

}  // namespace fleetarium::dashboard
