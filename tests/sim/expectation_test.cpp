#include <fleetarium/sim/expectations.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <variant>
#include <vector>

// Expectations over time: what is looked at while a world runs, and what is said of it.

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

distribution every(duration period) {
    return distribution::constant(static_cast<double>(period.count()));
}

/// Ten meters that report once a second at QoS 1 to a head end whose session is kept.
scenario meters(duration length) {
    scenario s;
    s.name = "meters";
    s.duration = length;
    s.networks.push_back(
        {.name = "mesh", .up = {.latency = every(20ms)}, .down = {.latency = every(20ms)}});
    fleet_spec meters{.name = "meters", .count = 10, .clean_start = false};
    meters.session_expiry = for_ever;
    meters.publications.push_back({.topic = "meters/{index}",
                                   .period = every(1s),
                                   .qos = qos::at_least_once,
                                   .payload = "{seq}"});
    s.fleets.push_back(meters);
    fleet_spec head_end{.name = "head_end", .clean_start = false};
    head_end.session_expiry = for_ever;
    head_end.subscriptions.push_back({.filter = "meters/+"});
    s.fleets.push_back(head_end);
    return s;
}

fault_spec power_loss(duration at, duration lasts, double share = 1) {
    return {.name = "outage",
            .kind = fault_kind::power_loss,
            .at = at,
            .lasts = every(lasts),
            .fleet = "meters",
            .share = share};
}

std::vector<expectation_result> results_of(const scenario& s) {
    world w = world::from(s);
    w.run_until(instant{s.duration});
    return evaluate(s.expectations, w.report());
}

expectation_result result_of(scenario s, const expectation_spec& expected) {
    s.expectations = {expected};
    return results_of(s).front();
}

std::string problems_of(const std::string& expectation, const std::string& fault = "") {
    const auto read = parse_scenario(
        R"({"name": "s", "duration": "10m", "fleets": [{"name": "doors", "count": 10}],
            "faults": [)" +
            fault + R"(], "expectations": [)" + expectation + "]}",
        "s.json");
    const auto* const problems = std::get_if<std::vector<problem>>(&read);
    return problems == nullptr ? "" : to_string(*problems);
}

