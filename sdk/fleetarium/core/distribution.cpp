#include <fleetarium/core/distribution.hpp>

#include <fleetarium/core/exact_math.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace fleetarium {

/// A cumulative distribution: `cumulative[i]` is the probability, times `total`, up to `values[i]`.
struct distribution::table {
    enum class between { steps, lines };

    between points = between::steps;
    std::vector<double> cumulative;
    std::vector<double> values;
    double mean = 0;
};

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

void require(bool holds, const char* rule) {
    if (!holds) {
        throw std::invalid_argument(rule);
    }
}

bool is_finite(double value) { return value > -infinity && value < infinity; }

/// A number within (0, 1) that is never 0 nor 1, and lies as often below 1/2 as above.
double open_unit_interval(std::uint64_t bits) {
    return (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52;
}

/// The probability that a standard normal variable exceeds `z`, by bisection of its inverse:
/// slow, and used only when a distribution is made.
double normal_tail(double z) {
    double low = 0;
    double high = 1;
    for (;;) {
        const double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high) {
            return middle;
        }
        if (-exact_math::normal_quantile(middle) > z) {
            low = middle;
        } else {
            high = middle;
        }
    }
}

}  // namespace

distribution distribution::constant(double value) {
    require(is_finite(value), "a constant must be finite");
    return distribution(shape(constant_shape{value}));
}

distribution distribution::uniform(double min, double max) {
    require(is_finite(min) && is_finite(max),
            "the bounds of a uniform distribution must be finite");
    require(min <= max, "the lower bound of a uniform distribution must not be above the upper");
    return distribution(shape(uniform_shape{min, max}));
}

distribution distribution::normal(double mean, double standard_deviation, double min) {
    require(is_finite(mean), "the mean of a normal distribution must be finite");
    require(standard_deviation >= 0 && is_finite(standard_deviation),
            "a standard deviation must be finite and not negative");
    require(min < infinity, "the minimum of a normal distribution must be below infinity");
    require(standard_deviation > 0 || mean >= min,
            "a normal distribution without deviation must have its mean at or above its minimum");
    double mass = 1;
    if (min > unbounded && standard_deviation > 0) {
        mass = normal_tail((min - mean) / standard_deviation);
    }
    return distribution(shape(normal_shape{mean, standard_deviation, min, mass}));
}

distribution distribution::lognormal(double median, double sigma) {
    require(median > 0 && is_finite(median),
            "the median of a lognormal distribution must be finite and positive");
    require(sigma >= 0 && is_finite(sigma),
            "the sigma of a lognormal distribution must be finite and not negative");
    return distribution(shape(lognormal_shape{median, sigma}));
}

distribution distribution::lognormal_of_mean(double mean, double standard_deviation) {
    require(mean > 0 && is_finite(mean),
            "the mean of a lognormal distribution must be finite and positive");
    require(standard_deviation >= 0 && is_finite(standard_deviation),
            "a standard deviation must be finite and not negative");
    const double ratio = standard_deviation / mean;
    const double spread = 1 + ratio * ratio;
    require(is_finite(spread), "the standard deviation is too large for the mean");
    return lognormal(mean / std::sqrt(spread), std::sqrt(exact_math::log(spread)));
}

distribution distribution::exponential(double mean) {
    require(mean > 0 && is_finite(mean),
            "the mean of an exponential distribution must be finite and positive");
    return distribution(shape(exponential_shape{mean}));
}

distribution distribution::weighted(std::span<const weighted_value> values) {
    table made;
    double total = 0;
    double sum = 0;
    for (const auto& [value, weight] : values) {
        require(is_finite(value), "the values of an empirical distribution must be finite");
        require(weight >= 0 && is_finite(weight), "a weight must be finite and not negative");
        if (weight == 0) {
            continue;
        }
        total += weight;
        sum += weight * value;
        made.cumulative.push_back(total);
        made.values.push_back(value);
    }
    require(total > 0, "an empirical distribution needs a value with a positive weight");
    require(is_finite(total) && is_finite(sum), "the weights are too large");
    made.mean = sum / total;
    return distribution(shape(std::make_shared<const table>(std::move(made))));
}

distribution distribution::quantiles(std::span<const quantile_point> points) {
    require(points.size() >= 2, "a distribution by quantiles needs two points at least");
    require(points.front().probability == 0, "the first quantile must be that of probability 0");
    require(points.back().probability == 1, "the last quantile must be that of probability 1");
    table made{.points = table::between::lines, .cumulative = {}, .values = {}, .mean = 0};
    const quantile_point* last = nullptr;
    for (const quantile_point& each : points) {
        require(is_finite(each.value), "the values of an empirical distribution must be finite");
        if (last != nullptr) {
            require(each.probability > last->probability,
                    "the probabilities of quantiles must rise from point to point");
            require(each.value >= last->value, "the values of quantiles must not fall");
            made.mean += (each.probability - last->probability) * (each.value + last->value) / 2;
        }
        made.cumulative.push_back(each.probability);
        made.values.push_back(each.value);
        last = &each;
    }
    return distribution(shape(std::make_shared<const table>(std::move(made))));
}

