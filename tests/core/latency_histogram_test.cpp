#include <fleetarium/core/latency_histogram.hpp>

#include <fleetarium/core/random.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace fleetarium;
using namespace std::chrono_literals;

namespace {

/// Durations of every size, from nanoseconds to a month.
std::vector<duration> many_durations(std::size_t count) {
    random_stream draws(1, 0, "latency");
    std::vector<duration> made;
    for (std::size_t i = 0; i != count; ++i) {
        made.emplace_back(static_cast<std::int64_t>(draws.next_u64() >> draws.between(12, 60)));
    }
    return made;
}

double relative_error(duration found, duration exact) {
    return std::abs(static_cast<double>((found - exact).count())) /
           std::max(1.0, static_cast<double>(exact.count()));
}

}  // namespace

TEST_CASE("an empty histogram answers zero", "[latency_histogram]") {
    const latency_histogram histogram;
    CHECK(histogram.empty());
    CHECK(histogram.min() == 0ns);
    CHECK(histogram.max() == 0ns);
    CHECK(histogram.mean() == 0ns);
    CHECK(histogram.percentile(50) == 0ns);
}

TEST_CASE("durations up to 127 ns are counted exactly", "[latency_histogram]") {
    latency_histogram histogram;
    for (std::int64_t i = 0; i != 128; ++i) {
        histogram.record(duration(i));
    }
    std::int64_t next = 0;
    histogram.for_each_bucket([&](duration first, duration last, std::uint64_t count) {
        CHECK(first == duration(next));
        CHECK(last == first);
        CHECK(count == 1);
        ++next;
    });
    CHECK(next == 128);
}

TEST_CASE("buckets follow each other without gap, each within 1/64 of its values",
          "[latency_histogram]") {
    latency_histogram histogram;
    for (std::int64_t i = 0; i != 64; ++i) {
        histogram.record(duration(i));
    }
    for (int bit = 6; bit != 63; ++bit) {
        for (std::int64_t part = 0; part != 64; ++part) {
            const std::int64_t power = std::int64_t{1} << bit;
            histogram.record(duration(power + power / 64 * part));
        }
    }
    duration previous = -1ns;
    histogram.for_each_bucket([&](duration first, duration last, std::uint64_t) {
        REQUIRE(first == previous + 1ns);
        REQUIRE(last >= first);
        REQUIRE(last - first <= first / 64);
        previous = last;
    });
    CHECK(previous == duration::max());
}

TEST_CASE("each duration falls into a bucket that holds it", "[latency_histogram]") {
    for (const duration each : many_durations(3000)) {
        latency_histogram histogram;
        histogram.record(each);
        histogram.for_each_bucket([&](duration first, duration last, std::uint64_t count) {
            REQUIRE(first <= each);
            REQUIRE(each <= last);
            REQUIRE(count == 1);
        });
        REQUIRE(histogram.percentile(50) == each);  // the bucket's middle, kept to the extremes
    }
}

TEST_CASE("percentiles are within 1 % of the exact ones", "[latency_histogram]") {
    std::vector<duration> values = many_durations(20'001);
    latency_histogram histogram;
    for (const duration each : values) {
        histogram.record(each);
    }
    std::sort(values.begin(), values.end());
    for (const double percent : {0.0, 0.1, 1.0, 5.0, 25.0, 50.0, 75.0, 90.0, 99.0, 99.9, 100.0}) {
        const double rank = std::ceil(static_cast<double>(values.size()) * percent / 100);
        const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
        CAPTURE(percent);
        CHECK(relative_error(histogram.percentile(percent), values[index]) < 0.01);
    }
    CHECK(histogram.percentile(0) == values.front());
    CHECK(histogram.percentile(100) == values.back());
}

TEST_CASE("a percentile of few durations is one of them", "[latency_histogram]") {
    latency_histogram histogram;
    histogram.record(10ns);
    histogram.record(20ns);
    histogram.record(30ns, 2);
    CHECK(histogram.percentile(25) == 10ns);
    CHECK(histogram.percentile(26) == 20ns);
    CHECK(histogram.percentile(50) == 20ns);
    CHECK(histogram.percentile(51) == 30ns);
}

TEST_CASE("count, extremes and mean are exact", "[latency_histogram]") {
    latency_histogram histogram;
    histogram.record(1h);
    histogram.record(1ns, 3);
    histogram.record(7s, 0);
    CHECK(histogram.count() == 4);
    CHECK(histogram.min() == 1ns);
    CHECK(histogram.max() == 1h);
    CHECK(histogram.mean() == (duration(1h) + 3ns) / 4);
}

TEST_CASE("the sum of the longest durations does not overflow", "[latency_histogram]") {
    latency_histogram histogram;
    histogram.record(duration::max(), std::numeric_limits<std::uint32_t>::max());
    CHECK(histogram.mean() == duration::max());
    CHECK(histogram.percentile(99) == duration::max());
}

TEST_CASE("merged histograms equal one that counted everything, in any order",
          "[latency_histogram]") {
    latency_histogram whole;
    std::vector<latency_histogram> shards(5);
    std::size_t i = 0;
    for (const duration each : many_durations(5000)) {
        whole.record(each);
        shards[i++ % 5].record(each);
    }
    latency_histogram forwards;
    latency_histogram backwards;
    for (std::size_t shard = 0; shard != 5; ++shard) {
        forwards.merge(shards[shard]);
        backwards.merge(shards[4 - shard]);
    }
    CHECK(forwards == whole);
    CHECK(backwards == whole);
    forwards.merge(latency_histogram());
    CHECK(forwards == whole);
    forwards.clear();
    CHECK(forwards == latency_histogram());
}

TEST_CASE("a histogram of all durations takes at most 32 KiB, an empty one next to nothing",
          "[latency_histogram]") {
    latency_histogram histogram;
    CHECK(histogram.memory_bytes() <= 128);
    histogram.record(duration::max());
    histogram.record(0ns);
    CHECK(histogram.memory_bytes() <= std::size_t{32} * 1024);
}
