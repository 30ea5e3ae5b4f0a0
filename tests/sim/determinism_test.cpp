#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <thread>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

/// Everything random there is: latencies, splits, coverage, jitter, payloads, targets.
scenario busy_scenario(std::uint64_t seed) {
    scenario s;
    s.name = "busy";
    s.seed = seed;
    s.networks.push_back({.name = "radio",
                          .up = {.latency = distribution::lognormal(80e6, 0.7),
                                 .bandwidth = 50'000},
                          .down = {.latency = distribution::normal(60e6, 20e6, 1e6)},
                          .mtu = 100,
                          .split_probability = 0.2});
    s.networks.push_back({.name = "cable"});
    fleet_spec sensors{.name = "sensors", .count = 60, .ramp_up = 20s};
    sensors.clean_start = false;
    sensors.session_expiry = 600s;
    sensors.reconnect_delay = distribution::uniform(0.1e9, 2e9);
    sensors.online = coverage_spec{.up = distribution::exponential(60e9),
                                   .down = distribution::exponential(10e9)};
    sensors.publications.push_back({.topic = "sensors/{index}/value",
                                    .period = distribution::exponential(5e9),
                                    .jitter = 1s,
                                    .qos = qos::at_least_once,
                                    .payload = "{random:0..100} {walk:18.0..24.0:0.2} {hex:8}"});
    sensors.subscriptions.push_back({.filter = "sensors/{index}/set"});
    sensors.replies.push_back({.on = "sensors/{index}/set",
                               .delay = distribution::exponential(1e9),
                               .payload = "{request}/{random:0..9}"});
    s.fleets.push_back(sensors);
    fleet_spec office{.name = "office", .count = 2, .network = "cable"};
    office.subscriptions.push_back(
        {.filter = "$share/g/sensors/+/value", .qos = qos::exactly_once});
    office.subscriptions.push_back({.filter = "office/{index}"});
    office.publications.push_back({.to = target_spec{.fleet = "sensors",
                                                     .topic = "sensors/{index}/set",
                                                     .pick = pick::random},
                                   .period = distribution::uniform(0.5e9, 1.5e9),
                                   .payload = "{seq}",
                                   .response_topic = "office/{index}"});
    s.fleets.push_back(office);
    return s;
}

struct outcome {
    std::uint64_t hash = 0;
    std::uint64_t events = 0;
    std::uint64_t delivered = 0;
    friend bool operator==(const outcome&, const outcome&) = default;
};

outcome run(std::uint64_t seed) {
    world w = world::from(busy_scenario(seed));
    w.run_for(10min);
    const run_report report = w.report();
    return {report.trace_hash, report.events,
            sum_flows(report, report.selections[0], {}).delivered};
}

}  // namespace

TEST_CASE("the same seed gives the same trace, another seed another", "[determinism]") {
    const outcome first = run(1);
    CHECK(first.delivered > 5000);
    CHECK(run(1) == first);
    CHECK(run(2).hash != first.hash);
}

TEST_CASE("the trace is the one that every compiler and build makes", "[determinism]") {
    CHECK(run(1).hash == 0xe921a48b523bac5b);
}

TEST_CASE("where a broker's tables hold a name does not matter",
          "[determinism][threat/collisions]") {
    scenario s = busy_scenario(1);
    s.brokers.resize(1);
    s.brokers[0].options.hash_seed = 0x9E37'79B9'7F4A'7C15;
    world w = world::from(s);
    w.run_for(10min);
    CHECK(w.trace_hash() == run(1).hash);
}

TEST_CASE("how time is advanced does not matter", "[determinism]") {
    const outcome whole = run(3);
    world w = world::from(busy_scenario(3));
    for (int i = 0; i < 1000; ++i) {
        w.step();
    }
    while (w.now() < instant{10min}) {
        w.run_until(std::min(w.now() + 7s + 1ns, instant{10min}));
        w.report();
    }
    CHECK(w.trace_hash() == whole.hash);
}

TEST_CASE("worlds do not feel one another, side by side on two threads", "[determinism]") {
    const outcome alone = run(4);
    outcome one;
    outcome two;
    std::thread other([&] {
        run(5);
        one = run(4);
    });
    two = run(4);
    run(6);
    other.join();
    CHECK(one == alone);
    CHECK(two == alone);

    world a = world::from(busy_scenario(4));
    world b = world::from(busy_scenario(7));
    for (int minute = 1; minute <= 10; ++minute) {
        a.run_until(instant{std::chrono::minutes{minute}});
        b.run_until(instant{std::chrono::minutes{minute}});
    }
    CHECK(a.trace_hash() == alone.hash);
}

TEST_CASE("a fleet more changes nothing for those it has nothing to do with", "[determinism]") {
    const auto hash_of = [](bool with_strangers, bool before) {
        scenario s = busy_scenario(8);
        s.brokers = {{.name = "ours"}, {.name = "theirs"}};
        fleet_spec strangers{.name = "strangers", .count = 30, .broker = "theirs"};
        strangers.publications.push_back({.topic = "x/{index}",
                                          .period = distribution::exponential(1e9),
                                          .payload = "{hex:20}"});
        if (with_strangers) {
            s.fleets.insert(before ? s.fleets.begin() : s.fleets.end(), strangers);
        }
        world w = world::from(s);
        w.run_for(5min);
        return std::pair(w.find_fleet("sensors")->trace_hash(),
                         w.find_fleet("office")->trace_hash());
    };
    const auto without = hash_of(false, false);
    CHECK(hash_of(true, false) == without);
    CHECK(hash_of(true, true) == without);
}

TEST_CASE("a fleet more at the same broker changes no draw of the others", "[determinism]") {
    const auto hash_of = [](std::uint32_t strangers) {
        scenario s = busy_scenario(9);
        s.fleets.pop_back();  // the office's shared subscription would mix them
        s.fleets.push_back({.name = "strangers", .count = strangers});
        s.fleets.back().publications.push_back({.topic = "y/{index}",
                                                .period = distribution::exponential(1e9)});
        world w = world::from(s);
        w.run_for(5min);
        return w.find_fleet("sensors")->trace_hash();
    };
    CHECK(hash_of(0) == hash_of(25));
}
