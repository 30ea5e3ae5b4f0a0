#pragma once

/// Elementary functions that return the same bits on every machine.
///
/// The functions of <cmath> may differ in the last bit between versions of a C library, between
/// libraries, and between processors (a library picks another routine where it finds fused
/// multiply-add). One bit in one latency reorders events, and two runs of one seed part ways. These
/// functions use only what IEEE 754 defines to the bit: + - * / and the square root, and integer
/// arithmetic. They are reproducible, not correctly rounded: the errors stated are those measured.
/// The build must not contract expressions (-ffp-contract=off) nor use fast math.
///
/// Special values are those of <cmath>: NaN where a function is not defined, infinities at poles.
/// No state, no errno, no rounding mode but the default. Each call takes 5 to 30 ns.
namespace fleetarium::exact_math {

/// e to the power `x`, within 1 ulp.
double exp(double x) noexcept;

/// The natural logarithm, within 1 ulp.
double log(double x) noexcept;

/// `x` to the power `y`, within 2 ulp.
double pow(double x, double y) noexcept;

/// The sine of `x` radians, within 1 ulp for every finite `x`.
double sin(double x) noexcept;

/// The cosine of `x` radians, within 1 ulp for every finite `x`.
double cos(double x) noexcept;

/// The value that a standard normal variable stays below with the probability `p`, within a
/// relative error of 1e-15: the infinities for 0 and 1, NaN outside [0, 1].
double normal_quantile(double p) noexcept;

}  // namespace fleetarium::exact_math
