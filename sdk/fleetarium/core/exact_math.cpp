#include <fleetarium/core/exact_math.hpp>

#include <fleetarium/core/double_double.hpp>

#include <array>
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#ifdef __FAST_MATH__
#error "fast math lets the compiler reorder operations: results would differ between builds"
#endif

namespace fleetarium::exact_math {

static_assert(std::numeric_limits<double>::is_iec559 && FLT_EVAL_METHOD == 0,
              "intermediate results must be IEEE doubles");

namespace {

using detail::double_double;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

// ln 2 in two parts; the first has 21 zero bits at its end, so an exponent times it is exact.
constexpr double ln2_high = 0x1.62e42fee00000p-1;
constexpr double ln2_low = 0x1.a39ef35793c76p-33;
constexpr double log2_e = 0x1.71547652b82fep+0;

/// c[0] + x c[1] + x^2 c[2] + ...
template <std::size_t count>
double polynomial(const std::array<double, count>& c, double x) {
    double sum = c[count - 1];
    for (std::size_t i = count - 1; i-- != 0;) {
        sum = sum * x + c[i];
    }
    return sum;
}

/// The nearest integer, ties to even, for |x| < 2^51.
double round_to_integer(double x) {
    constexpr double shift = 0x1.8p52;
    return (x + shift) - shift;
}

double power_of_two(int exponent) {
    return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

/// value * 2^exponent for a value near 1, rounded once.
double scale(double value, int exponent) {
    if (exponent > 1000) {
        return value * power_of_two(exponent - 1000) * power_of_two(1000);
    }
    if (exponent < -1000) {
        return value * power_of_two(exponent + 1000) * power_of_two(-1000);
    }
    return value * power_of_two(exponent);
}

// 1/2!, 1/3!, ...: e^r is 1 + r + r^2 (1/2! + r/3! + ...).
constexpr std::array<double, 12> exp_series = {
    1.0 / 2,         1.0 / 6,          1.0 / 24,          1.0 / 120,
    1.0 / 720,       1.0 / 5040,       1.0 / 40'320,      1.0 / 362'880,
    1.0 / 3'628'800, 1.0 / 39'916'800, 1.0 / 479'001'600, 1.0 / 6'227'020'800};

/// e^(x + tail) for |tail| far below |x|.
double exp_of_sum(double x, double tail) {
    if (x > 709.8) {
        return infinity;
    }
    if (x < -745.2) {
        return 0;
    }
    // e^x = 2^k e^r with |r| <= ln(2)/2, where the Taylor series to r^13 is exact enough.
    const double k = round_to_integer(x * log2_e);
    const double high = x - k * ln2_high;
    const double low = k * ln2_low - tail;
    const double r = high - low;
    const double lost = (high - r) - low;
    const double sum = 1 + (r + (r * r * polynomial(exp_series, r) + lost));
    return scale(sum, static_cast<int>(k));
}

/// x = 2^exponent * fraction with the fraction within [sqrt(1/2), sqrt(2)); x > 0 and finite.
struct split_number {
    int exponent;
    double fraction;
};

split_number split(double x) {
    int exponent = 0;
    if (x < DBL_MIN) {
        x *= 0x1p54;
        exponent = -54;
    }
    auto bits = std::bit_cast<std::uint64_t>(x);
    // Adding the difference between 1 and sqrt(1/2) carries into the exponent from sqrt(2) on.
    constexpr std::uint64_t one = 0x3ff0'0000'0000'0000;
    constexpr std::uint64_t half_root = 0x3fe6'a09e'667f'3bcd;
    bits += one - half_root;
    exponent += static_cast<int>(bits >> 52) - 1023;
    bits = (bits & 0x000f'ffff'ffff'ffff) + half_root;
    return {exponent, std::bit_cast<double>(bits)};
}

// 2/3, 2/5, 2/7, ...: the logarithm of (1 + s) / (1 - s) is 2 s + s^3 (2/3 + 2/5 s^2 + ...).
constexpr std::array<double, 11> log_series = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,
                                               2.0 / 11, 2.0 / 13, 2.0 / 15, 2.0 / 17,
                                               2.0 / 19, 2.0 / 21, 2.0 / 23};
constexpr std::array<double, 10> log_series_rest = {2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                                                    2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19,
                                                    2.0 / 21, 2.0 / 23};

/// The logarithm with about 100 bits, for pow, which multiplies its error by up to 10^3 ulp.
double_double precise_log(double x) {
    const auto [exponent, fraction] = split(x);
    const double f = fraction - 1;
    const double_double s = double_double{f, 0} / detail::exact_sum(2, f);
    const double_double z = s * s;
    constexpr double_double two_thirds{0x1.5555555555555p-1, 0x1.5555555555555p-55};
    const double rest = z.high * z.high * s.high * polynomial(log_series_rest, z.high);
    const double_double fraction_log = (s + s) + (s * z * two_thirds + double_double{rest, 0});
    return detail::exact_sum(exponent * ln2_high, exponent * ln2_low) + fraction_log;
}

enum class parity { not_integer, even, odd };

parity parity_of(double y) {
    const double size = y < 0 ? -y : y;
    if (size >= 0x1p53) {
        return parity::even;
    }
    const auto integer = static_cast<std::int64_t>(size);
    if (static_cast<double>(integer) != size) {
        return parity::not_integer;
    }
    return integer % 2 == 0 ? parity::even : parity::odd;
}

/// pow for a base of 0 or infinity, whose sign is already taken care of.
double pow_of_extreme(double magnitude, double y) {
    const bool large = (magnitude != 0) == (y > 0);
    return large ? infinity : 0.0;
}

double pow_of_positive(double x, double y) {
    if (x == 1 || y == 0) {
        return 1;
    }
    if (x == 0 || x == infinity) {
        return pow_of_extreme(x, y);
    }
    if (y == infinity || y == -infinity) {
        return (x > 1) == (y > 0) ? infinity : 0.0;
    }
    const double_double logarithm = precise_log(x);
    const double estimate = y * logarithm.high;
    if (estimate > 710) {
        return infinity;
    }
    if (estimate < -746) {
        return 0;
    }
    const double_double exponent = double_double{y, 0} * logarithm;
    return exp_of_sum(exponent.high, exponent.low);
}

}  // namespace

double exp(double x) noexcept { return x != x ? x : exp_of_sum(x, 0); }

double log(double x) noexcept {
    if (!(x > 0)) {
        return x == 0 ? -infinity : not_a_number;
    }
    if (x == infinity) {
        return x;
    }
    const auto [exponent, fraction] = split(x);
    const double f = fraction - 1;
    const double s = f / (2 + f);
    const double z = s * s;
    const double half_square = 0.5 * f * f;
    // 2 s = f - s f = f - f^2 / 2 + s f^2 / 2, summed so that f, the largest part, comes last.
    const double small = s * (half_square + z * polynomial(log_series, z)) + exponent * ln2_low;
    return exponent * ln2_high - ((half_square - small) - f);
}

double pow(double x, double y) noexcept {
    if (x == 1 || y == 0) {
        return 1;
    }
    if (x != x || y != y) {
        return not_a_number;
    }
    const bool negative = std::bit_cast<std::int64_t>(x) < 0;
    if (!negative) {
        return pow_of_positive(x, y);
    }
    const parity whole = parity_of(y);
    if (whole == parity::not_integer && x != 0 && x != -infinity) {
        return not_a_number;
    }
    const double magnitude = pow_of_positive(-x, y);
    return whole == parity::odd ? -magnitude : magnitude;
}

double normal_quantile(double p) noexcept {
    // Wichura's algorithm AS 241 (PPND16), Applied Statistics 37 (1988): three rational
    // approximations, one for the middle and two for the tails.
    static constexpr std::array<double, 8> middle_numerator = {
        3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
        1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
        3.3430575583588128105e+4, 2.5090809287301226727e+3};
    static constexpr std::array<double, 8> middle_denominator = {1.0,
                                                                 4.2313330701600911252e+1,
                                                                 6.8718700749205790830e+2,
                                                                 5.3941960214247511077e+3,
                                                                 2.1213794301586595867e+4,
                                                                 3.9307895800092710610e+4,
                                                                 2.8729085735721942674e+4,
                                                                 5.2264952788528545610e+3};
    static constexpr std::array<double, 8> near_numerator = {
        1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
        3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
        2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static constexpr std::array<double, 8> near_denominator = {1.0,
                                                               2.05319162663775882187e0,
                                                               1.67638483018380384940e0,
                                                               6.89767334985100004550e-1,
                                                               1.48103976427480074590e-1,
                                                               1.51986665636164571966e-2,
                                                               5.47593808499534494600e-4,
                                                               1.05075007164441684324e-9};
    static constexpr std::array<double, 8> far_numerator = {
        6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
        2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
        2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static constexpr std::array<double, 8> far_denominator = {1.0,
                                                              5.99832206555887937690e-1,
                                                              1.36929880922735805310e-1,
                                                              1.48753612908506148525e-2,
                                                              7.86869131145613259100e-4,
                                                              1.84631831751005468180e-5,
                                                              1.42151175831644588870e-7,
                                                              2.04426310338993978564e-15};
    const double q = p - 0.5;
    if (q >= -0.425 && q <= 0.425) {
        const double r = 0.180625 - q * q;
        return q * polynomial(middle_numerator, r) / polynomial(middle_denominator, r);
    }
    const double tail = q < 0 ? p : 1 - p;
    if (!(tail > 0)) {
        return tail == 0 ? (q < 0 ? -infinity : infinity) : not_a_number;
    }
    const double r = std::sqrt(-log(tail));
    const double size =
        r <= 5 ? polynomial(near_numerator, r - 1.6) / polynomial(near_denominator, r - 1.6)
               : polynomial(far_numerator, r - 5) / polynomial(far_denominator, r - 5);
    return q < 0 ? -size : size;
}

}  // namespace fleetarium::exact_math
