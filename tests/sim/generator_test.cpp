// Generators on their own: what they give, by the laws they follow.
#include <fleetarium/core/hash.hpp>
#include <support/generator_subject.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using test::always;
using test::exponential;
using namespace std::chrono_literals;

namespace {

using subject = test::generator_subject;

generator_spec noisy(std::string name) {
    return {.name = std::move(name),
            .ornstein_uhlenbeck =
                ornstein_uhlenbeck_generator{.mean = 50, .deviation = 4, .time_constant = 10min},
            .decimals = 9};
}

}  // namespace

TEST_CASE("a constant is the same for ever, and with a spread one of the device's own",
          "[sim][generator]") {
    const std::vector<generator_spec> specs{
        {.name = "fixed", .constant = constant_generator{.value = 230.5}},
        {.name = "own", .constant = constant_generator{.value = 10, .spread = 2}, .decimals = 6}};
    subject one(specs, 1);
    subject other(specs, 2);
    CHECK(one.show("{fixed} {fixed:0} {fixed:3}", 0s) == "230.5 231 230.500");
    const double own = one.value("{own}", 0s);
    CHECK(own == one.value("{own}", 5h));
    CHECK(own >= 8);
    CHECK(own <= 12);
    CHECK(own != other.value("{own}", 0s));
}

TEST_CASE("a counter counts the instants it is asked at, or time", "[sim][generator]") {
    subject s({{.name = "n", .counter = counter_generator{.start = 10, .step = 2, .wrap = 3}},
               {.name = "kwh", .counter = counter_generator{.step = 0.5, .every = 15min}}});
    CHECK(s.show("{n} {kwh}", 1s) == "10 0.0");
    CHECK(s.show("{n} {n}", 1s) == "10 10");
    CHECK(s.show("{n}", 2s) == "12");
    CHECK(s.show("{n}", 3s) == "14");
    CHECK(s.show("{n}", 4s) == "10");
    CHECK(s.show("{kwh}", 45min) == "1.5");
}

TEST_CASE("a random walk stays between its walls and moves by the square root of time",
          "[sim][generator]") {
    subject s({{.name = "w",
                .walk = walk_generator{.min = -50, .max = 50, .step = 0.5, .every = 1min},
                .decimals = 9}});
    double last = s.value("{w}", 0s);
    double sum = 0;
    constexpr int steps = 20'000;
    double lowest = last;
    double highest = last;
    for (int i = 1; i <= steps; ++i) {
        const double now = s.value("{w}", i * 4min);
        sum += (now - last) * (now - last);
        lowest = std::min(lowest, now);
        highest = std::max(highest, now);
        last = now;
    }
    CHECK(lowest >= -50);
    CHECK(highest <= 50);
    CHECK(highest - lowest > 80);                     // it has been nearly everywhere
    CHECK(sum / steps == Approx(1.0).epsilon(0.05));  // 4 minutes: 0.5 * 2, squared
}

TEST_CASE("an Ornstein-Uhlenbeck process has its mean, deviation and memory, however it is asked",
          "[sim][generator]") {
    const auto every = GENERATE(1min, 7min);
    subject s({noisy("x")});
    double sum = 0;
    double squares = 0;
    double products = 0;
    double last = s.value("{x}", 0s) - 50;
    constexpr int steps = 40'000;
    for (int i = 1; i <= steps; ++i) {
        const double now = s.value("{x}", i * every) - 50;
        sum += now;
        squares += now * now;
        products += now * last;
        last = now;
    }
    CHECK(std::fabs(sum / steps) < 0.4);
    CHECK(squares / steps == Approx(16).epsilon(0.08));
    CHECK(products / squares ==
          Approx(std::exp(-static_cast<double>(every.count()) / 10)).margin(0.02));
}

TEST_CASE("a sine peaks when it is told to, and has a season", "[sim][generator]") {
    subject s({{.name = "t", .sine = sine_generator{.mean = 12, .amplitude = 6, .peak = 15h}},
               {.name = "y",
                .sine = sine_generator{.amplitude = 0,
                                       .season = season_spec{.amplitude = 9, .peak = 24h * 200}}}});
    CHECK(s.show("{t}", 15h) == "18.00");
    CHECK(s.show("{t}", 27h) == "6.00");
    CHECK(s.show("{t}", 21h) == "12.00");
    CHECK(s.show("{t}", 24h * 300 + 15h) == "18.00");
    CHECK(s.show("{y}", 24h * 200) == "9.00");
    CHECK(s.show("{y}", 24h * 200 + 12h * 365) == "-9.00");
}