double distribution::sample(std::uint64_t bits) const noexcept {
    return std::visit([bits](const auto& from) { return sample_shape(from, bits); }, shape_);
}

duration distribution::sample_duration(random_stream& draws) const noexcept {
    const double nanoseconds = sample(draws);
    if (!(nanoseconds > 0)) {
        return duration::zero();
    }
    // Above 2^52 every double is an integer, and adding one half could round up.
    const double rounded = nanoseconds < 0x1p52 ? nanoseconds + 0.5 : nanoseconds;
    return rounded < 0x1p63 ? duration(static_cast<duration::rep>(rounded)) : duration::max();
}

double distribution::sample_shape(const constant_shape& from, std::uint64_t) noexcept {
    return from.value;
}

double distribution::sample_shape(const uniform_shape& from, std::uint64_t bits) noexcept {
    const double part = unit_interval(bits);
    // Weighing both bounds cannot overflow, as their difference could.
    return std::clamp(from.min * (1 - part) + from.max * part, from.min, from.max);
}

double distribution::sample_shape(const normal_shape& from, std::uint64_t bits) noexcept {
    // Counted from above: far from the mean the small probabilities are the precise ones.
    const double above = from.mass * open_unit_interval(bits);
    if (!(above > 0)) {
        return from.min;  // a minimum 38 deviations above the mean
    }
    const double value = from.mean - from.standard_deviation * exact_math::normal_quantile(above);
    return std::max(value, from.min);
}

double distribution::sample_shape(const lognormal_shape& from, std::uint64_t bits) noexcept {
    const double z = exact_math::normal_quantile(open_unit_interval(bits));
    return from.median * exact_math::exp(from.sigma * z);
}

double distribution::sample_shape(const exponential_shape& from, std::uint64_t bits) noexcept {
    // A difference, so that the least sample is 0 and not minus 0.
    return 0 - from.mean * exact_math::log(1 - unit_interval(bits));
}

double distribution::sample_shape(const std::shared_ptr<const table>& from,
                                  std::uint64_t bits) noexcept {
    const auto& cumulative = from->cumulative;
    const double wanted = unit_interval(bits) * cumulative.back();
    const auto found = std::upper_bound(cumulative.begin(), cumulative.end(), wanted);
    // Rounding may carry `wanted` up to the total.
    const auto index =
        static_cast<std::size_t>(std::min(found, cumulative.end() - 1) - cumulative.begin());
    const double value = from->values[index];
    if (from->points == table::between::steps || index == 0) {
        return value;
    }
    const double below = cumulative[index - 1];
    const double part = (wanted - below) / (cumulative[index] - below);
    const double value_below = from->values[index - 1];
    return std::clamp(value_below * (1 - part) + value * part, value_below, value);
}

double distribution::minimum() const noexcept {
    struct visitor {
        double operator()(const constant_shape& from) const { return from.value; }
        double operator()(const uniform_shape& from) const { return from.min; }
        double operator()(const normal_shape& from) const {
            return from.standard_deviation > 0 ? from.min : from.mean;
        }
        double operator()(const lognormal_shape& from) const {
            return from.sigma > 0 ? 0 : from.median;
        }
        double operator()(const exponential_shape&) const { return 0; }
        double operator()(const std::shared_ptr<const table>& from) const {
            return *std::min_element(from->values.begin(), from->values.end());
        }
    };
    return std::visit(visitor{}, shape_);
}

double distribution::maximum() const noexcept {
    struct visitor {
        double operator()(const constant_shape& from) const { return from.value; }
        double operator()(const uniform_shape& from) const { return from.max; }
        double operator()(const normal_shape& from) const {
            return from.standard_deviation > 0 ? infinity : from.mean;
        }
        double operator()(const lognormal_shape& from) const {
            return from.sigma > 0 ? infinity : from.median;
        }
        double operator()(const exponential_shape&) const { return infinity; }
        double operator()(const std::shared_ptr<const table>& from) const {
            return *std::max_element(from->values.begin(), from->values.end());
        }
    };
    return std::visit(visitor{}, shape_);
}

double distribution::mean() const noexcept {
    struct visitor {
        double operator()(const constant_shape& from) const { return from.value; }
        double operator()(const uniform_shape& from) const { return from.min / 2 + from.max / 2; }
        double operator()(const normal_shape& from) const {
            if (from.min == unbounded || from.standard_deviation == 0) {
                return from.mean;
            }
            constexpr double root_of_two_pi = 0x1.40d931ff62706p+1;
            const double z = (from.min - from.mean) / from.standard_deviation;
            const double density = exact_math::exp(-z * z / 2) / root_of_two_pi;
            const double raised = from.mean + from.standard_deviation * density / from.mass;
            return is_finite(raised) ? std::max(raised, from.min) : from.min;
        }
        double operator()(const lognormal_shape& from) const {
            return from.median * exact_math::exp(from.sigma * from.sigma / 2);
        }
        double operator()(const exponential_shape& from) const { return from.mean; }
        double operator()(const std::shared_ptr<const table>& from) const { return from->mean; }
    };
    return std::visit(visitor{}, shape_);
}

}  // namespace fleetarium
