#include <fleetarium/core/exact_math.hpp>

#include <fleetarium/core/random.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

using namespace fleetarium;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

using function = double (*)(double) noexcept;

struct golden {
    function of;
    double x;
    double value;
};

std::uint64_t bits_of(double value) { return std::bit_cast<std::uint64_t>(value); }

/// The distance to libm's value in units of its last place; libm itself is off by up to one.
double ulps(double value, double reference) {
    if (value == reference) {
        return 0;
    }
    const double place = std::nextafter(std::abs(reference), infinity) - std::abs(reference);
    return std::abs(value - reference) / place;
}

constexpr double tolerance = 2;

/// A finite double of any size and sign.
double any_double(random_stream& draws) {
    for (;;) {
        const auto drawn = std::bit_cast<double>(draws.next_u64());
        if (std::isfinite(drawn)) {
            return drawn;
        }
    }
}

/// The probability that a standard normal variable stays below x.
double normal_probability(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }

}  // namespace

TEST_CASE("elementary functions return these bits on every machine", "[exact_math]") {
    static const golden table[] = {
        {exact_math::exp, -0x1.748p+9, 0x0.0000000000001p-1022},
        {exact_math::exp, -0x1p+0, 0x1.78b56362cef38p-2},
        {exact_math::exp, -0x1.12e0be826d695p-30, 0x1.fffffff768fa1p-1},
        {exact_math::exp, 0x1.999999999999ap-4, 0x1.1aec7b35a00d4p+0},
        {exact_math::exp, 0x1p-1, 0x1.a61298e1e069cp+0},
        {exact_math::exp, 0x1p+0, 0x1.5bf0a8b14576ap+1},
        {exact_math::exp, 0x1.921f9f01b866ep+1, 0x1.7240068789162p+4},
        {exact_math::exp, 0x1.9p+6, 0x1.3494a9b171bf5p+144},
        {exact_math::exp, 0x1.628p+9, 0x1.d422d2be5dc9bp+1022},
        {exact_math::log, 0x0.0000000000001p-1022, -0x1.74385446d71c3p+9},
        {exact_math::log, 0x1.56e1fc2f8f359p-997, -0x1.5963447f87fb5p+9},
        {exact_math::log, 0x1.999999999999ap-4, -0x1.26bb1bbb55515p+1},
        {exact_math::log, 0x1p-1, -0x1.62e42fefa39efp-1},
        {exact_math::log, 0x1.fffeb074a771dp-1, -0x1.4f8bc681df714p-17},
        {exact_math::log, 0x1.0000a7c5ac472p+0, 0x1.4f8aea9af0a25p-17},
        {exact_math::log, 0x1p+1, 0x1.62e42fefa39efp-1},
        {exact_math::log, 0x1.921f9f01b866ep+1, 0x1.250cf662abf9ap+0},
        {exact_math::log, 0x1.4p+3, 0x1.26bb1bbb55516p+1},
        {exact_math::log, 0x1.7e43c8800759cp+996, 0x1.5963447f87fb5p+9},
        {exact_math::sin, 0x1.12e0be826d695p-30, 0x1.12e0be826d695p-30},
        {exact_math::sin, 0x1p-1, 0x1.eaee8744b05fp-2},
        {exact_math::sin, 0x1.921fb54442d19p-1, 0x1.6a09e667f3bcdp-1},
        {exact_math::sin, 0x1p+0, 0x1.aed548f090ceep-1},
        {exact_math::sin, 0x1p+1, 0x1.d18f6ead1b446p-1},
        {exact_math::sin, 0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53},
        {exact_math::sin, -0x1p+2, 0x1.837b9dddc1eaep-1},
        {exact_math::sin, 0x1.9p+6, -0x1.03425b78c4db8p-1},
        {exact_math::sin, 0x1.dcd65p+29, 0x1.1778cae83c69bp-1},
        {exact_math::sin, 0x1.0f0cf064dd592p+73, -0x1.b453ab76bf397p-1},
        {exact_math::sin, 0x1.e42d130773b76p+1023, -0x1.30c567d277075p-1},
        {exact_math::cos, 0x1.12e0be826d695p-30, 0x1p+0},
        {exact_math::cos, 0x1p-1, 0x1.c1528065b7d5p-1},
        {exact_math::cos, 0x1.921fb54442d19p-1, 0x1.6a09e667f3bccp-1},
        {exact_math::cos, 0x1p+0, 0x1.14a280fb5068cp-1},
        {exact_math::cos, 0x1p+1, -0x1.aa22657537205p-2},
        {exact_math::cos, 0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54},
        {exact_math::cos, -0x1p+2, -0x1.4eaa606db24c1p-1},
        {exact_math::cos, 0x1.9p+6, 0x1.b981dbf665fdfp-1},
        {exact_math::cos, 0x1.dcd65p+29, 0x1.acff8c7364233p-1},
        {exact_math::cos, 0x1.0f0cf064dd592p+73, 0x1.0be2cef01c8f4p-1},
        {exact_math::cos, 0x1.e42d130773b76p+1023, 0x1.9b6913f41bde3p-1},
        {exact_math::normal_quantile, 0x1.56e1fc2f8f359p-997, -0x1.286074064c26ep+5},
        {exact_math::normal_quantile, 0x1.b7cdfd9d7bdbbp-34, -0x1.97203597a2154p+2},
        {exact_math::normal_quantile, 0x1.47ae147ae147bp-7, -0x1.29c5c4630ff0ep+1},
        {exact_math::normal_quantile, 0x1.1eb851eb851ecp-4, -0x1.79cd70d9c27fp+0},
        {exact_math::normal_quantile, 0x1.3333333333333p-2, -0x1.0c7e39582c5fap-1},
        {exact_math::normal_quantile, 0x1p-1, 0x0p+0},
        {exact_math::normal_quantile, 0x1.3333333333333p-1, 0x1.036d6c4a04b5ap-2},
        {exact_math::normal_quantile, 0x1.e666666666666p-1, 0x1.a515209676ab8p+0},
        {exact_math::normal_quantile, 0x1.ffffde7210be9p-1, 0x1.30381a97985f1p+2},
    };
    for (const auto& [of, x, value] : table) {
        CAPTURE(x, value);
        CHECK(bits_of(of(x)) == bits_of(value));
    }
}

