#pragma once

#include <fleetarium/feed/world_source.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <variant>
#include <vector>

/// What tests of the feed share: worlds with a source.
namespace fleetarium::feed {

inline sim::scenario scenario_of(std::variant<sim::scenario, std::vector<sim::problem>> read) {
    if (const auto* const problems = std::get_if<std::vector<sim::problem>>(&read)) {
        FAIL(sim::to_string(*problems));
    }
    return std::get<sim::scenario>(std::move(read));
}

inline sim::scenario parse_text(const std::string& text) {
    return scenario_of(sim::parse_scenario(text, "test.json", {}));
}

inline sim::scenario load_file(const std::string& name,
                               const std::vector<std::string>& overrides = {}) {
    return scenario_of(
        sim::load_scenario(std::string(FLEETARIUM_SOURCE_DIR) + "/" + name, overrides));
}

/// A world with a source that is ticked each second of it.
struct watched_world {
    explicit watched_world(const sim::scenario& described, run_controls controls = {})
        : world(sim::world::from(described)),
          source(world,
                 {.title = described.name, .seed = described.seed, .length = described.duration},
                 std::move(controls)) {}

    void run_until(duration until) {
        while (world.now() < instant{until}) {
            world.run_until(std::min(instant{until}, world.now() + std::chrono::seconds{1}));
            source.tick(static_cast<double>(world.now().time_since_epoch().count()) * 1e-9 / speed,
                        false);
        }
    }

    sim::world world;
    world_source source;
    double speed = 1;  // of the run beside the wall clock
};

/// Ten sensors that publish a QoS 0 message each second and a QoS 2 one each other, and a panel
/// that gets all; constant latencies.
inline const std::string sensors_text = R"({
    "name": "sensors", "seed": 7, "duration": "1m",
    "networks": [{"name": "lan", "latency": "10ms"}],
    "brokers": [{"name": "cloud"}],
    "fleets": [
        {"name": "sensors", "count": 10, "publications": [
            {"topic": "s/{index}", "period": "1s", "start": "1s", "qos": 0, "payload": "{seq}"},
            {"topic": "s/{index}/sure", "period": "2s", "start": "1s", "qos": 2,
             "payload": "{seq}"}]},
        {"name": "panel", "clean_start": false, "session_expiry": "1h",
         "subscriptions": [{"filter": "s/#", "qos": 2}]}]})";

}  // namespace fleetarium::feed
