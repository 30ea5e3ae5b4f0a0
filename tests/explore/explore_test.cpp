#include <fleetarium/explore/explorer.hpp>
#include <fleetarium/explore/fault_plan.hpp>
#include <fleetarium/explore/finding_files.hpp>
#include <fleetarium/explore/shrinker.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <set>
#include <string>
#include <variant>

using namespace fleetarium;
using namespace fleetarium::config;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

/// Sensors with a QoS 0 publication, which faults make lose messages, and others.
const std::string plant = R"({
    // Comments are allowed, and lost in what comes out.
    "name": "plant", "seed": 3, "duration": "5m",
    "networks": [{"name": "lan", "latency": {"uniform": {"min": "1ms", "max": "20ms"}}}],
    "fleets": [
        {"name": "sensors", "count": 12, "keep_alive": "20s", "clean_start": false,
         "session_expiry": "1h",
         "publications": [
            {"topic": "a/{index}", "period": "5s", "qos": 1, "payload": "{seq}"},
            {"topic": "b/{index}", "period": "7s", "payload": {"v": "{walk:1.0..9.0:0.5}"}}],
         "subscriptions": [{"filter": "order/{index}"}]},
        {"name": "idlers", "count": 5},
        {"name": "panel", "count": 1, "clean_start": false, "session_expiry": "1h",
         "publications": [{"to": {"fleet": "sensors", "topic": "order/{index}"}, "period": "3s"}],
         "subscriptions": [{"filter": "a/#", "qos": 1}, {"filter": "b/#"}]}],
    "expectations": [
        {"name": "nothing is lost", "metric": "delivery_ratio", "topic": "b/#", "min": 1},
        {"metric": "connected_ratio", "min": 0}]
})";

scenario scenario_of(std::string_view text) {
    auto read = parse_scenario(text, "s.json");
    if (const auto* const problems = std::get_if<std::vector<problem>>(&read)) {
        FAIL(to_string(*problems));
    }
    return std::get<scenario>(std::move(read));
}

std::uint64_t hash_of(const scenario& what) {
    world w = world::from(what);
    w.run_until(instant{what.duration});
    return w.trace_hash();
}

finding first_finding() {
    const exploration found = explore(scenario_of(plant), {.seeds = 200, .jobs = 2});
    REQUIRE(found.findings.size() == 1);
    return found.findings.front();
}

}  // namespace

TEST_CASE("faults drawn for a seed are good faults, and healed in time", "[explore]") {
    scenario s = scenario_of(plant);
    std::set<fault_kind> kinds;
    std::size_t without = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const auto plan = draw_faults(s, seed);
        without += plan.empty() ? 1 : 0;
        std::set<std::string> names;
        for (const fault_spec& each : plan) {
            kinds.insert(each.kind);
            CHECK(names.insert(each.name).second);
            CHECK(each.at >= s.duration / 20);
            const auto lasts_for =
                each.lasts ? duration{static_cast<duration::rep>(each.lasts->mean())} : duration{};
            CHECK(each.at + lasts_for <= s.duration / 5 * 4);
        }
        s.faults = plan;
        CHECK(to_string(check_scenario(s)).empty());
        s.faults.clear();
    }
    CHECK(kinds.size() == fault_kind_count);
    CHECK(without < 10);
}

TEST_CASE("faults are drawn for cohorts, too, and a fleet without has the faults it had",
          "[explore]") {
    const scenario without = scenario_of(plant);
    scenario with = without;
    behaviour_spec lives;
    lives.cohorts = {{.name = "v1", .share = 0.5}, {.name = "v2", .share = 0.5}};
    lives.states = {{.name = "on", .final = true}};
    with.fleets[0].behaviour = lives;
    std::set<std::string> cohorts;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        auto drawn = draw_faults(with, seed);
        const auto before = draw_faults(without, seed);
        REQUIRE(drawn.size() == before.size());
        for (std::size_t i = 0; i < drawn.size(); ++i) {
            CHECK((drawn[i].cohort.empty() || drawn[i].fleet == with.fleets[0].name));
            CHECK(before[i].cohort.empty());
            CHECK(drawn[i].at == before[i].at);
            cohorts.insert(drawn[i].cohort);
        }
        scenario judged = with;
        judged.faults = std::move(drawn);
        CHECK(to_string(check_scenario(judged)).empty());
    }
    CHECK(cohorts == std::set<std::string>{"", "v1", "v2"});
}

TEST_CASE("the same seed gives the same faults, another one others", "[explore]") {
    const scenario s = scenario_of(plant);
    const auto names = [&](std::uint64_t seed) {
        std::string all;
        for (const fault_spec& each : draw_faults(s, seed)) {
            all += each.name + "@" + std::to_string(each.at.count()) + " ";
        }
        return all;
    };
    CHECK(names(7) == names(7));
    CHECK(names(7) != names(8));
    scenario nobody = s;
    for (fleet_spec& each : nobody.fleets) {
        each.count = 0;
    }
    CHECK(draw_faults(nobody, 7).empty());
}

TEST_CASE("what is found does not depend on how many look", "[explore]") {
    const scenario s = scenario_of(plant);
    const auto seeds = [&](unsigned jobs, bool keep_going) {
        const exploration found =
            explore(s, {.first_seed = 1, .seeds = 40, .jobs = jobs, .keep_going = keep_going});
        std::vector<std::uint64_t> out;
        for (const finding& each : found.findings) {
            out.push_back(each.seed);
        }
        return out;
    };
    const auto all = seeds(1, true);
    CHECK(all.size() > 5);
    CHECK(all.size() < 40);
    CHECK(seeds(3, true) == all);
    CHECK(seeds(1, false) == std::vector{all.front()});
    CHECK(seeds(3, false) == std::vector{all.front()});
}