TEST_CASE("powers have these bits on every machine", "[exact_math]") {
    static constexpr std::array<double, 3> table[] = {
        {0x1p+1, 0x1p-1, 0x1.6a09e667f3bccp+0},
        {0x1.4p+3, -0x1.8p+1, 0x1.0624dd2f1a9fcp-10},
        {0x1.00068db8bac71p+0, 0x1.388p+13, 0x1.5bec34aabbfd3p+1},
        {0x1.3333333333333p-2, 0x1.ecccccccccccdp+2, 0x1.8ae7e5b4e6baep-14},
        {0x1.87e92154ef7acp-665, 0x1.8p+0, 0x1.56e1fc2f8f358p-997},
        {0x1.8p+1, -0x1.2cp+9, 0x1.0406143142763p-951},
        {-0x1p+1, 0x1.8p+1, -0x1p+3},
    };
    for (const auto& [x, y, value] : table) {
        CAPTURE(x, y);
        CHECK(bits_of(exact_math::pow(x, y)) == bits_of(value));
    }
}

TEST_CASE("a long chain of results has this hash on every machine", "[exact_math]") {
    random_stream draws(1, 0, "chain");
    std::uint64_t hash = 0;
    for (int i = 0; i != 20'000; ++i) {
        const double x = draws.uniform() * 1400 - 700;
        const double positive = std::abs(any_double(draws));
        const double angle = any_double(draws);
        const double base = draws.uniform() * 10;
        hash = combine(hash, bits_of(exact_math::exp(x)));
        hash = combine(hash, bits_of(exact_math::log(positive)));
        hash = combine(hash, bits_of(exact_math::sin(angle)));
        hash = combine(hash, bits_of(exact_math::cos(x)));
        hash = combine(hash, bits_of(exact_math::pow(base, x / 10)));
        hash = combine(hash, bits_of(exact_math::normal_quantile(base / 10)));
    }
    CHECK(hash == 0x211af88c12064e52);
}

TEST_CASE("exp and log agree with libm", "[exact_math]") {
    random_stream draws(2, 0, "exp and log");
    for (int i = 0; i != 50'000; ++i) {
        const double x = draws.uniform() * 1450 - 740;
        const double small = draws.uniform() - 0.5;
        const double positive = std::abs(any_double(draws));
        const double near_one = 1 + small / 16;
        CAPTURE(x, small, positive, near_one);
        REQUIRE(ulps(exact_math::exp(x), std::exp(x)) <= tolerance);
        REQUIRE(ulps(exact_math::exp(small), std::exp(small)) <= tolerance);
        REQUIRE(ulps(exact_math::log(positive), std::log(positive)) <= tolerance);
        REQUIRE(ulps(exact_math::log(near_one), std::log(near_one)) <= tolerance);
    }
}

