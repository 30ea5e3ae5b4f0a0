#include "bench.hpp"

#include <fleetarium/explore/fault_plan.hpp>
#include <fleetarium/explore/trial.hpp>
#include <fleetarium/sim/world.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace fleetarium::cli::bench {

namespace {

using namespace std::chrono_literals;

distribution every(duration period) {
    return distribution::constant(static_cast<double>(period.count()));  // nanoseconds
}

/// Fifty devices for ten minutes: sensors, pumps that are told what to do and answer, a display
/// and a controller whose sessions are kept.
sim::scenario plant() {
    sim::scenario out;
    out.name = "plant";
    out.duration = 10min;
    sim::network_spec radio;
    radio.name = "radio";
    radio.up.latency = distribution::uniform(5e6, 20e6);
    radio.down.latency = radio.up.latency;
    out.networks.push_back(radio);

    sim::fleet_spec sensors{.name = "sensors", .count = 40, .ramp_up = 5s};
    sensors.publications.push_back({.topic = "plant/{index}/celsius",
                                    .period = every(30s),
                                    .qos = qos::at_least_once,
                                    .payload = R"({"c": {random:18.0..24.0}, "n": {seq}})"});
    out.fleets.push_back(sensors);

    sim::fleet_spec pumps{.name = "pumps", .count = 8, .clean_start = false};
    pumps.session_expiry = 10min;
    pumps.will = sim::will_spec{.topic = "pumps/{index}/state", .payload = "gone", .retain = true};
    pumps.subscriptions.push_back({.filter = "pumps/{index}/set", .qos = qos::exactly_once});
    pumps.publications.push_back({.topic = "pumps/{index}/state",
                                  .period = every(60s),
                                  .qos = qos::at_least_once,
                                  .retain = true,
                                  .payload = "on"});
    out.fleets.push_back(pumps);

    sim::fleet_spec display{.name = "display", .clean_start = false};
    display.session_expiry = 10min;
    display.subscriptions.push_back({.filter = "plant/+/celsius", .qos = qos::at_least_once});
    display.subscriptions.push_back({.filter = "pumps/+/state", .qos = qos::at_least_once});
    out.fleets.push_back(display);

    sim::fleet_spec controller{.name = "controller", .clean_start = false};
    controller.session_expiry = 10min;
    sim::publication_spec order;
    order.to = sim::target_spec{"pumps", "pumps/{index}/set", sim::pick::in_turn};
    order.period = every(10s);
    order.qos = qos::exactly_once;
    order.payload = "{random:0..100}";
    controller.publications.push_back(order);
    out.fleets.push_back(controller);

    out.expectations.push_back({.metric = sim::metric::duplicates, .receiver = "pumps", .max = 0});
    return out;
}

/// The run of a seed, as explore makes it.
sim::scenario run_of(const sim::scenario& what, std::uint64_t seed) {
    sim::scenario out = what;
    out.seed = seed;
    for (sim::fault_spec& each : sim::draw_faults(what, seed)) {
        out.faults.push_back(std::move(each));
    }
    return out;
}

}  // namespace

std::vector<figure> measure_exploring(const scale& size) {
    const sim::scenario base = plant();
    const std::uint64_t runs = std::max<std::uint64_t>(size.of(600), 3);
    double with_ledger = 0;
    double without_ledger = 0;
    double plain = 0;
    double building = 0;
    std::uint64_t events = 0;
    std::uint64_t failures = 0;
    std::uint64_t deliveries = 0;
    for (std::uint64_t seed = 1; seed <= runs; ++seed) {
        // In turns, so that a slower stretch of the machine is everybody's.
        with_ledger += time_of([&] {
            const sim::trial tried = sim::try_scenario(run_of(base, seed));
            events += tried.report.events;
            failures += tried.failures.size();
            deliveries +=
                sim::sum_flows(tried.report, tried.report.selections.front(), {}).delivered;
        });
        sim::scenario bare = run_of(base, seed);
        bare.ledger = false;
        without_ledger += time_of([&] { events += sim::try_scenario(bare).report.events; });
        bare.faults.clear();
        bare.expectations.clear();
        plain += time_of([&] {
            sim::world running = sim::world::from(bare);
            running.run_until(instant{bare.duration});
            events += running.events_handled();
        });
        building += time_of([&] { events += sim::world::from(bare).events_handled(); });
    }
    const double rate = static_cast<double>(runs) / with_ledger;
    const double limit = static_cast<double>(runs) / plain;
    const double overhead = (with_ledger / without_ledger - 1) * 100;
    const double build_share = building / with_ledger;
    return {{fmt::format("explored runs, 50 devices, 10 min, {} messages delivered",
                         deliveries / runs),
             fmt::format("{:.0f} runs/s", rate),
             fmt::format("no ledger, no faults: {:.0f} runs/s", limit), rate / limit,
             "200, aim 1,000", rate >= 200 && failures == 0},
            {"the ledger in these runs", fmt::format("{:.1f} % more time", overhead),
             fmt::format("no ledger: {:.0f} runs/s", static_cast<double>(runs) / without_ledger),
             without_ledger / with_ledger, "30 %, aim 10 %", overhead <= 30},
            {"making and taking down such a world",
             fmt::format("{:.0f} us", building / static_cast<double>(runs) * 1e6),
             fmt::format("a whole run: {:.0f} us", with_ledger / static_cast<double>(runs) * 1e6),
             build_share, "", true}};
}

}  // namespace fleetarium::cli::bench
