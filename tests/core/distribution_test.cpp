#include <fleetarium/core/distribution.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace std::chrono_literals;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t sample_count = 100'000;

std::vector<double> samples_of(const distribution& from) {
    random_stream draws(77, 0, "samples");
    std::vector<double> samples(sample_count);
    for (double& each : samples) {
        each = from.sample(draws);
        REQUIRE(each >= from.minimum());
        REQUIRE(each <= from.maximum());
    }
    REQUIRE(draws.draws_made() == sample_count);
    std::sort(samples.begin(), samples.end());
    return samples;
}

double mean_of(const std::vector<double>& samples) {
    double sum = 0;
    for (const double each : samples) {
        sum += each;
    }
    return sum / static_cast<double>(samples.size());
}

double deviation_of(const std::vector<double>& samples) {
    const double mean = mean_of(samples);
    double sum = 0;
    for (const double each : samples) {
        sum += (each - mean) * (each - mean);
    }
    return std::sqrt(sum / static_cast<double>(samples.size()));
}

/// The largest distance between the samples' cumulative distribution and `probability`, in units
/// of 1/sqrt(n): above 2 about once in 1,500 tries by chance (Kolmogorov and Smirnov).
template <class Probability>
double distance(const std::vector<double>& sorted, Probability&& probability) {
    const auto count = static_cast<double>(sorted.size());
    double largest = 0;
    for (std::size_t i = 0; i != sorted.size(); ++i) {
        const double expected = probability(sorted[i]);
        largest = std::max({largest, std::abs(static_cast<double>(i) / count - expected),
                            std::abs(static_cast<double>(i + 1) / count - expected)});
    }
    return largest * std::sqrt(count);
}

double normal_probability(double z) { return std::erfc(-z / std::sqrt(2.0)) / 2; }

std::string refusal_of(distribution (*make)()) {
    try {
        static_cast<void>(make());
    } catch (const std::invalid_argument& refused) {
        return refused.what();
    }
    return "";
}

constexpr std::array<distribution::weighted_value, 4> some_values = {
    {{1, 3}, {5, 1}, {9, 0}, {20, 2}}};
constexpr std::array<distribution::quantile_point, 4> some_quantiles = {
    {{0, 1}, {0.5, 2}, {0.9, 10}, {1, 100}}};

}  // namespace

TEST_CASE("samples have these bits on every machine", "[distribution]") {
    struct golden {
        distribution from;
        std::array<double, 3> samples;
    };
    const std::vector<golden> table = {
        {distribution::constant(5), {5, 5, 5}},
        {distribution::uniform(-1, 3),
         {0x1.769599577eeap-1, 0x1.ec6b50e9d9d45p+0, 0x1.037237abd4228p+0}},
        {distribution::normal(10, 2),
         {0x1.4ad0b889f1a1cp+3, 0x1.189c1fb37e1ecp+3, 0x1.3f75c95208694p+3}},
        {distribution::normal(0, 1, 1.5),
         {0x1.e59acddaa0b0bp+0, 0x1.a804f8df22011p+0, 0x1.d477d8148ced9p+0}},
        {distribution::lognormal(20e6, 0.5),
         {0x1.18730b5891a01p+24, 0x1.9f24a60b4417ep+24, 0x1.3277390af399ep+24}},
        {distribution::lognormal_of_mean(10, 5),
         {0x1.0841c7817423ep+3, 0x1.7eca2bf1c8938p+3, 0x1.1f5c0a9097deep+3}},
        {distribution::exponential(7),
         {0x1.fc3b96f8ad97ap+1, 0x1.2605371d02613p+3, 0x1.398e36b6ad64ep+2}},
        {distribution::weighted(some_values), {1, 20, 5}},
        {distribution::quantiles(some_quantiles),
         {0x1.dda56655dfba8p+0, 0x1.a786252450495p+2, 0x1.089d8b2d92564p+1}}};
    for (const auto& [from, samples] : table) {
        random_stream draws(5, 6, "golden");
        CAPTURE(static_cast<int>(from.type()));
        for (const double expected : samples) {
            CHECK(std::bit_cast<std::uint64_t>(from.sample(draws)) ==
                  std::bit_cast<std::uint64_t>(expected));
        }
    }
}

TEST_CASE("a distribution is always 0 unless it is told otherwise", "[distribution]") {
    const distribution none;
    random_stream draws(1, 1, 1);
    CHECK(none.type() == distribution::kind::constant);
    CHECK(none.sample(draws) == 0);
    CHECK(none.mean() == 0);
}

TEST_CASE("each kind takes one draw a sample", "[distribution]") {
    const auto from = GENERATE(
        distribution::constant(3), distribution::uniform(0, 1), distribution::normal(0, 1),
        distribution::normal(0, 1, 3), distribution::lognormal(1, 1), distribution::exponential(1),
        distribution::weighted(some_values), distribution::quantiles(some_quantiles));
    random_stream draws(1, 1, 1);
    from.sample(draws);
    CHECK(draws.draws_made() == 1);
    from.sample_duration(draws);
    CHECK(draws.draws_made() == 2);
}

