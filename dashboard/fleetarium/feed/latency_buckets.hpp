#pragma once

#include <fleetarium/core/clock.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fleetarium::feed {

/// Latencies in buckets, four to each power of two, so within 20 %: the first has what is below
/// 1.024 us, the last all from 3,848 s (2^42 ns * 7/8).
namespace latency_buckets {

inline constexpr unsigned first_power = 10;  ///< of nanoseconds
inline constexpr unsigned last_power = 42;
inline constexpr std::size_t count = (last_power - first_power) * 4 + 1;

/// The bucket of a latency; one below 0 counts as 0. Constant time.
constexpr std::size_t of(duration latency) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
    if (value < (std::uint64_t{1} << first_power)) {
        return 0;
    }
    const auto power = static_cast<unsigned>(std::bit_width(value)) - 1;
    const std::size_t place =
        1 + (power - first_power) * std::size_t{4} + (value >> (power - 2) & 3);
    return std::min(place, count - 1);
}

/// What the bucket's latencies are below, in nanoseconds; of the last what they would be.
constexpr std::uint64_t bound(std::size_t bucket) {
    if (bucket == 0) {
        return std::uint64_t{1} << first_power;
    }
    const std::size_t quarter = (bucket - 1) % 4;
    const std::size_t power = first_power + (bucket - 1) / 4;
    return (quarter + 5) << (power - 2);
}

/// All bounds in seconds, for description::latency_bounds.
std::vector<double> bounds();

/// The counts without the zeros behind the last other.
std::vector<std::uint64_t> trimmed(std::span<const std::uint64_t> counts);

/// The latency in seconds that `percent` (0 to 100) of the counted do not exceed: the upper bound
/// of its bucket; 0 where nothing was counted.
double percentile(std::span<const std::uint64_t> counts, double percent);

}  // namespace latency_buckets

using latency_counts = std::array<std::uint64_t, latency_buckets::count>;

}  // namespace fleetarium::feed
