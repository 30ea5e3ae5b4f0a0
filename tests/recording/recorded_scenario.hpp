#pragma once

#include <fleetarium/recording/database.hpp>
#include <fleetarium/recording/world_recorder.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <unistd.h>
#include <algorithm>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

/// What tests of recordings share: files that go away, and runs of scenarios that are recorded with
/// all that is needed to run them again.
namespace fleetarium::recording {

/// A folder of its own, and nothing left there afterwards.
struct scratch_folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() /
                                 ("fleetarium-recordings-" + std::to_string(getpid()) + "-" +
                                  std::to_string(++count));
    scratch_folder() { std::filesystem::create_directories(path); }
    ~scratch_folder() { std::filesystem::remove_all(path); }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;

    std::string file(const std::string& name) const { return (path / name).string(); }
    static inline int count = 0;
};

/// Sensors on a slow link and a panel; in the middle of the run a power cut for half of them.
inline const std::string sensors_scenario = R"({
    "name": "sensors", "seed": 7, "duration": "1m",
    "networks": [{"name": "radio",
                  "up": {"latency": {"uniform": {"min": "20ms", "max": "80ms"}}},
                  "down": {"latency": {"uniform": {"min": "20ms", "max": "80ms"}}}}],
    "fleets": [
        {"name": "sensors", "count": 10, "publications": [
            {"topic": "s/{index}", "period": "1s", "qos": 0, "payload": "{walk:18..24:0.2}"},
            {"topic": "s/{index}/sure", "period": "2s", "qos": 2, "payload": "{seq}"}]},
        {"name": "panel", "subscriptions": [{"filter": "s/#", "qos": 2}]}],
    "faults": [{"name": "outage", "kind": "power_loss", "fleet": "sensors", "at": "30s",
                "for": "5s", "share": 0.5}]})";

inline sim::scenario parse_sensors(const std::vector<std::string>& overrides = {}) {
    auto read = sim::parse_scenario(sensors_scenario, "sensors.json", overrides);
    if (const auto* const problems = std::get_if<std::vector<sim::problem>>(&read)) {
        FAIL(sim::to_string(*problems));
    }
    return std::get<sim::scenario>(std::move(read));
}

/// How a run that is to be recorded ends.
enum class run_end { finished, cut_short };

/// Runs the sensors with a recorder, and a checkpoint every five seconds.
inline void record_sensors(const std::string& file, const std::vector<std::string>& overrides = {},
                           run_end how = run_end::finished, recording_options options = {}) {
    const sim::scenario what = parse_sensors(overrides);
    sim::world running = sim::world::from(what);
    options.path = file;
    options.scenario = sensors_scenario;
    options.scenario_file = "sensors.json";
    options.seed = what.seed;
    options.program_version = "1.2.3";
    world_recorder recorder(running, options);
    const instant end{how == run_end::finished ? what.duration : what.duration / 2};
    while (running.now() < end) {
        running.run_until(std::min(end, running.now() + std::chrono::seconds{5}));
        recorder.checkpoint();
    }
    if (how == run_end::finished) {
        recorder.finish(running.report());
    }
}

inline void change(const std::string& file, const std::string& sql) {
    database(file, database::mode::write).execute(sql);
}

}  // namespace fleetarium::recording
