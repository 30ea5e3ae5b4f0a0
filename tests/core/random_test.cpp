#include <fleetarium/core/random.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <vector>

using namespace fleetarium;

namespace {

enum class purpose : std::uint8_t { latency = 1, payload = 2 };

/// How far a chi-square statistic lies from its mean, in standard deviations.
double deviations(double chi_square, double degrees) {
    return (chi_square - degrees) / std::sqrt(2 * degrees);
}

double chi_square(const std::vector<std::uint32_t>& counts, double expected) {
    double sum = 0;
    for (const std::uint32_t count : counts) {
        sum += (count - expected) * (count - expected) / expected;
    }
    return sum;
}

}  // namespace

TEST_CASE("draws never change", "[random]") {
    random_stream draws(1, 2, "golden");
    CHECK(draws.key().value == 0x6435462c16f88182);
    CHECK(draws.next_u64() == 0xb43348f207cc96b2);
    CHECK(draws.next_u64() == 0x84e85d2ea3cdaa7c);
    CHECK(draws.next_u64() == 0x63399f3d44505904);
    CHECK(draws.next_u64() == 0x2da8a9594dae70d7);

    random_stream numbers(1, 2, 3);
    for (const std::uint64_t expected : {930u, 256u, 763u, 198u, 408u, 333u}) {
        CHECK(numbers.below(1000) == expected);
    }
    CHECK(numbers.uniform() == 0x1.2e26da19f529p-4);
    CHECK(numbers.uniform() == 0x1.0d9aa55ec214p-2);
    CHECK(numbers.uniform() == 0x1.722b39e92d696p-2);
    for (const std::int64_t expected : {22, -7, -6}) {
        CHECK(numbers.between(-50, 50) == expected);
    }
}

TEST_CASE("a draw is a function of its key and its number", "[random]") {
    random_stream draws(9, 1, purpose::latency);
    for (std::uint64_t n = 0; n != 100; ++n) {
        REQUIRE(draws.draws_made() == n);
        REQUIRE(draws.next_u64() == random_at(draws.key(), n));
    }
    // A device that stored no more than the number of draws goes on where it stood.
    random_stream resumed(make_random_key(9, 1, purpose::latency), draws.draws_made());
    CHECK(resumed.next_u64() == draws.next_u64());
}

TEST_CASE("seed, owner and purpose each give another stream", "[random]") {
    std::set<std::uint64_t> firsts;
    for (std::uint64_t seed = 0; seed != 10; ++seed) {
        for (std::uint64_t who = 0; who != 100; ++who) {
            for (const purpose what : {purpose::latency, purpose::payload}) {
                firsts.insert(random_stream(seed, who, what).next_u64());
            }
            firsts.insert(random_stream(seed, who, "latency").next_u64());
        }
    }
    CHECK(firsts.size() == 3000);
    CHECK(make_random_key(1, 2, purpose::payload) == make_random_key(1, 2, 2));
    CHECK(make_random_key(1, 2, "x") == make_random_key(1, 2, hash_text("x")));
}

TEST_CASE("each bit of the draws is set half the time", "[random]") {
    constexpr int count = 100'000;
    std::array<int, 64> set{};
    random_stream draws(3, 0, "bits");
    for (int i = 0; i != count; ++i) {
        const std::uint64_t bits = draws.next_u64();
        for (std::size_t bit = 0; bit != 64; ++bit) {
            set[bit] += static_cast<int>(bits >> bit & 1);
        }
    }
    for (const int each : set) {
        CHECK(std::abs(each - count / 2) < 5 * std::sqrt(count) / 2);
    }
}

TEST_CASE("draws fill buckets evenly, within streams and across adjacent keys", "[random]") {
    const bool across = GENERATE(false, true);
    const int shift = GENERATE(0, 20, 56);
    CAPTURE(across, shift);
    std::vector<std::uint32_t> counts(256);
    for (std::uint64_t i = 0; i != 256'000; ++i) {
        const std::uint64_t bits =
            across ? random_at(make_random_key(1, i, 0), 0) : random_at({0x123}, i);
        ++counts[bits >> shift & 255];
    }
    CHECK(std::abs(deviations(chi_square(counts, 1000), 255)) < 5);
}