TEST_CASE("the mean of many samples is the mean of the distribution", "[distribution]") {
    const auto from = GENERATE(
        distribution::constant(-3), distribution::uniform(-5, 20), distribution::normal(10, 3),
        distribution::normal(10, 3, 9), distribution::normal(0, 1, 6),
        distribution::normal(5, 1, -100), distribution::lognormal(20, 0.5),
        distribution::lognormal_of_mean(30, 10), distribution::exponential(7),
        distribution::weighted(some_values), distribution::quantiles(some_quantiles));
    CAPTURE(static_cast<int>(from.type()), from.mean());
    const auto samples = samples_of(from);
    const double error = deviation_of(samples) / std::sqrt(static_cast<double>(sample_count));
    CHECK(std::abs(mean_of(samples) - from.mean()) <= 5 * error + 1e-9);
}

TEST_CASE("samples are spread as the distribution says", "[distribution]") {
    CHECK(distance(samples_of(distribution::uniform(-5, 20)),
                   [](double x) { return (x + 5) / 25; }) < 2);
    CHECK(distance(samples_of(distribution::normal(10, 3)),
                   [](double x) { return normal_probability((x - 10) / 3); }) < 2);
    CHECK(distance(samples_of(distribution::lognormal(20, 0.5)),
                   [](double x) { return normal_probability(std::log(x / 20) / 0.5); }) < 2);
    CHECK(distance(samples_of(distribution::exponential(7)),
                   [](double x) { return 1 - std::exp(-x / 7); }) < 2);
    CHECK(distance(samples_of(distribution::normal(10, 3, 8)), [](double x) {
              const double cut = normal_probability(-2.0 / 3);
              return (normal_probability((x - 10) / 3) - cut) / (1 - cut);
          }) < 2);
}

TEST_CASE("a normal distribution with a minimum has no lump there", "[distribution]") {
    const auto samples = samples_of(distribution::normal(10, 3, 9));
    CHECK(samples.front() >= 9);
    CHECK(std::count(samples.begin(), samples.end(), 9.0) <= 1);
}

TEST_CASE("a minimum far above a normal distribution's mean is still kept", "[distribution]") {
    const double min = GENERATE(8.0, 30.0, 38.0, 1e6);
    const auto from = distribution::normal(0, 1, min);
    const auto samples = samples_of(from);
    CHECK(samples.front() >= min);
    CHECK(samples.back() < min + 20 / min + 1e-9);
    CHECK(from.mean() >= min);
    CHECK(from.mean() < min + 1.01 / min + 1e-9);
}

TEST_CASE("the lognormal of a mean and a deviation has them", "[distribution]") {
    const auto from = distribution::lognormal_of_mean(100, 40);
    const auto samples = samples_of(from);
    CHECK(from.mean() == Approx(100).epsilon(1e-14));
    CHECK(mean_of(samples) == Approx(100).epsilon(0.01));
    CHECK(deviation_of(samples) == Approx(40).epsilon(0.02));
}

TEST_CASE("weighted values come as often as their weights say, never at weight 0",
          "[distribution]") {
    std::map<double, int> counts;
    for (const double each : samples_of(distribution::weighted(some_values))) {
        ++counts[each];
    }
    REQUIRE(counts.size() == 3);
    CHECK(counts[1] == Approx(sample_count / 2.0).epsilon(0.02));
    CHECK(counts[5] == Approx(sample_count / 6.0).epsilon(0.03));
    CHECK(counts[20] == Approx(sample_count / 3.0).epsilon(0.02));
}

TEST_CASE("quantiles come out as they went in, with lines between", "[distribution]") {
    const auto samples = samples_of(distribution::quantiles(some_quantiles));
    const auto at = [&](double part) {
        return samples[static_cast<std::size_t>(part * (sample_count - 1))];
    };
    CHECK(at(0) == Approx(1).margin(0.001));
    CHECK(at(0.25) == Approx(1.5).margin(0.02));
    CHECK(at(0.5) == Approx(2).margin(0.03));
    CHECK(at(0.7) == Approx(6).margin(0.15));
    CHECK(at(0.9) == Approx(10).margin(4));
    CHECK(at(0.95) == Approx(55).margin(2));
    CHECK(samples.back() <= 100);
}

