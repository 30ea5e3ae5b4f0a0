#include <fleetarium/core/latency_histogram.hpp>

#include <fleetarium/core/assert.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

namespace fleetarium {

namespace {

// Buckets per power of two, as a number of bits: a width of 1/64 of the value, so that the middle
// of a bucket is within 1/128 of all that it counts.
constexpr int part_bits = 6;
constexpr std::uint64_t parts = std::uint64_t{1} << part_bits;

}  // namespace

std::size_t latency_histogram::bucket_of(duration value) noexcept {
    const auto nanoseconds = static_cast<std::uint64_t>(value.count());
    if (nanoseconds < parts) {
        return static_cast<std::size_t>(nanoseconds);
    }
    const int shift = 63 - std::countl_zero(nanoseconds) - part_bits;
    return static_cast<std::size_t>((static_cast<std::uint64_t>(shift) << part_bits) +
                                    (nanoseconds >> shift));
}

duration latency_histogram::first_of_bucket(std::size_t index) noexcept {
    const auto wide = static_cast<std::uint64_t>(index);
    if (wide < parts) {
        return duration(static_cast<duration::rep>(wide));
    }
    const std::uint64_t shift = (wide >> part_bits) - 1;
    return duration(static_cast<duration::rep>((parts + wide % parts) << shift));
}

duration latency_histogram::last_of_bucket(std::size_t index) noexcept {
    const auto wide = static_cast<std::uint64_t>(index);
    const std::uint64_t width = wide < parts ? 1 : std::uint64_t{1} << ((wide >> part_bits) - 1);
    return first_of_bucket(index) + duration(static_cast<duration::rep>(width - 1));
}

void latency_histogram::grow_to(std::size_t bucket_count) {
    if (bucket_count > buckets_.size()) {
        // By whole powers of two, so that a slowly growing maximum does not grow it each time.
        buckets_.resize((bucket_count + parts - 1) / parts * parts);
    }
}

void latency_histogram::record(duration value, std::uint64_t times) {
    FLEETARIUM_ASSERT(value >= duration::zero());
    if (times == 0) {
        return;
    }
    const std::size_t bucket = bucket_of(value);
    grow_to(bucket + 1);
    buckets_[bucket] += times;
    count_ += times;
    sum_ += static_cast<detail::uint128>(value.count()) * times;
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
}

void latency_histogram::merge(const latency_histogram& other) {
    grow_to(other.buckets_.size());
    for (std::size_t i = 0; i != other.buckets_.size(); ++i) {
        buckets_[i] += other.buckets_[i];
    }
    count_ += other.count_;
    sum_ += other.sum_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
}

duration latency_histogram::mean() const noexcept {
    return count_ == 0 ? duration::zero() : duration(static_cast<duration::rep>(sum_ / count_));
}

duration latency_histogram::percentile(double percent) const noexcept {
    FLEETARIUM_ASSERT(percent >= 0 && percent <= 100);
    const double wanted = std::ceil(static_cast<double>(count_) * percent / 100);
    if (wanted < 1) {
        return min();
    }
    if (wanted >= static_cast<double>(count_)) {
        return max();
    }
    const auto rank = static_cast<std::uint64_t>(wanted);
    std::uint64_t passed = 0;
    std::size_t bucket = 0;
    while (passed + buckets_[bucket] < rank) {
        passed += buckets_[bucket];
        ++bucket;
    }
    const duration first = first_of_bucket(bucket);
    const duration middle = first + (last_of_bucket(bucket) - first) / 2;
    return std::clamp(middle, min_, max_);
}

}  // namespace fleetarium
