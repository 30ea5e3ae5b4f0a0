#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/random.hpp>

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <variant>

namespace fleetarium {

/// A distribution of numbers: what a scenario says about a latency, a period or a reading.
///
/// A small value; copies of an empirical distribution share its table. A sample is a pure
/// function of 64 random bits, so each takes exactly one draw and a change of distribution
/// shifts no other draw of the stream. Samples are the same to the bit on every machine: they
/// are built on exact_math, where the distributions of <random> are free to differ between
/// libraries and those of Boost.Random call libm for the normal and the exponential.
///
/// The makers throw std::invalid_argument, saying what is wrong, for a parameter that is not
/// finite or out of its range.
/// Thread rule: const members may run on any threads at once.
///
///     const auto latency = distribution::lognormal(20e6, 0.5);  // nanoseconds
///     random_stream draws(seed, link, "latency");
///     const duration delay = latency.sample_duration(draws);
class distribution {
public:
    enum class kind { constant, uniform, normal, lognormal, exponential, empirical };

    struct weighted_value {
        double value;
        double weight;  ///< >= 0; only the ratios matter
    };
    struct quantile_point {
        double probability;  ///< of a sample no larger than `value`
        double value;
    };

    static constexpr double unbounded = -std::numeric_limits<double>::infinity();

    /// Always 0.
    distribution() noexcept : shape_(constant_shape{0}) {}

    /// Always `value`.
    static distribution constant(double value);

    /// Evenly within [min, max]; `min` is not above `max`.
    static distribution uniform(double min, double max);

    /// Normal with the given mean and standard deviation (>= 0). With a `min`, it is the normal
    /// distribution under the condition of being at least `min`: no lump of probability at
    /// `min`, and a mean above `mean`.
    static distribution normal(double mean, double standard_deviation, double min = unbounded);

    /// `median` times e^(sigma Z) for a standard normal Z; median > 0, sigma >= 0. A sigma of 0.5
    /// puts 95 % of the samples within a factor of 2.7 of the median.
    static distribution lognormal(double median, double sigma);

    /// The lognormal distribution that has this mean (> 0) and standard deviation (>= 0).
    static distribution lognormal_of_mean(double mean, double standard_deviation);

    /// Exponential with the given mean (> 0): the gaps of events that happen at any moment alike.
    static distribution exponential(double mean);

    /// One of the values, each with its weight; one weight at least is positive.
    static distribution weighted(std::span<const weighted_value> values);

    /// Through these points of the cumulative distribution, linear between them. Probabilities
    /// rise from 0 at the first point to 1 at the last; values do not fall.
    static distribution quantiles(std::span<const quantile_point> points);

    kind type() const noexcept { return static_cast<kind>(shape_.index()); }

    /// The sample for 64 uniform random bits.
    double sample(std::uint64_t bits) const noexcept;

    /// The next sample of a stream. One draw, whatever the kind.
    double sample(random_stream& draws) const noexcept { return sample(draws.next_u64()); }

    /// The next sample as a duration: the number is taken as nanoseconds, a negative one as zero,
    /// and one beyond 292 years as the longest duration. One draw.
    duration sample_duration(random_stream& draws) const noexcept;

    /// The value that no sample is below; minus infinity for a normal without `min`.
    double minimum() const noexcept;

    /// The value that no sample is above; infinity where there is none.
    double maximum() const noexcept;

    /// The expected value.
    double mean() const noexcept;

private:
    struct table;
    struct constant_shape {
        double value;
    };
    struct uniform_shape {
        double min;
        double max;
    };
    struct normal_shape {
        double mean;
        double standard_deviation;
        double min;
        double mass;  // the probability of at least `min` before the condition
    };
    struct lognormal_shape {
        double median;
        double sigma;
    };
    struct exponential_shape {
        double mean;
    };
    using shape = std::variant<constant_shape, uniform_shape, normal_shape, lognormal_shape,
                               exponential_shape, std::shared_ptr<const table>>;

    explicit distribution(shape made) noexcept : shape_(std::move(made)) {}

    static double sample_shape(const constant_shape& from, std::uint64_t bits) noexcept;
    static double sample_shape(const uniform_shape& from, std::uint64_t bits) noexcept;
    static double sample_shape(const normal_shape& from, std::uint64_t bits) noexcept;
    static double sample_shape(const lognormal_shape& from, std::uint64_t bits) noexcept;
    static double sample_shape(const exponential_shape& from, std::uint64_t bits) noexcept;
    static double sample_shape(const std::shared_ptr<const table>& from,
                               std::uint64_t bits) noexcept;

    shape shape_;  // in the order of `kind`
};

static_assert(sizeof(distribution) <= 48);

}  // namespace fleetarium