bool says(const std::string& text, const std::string& part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("what is always expected tells when it broke, and the value", "[sim][expectation]") {
    scenario s = meters(2min);
    s.faults.push_back(power_loss(30s + 500ms, 20s));
    const expectation_spec connected{.metric = metric::connected_ratio,
                                     .fleet = "meters",
                                     .min = 0.9,
                                     .always = sampling_spec{.from = 10s, .every = 1s}};
    const expectation_result broken = result_of(s, connected);
    CHECK_FALSE(broken.met);
    CHECK(broken.at == instant{31s});
    CHECK(broken.measured == 0.0);
    CHECK(to_string(broken) ==
          "connected_ratio from meters, always from 10s: 0 % at 31s, at least 90 %");

    // Before the fault, and after everybody is back, it holds.
    expectation_spec before = connected;
    before.always->until = 30s;
    CHECK(result_of(s, before).met);
    expectation_spec behind = connected;
    behind.always = sampling_spec{.after = moment::last_fault, .from = 5s};
    const expectation_result held = result_of(s, behind);
    CHECK(held.met);
    CHECK(held.measured == 1.0);
}

TEST_CASE("what is expected eventually tells when it came to be", "[sim][expectation]") {
    scenario s = meters(2min);
    s.fleets[0].reconnect_delay = every(7s);
    s.faults.push_back({.name = "cut", .kind = fault_kind::cut, .at = 30s, .fleet = "meters"});
    expectation_spec back{.metric = metric::connected_ratio,
                          .fleet = "meters",
                          .min = 1,
                          .eventually = sampling_spec{
                              .after = moment::last_fault, .from = 1s, .until = 10s, .every = 1s}};
    const expectation_result kept = result_of(s, back);
    CHECK(kept.met);
    CHECK(kept.at == instant{38s});
    back.eventually->until = 5s;
    const expectation_result missed = result_of(s, back);
    CHECK_FALSE(missed.met);
    CHECK_FALSE(missed.too_short);
    CHECK(missed.measured == 0.0);
    CHECK(missed.at == instant{35s});
}

TEST_CASE("looking at a run changes nothing in it", "[sim][expectation]") {
    scenario s = meters(2min);
    s.faults.push_back(power_loss(30s, 20s, 0.5));
    const auto hash_of = [](const scenario& of) {
        world w = world::from(of);
        w.run_until(instant{of.duration});
        return w.trace_hash();
    };
    const std::uint64_t plain = hash_of(s);
    for (int what = 0; what <= static_cast<int>(metric::backlog); ++what) {
        s.expectations.push_back({.metric = static_cast<metric>(what),
                                  .max = 1e9,
                                  .always = sampling_spec{.every = 700ms}});
        s.expectations.push_back({.metric = static_cast<metric>(what),
                                  .min = 1e9,
                                  .eventually = sampling_spec{.every = 900ms}});
    }
    CHECK(hash_of(s) == plain);
    // Nor does it matter how the run is cut into pieces.
    world pieces = world::from(s);
    while (pieces.now() < instant{s.duration}) {
        pieces.run_for(333ms);
    }
    world steps = world::from(s);
    while (steps.next_event() <= instant{s.duration}) {
        steps.step();
    }
    steps.run_until(instant{s.duration});
    world whole = world::from(s);
    whole.run_until(instant{s.duration});
    const auto text_of = [&](const world& of) {
        std::string out;
        for (const expectation_result& each : evaluate(s.expectations, of.report())) {
            out += to_string(each) + '\n';
        }
        return out;
    };
    CHECK(text_of(pieces) == text_of(whole));
    CHECK(text_of(steps) == text_of(whole));
}

TEST_CASE("a backlog drains after the last fault, or it does not", "[sim][expectation]") {
    scenario s = meters(2min);
    // Nothing gets through for 20 seconds: the meters hold what they publish.
    s.faults.push_back({.name = "tunnel",
                        .kind = fault_kind::partition,
                        .at = 30s,
                        .lasts = every(20s),
                        .fleet = "meters"});
    expectation_spec drained{.metric = metric::backlog,
                             .max = 0,
                             .eventually = sampling_spec{.after = moment::last_fault, .until = 5s}};
    CHECK(result_of(s, drained).met);

    // One look at the instant at which the tunnel ends sees what was held up.
    expectation_spec held = drained;
    held.max.reset();
    held.min = 150;  // of ten meters, some 20 each
    held.eventually->until = 1ms;
    const expectation_result seen = result_of(s, held);
    CHECK(seen.met);
    CHECK(seen.at == instant{50s});

    // The head end is gone for good: its session waits, and so do its deliveries.
    s.fleets[1].online = coverage_spec{.up = every(40s), .down = every(1h)};
    const expectation_result stuck = result_of(s, drained);
    CHECK_FALSE(stuck.met);
    REQUIRE(stuck.measured);
    CHECK(*stuck.measured >= 10);
    // What meters hold is acknowledged soon: it is the deliveries that wait.
    drained.receiver = "meters";
    CHECK(result_of(s, drained).met);
    drained.receiver = "head_end";
    CHECK_FALSE(result_of(s, drained).met);
    drained.topic = "elsewhere/#";
    CHECK(result_of(s, drained).met);
}

TEST_CASE("rates and counts are those of the time between two looks", "[sim][expectation]") {
    const scenario s = meters(2min);
    const auto always = [](duration period) { return sampling_spec{.from = 10s, .every = period}; };
    CHECK(result_of(s, {.metric = metric::publish_rate,
                        .fleet = "meters",
                        .min = 10,
                        .max = 10,
                        .always = always(5s)})
              .met);
    CHECK(result_of(s, {.metric = metric::delivery_rate,
                        .receiver = "head_end",
                        .min = 9,
                        .max = 11,
                        .always = always(10s)})
              .met);
    CHECK(result_of(
              s, {.metric = metric::messages_published, .min = 50, .max = 50, .always = always(5s)})
              .met);
    // Counted from its beginning on, where it is asked when it is enough.
    const expectation_result enough =
        result_of(s, {.metric = metric::messages_published, .min = 300, .eventually = always(1s)});
    CHECK(enough.met);
    CHECK(enough.at == instant{40s});
    // At the end, the rate is that of the whole run.
    const expectation_result mean = result_of(s, {.metric = metric::publish_rate, .min = 9});
    CHECK(mean.measured == Approx(10).epsilon(0.05));
    CHECK(result_of(
              s, {.metric = metric::latency, .percentile = 100, .max = 0.05, .always = always(1s)})
              .met);
    const expectation_result slow = result_of(
        s, {.metric = metric::latency, .percentile = 50, .max = 0.01, .always = always(1s)});
    CHECK_FALSE(slow.met);
    CHECK(slow.measured == Approx(0.04).epsilon(0.02));
    CHECK(slow.at == instant{11s});
}

TEST_CASE("a run that ends too early decides nothing", "[sim][expectation]") {
    scenario s = meters(1min);
    fault_spec late = power_loss(30s, 1s);
    late.lasts = distribution::uniform(0, 60e9);
    s.faults.push_back(late);
    s.expectations = {{.metric = metric::connected_ratio,
                       .min = 1,
                       .eventually = sampling_spec{.after = moment::last_fault, .until = 25s}}};
    bool seen = false;
    for (s.seed = 1; s.seed <= 20; ++s.seed) {
        const expectation_result result = results_of(s).front();
        if (result.too_short) {
            seen = true;
            CHECK_FALSE(result.met);
            CHECK(says(to_string(result), "the run ended before it could be told"));
        }
    }
    CHECK(seen);
}

TEST_CASE("a run can stop at the first failure", "[sim][expectation]") {
    scenario s = meters(10min);
    s.faults.push_back(power_loss(30s, 20s));
    s.expectations = {{.metric = metric::connected_ratio,
                       .fleet = "meters",
                       .min = 0.5,
                       .always = sampling_spec{.from = 10s, .every = 1s}}};
    world w = world::from(s);
    CHECK(w.run_until_failure(instant{20s}));
    CHECK_FALSE(w.has_failed());
    CHECK_FALSE(w.run_until_failure(instant{s.duration}));
    CHECK(w.has_failed());
    CHECK(w.now() == instant{30s});
    CHECK_FALSE(evaluate(s.expectations, w.report()).front().met);
}

TEST_CASE("expectations over time are read from a scenario", "[sim][scenario][expectation]") {
    const auto read = parse_scenario(
        R"({"name": "s", "duration": "1h", "fleets": [{"name": "doors"}], "expectations": [
            {"metric": "connected_ratio", "fleet": "doors", "min": 0.95,
             "always": {"from": "10m", "until": "50m", "every": "1s"}},
            {"metric": "backlog", "max": 0,
             "eventually": {"after": "last_fault", "within": "2m"}}]})",
        "s.json");
    const auto* const s = std::get_if<scenario>(&read);
    REQUIRE(s != nullptr);
    CHECK(s->expectations[0].always ==
          sampling_spec{.from = 10min, .until = duration{50min}, .every = duration{1s}});
    CHECK(s->expectations[1].eventually ==
          sampling_spec{.after = moment::last_fault, .until = duration{2min}});
}