TEST_CASE("noise is a sensor's own: its deviation is as said, and the value below is unchanged",
          "[sim][generator]") {
    subject s(
        {{.name = "true_value", .constant = constant_generator{.value = 5}, .noise = 2},
         {.name = "twice", .sum = sum_generator{.terms = {{.of = "true_value", .times = 2}}}}});
    double squares = 0;
    for (int i = 0; i < 20'000; ++i) {
        const double off = s.value("{true_value:6}", i * 1s) - 5;
        squares += off * off;
    }
    CHECK(squares / 20'000 == Approx(4).epsilon(0.05));
    CHECK(s.show("{twice}", 1h * 24) == "10.00");
}

TEST_CASE("a Markov chain stays and moves as its states say", "[sim][generator]") {
    const std::vector<generator_spec> specs{
        {.name = "door",
         .states = states_generator{
             .states =
                 {{.name = "shut",
                   .value = 0,
                   .stay = exponential(30min),
                   .next = {{.to = "open", .weight = 3}, {.to = "ajar", .weight = 1}}},
                  {.name = "open",
                   .value = 1,
                   .stay = exponential(10min),
                   .next = {{.to = "shut"}}},
                  {.name = "ajar", .value = 0.5, .stay = always(10min), .next = {{.to = "shut"}}}},
             .start = "open"}}};
    subject s(specs);
    CHECK(s.show("{door} {door:json} {door.value} {door.since}", 0s) == R"(open "open" 1.0 0)");
    std::map<std::string, int> seen;
    constexpr int looks = 60'000;
    for (int i = 0; i < looks; ++i) {
        ++seen[s.show("{door}", i * 1min)];
    }
    CHECK(seen["shut"] / double(looks) == Approx(0.75).margin(0.02));
    CHECK(seen["open"] / double(looks) == Approx(0.1875).margin(0.02));
    CHECK(seen["ajar"] / double(looks) == Approx(0.0625).margin(0.01));

    // Who looks once sees what one sees who looks all the time.
    subject lazy(specs);
    CHECK(lazy.show("{door} {door.since}", looks * 1min) ==
          s.show("{door} {door.since}", looks * 1min));
}

TEST_CASE("a state that nothing follows lasts", "[sim][generator]") {
    subject s({{.name = "valve",
                .states = states_generator{
                    .states = {{.name = "new", .stay = always(5s), .next = {{.to = "worn"}}},
                               {.name = "worn"}}}}});
    CHECK(s.show("{valve}", 4s) == "new");
    CHECK(s.show("{valve}", 5s) == "worn");
    CHECK(s.show("{valve} {valve.since}", 24h * 365 * 200) == "worn 6307199995");
}

TEST_CASE("all that is said at one instant agrees", "[sim][generator]") {
    subject s(
        {noisy("a"),
         {.name = "b", .sum = sum_generator{.offset = 1, .terms = {{.of = "a"}}}, .decimals = 9}});
    for (const auto at : {1s, 2s, 3600s}) {
        const std::string first = s.show("{a} {b}", at);
        CHECK(s.show("{a} {b}", at) == first);
        CHECK(s.value("{b}", at) == Approx(s.value("{a}", at) + 1).margin(1e-8));
    }
}

TEST_CASE("a generator more changes no other", "[sim][generator]") {
    subject alone({noisy("a"), noisy("c")});
    subject together({noisy("x"), noisy("a"), noisy("b"), noisy("c")});
    for (int i = 0; i < 100; ++i) {
        CHECK(alone.show("{a} {c}", i * 1min) == together.show("{a} {c}", i * 1min));
        together.show("{x} {b}", i * 1min);
    }
    subject other({noisy("a")}, 2);
    CHECK(alone.show("{a}", 100min) != other.show("{a}", 100min));
    CHECK(alone.show("{a}", 100min) != alone.show("{c}", 100min));
}

TEST_CASE("the bits of generators are the same on every machine", "[sim][generator]") {
    subject s(
        {noisy("a"),
         {.name = "w", .walk = walk_generator{.min = 0, .max = 9, .step = 1}, .decimals = 9},
         {.name = "t",
          .sine = sine_generator{.mean = 1, .amplitude = 3, .peak = 5h, .spread = 1h},
          .decimals = 9,
          .noise = 0.5},
         {.name = "room",
          .thermal = thermal_generator{.ambient = {.from = "t"}, .heater = 30},
          .decimals = 9},
         {.name = "truck",
          .route = route_generator{.points = {{48.137, 11.575}, {48.366, 10.898}, {52.52, 13.405}},
                                   .speed = {.from = "w"},
                                   .anywhere = true}}});
    std::uint64_t hash = 0;
    for (int i = 0; i < 1000; ++i) {
        hash = hash_text(
            s.show("{a}{w}{t}{room}{truck.lat:9}{truck.lon:9}{truck.heading:9}", i * 77s), hash);
    }
    CHECK(hash == 0x2607'61d5'4820'a4ec);
}

TEST_CASE("a device's state is as small as its description says", "[sim][generator]") {
    const auto bytes = [](generator_spec spec) { return subject({std::move(spec)}).state_bytes(); };
    CHECK(bytes({.name = "a", .constant = constant_generator{}}) == 0);
    CHECK(bytes({.name = "a", .sine = sine_generator{}, .noise = 1}) == 0);
    CHECK(bytes({.name = "a", .counter = counter_generator{.every = 1s}}) == 0);
    CHECK(bytes({.name = "a", .counter = counter_generator{}}) == 16);
    CHECK(bytes({.name = "a", .walk = walk_generator{}}) == 16);
    CHECK(bytes(noisy("a")) == 16);
    CHECK(bytes({.name = "a", .states = states_generator{.states = {{.name = "x"}}}}) == 40);
    CHECK(bytes({.name = "a", .battery = battery_generator{}}) == 40);
    CHECK(bytes({.name = "a", .thermal = thermal_generator{}}) == 32);
    CHECK(bytes({.name = "a",
                 .route = route_generator{.points = {{0, 0}, {1, 1}}, .speed = {.value = 1}}}) ==
          24);
    CHECK(bytes({.name = "a",
                 .constant = constant_generator{},
                 .spikes = spike_spec{.probability = 0.1},
                 .stuck = stuck_spec{.every = always(1h), .lasts = always(1h)},
                 .missing = missing_spec{
                     .gaps = stuck_spec{.every = always(1h), .lasts = always(1h)}}}) == 40);
}
