// When messages fall due: at random, by the hour, in bursts, in stages.

#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

distribution always(duration length) {
    return distribution::constant(static_cast<double>(length.count()));
}

/// When a probe gets the messages of a fleet with this publication, to the nanosecond.
std::vector<duration> times_of(publication_spec publication, duration run,
                               std::uint32_t devices = 1, std::uint64_t seed = 1) {
    world w({.seed = seed});
    auto& broker = w.add_broker();
    auto& probe = w.add_client("probe");
    probe.connect(broker);
    probe.subscribe("t", qos::at_most_once);
    REQUIRE(w.settle());
    publication.topic = "t";
    fleet_spec spec{.name = "f", .count = devices};
    spec.publications.push_back(std::move(publication));
    w.add_fleet(spec);
    w.run_until(instant(run));
    std::vector<duration> times;
    for (const auto& each : probe.messages()) {
        times.push_back(each.received_at.time_since_epoch());
    }
    return times;
}

std::size_t count_between(const std::vector<duration>& times, duration from, duration to) {
    return static_cast<std::size_t>(std::count_if(
        times.begin(), times.end(), [&](duration each) { return each >= from && each < to; }));
}

std::vector<double> rates_of(std::size_t quiet_until, double rate) {
    std::vector<double> rates(24, rate);
    std::fill_n(rates.begin(), quiet_until, 0);
    return rates;
}

std::string problems_of(std::string_view publication) {
    const auto read = parse_scenario(
        R"({"name":"s","duration":"1h","fleets":[{"name":"f","publications":[{"topic":"t",)" +
            std::string(publication) + "}]}]}",
        "s.json");
    const auto* const problems = std::get_if<std::vector<problem>>(&read);
    return problems == nullptr ? "" : to_string(*problems);
}

}  // namespace

