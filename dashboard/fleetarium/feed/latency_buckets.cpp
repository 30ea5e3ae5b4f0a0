#include <fleetarium/feed/latency_buckets.hpp>

namespace fleetarium::feed::latency_buckets {

std::vector<double> bounds() {
    std::vector<double> out;
    out.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        out.push_back(static_cast<double>(bound(i)) / 1e9);
    }
    return out;
}

std::vector<std::uint64_t> trimmed(std::span<const std::uint64_t> counts) {
    std::size_t size = counts.size();
    while (size != 0 && counts[size - 1] == 0) {
        --size;
    }
    return {counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(size)};
}

double percentile(std::span<const std::uint64_t> counts, double percent) {
    std::uint64_t all = 0;
    for (const std::uint64_t each : counts) {
        all += each;
    }
    if (all == 0) {
        return 0;
    }
    const double wanted = static_cast<double>(all) * percent / 100;
    double sum = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        sum += static_cast<double>(counts[i]);
        if (counts[i] != 0 && sum >= wanted) {
            return static_cast<double>(bound(i)) / 1e9;
        }
    }
    return static_cast<double>(bound(counts.size() - 1)) / 1e9;
}

}  // namespace fleetarium::feed::latency_buckets
