// Generators with physics, series, and what goes wrong with sensors.

#include <fleetarium/sim/generator_series.hpp>
#include <support/generator_subject.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using test::always;
using namespace std::chrono_literals;

namespace {

using subject = test::generator_subject;

std::shared_ptr<const value_series> series_of(std::string_view text, const series_generator& spec) {
    auto read = sim::detail::parse_series(text, "d.csv", spec);
    if (const auto* wrong = std::get_if<config::problem>(&read)) {
        FAIL(config::to_string(*wrong));
    }
    return std::get<std::shared_ptr<const value_series>>(read);
}

std::string problem_of(std::string_view text, const series_generator& spec) {
    const auto read = sim::detail::parse_series(text, "d.csv", spec);
    const auto* const wrong = std::get_if<config::problem>(&read);
    return wrong == nullptr ? "" : config::to_string(*wrong);
}

}  // namespace

TEST_CASE("a battery is drained by time and by messages", "[sim][generator]") {
    subject s({{.name = "battery",
                .battery = battery_generator{
                    .capacity = 1000, .drain = {.value = 10}, .drain_per_message = 0.5}}});
    CHECK(s.show("{battery} {battery.charge} {battery.volts} {battery.charging}", 0s) ==
          "100.0 1000.00 4.200 false");
    CHECK(s.show("{battery.charge}", 10h) == "900.00");
    CHECK(s.show("{battery.charge}", 10h, 100) == "850.00");
    CHECK(s.show("{battery.charge}", 10h, 100) == "850.00");
    CHECK(s.show("{battery} {battery.volts}", 60h, 100) == "35.0 3.420");
    CHECK(s.show("{battery} {battery.volts}", 600h, 100) == "0.0 3.000");
}

TEST_CASE("a battery is charged between its marks, however seldom it is asked",
          "[sim][generator]") {
    const std::vector<generator_spec> specs{{.name = "b",
                                             .battery = battery_generator{.capacity = 100,
                                                                          .drain = {.value = 10},
                                                                          .charge = 30,
                                                                          .charge_below = 20,
                                                                          .charge_until = 80}}};
    subject s(specs);
    // 8 h down to 20, 3 h at +20 an hour up to 80, 6 h down, and so on.
    CHECK(s.show("{b} {b.charging}", 7h) == "30.0 false");
    CHECK(s.show("{b} {b.charging}", 9h) == "40.0 true");
    CHECK(s.show("{b} {b.charging}", 12h) == "70.0 false");
    subject seldom(specs);
    CHECK(seldom.show("{b}", 9h * 100 + 8h) == "20.0");
    CHECK(seldom.show("{b} {b.charging}", 9h * 100 + 9h) == "40.0 true");
}

TEST_CASE("a room cools by its time constant, and its thermostat holds it", "[sim][generator]") {
    SECTION("without a heater") {
        subject s({{.name = "room",
                    .thermal = thermal_generator{
                        .ambient = {.value = 5}, .time_constant = 2h, .start = 25}}});
        CHECK(s.show("{room}", 0s) == "25.00");
        CHECK(s.value("{room:6}", 2h) == Approx(5 + 20 * std::exp(-1)).margin(1e-5));
        CHECK(s.value("{room:6}", 6h) == Approx(5 + 20 * std::exp(-3)).margin(1e-5));
    }
    SECTION("with one") {
        const std::vector<generator_spec> specs{
            {.name = "room",
             .thermal = thermal_generator{.ambient = {.value = 5},
                                          .time_constant = 2h,
                                          .heater = 40,
                                          .setpoint = 20,
                                          .hysteresis = 1},
             .decimals = 6}};
        subject s(specs);
        CHECK(s.show("{room:1} {room.heating}", 0s) == "5.0 true");
        std::set<std::string> heating;
        double lowest = 99;
        double highest = 0;
        for (int minute = 120; minute < 24 * 60; ++minute) {
            const double now = s.value("{room}", minute * 1min);
            lowest = std::min(lowest, now);
            highest = std::max(highest, now);
            heating.insert(s.show("{room.heating}", minute * 1min));
        }
        CHECK(lowest >= 19.5 - 1e-5);
        CHECK(highest <= 20.5 + 1e-5);
        CHECK(highest - lowest > 0.9);
        CHECK(heating == std::set<std::string>{"false", "true"});
        // A day at once, or by minutes: the same room.
        subject seldom(specs);
        CHECK(seldom.value("{room}", 1439min) == Approx(s.value("{room}", 1439min)).margin(1e-4));
    }
}

