#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/hash.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fleetarium {

/// How often durations of each size occurred, with a relative error of less than 1 %.
///
/// Buckets are exact up to 127 ns; above, each power of two is cut into 64. All durations fit, in
/// at most 30 KiB; memory grows with the longest one recorded. Counts, extremes and the sum are
/// integers and exact, so histograms of shards merge in any order to the same result.
/// Thread rule: one thread at a time.
class latency_histogram {
public:
    /// Counts a duration, `times` times; it is not negative. Constant time; throws
    /// std::bad_alloc when the longest duration so far grows.
    void record(duration value, std::uint64_t times = 1);

    /// Adds all that `other` has counted.
    void merge(const latency_histogram& other);

    /// How many durations were counted.
    std::uint64_t count() const noexcept { return count_; }

    bool empty() const noexcept { return count_ == 0; }

    /// The shortest and the longest duration, exact; zero where none was counted.
    duration min() const noexcept { return count_ == 0 ? duration::zero() : min_; }
    duration max() const noexcept { return max_; }

    /// The mean, rounded down to a nanosecond from an exact sum; zero where none was counted.
    duration mean() const noexcept;

    /// The duration that `percent` of those counted do not exceed: the smallest such, within 1 %,
    /// and exact for 0 (the shortest) and 100 (the longest). Zero where none was counted.
    /// `percent` is within [0, 100]. Linear in the number of buckets.
    duration percentile(double percent) const noexcept;

    /// Calls `visit(duration first, duration last, uint64_t count)` for each bucket that counted
    /// something, in rising order; the bucket counts durations from `first` to `last`.
    template <class Visitor>
    void for_each_bucket(Visitor&& visit) const {
        for (std::size_t i = 0; i != buckets_.size(); ++i) {
            if (buckets_[i] != 0) {
                visit(first_of_bucket(i), last_of_bucket(i), buckets_[i]);
            }
        }
    }

    /// Forgets all that was counted.
    void clear() noexcept { *this = latency_histogram(); }

    /// Bytes held, the histogram itself included.
    std::size_t memory_bytes() const noexcept {
        return sizeof(*this) + buckets_.capacity() * sizeof(std::uint64_t);
    }

    friend bool operator==(const latency_histogram&, const latency_histogram&) = default;

private:
    static std::size_t bucket_of(duration value) noexcept;
    static duration first_of_bucket(std::size_t index) noexcept;
    static duration last_of_bucket(std::size_t index) noexcept;
    void grow_to(std::size_t bucket_count);

    std::vector<std::uint64_t> buckets_;  // up to the one of max_
    std::uint64_t count_ = 0;
    detail::uint128 sum_ = 0;
    duration min_ = duration::max();
    duration max_ = duration::zero();
};

}  // namespace fleetarium