TEST_CASE("the extremes of the draws give finite samples within the bounds", "[distribution]") {
    const auto from = GENERATE(distribution::uniform(-1e308, 1e308), distribution::normal(0, 1),
                               distribution::normal(0, 1, 2), distribution::lognormal(1, 1),
                               distribution::exponential(1), distribution::weighted(some_values),
                               distribution::quantiles(some_quantiles));
    for (const std::uint64_t bits : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0},
                                     ~std::uint64_t{0} - 1, std::uint64_t{1} << 63}) {
        const double sample = from.sample(bits);
        CAPTURE(static_cast<int>(from.type()), bits, sample);
        CHECK(std::isfinite(sample));
        CHECK(sample >= from.minimum());
        CHECK(sample <= from.maximum());
    }
    CHECK_FALSE(std::signbit(distribution::exponential(1).sample(std::uint64_t{0})));
}

TEST_CASE("durations are nanoseconds, rounded, never negative and never too long",
          "[distribution]") {
    random_stream draws(1, 1, 1);
    CHECK(distribution::constant(20e6).sample_duration(draws) == 20ms);
    CHECK(distribution::constant(1.4).sample_duration(draws) == 1ns);
    CHECK(distribution::constant(1.5).sample_duration(draws) == 2ns);
    CHECK(distribution::constant(-7e9).sample_duration(draws) == 0ns);
    CHECK(distribution::constant(0x1p53 + 2).sample_duration(draws).count() ==
          (std::int64_t{1} << 53) + 2);
    CHECK(distribution::constant(1e30).sample_duration(draws) == duration::max());
    CHECK(distribution::constant(0x1p63).sample_duration(draws) == duration::max());
}

TEST_CASE("bounds are those of the samples that can occur", "[distribution]") {
    CHECK(distribution::normal(0, 1).minimum() == -infinity);
    CHECK(distribution::normal(0, 1, 0.5).minimum() == 0.5);
    CHECK(distribution::normal(4, 0).minimum() == 4);
    CHECK(distribution::normal(4, 0).maximum() == 4);
    CHECK(distribution::lognormal(4, 0).minimum() == 4);
    CHECK(distribution::lognormal(4, 1).minimum() == 0);
    CHECK(distribution::exponential(4).maximum() == infinity);
    CHECK(distribution::weighted(some_values).minimum() == 1);
    CHECK(distribution::weighted(some_values).maximum() == 20);
    CHECK(distribution::uniform(2, 2).maximum() == 2);
}

TEST_CASE("a parameter out of range is refused and named", "[distribution]") {
    using d = distribution;
    CHECK_THAT(refusal_of([] { return d::constant(not_a_number); }), Catch::Contains("finite"));
    CHECK_THAT(refusal_of([] { return d::uniform(2, 1); }), Catch::Contains("upper"));
    CHECK_THAT(refusal_of([] { return d::uniform(0, infinity); }), Catch::Contains("finite"));
    CHECK_THAT(refusal_of([] { return d::normal(0, -1); }), Catch::Contains("deviation"));
    CHECK_THAT(refusal_of([] { return d::normal(0, 1, not_a_number); }),
               Catch::Contains("minimum"));
    CHECK_THAT(refusal_of([] { return d::normal(0, 0, 1); }), Catch::Contains("minimum"));
    CHECK_THAT(refusal_of([] { return d::lognormal(0, 1); }), Catch::Contains("median"));
    CHECK_THAT(refusal_of([] { return d::lognormal(1, -1); }), Catch::Contains("sigma"));
    CHECK_THAT(refusal_of([] { return d::lognormal_of_mean(-1, 1); }), Catch::Contains("mean"));
    CHECK_THAT(refusal_of([] { return d::lognormal_of_mean(1e-200, 1); }),
               Catch::Contains("too large"));
    CHECK_THAT(refusal_of([] { return d::exponential(0); }), Catch::Contains("mean"));
    CHECK_THAT(refusal_of([] { return d::weighted({}); }), Catch::Contains("positive weight"));
    CHECK_THAT(refusal_of([] {
                   return d::weighted(std::vector<d::weighted_value>{{1, -1}, {2, 3}});
               }),
               Catch::Contains("negative"));
    const auto quantiles = [](std::vector<d::quantile_point> points) {
        try {
            static_cast<void>(d::quantiles(points));
        } catch (const std::invalid_argument& refused) {
            return std::string(refused.what());
        }
        return std::string();
    };
    CHECK_THAT(quantiles({{0, 1}}), Catch::Contains("two points"));
    CHECK_THAT(quantiles({{0.1, 1}, {1, 2}}), Catch::Contains("first"));
    CHECK_THAT(quantiles({{0, 1}, {0.9, 2}}), Catch::Contains("last"));
    CHECK_THAT(quantiles({{0, 1}, {0, 2}, {1, 3}}), Catch::Contains("rise"));
    CHECK_THAT(quantiles({{0, 1}, {0.5, 0}, {1, 3}}), Catch::Contains("fall"));
    CHECK_THAT(quantiles({{0, 1}, {not_a_number, 2}, {1, 3}}), Catch::Contains("rise"));
    CHECK_THAT(quantiles({{0, 1}, {1, infinity}}), Catch::Contains("finite"));
}