TEST_CASE("without faults the plant keeps its promises", "[explore]") {
    const exploration found =
        explore(scenario_of(plant), {.seeds = 20, .jobs = 2, .draw_faults = false});
    CHECK(found.findings.empty());
    CHECK(found.seen.runs == 20);
    CHECK(found.seen.connects == 20 * 18);
    CHECK(found.seen.deliveries > 20 * 1'000);
}

TEST_CASE("expectations need not be judged", "[explore]") {
    const exploration found =
        explore(scenario_of(plant), {.seeds = 30, .jobs = 2, .judge = {.expectations = false}});
    for (const finding& each : found.findings) {
        for (const failure& one : each.failures) {
            FAIL_CHECK(each.seed << ": " << one.what);
        }
    }
}

TEST_CASE("a bound that is missed and one with nothing to measure are different findings",
          "[explore]") {
    scenario s = scenario_of(plant);
    s.expectations = {{.metric = metric::latency, .topic = "c/#", .max = 1},
                      {.name = "quick", .metric = metric::latency, .topic = "a/#", .max = 0},
                      {.metric = metric::connected_ratio,
                       .min = 1,
                       .always = sampling_spec{.every = 1s}}};
    s.fleets[1].start = 10s;
    const trial tried = try_scenario(s);
    CHECK(tried.find("expectation: p99 latency on c/#, nothing to measure") != nullptr);
    CHECK(tried.find("expectation: quick") != nullptr);
    const failure* const broken =
        tried.find("expectation: connected_ratio, always, over time");
    REQUIRE(broken != nullptr);
    CHECK(broken->at == instant{});
}

TEST_CASE("what a drawn fault leaves no time for is no finding", "[explore]") {
    scenario s = scenario_of(plant);
    s.faults.push_back({.kind = fault_kind::power_loss,
                        .at = 4min,
                        .lasts = distribution::constant(50e9),
                        .fleet = "sensors"});
    s.expectations = {{.metric = metric::connected_ratio,
                       .fleet = "idlers",
                       .min = 2,
                       .eventually = sampling_spec{.after = moment::last_fault, .until = 1min}}};
    CHECK(try_scenario(s).failures.empty());
    s.faults.clear();
    CHECK_FALSE(try_scenario(s).failures.empty());
}

TEST_CASE("whoever watches can stop the hunt", "[explore]") {
    const exploration found =
        explore(scenario_of(plant), {.seeds = 1'000'000'000, .keep_going = true},
                [](const explore_progress& now) { return now.runs < 3; });
    CHECK(found.stopped);
    CHECK(found.seen.runs >= 3);
    CHECK(found.seen.runs < 1'000'000);
}

TEST_CASE("the document of a finding is its run, to the bit", "[explore]") {
    const finding found = first_finding();
    const json_value document = document_of(plant, {}, found);
    const scenario again = scenario_of(json_pretty(document));
    CHECK(again.seed == found.seed);
    CHECK(again.faults.size() == found.what.faults.size());
    CHECK(hash_of(again) == hash_of(found.what));
}

TEST_CASE("the document has overrides in it", "[explore]") {
    finding found;
    found.seed = 9;
    found.what = scenario_of(plant);
    const std::vector<std::string> overrides{"fleets.sensors.count=4"};
    const scenario s = scenario_of(json_compact(document_of(plant, overrides, found)));
    CHECK(s.fleets.at(0).count == 4);
    CHECK(s.seed == 9);
}

TEST_CASE("a finding is made small, and breaks the same rule", "[explore]") {
    const finding found = first_finding();
    const failure& why = found.failures.front();
    CHECK(why.rule == "expectation: nothing is lost");
    const shrunk small = shrink(document_of(plant, {}, found), why, {.file_name = "s.json"});
    CHECK(small.why.rule == why.rule);
    CHECK(small.devices <= 3);
    CHECK(small.faults <= 1);
    const scenario s = scenario_of(json_pretty(small.document));
    CHECK(s.expectations.size() == 1);
    CHECK(s.duration < 5min);
    const trial again = try_scenario(s);
    CHECK(again.find(why.rule) != nullptr);

    SECTION("no step makes it smaller") {
        const shrunk smaller = shrink(small.document, small.why, {.file_name = "s.json"});
        CHECK(smaller.steps == 0);
    }
    SECTION("it can be stopped, with what there is by then") {
        int left = 10;
        const shrunk part =
            shrink(document_of(plant, {}, found), why,
                   {.file_name = "s.json", .may_go_on = [&] { return left-- > 0; }});
        CHECK(part.trials <= 10);
        CHECK(try_scenario(scenario_of(json_compact(part.document))).find(why.rule) != nullptr);
    }
    SECTION("the files say what, and the scenario file is the run") {
        const finding_facts facts{"plant.json", found.seed, small.why};
        const std::string text = finding_scenario_text(small.document, facts);
        CHECK(text.find(small.why.what) != std::string::npos);
        CHECK(hash_of(scenario_of(text)) == hash_of(s));
        const std::string test = finding_test_text(small.document, facts);
        CHECK(test.find("TEST_CASE(\"expectation: nothing is lost holds: plant.json, seed ") !=
              std::string::npos);
    }
}