TEST_CASE("Poisson arrivals have the gaps of an exponential distribution", "[sim][arrival]") {
    const auto times =
        times_of({.arrival = arrival_spec{.poisson = poisson_arrival{.per = 10s}}}, 100'000s);
    CHECK(static_cast<double>(times.size()) == Approx(10'000).epsilon(0.03));
    std::size_t long_ones = 0;
    double sum = 0;
    for (std::size_t i = 1; i < times.size(); ++i) {
        sum += static_cast<double>((times[i] - times[i - 1]).count()) / 1e9;
        long_ones += times[i] - times[i - 1] > 20s;
    }
    const auto gaps = static_cast<double>(times.size() - 1);
    CHECK(sum / gaps == Approx(10).epsilon(0.03));
    CHECK(static_cast<double>(long_ones) / gaps == Approx(std::exp(-2)).epsilon(0.05));
}

TEST_CASE("arrivals are a device's own, and the seed's", "[sim][arrival]") {
    const publication_spec spec{.arrival = arrival_spec{.poisson = poisson_arrival{.per = 10s}}};
    const auto times = times_of(spec, 1000s);
    CHECK(times_of(spec, 1000s) == times);
    CHECK(times_of(spec, 1000s, 1, 2) != times);
    const auto both = times_of(spec, 1000s, 2);
    CHECK(both.size() > times.size());
    CHECK(std::includes(both.begin(), both.end(), times.begin(), times.end()));
}

TEST_CASE("a diurnal curve is followed from hour to hour", "[sim][arrival]") {
    auto rates = rates_of(6, 100);  // from 6 o'clock on; straight up from 5 to 6
    const auto spacing = GENERATE(spacing::random, spacing::even);
    const auto times = times_of(
        {.arrival =
             arrival_spec{.diurnal = diurnal_arrival{.per_hour = rates, .spacing = spacing}}},
        48h, 20);
    // Up to midnight the curve falls for an hour.
    const auto in_hour = [&](int hour) {
        return static_cast<double>(count_between(times, hour * 1h, (hour + 1) * 1h)) / 20;
    };
    for (const int quiet : {0, 1, 2, 3, 4, 25, 28}) {
        CHECK(in_hour(quiet) == 0);
    }
    CHECK(in_hour(5) == Approx(50).epsilon(0.1));
    CHECK(in_hour(6) == Approx(100).epsilon(0.1));
    CHECK(in_hour(22) == Approx(100).epsilon(0.1));
    CHECK(in_hour(23) == Approx(50).epsilon(0.1));
    CHECK(in_hour(24 + 5) == Approx(50).epsilon(0.1));
    CHECK(in_hour(24 + 12) == Approx(100).epsilon(0.1));
}

TEST_CASE("even arrivals of a flat curve are even", "[sim][arrival]") {
    const auto times = times_of(
        {.arrival = arrival_spec{.diurnal = diurnal_arrival{.per_hour = std::vector<double>(24, 60),
                                                            .spacing = spacing::even}}},
        24h);
    CHECK(times.size() == 1440);
    for (std::size_t i = 1; i < times.size(); ++i) {
        const auto gap = times[i] - times[i - 1];
        CHECK(gap >= 1min - 2ns);
        CHECK(gap <= 1min + 2ns);
    }
}

TEST_CASE("bursts are so many messages, close together, then a pause", "[sim][arrival]") {
    const auto times =
        times_of({.phase = 5s,
                  .start = 10s,
                  .count = 7,
                  .arrival = arrival_spec{.burst = burst_arrival{.messages = 3,
                                                                 .gap = always(200ms),
                                                                 .pause = always(1min)}}},
                 1h);
    CHECK(times ==
          std::vector<duration>{15s, 15200ms, 15400ms, 75400ms, 75600ms, 75800ms, 135800ms});
}

TEST_CASE("stages make messages more and fewer", "[sim][arrival]") {
    publication_spec spec{.period = always(10s), .phase = 0s};
    SECTION("a factor for each") {
        spec.stages = {
            {.lasts = 100s, .rate = 0}, {.lasts = 100s, .rate = 5}, {.lasts = 100s, .rate = 1}};
        const auto times = times_of(spec, 400s);
        CHECK(count_between(times, 0s, 100s) == 0);
        CHECK(count_between(times, 100s, 200s) == 50);
        CHECK(count_between(times, 200s, 300s) == 10);
        CHECK(count_between(times, 300s, 400s) == 10);
    }
    SECTION("a ramp") {
        spec.stages = {{.lasts = 1000s, .rate = 0, .to = 2}};
        const auto times = times_of(spec, 2001s);
        // The integral of t / 500 s, a message every 10 s of it; nobody hears the one at 0 s.
        for (const std::size_t k : {1U, 10U, 50U, 99U}) {
            const double expected = std::sqrt(1000.0 * 10.0 * static_cast<double>(k));
            CHECK(static_cast<double>(times[k - 1].count()) / 1e9 == Approx(expected));
        }
        CHECK(count_between(times, 1000s + 1ms, 2000s + 1ms) == 200);
    }
    SECTION("and at the end, silence") {
        spec.stages = {{.lasts = 100s, .rate = 1}, {.lasts = 1s, .rate = 0}};
        spec.phase = 1s;
        CHECK(times_of(spec, 1h).size() == 10);
    }
    SECTION("of Poisson arrivals") {
        const auto times =
            times_of({.arrival = arrival_spec{.poisson = poisson_arrival{.per = 10s}},
                      .stages = {{.lasts = 1h, .rate = 1}, {.lasts = 1h, .rate = 10}}},
                     2h, 10);
        CHECK(static_cast<double>(count_between(times, 0s, 1h)) == Approx(3600).epsilon(0.05));
        CHECK(static_cast<double>(count_between(times, 1h, 2h)) == Approx(36'000).epsilon(0.03));
    }
    SECTION("of a diurnal curve, both at once") {
        const auto times = times_of(
            {.arrival = arrival_spec{.diurnal = diurnal_arrival{.per_hour = rates_of(6, 100)}},
             .stages = {{.lasts = 24h, .rate = 0, .to = 1}}},
            24h, 20);
        // From 5 to 6, t from 0 to 1 h: 100 t (5 + t) / 24.
        CHECK(static_cast<double>(count_between(times, 5h, 6h)) / 20 ==
              Approx(100.0 / 24 * (2.5 + 1.0 / 3)).epsilon(0.1));
    }
}

TEST_CASE("what is expected of a publication is what it does", "[sim][arrival]") {
    const auto compare = [](const publication_spec& spec, duration run, double margin) {
        const double expected = expected_messages(spec, run);
        const auto devices = 50U;
        const auto made = static_cast<double>(times_of(spec, run, devices).size()) / devices;
        CHECK(made == Approx(expected).epsilon(margin));
    };
    compare({.period = always(1min)}, 3h, 0.01);
    compare({.period = always(1min), .phase = 30s, .start = 1h, .until = 2h}, 3h, 0.001);
    compare({.period = always(1min), .count = 5}, 3h, 0.001);
    compare({.arrival = arrival_spec{.poisson = poisson_arrival{.per = 20s}}}, 3h, 0.03);
    compare({.arrival = arrival_spec{.burst = burst_arrival{.messages = 4,
                                                            .gap = always(1s),
                                                            .pause = always(5min)}}},
            10h, 0.02);
    compare({.start = 1h,
             .until = 20h,
             .arrival = arrival_spec{.diurnal = diurnal_arrival{.per_hour = rates_of(3, 20)}},
             .stages = {{.lasts = 10h, .rate = 1, .to = 3}}},
            24h, 0.03);
}

TEST_CASE("what is wrong with an arrival is said with its place", "[sim][arrival][scenario]") {
    const std::vector<std::pair<std::string, std::string>> cases{
        {R"("arrival":{})",
         R"(/arrival: found an arrival without its kind, expected exactly one of "poisson", )"
         R"("diurnal" or "burst")"},
        {R"("period":"1s","arrival":{"poisson":{"per":"1s"}})",
         "/arrival: found an arrival beside a period, expected one or the other"},
        {R"("jitter":"1s","arrival":{"poisson":{"per":"1s"}})",
         R"(/jitter: found 1s beside an arrival, expected none: it goes with "period")"},
        {R"("phase":"1s","arrival":{"poisson":{"per":"1s"}})",
         R"(/phase: found 1s beside an arrival at random, expected none: it goes with "period" )"
         R"(and with bursts)"},
        {R"("arrival":{"poison":{"per":"1s"}})",
         R"(/arrival/poison: found the unknown field "poison", expected a field of an arrival )"
         R"((did you mean "poisson"?))"},
        {R"("arrival":{"diurnal":{"per_hour":[1,2]}})",
         "/arrival/diurnal/per_hour: found 2 rates, expected 24, one for each hour of the day"},
        {R"("arrival":{"burst":{"messages":2,"gap":"1s","pause":"0s"}})",
         "/arrival/burst/pause: found no time at all, expected a duration above 0"},
        {R"("period":"1s","stages":[{"rate":2}])",
         R"(/stages/0/for: found a stage without "for", expected a duration)"},
        {R"("period":"1s","stages":[{"for":"1s","rate":0}])",
         "/stages: found factors of 0 only, which let nothing be published, expected one above "
         "0"}};
    for (const auto& [inside, expected] : cases) {
        const std::string found = problems_of(inside);
        INFO(found);
        CHECK(found.find("/fleets/0/publications/0" + expected) != std::string::npos);
    }
    CHECK(problems_of(R"("arrival":{"poisson":{"per":"1s"}})") == "");
    CHECK(problems_of(R"("period":"1s","stages":[{"for":"1s","rate":0},{"for":"1s","to":3}])") ==
          "");
}