TEST_CASE("an expectation that no run can meet is refused", "[sim][scenario][expectation]") {
    const std::string drained =
        R"({"metric": "backlog", "max": 0, "eventually": {"after": "last_fault", "within": "2m"}})";
    // Healed in time, or not, or never.
    CHECK(problems_of(drained, R"({"kind": "partition", "at": "1m", "for": "7m"})").empty());
    const std::string late =
        problems_of(drained, R"({"kind": "partition", "at": "1m", "for": "7m1s"})");
    CHECK(says(late, "/expectations/0/eventually"));
    CHECK(says(late, "/faults/0, \"partition\", is over too late"));
    const std::string open = problems_of(drained, R"({"kind": "cut", "at": "1m"},
                    {"name": "dark", "kind": "partition", "at": "5m", "for": "1h"})");
    CHECK(says(open, "/faults/1, \"dark\", is never over in this run of 10m"));
    CHECK(says(open, "a shorter \"for\""));
    // Again and again until the end.
    const std::string again = R"({"kind": "cut", "at": "1m", "every": "1m30s")";
    CHECK(says(problems_of(drained, again + "}"), "\"until\" or \"count\" beside \"every\""));
    CHECK(problems_of(drained, again + R"(, "until": "8m"})").empty());
    CHECK(problems_of(drained, again + R"(, "count": 3})").empty());
    CHECK(says(problems_of(drained, R"({"kind": "cut", "at": "1m",
                                        "every": {"uniform": {"min": "10s", "max": "50s"}}})"),
               "is over too late"));
    // By chance it may be in time, or there is no fault at all.
    CHECK(problems_of(drained, R"({"kind": "partition", "at": "1m",
                                   "for": {"exponential": {"mean": "1h"}}})")
              .empty());
    CHECK(problems_of(drained).empty());

    CHECK(says(problems_of(R"({"metric": "backlog", "max": 0, "eventually": {"within": "11m"}})"),
               "/expectations/0/eventually/within"));
    CHECK(says(problems_of(R"({"metric": "backlog", "max": 0, "always": {"from": "10m"}})"),
               "/expectations/0/always/from"));
    CHECK(says(problems_of(R"({"metric": "backlog", "max": 0,
                               "always": {"from": "5m", "until": "5m"}})"),
               "more than \"from\""));
    CHECK(says(problems_of(R"({"metric": "backlog", "max": 0, "always": {}, "eventually": {}})"),
               "one of them"));
    CHECK(
        says(problems_of(R"({"metric": "backlog", "max": 0, "always": {"evry": "1s"}})"), "every"));
}
