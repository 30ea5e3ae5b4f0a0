#include <fleetarium/dashboard/plot_axis.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

using namespace fleetarium::dashboard::plot;

namespace {

using numbers = std::vector<double>;

const double no_number = nothing;

}  // namespace

TEST_CASE("numbers have three digits that count, and a unit", "[plot]") {
    CHECK(number_words(0) == "0");
    CHECK(number_words(-0.0) == "0");
    CHECK(number_words(0.25) == "0.25");
    CHECK(number_words(0.0004) == "4.0e-04");
    CHECK(number_words(7) == "7");
    CHECK(number_words(12.54) == "12.5");
    CHECK(number_words(999.4) == "999");
    CHECK(number_words(999.5) == "1k");
    CHECK(number_words(12'345) == "12.3k");
    CHECK(number_words(-4'560'000) == "-4.56M");
    CHECK(number_words(1e30) == "1.0e+30");
    CHECK(number_words(no_number) == "–");
    CHECK(number_words(std::numeric_limits<double>::infinity()) == "∞");
}

TEST_CASE("counts are whole, with their thousands apart", "[plot]") {
    CHECK(count_words(0) == "0");
    CHECK(count_words(999) == "999");
    CHECK(count_words(1000) == "1,000");
    CHECK(count_words(12'345'678) == "12,345,678");
    CHECK(count_words(-1'234) == "-1,234");
    CHECK(count_words(-123) == "-123");
    CHECK(count_words(-0.1) == "0");
    CHECK(count_words(no_number) == "–");
}

TEST_CASE("lengths of time have the unit in which they are read best", "[plot]") {
    CHECK(duration_words(0) == "0 s");
    CHECK(duration_words(250e-9) == "250 ns");
    CHECK(duration_words(12.5e-6) == "12.5 µs");
    CHECK(duration_words(0.0081) == "8.1 ms");
    CHECK(duration_words(0.9996) == "1 s");
    CHECK(duration_words(59) == "59 s");
    CHECK(duration_words(90) == "1.5 min");
    CHECK(duration_words(7200) == "2 h");
    CHECK(duration_words(345'600) == "4 d");
    CHECK(duration_words(-0.002) == "-2 ms");
    CHECK(duration_words(no_number) == "–");
}

TEST_CASE("instants have as many decimals as their distance needs", "[plot]") {
    CHECK(time_words(754.5, 0.1) == "0:12:34.5");
    CHECK(time_words(754.5, 10) == "0:12:35");
    CHECK(time_words(59.9999, 0.001) == "0:01:00.000");
    CHECK(time_words(1e-6, 1e-6) == "0:00:00.000001");
    CHECK(time_words(3 * 86'400 + 7200, 3600) == "3d 02:00:00");
    CHECK(time_words(-5, 1) == "-0:00:05");
    CHECK(time_words(-0.01, 1) == "0:00:00");
    CHECK(time_words(no_number, 1) == "–");
}

TEST_CASE("ticks are round, within their range and not too many", "[plot]") {
    CHECK(number_ticks(0, 10, 6) == numbers{0, 2, 4, 6, 8, 10});
    CHECK(number_ticks(0, 10, 5) == numbers{0, 5, 10});
    CHECK(number_ticks(-0.3, 0.3, 3) == numbers{-0.2, 0, 0.2});
    CHECK(number_ticks(3, 3, 5).empty());
    CHECK(number_ticks(0, no_number, 5).empty());
    CHECK(time_ticks(0, 3600, 4) == numbers{0, 1800, 3600});
    CHECK(time_ticks(0, 3600, 5) == numbers{0, 900, 1800, 2700, 3600});
    CHECK(time_ticks(10, 70, 7) == numbers{10, 20, 30, 40, 50, 60, 70});
    CHECK(time_ticks(0, 0.01, 3) == numbers{0, 0.005, 0.01});
    CHECK(power_ticks(2e-3, 5e2, 8) == numbers{0.01, 0.1, 1, 10, 100});
    CHECK(power_ticks(1e-9, 1e9, 5).size() <= 6);
    CHECK(power_ticks(0, 10, 5).empty());
    for (double length = 1e-6; length < 1e9; length *= 3.7) {
        for (const int count : {1, 4, 11}) {
            const numbers ticks = time_ticks(5, 5 + length, count);
            INFO(length << " s in " << count);
            CHECK(ticks.size() <= static_cast<std::size_t>(count) + 1);
            for (const double tick : ticks) {
                CHECK(tick >= 5 - length * 1e-6);
                CHECK(tick <= 5 + length * (1 + 1e-6));
            }
        }
    }
}

TEST_CASE("a million points become as many columns as there are pixels, peaks included", "[plot]") {
    numbers times;
    numbers values;
    for (int i = 0; i < 1'000'000; ++i) {
        times.push_back(i * 1e-3);
        values.push_back(i == 777'777 ? 50 : i % 10);
    }
    const auto columns = columns_of(times, values, 0, 1000, 800);
    REQUIRE(columns.size() == 800);
    std::size_t points = 0;
    double most = 0;
    for (const pixel_column& each : columns) {
        points += each.count;
        most = std::max(most, each.most);
        CHECK(each.least == 0);
    }
    CHECK(points == times.size());
    CHECK(most == 50);
    CHECK(columns[622].most == 50);  // 777.777 s of 1000 s
}

TEST_CASE("columns take what is shown, and gaps count for nothing", "[plot]") {
    const numbers times{0, 1, 2, 3, 4, 5};
    const numbers values{9, 1, no_number, 3, 4, 9};
    const auto columns = columns_of(times, values, 1, 4, 3);
    CHECK(columns[0].count == 1);
    CHECK(columns[1].count == 0);
    CHECK(std::isnan(columns[1].most));
    CHECK(columns[2].count == 2);
    CHECK(columns[2].first == 3);
    CHECK(columns[2].last == 4);
    CHECK(columns[2].sum == 7);
    CHECK(columns_of(times, values, 4, 4, 3)[0].count == 0);
    CHECK_THROWS_AS(columns_of(times, numbers{1}, 0, 1, 3), std::invalid_argument);
}

TEST_CASE("the value at an instant is the last one before it", "[plot]") {
    const numbers times{1, 2, 3};
    const numbers values{10, 20, 30};
    CHECK(std::isnan(value_at(times, values, 0.5)));
    CHECK(value_at(times, values, 1) == 10);
    CHECK(value_at(times, values, 2.9) == 20);
    CHECK(value_at(times, values, 99) == 30);
}

TEST_CASE("what is shown goes with the time that comes, until one looks back", "[plot]") {
    time_axis axis;
    set_extent(axis, 0, 10);
    set_extent(axis, 0, 100);
    CHECK(axis.to == 100);
    CHECK(axis.from == 0);
    show(axis, 80, 100);
    CHECK(axis.follows);
    set_extent(axis, 0, 110);
    CHECK(axis.from == Approx(90));
    CHECK(axis.to == 110);
    pan(axis, -30);
    CHECK_FALSE(axis.follows);
    set_extent(axis, 0, 200);
    CHECK(axis.from == Approx(60));
    CHECK(axis.to == Approx(80));
    pan(axis, 1e9);
    CHECK(axis.follows);
    CHECK(axis.to == 200);
    // What was forgotten is no longer shown.
    show(axis, 0, 20);
    set_extent(axis, 50, 200);
    CHECK(axis.from == 50);
    CHECK(axis.to == Approx(70));
}

TEST_CASE("zooming keeps the instant under the pointer, within what there is", "[plot]") {
    time_axis axis;
    set_extent(axis, 0, 100);
    zoom(axis, 30, 0.5);
    CHECK(axis.from == Approx(15));
    CHECK(axis.to == Approx(65));
    zoom(axis, 30, 100);
    CHECK(axis.whole);
    CHECK(axis.length() == 100);
    for (int i = 0; i < 200; ++i) {
        zoom(axis, 30, 0.5);
    }
    CHECK(axis.length() == Approx(shortest).epsilon(0.01));
    show_whole(axis);
    CHECK(axis.from == 0);
    CHECK(axis.follows);
}