TEST_CASE("a vehicle follows its route at its speed", "[sim][generator]") {
    // A degree along a meridian is 111.195 km on a sphere of the mean radius.
    const std::vector<route_point> north_then_east{{0, 0}, {1, 0}, {1, 1}};
    const auto with = [&](route_end end) {
        return std::vector<generator_spec>{
            {.name = "truck",
             .route =
                 route_generator{.points = north_then_east, .speed = {.value = 20}, .end = end}}};
    };
    const std::string_view place = "{truck.lat:3} {truck.lon:3} {truck.heading} {truck.speed}";
    const duration leg = 5559754ms;  // 111195.08 m at 20 m/s
    SECTION("to its end") {
        subject s(with(route_end::stop));
        CHECK(s.show(place, 0s) == "0.000 0.000 0.0 20.0");
        CHECK(s.show(place, leg / 2) == "0.500 0.000 0.0 20.0");
        CHECK(s.show(place, leg + leg / 2) == "1.000 0.500 90.0 20.0");
        CHECK(s.show(place, leg * 3) == "1.000 1.000 90.0 0.0");
    }
    SECTION("and back") {
        subject s(with(route_end::turn));
        CHECK(s.show(place, leg * 3) == "1.000 0.000 180.0 20.0");
        CHECK(s.show(place, leg * 3 + leg / 2) == "0.500 0.000 180.0 20.0");
    }
    SECTION("round and round") {
        subject s(with(route_end::loop));
        CHECK(s.show("{truck.heading:0}", leg * 2 + 60s) == "225");
        CHECK(s.value("{truck.distance}", leg) == Approx(111'195));
    }
    SECTION("from anywhere") {
        auto specs = with(route_end::loop);
        specs[0].route->anywhere = true;
        subject one(specs, 1);
        subject other(specs, 2);
        CHECK(one.show(place, 0s) != other.show(place, 0s));
    }
    SECTION("across the date line") {
        subject s({{.name = "ship",
                    .route = route_generator{.points = {{0, 179}, {0, -179}},
                                             .speed = {.value = 111'195.08 / 3600},
                                             .end = route_end::stop}}});
        CHECK(s.show("{ship.lon:2} {ship.heading:0}", 90min) == "-179.50 90");
    }
    SECTION("at the speed of another generator") {
        subject s(
            {{.name = "speed", .counter = counter_generator{.step = 10, .every = 1h}},
             {.name = "truck",
              .route = route_generator{.points = north_then_east, .speed = {.from = "speed"}}}});
        CHECK(s.show("{truck.distance}", 0s) == "0");
        CHECK(s.show("{truck.distance}", 1h) == "18000");  // half the way at 0, half at 10 m/s
        CHECK(s.show("{truck.distance} {truck.speed}", 2h) == "72000 20.0");
    }
}

TEST_CASE("a series is played back from its file's first row", "[sim][generator][csv]") {
    series_generator spec{.file = "d.csv", .column = "temperature", .time = "date"};
    constexpr std::string_view text =
        "date,temperature,\"note, quoted\"\r\n"
        "2010-01-01T00:00:00,39.4,\"a \"\"b\"\"\"\r\n"
        "2010-01-01T01:00:00,39.2,x\r\n"
        "\r\n"
        "2010/01/01 03:00,39.0,\r\n";
    const auto show = [&](duration at) {
        spec.values = series_of(text, spec);
        subject s({{.name = "t", .csv = spec}});
        return s.show("{t:2}", at);
    };
    CHECK(show(0s) == "39.40");
    CHECK(show(30min) == "39.30");
    CHECK(show(2h) == "39.10");
    CHECK(show(4h) == "39.20");  // as long to the first row again as between the last two
    CHECK(show(5h) == "39.40");
    CHECK(show(6h) == "39.20");
    spec.end = series_end::hold;
    CHECK(show(24h * 365) == "39.00");
    spec.between = false;
    CHECK(show(59min) == "39.40");
    CHECK(show(60min) == "39.20");
    spec.values = series_of(text, spec);
    CHECK(subject({{.name = "t", .csv = spec}}).show("{t}", 0s) == "39.4");
}

TEST_CASE("rows without times are a period apart", "[sim][generator][csv]") {
    series_generator spec{.file = "d.csv", .column = "v", .period = 10s, .between = false};
    spec.values = series_of("v\n1\n2\n3", spec);
    subject s({{.name = "v", .csv = spec}});
    std::string all;
    for (int i = 0; i < 8; ++i) {
        all += s.show("{v}", i * 5s);
    }
    CHECK(all == "11223311");
    spec.spread = 1h;
    CHECK(subject({{.name = "v", .csv = spec}}, 1).show("{v:5}", 5s) !=
          subject({{.name = "w", .csv = spec}}, 9).show("{w:4}", 5s));
}

TEST_CASE("a bad row of a series is named by file and line", "[sim][generator][csv]") {
    const series_generator timed{.file = "d.csv", .column = "v", .time = "t"};
    const series_generator even{.file = "d.csv", .column = "v", .period = 1s};
    const std::vector<std::tuple<std::string, series_generator, std::string>> cases{
        {"", even, "d.csv:1:1: found an empty file, expected a line with the names of columns"},
        {"v\n", even, "d.csv:2:1: found no rows, expected at least one row below the names"},
        {"a,value\n1,2\n", even,
         R"(d.csv:1:1: found no column "v", expected one of the columns a or value)"},
        {"a,v\n1,2\n3,x\n", even, R"(d.csv:3:3: found "x" in column "v", expected a number)"},
        {"v\n1\nx\n", even, R"(d.csv:3:1: found "x" in column "v", expected a number)"},
        {"v\n1\n\n\nnan\n", even, R"(d.csv:5:1: found "nan" in column "v", expected a number)"},
        {"v,w\n1,2\n3,\"4\n\"\n5,,6\n", even,
         "d.csv:5:1: found 3 fields, expected 2, as the first line has names"},
        {"t,v\n1,1\nnoon,2\n", timed,
         R"(d.csv:3:1: found "noon" in column "t", expected a number of seconds, or a date such )"
         "as 2010-01-31T06:30"},
        {"t,v\n2010-02-29,1\n", timed,
         R"(d.csv:2:1: found "2010-02-29" in column "t", expected a number of seconds, or a date )"
         "such as 2010-01-31T06:30"},
        {"t,v\n5,1\n5,2\n", timed,
         R"(d.csv:3:1: found "5" in column "t", expected a time after that of the row before)"}};
    for (const auto& [text, spec, expected] : cases) {
        CHECK(problem_of(text, spec) == expected);
    }
}

TEST_CASE("spikes come as often as they should, and are as far off", "[sim][generator]") {
    subject s({{.name = "v",
                .constant = constant_generator{.value = 1},
                .spikes = spike_spec{.probability = 0.1, .min = 20, .max = 30}}});
    int spikes = 0;
    for (int i = 0; i < 10'000; ++i) {
        const double now = s.value("{v:3}", i * 1s);
        if (now != 1) {
            ++spikes;
            CHECK(now >= 21);
            CHECK(now <= 31);
        }
    }
    CHECK(spikes == Approx(1000).epsilon(0.1));
}

TEST_CASE("a stuck sensor gives its last value until it comes loose", "[sim][generator]") {
    subject s({{.name = "n",
                .counter = counter_generator{.every = 1s},
                .stuck = stuck_spec{.every = always(10s), .lasts = always(4s)}}});
    std::string all;
    for (int i = 7; i <= 27; ++i) {
        all += s.show("{n}", i * 1s) + " ";
    }
    CHECK(all == "7 8 9 9 9 9 9 14 15 16 17 18 19 20 21 22 23 23 23 23 23 ");
}

TEST_CASE("missing values are null, or there is no message", "[sim][generator]") {
    generator_spec spec{
        .name = "n",
        .counter = counter_generator{.every = 1s},
        .missing = missing_spec{.gaps = stuck_spec{.every = always(3s), .lasts = always(2s)}}};
    const auto seconds = [&] {
        subject s({spec});
        std::string all;
        for (int i = 0; i < 7; ++i) {
            all += s.show("{n} ", i * 1s);
        }
        return all;
    };
    CHECK(seconds() == "0 1 2 null null 5 6 ");
    spec.missing->as = missing_as::skip;
    CHECK(seconds() == "0 1 2 skippedskipped5 6 ");
    spec.missing = missing_spec{.probability = 0.25};
    subject s({spec});
    int missing = 0;
    for (int i = 0; i < 10'000; ++i) {
        missing += s.show("{n}", i * 1s) == "null";
    }
    CHECK(missing == Approx(2500).epsilon(0.05));
}

TEST_CASE("beyond a sensor's range its end is read", "[sim][generator]") {
    subject s(
        {{.name = "h", .sine = sine_generator{.mean = 50, .amplitude = 80}, .min = 0, .max = 100}});
    CHECK(s.show("{h}", 0s) == "100.00");
    CHECK(s.show("{h}", 6h) == "50.00");
    CHECK(s.show("{h}", 12h) == "0.00");
}

TEST_CASE("a sum follows its terms, whatever their sensors do", "[sim][generator]") {
    subject s({{.name = "t",
                .sine = sine_generator{.mean = 20, .amplitude = 10},
                .spikes = spike_spec{.probability = 1, .min = 50, .max = 50}},
               {.name = "truck",
                .route = route_generator{.points = {{0, 0}, {1, 0}}, .speed = {.value = 10}}},
               {.name = "sum",
                .sum = sum_generator{
                    .offset = 100,
                    .terms = {{.of = "t", .times = -1.5}, {.of = "truck.speed", .times = 2}}}}});
    CHECK(s.show("{t} {sum}", 0s) == "80.00 75.00");
    CHECK(s.show("{sum}", 12h) == "105.00");
}
