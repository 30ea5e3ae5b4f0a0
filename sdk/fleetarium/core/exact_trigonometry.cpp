#include <fleetarium/core/exact_math.hpp>

#include <fleetarium/core/double_double.hpp>
#include <fleetarium/core/hash.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

// Sine and cosine: the angle is reduced to a quarter turn with integers, which is exact for
// every double, and the rest is a Taylor series.

namespace fleetarium::exact_math {

namespace {

using detail::double_double;
using detail::uint128;

/// An angle as quarter turns plus a rest within [-pi/4, pi/4].
struct reduced_angle {
    std::uint32_t quarter;
    double_double rest;
};

// 64 zero bits, then the first 1216 bits of 2/pi: enough for the largest exponent.
constexpr std::array<std::uint64_t, 20> two_over_pi = {0x0,
                                                       0xa2f9836e4e441529,
                                                       0xfc2757d1f534ddc0,
                                                       0xdb6295993c439041,
                                                       0xfe5163abdebbc561,
                                                       0xb7246e3a424dd2e0,
                                                       0x06492eea09d1921c,
                                                       0xfe1deb1cb129a73e,
                                                       0xe88235f52ebb4484,
                                                       0xe99c7026b45f7e41,
                                                       0x3991d639835339f4,
                                                       0x9c845f8bbdf9283b,
                                                       0x1ff897ffde05980f,
                                                       0xef2f118b5a0a6d1f,
                                                       0x6d367ecf27cb09b7,
                                                       0x4f463f669e5fea2d,
                                                       0x7527bac7ebe5f17b,
                                                       0x3d0739f78a5292ea,
                                                       0x6bfb5fb11f8d5d08,
                                                       0x56033046fc7b6bab};

/// 64 bits of the table from bit `offset` on.
std::uint64_t table_bits(std::size_t offset) {
    const std::size_t word = offset / 64;
    const std::size_t shift = offset % 64;
    return shift == 0 ? two_over_pi[word]
                      : two_over_pi[word] << shift | two_over_pi[word + 1] >> (64 - shift);
}

/// x modulo pi/2 for pi/4 < x < infinity, after Payne and Hanek: of the product of x and 2/pi only
/// the two lowest integer bits and the 190 bits below are computed.
reduced_angle reduce(double x) {
    const auto bits = std::bit_cast<std::uint64_t>(x);
    const std::uint64_t mantissa = (bits & 0x000f'ffff'ffff'ffff) | std::uint64_t{1} << 52;
    const int exponent = static_cast<int>(bits >> 52) - 1075;  // x == mantissa * 2^exponent
    // Bits of 2/pi of weight 2^(2 - exponent) and more contribute whole turns.
    const int first_bit = exponent + 62;
    const auto offset = static_cast<std::size_t>(first_bit);
    const uint128 low = static_cast<uint128>(mantissa) * table_bits(offset + 128);
    const uint128 middle = static_cast<uint128>(mantissa) * table_bits(offset + 64) +
                           static_cast<std::uint64_t>(low >> 64);
    std::array<std::uint64_t, 3> product = {
        mantissa * table_bits(offset) + static_cast<std::uint64_t>(middle >> 64),
        static_cast<std::uint64_t>(middle), static_cast<std::uint64_t>(low)};

    // The two integer bits become the quarter; the fraction is taken to the nearer side.
    auto quarter = static_cast<std::uint32_t>(product[0] >> 62);
    for (std::size_t i = 0; i != 3; ++i) {
        product[i] = product[i] << 2 | (i != 2 ? product[i + 1] >> 62 : 0);
    }
    const bool above_half = product[0] >> 63 != 0;
    if (above_half) {
        quarter = (quarter + 1) & 3;
        for (std::uint64_t& word : product) {
            word = ~word;  // off by 2^-190, far below the error of the product
        }
    }
    int leading = 0;
    while (product[0] == 0 && leading != 128) {
        product = {product[1], product[2], 0};
        leading += 64;
    }
    const int shift = std::countl_zero(product[0]);
    if (shift != 0 && shift != 64) {
        product[0] = product[0] << shift | product[1] >> (64 - shift);
        product[1] = product[1] << shift | product[2] >> (64 - shift);
    }
    // The first 53 bits, and the 64 that follow them.
    const double scale =
        std::bit_cast<double>(static_cast<std::uint64_t>(1023 - leading - shift) << 52);
    const double high = static_cast<double>(product[0] >> 11) * 0x1p-53 * scale;
    const double low_part =
        static_cast<double>(product[0] << 53 >> 1 | product[1] >> 12) * 0x1p-116 * scale;
    constexpr double_double half_pi{0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54};
    double_double rest = detail::exact_sum_ordered(high, low_part) * half_pi;
    if (above_half) {
        rest = {-rest.high, -rest.low};
    }
    return {quarter, rest};
}

/// c[0] + z c[1] + ... + z^7 c[7]
double series(const std::array<double, 8>& c, double z) {
    double sum = c[7];
    for (std::size_t i = 7; i-- != 0;) {
        sum = sum * z + c[i];
    }
    return sum;
}

/// The sine of a + b for |a| <= pi/4 and |b| <= ulp(a).
double sine_of_rest(double_double angle) {
    const double a = angle.high;
    const double z = a * a;
    // -1/3!, 1/5!, ...
    constexpr std::array<double, 8> c = {-1.0 / 6,
                                         1.0 / 120,
                                         -1.0 / 5040,
                                         1.0 / 362880,
                                         -1.0 / 39916800.0,
                                         1.0 / 6227020800.0,
                                         -1.0 / 1307674368000.0,
                                         1.0 / 355687428096000.0};
    return a + (a * z * series(c, z) + angle.low * (1 - 0.5 * z));
}

/// The cosine, likewise.
double cosine_of_rest(double_double angle) {
    const double a = angle.high;
    const double z = a * a;
    // 1/4!, -1/6!, ...
    constexpr std::array<double, 8> c = {1.0 / 24,
                                         -1.0 / 720,
                                         1.0 / 40320,
                                         -1.0 / 3628800,
                                         1.0 / 479001600.0,
                                         -1.0 / 87178291200.0,
                                         1.0 / 20922789888000.0,
                                         -1.0 / 6402373705728000.0};
    const double half = 0.5 * z;
    const double sum = 1 - half;
    return sum + (((1 - sum) - half) + (z * z * series(c, z) - a * angle.low));
}

/// The sine of `quarter` quarter turns and the rest.
double sine_of(std::uint32_t quarter, double_double rest) {
    const double size = quarter % 2 == 0 ? sine_of_rest(rest) : cosine_of_rest(rest);
    return quarter % 4 < 2 ? size : -size;
}

constexpr double quarter_pi = 0x1.921fb54442d18p-1;

}  // namespace

double sin(double x) noexcept {
    if (x >= -quarter_pi && x <= quarter_pi) {
        return x == 0 ? x : sine_of_rest({x, 0});
    }
    const double size = x < 0 ? -x : x;
    if (!(size < std::numeric_limits<double>::infinity())) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    const auto [quarter, rest] = reduce(size);
    const double value = sine_of(quarter, rest);
    return x < 0 ? -value : value;
}

double cos(double x) noexcept {
    const double size = x < 0 ? -x : x;
    if (size <= quarter_pi) {
        return cosine_of_rest({size, 0});
    }
    if (!(size < std::numeric_limits<double>::infinity())) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    const auto [quarter, rest] = reduce(size);
    return sine_of(quarter + 1, rest);
}

}  // namespace fleetarium::exact_math