TEST_CASE("sine and cosine agree with libm for angles of any size", "[exact_math]") {
    random_stream draws(3, 0, "sine");
    for (int i = 0; i != 50'000; ++i) {
        const double angles[] = {
            draws.uniform() * 8 - 4, draws.uniform() * 2e6 - 1e6, any_double(draws),
            // near a multiple of pi/2, where most digits cancel
            static_cast<double>(draws.between(-100'000, 100'000)) * 1.5707963267948966};
        for (const double angle : angles) {
            CAPTURE(angle);
            REQUIRE(ulps(exact_math::sin(angle), std::sin(angle)) <= tolerance);
            REQUIRE(ulps(exact_math::cos(angle), std::cos(angle)) <= tolerance);
        }
    }
    // The double closest to a multiple of pi/2 relative to its size, against 2,000-bit arithmetic:
    // C libraries differ here by several units.
    const double hardest = 6381956970095103.0 * 0x1p797;
    CHECK(exact_math::cos(hardest) == -0x1.14ae72e6ba22fp-61);
    CHECK(exact_math::sin(hardest) == 1);
}

TEST_CASE("powers agree with libm", "[exact_math]") {
    random_stream draws(4, 0, "pow");
    for (int i = 0; i != 50'000; ++i) {
        const double x = std::abs(any_double(draws));
        const double y = (draws.uniform() * 2 - 1) * 740 / std::log(x);
        const double near_one = 1 + (draws.uniform() - 0.5) * 1e-6;
        const double large = (draws.uniform() - 0.5) * 1e9;
        const auto whole = static_cast<double>(draws.between(-30, 30));
        CAPTURE(x, y, near_one, large, whole);
        REQUIRE(ulps(exact_math::pow(x, y), std::pow(x, y)) <= tolerance);
        REQUIRE(ulps(exact_math::pow(near_one, large), std::pow(near_one, large)) <= tolerance);
        REQUIRE(ulps(exact_math::pow(-1.5, whole), std::pow(-1.5, whole)) <= tolerance);
    }
}

TEST_CASE("the normal quantile is the inverse of the normal probability", "[exact_math]") {
    random_stream draws(5, 0, "quantile");
    for (int i = 0; i != 20'000; ++i) {
        const double p = draws.uniform() * (draws.bernoulli(0.5) ? 1 : 1e-12);
        const double x = exact_math::normal_quantile(p);
        CAPTURE(p, x);
        // An error of x shows in p multiplied by the density over p, which grows with |x|.
        REQUIRE(normal_probability(x) == Approx(p).epsilon(1e-15 * (4 + x * x)).margin(0));
    }
    CHECK(exact_math::normal_quantile(0.5) == 0);
    CHECK(exact_math::normal_quantile(0.25) == -exact_math::normal_quantile(0.75));
}

TEST_CASE("special values are those of the C library", "[exact_math]") {
    const double values[] = {0.0,    -0.0,     1,         -1,          0.5,           -0.5,
                             2,      -2,       3,         -3,          1e300,         -1e300,
                             5e-324, -5e-324,  0x1p53,    0x1p53 - 1,  -(0x1p53 - 1), 710,
                             -746,   infinity, -infinity, not_a_number};
    const auto same = [](double value, double reference) {
        if (std::isnan(reference)) {
            return std::isnan(value);
        }
        return ulps(value, reference) <= tolerance &&
               std::signbit(value) == std::signbit(reference);
    };
    for (const double x : values) {
        CAPTURE(x);
        CHECK(same(exact_math::exp(x), std::exp(x)));
        CHECK(same(exact_math::log(x), std::log(x)));
        CHECK(same(exact_math::sin(x), std::sin(x)));
        CHECK(same(exact_math::cos(x), std::cos(x)));
        for (const double y : values) {
            CAPTURE(y);
            CHECK(same(exact_math::pow(x, y), std::pow(x, y)));
        }
    }
    CHECK(exact_math::normal_quantile(0) == -infinity);
    CHECK(exact_math::normal_quantile(1) == infinity);
    CHECK(std::isnan(exact_math::normal_quantile(-0.1)));
    CHECK(std::isnan(exact_math::normal_quantile(1.1)));
    CHECK(std::isnan(exact_math::normal_quantile(not_a_number)));
}