TEST_CASE("raw neighbouring keys and draws are not correlated", "[random]") {
    // Keys are normally hashed; even those that differ in one bit must not show it.
    struct step {
        std::uint64_t key;
        std::uint64_t draw;
    };
    const auto [key_step, draw_step] = GENERATE(
        step{1, 0}, step{0, 1}, step{std::uint64_t{1} << 63, 0}, step{detail::golden_ratio_64, 0},
        step{detail::golden_ratio_64, 1}, step{0 - detail::golden_ratio_64, 1});
    CAPTURE(key_step, draw_step);
    constexpr std::uint64_t count = 100'000;
    double product = 0;
    std::uint64_t equal_bits = 0;
    for (std::uint64_t i = 0; i != count; ++i) {
        const std::uint64_t a = random_at({i * 2}, 5);
        const std::uint64_t b = random_at({i * 2 + key_step}, 5 + draw_step);
        product += (unit_interval(a) - 0.5) * (unit_interval(b) - 0.5);
        equal_bits += static_cast<std::uint64_t>(std::popcount(~(a ^ b)));
    }
    // The product of two centred uniforms has the standard deviation 1/12.
    CHECK(std::abs(product) < 5 * std::sqrt(static_cast<double>(count)) / 12);
    CHECK(std::abs(static_cast<double>(equal_bits) - 32.0 * count) < 5 * 4 * std::sqrt(count));
}

TEST_CASE("integers below a bound are within it and without bias", "[random]") {
    random_stream draws(4, 0, "below");
    std::vector<std::uint32_t> counts(7);
    for (int i = 0; i != 70'000; ++i) {
        ++counts.at(draws.below(7));
    }
    CHECK(deviations(chi_square(counts, 10'000), 6) < 5);

    // Without rejection, a bound of 3/4 of 2^64 would give every third value twice as often.
    const std::uint64_t large = std::uint64_t{3} << 62;
    std::vector<std::uint32_t> thirds(3);
    for (int i = 0; i != 30'000; ++i) {
        const std::uint64_t drawn = draws.below(large);
        REQUIRE(drawn < large);
        ++thirds[drawn % 3];
    }
    CHECK(deviations(chi_square(thirds, 10'000), 2) < 5);
    CHECK(draws.below(1) == 0);
}

TEST_CASE("integers between two bounds reach both", "[random]") {
    random_stream draws(4, 0, "between");
    std::set<std::int64_t> seen;
    for (int i = 0; i != 1000; ++i) {
        seen.insert(draws.between(-3, 3));
    }
    CHECK(seen == std::set<std::int64_t>{-3, -2, -1, 0, 1, 2, 3});
    CHECK(draws.between(5, 5) == 5);
    bool negative = false;
    bool positive = false;
    for (int i = 0; i != 64; ++i) {
        const std::int64_t any = draws.between(std::numeric_limits<std::int64_t>::min(),
                                               std::numeric_limits<std::int64_t>::max());
        negative = negative || any < 0;
        positive = positive || any > 0;
    }
    CHECK(negative);
    CHECK(positive);
}

TEST_CASE("uniform numbers are in [0, 1) with the mean and variance of such", "[random]") {
    random_stream draws(5, 0, "uniform");
    constexpr int count = 200'000;
    double sum = 0;
    double squares = 0;
    for (int i = 0; i != count; ++i) {
        const double u = draws.uniform();
        REQUIRE(u >= 0);
        REQUIRE(u < 1);
        sum += u;
        squares += u * u;
    }
    CHECK(sum / count == Approx(0.5).margin(0.004));
    CHECK(squares / count == Approx(1.0 / 3).margin(0.004));
    CHECK(unit_interval(0) == 0);
    CHECK(unit_interval(~std::uint64_t{0}) == 1 - 0x1p-53);
}

TEST_CASE("a trial succeeds as often as its probability says", "[random]") {
    random_stream draws(6, 0, "bernoulli");
    const double probability = GENERATE(0.001, 0.25, 0.5, 0.999);
    int successes = 0;
    for (int i = 0; i != 100'000; ++i) {
        successes += draws.bernoulli(probability) ? 1 : 0;
    }
    const double deviation = std::sqrt(100'000 * probability * (1 - probability));
    CHECK(std::abs(successes - 100'000 * probability) < 5 * deviation);
}

TEST_CASE("what is impossible never happens and what is certain always does", "[random]") {
    random_stream draws(6, 1, "bernoulli");
    for (int i = 0; i != 10'000; ++i) {
        REQUIRE_FALSE(draws.bernoulli(0));
        REQUIRE(draws.bernoulli(1));
    }
    CHECK(draws.draws_made() == 20'000);
}
