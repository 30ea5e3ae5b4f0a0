#pragma once

namespace fleetarium::detail {

/// An unevaluated sum of two doubles with |low| <= ulp(high) / 2: about 106 bits.
/// Built on exact errors of sums (Knuth) and products (Dekker), so it too uses only operations
/// that IEEE 754 defines to the bit. No overflow checks: for numbers well inside the range.
struct double_double {
    double high;
    double low;
};

/// a + b for |a| >= |b|, without error.
constexpr double_double exact_sum_ordered(double a, double b) {
    const double sum = a + b;
    return {sum, b - (sum - a)};
}

/// a + b, without error.
constexpr double_double exact_sum(double a, double b) {
    const double sum = a + b;
    const double b_part = sum - a;
    const double a_part = sum - b_part;
    return {sum, (a - a_part) + (b - b_part)};
}

/// a * b, without error.
constexpr double_double exact_product(double a, double b) {
    // Each factor in two halves of 26 bits, whose products are exact.
    constexpr double splitter = 0x1p27 + 1;
    const double a_scaled = splitter * a;
    const double a_high = a_scaled - (a_scaled - a);
    const double a_low = a - a_high;
    const double b_scaled = splitter * b;
    const double b_high = b_scaled - (b_scaled - b);
    const double b_low = b - b_high;
    const double product = a * b;
    return {product,
            ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
}

constexpr double_double operator+(double_double a, double_double b) {
    const double_double sum = exact_sum(a.high, b.high);
    return exact_sum_ordered(sum.high, sum.low + (a.low + b.low));
}

constexpr double_double operator*(double_double a, double_double b) {
    const double_double product = exact_product(a.high, b.high);
    return exact_sum_ordered(product.high, product.low + (a.high * b.low + a.low * b.high));
}

constexpr double_double operator/(double_double a, double_double b) {
    const double first = a.high / b.high;
    const double_double back = exact_product(first, b.high);
    const double rest = (((a.high - back.high) - back.low) + a.low) - first * b.low;
    return exact_sum_ordered(first, rest / b.high);
}

}  // namespace fleetarium::detail
