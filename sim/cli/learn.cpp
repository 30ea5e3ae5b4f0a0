#include "commands.hpp"
#include "temporary_recording.hpp"

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/recording/learned_scenario.hpp>
#include <fleetarium/recording/world_recorder.hpp>
#include <fleetarium/sim/report_text.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace fleetarium::cli {

namespace {

struct learn_options {
    std::string recording;
    std::string scenario;
    std::string report;
    std::uint64_t seed = 1;
    bool compare = true;
};

recording::traffic_profile profile_of_twin(const sim::scenario& twin) {
    const temporary_recording file("learn");
    {
        sim::world w = sim::world::from(twin);
        recording::world_recorder recorder(w, {.path = file.path()});
        w.run_until(instant{twin.duration});
        recorder.finish(w.report());
    }
    recording::recording_reader reader(file.path());
    return recording::profile_traffic(reader);
}

/// Of the twin's run; throws std::runtime_error if there is no room to record it.
recording::traffic_profile twin_profile(const sim::scenario& twin) {
    try {
        return profile_of_twin(twin);
    } catch (const recording::recording_error& error) {
        throw std::runtime_error(std::string("to compare, the scenario's run is recorded: ") +
                                 error.what() + "; --no-compare does without");
    }
}

std::string readable(duration gap) { return gap == duration{} ? "-" : sim::readable_duration(gap); }

void print_comparison(const std::vector<recording::compared_messages>& rows) {
    fmt::print("{:<44}{:>4}{:>12}{:>12}{:>10}{:>10}{:>11}{:>11}{:>8}{:>8}\n", "messages", "QoS",
               "recorded", "twin", "topics", "twin", "every", "twin", "bytes", "twin");
    for (const recording::compared_messages& row : rows) {
        fmt::print("{:<44}{:>4}{:>12}{:>12}{:>10}{:>10}{:>11}{:>11}{:>8}{:>8}\n", row.pattern,
                   std::to_string(row.qos) + (row.retain ? "r" : ""),
                   sim::with_thousands(row.left.messages), sim::with_thousands(row.right.messages),
                   sim::with_thousands(row.left.topics), sim::with_thousands(row.right.topics),
                   readable(row.left.between_p50), readable(row.right.between_p50),
                   row.left.bytes_p50, row.right.bytes_p50);
    }
}

nlohmann::ordered_json to_json(const recording::compared_messages::side& side) {
    return {{"messages", side.messages},
            {"topics", side.topics},
            {"between_p50_seconds", static_cast<double>(side.between_p50.count()) / 1e9},
            {"bytes_p50", side.bytes_p50},
            {"bytes_p99", side.bytes_p99}};
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream out(path, std::ios::binary);
    out << text;
    out.close();
    if (!out) {
        throw std::runtime_error(path + ": cannot be written");
    }
}

int learn(const learn_options& options) {
    try {
        if (std::filesystem::exists(options.scenario)) {
            std::cerr << "fleetarium: " << options.scenario
                      << ": is there, and is not written over\n";
            return exit_bad_input;
        }
        recording::recording_reader reader(options.recording);
        const recording::traffic_profile recorded = recording::profile_traffic(reader);
        if (recorded.messages.empty()) {
            std::cerr << "fleetarium: " << options.recording
                      << ": has no messages of clients: there is nothing to learn\n";
            return exit_bad_input;
        }
        const recording::learned_scenario learned = recording::learn_scenario(
            recorded, std::filesystem::path(options.recording).filename().string(), options.seed);
        write_file(options.scenario, learned.text);
        for (const std::string& note : learned.notes) {
            std::cerr << "fleetarium: " << note << '\n';
        }
        const auto loaded = sim::load_scenario(options.scenario);
        if (const auto* const problems = std::get_if<std::vector<sim::problem>>(&loaded)) {
            std::cerr << sim::to_string(*problems)
                      << "fleetarium: what was learned has to be mended by hand\n";
            return exit_not_carried_out;
        }
        const auto& twin = std::get<sim::scenario>(loaded);
        nlohmann::ordered_json report{{"recording", options.recording},
                                      {"scenario", options.scenario},
                                      {"notes", learned.notes}};
        if (options.compare) {
            const auto rows = recording::compare_traffic(recorded, twin_profile(twin));
            print_comparison(rows);
            for (const recording::compared_messages& row : rows) {
                report["messages"].push_back({{"pattern", row.pattern},
                                              {"qos", row.qos},
                                              {"retain", row.retain},
                                              {"recorded", to_json(row.left)},
                                              {"twin", to_json(row.right)}});
            }
        }
        if (!options.report.empty()) {
            write_file(options.report,
                       report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
        }
        std::uint64_t devices = 0;
        for (const sim::fleet_spec& fleet : twin.fleets) {
            devices += fleet.count;
        }
        fmt::print("{}: {} devices in {} fleets for {}\n", options.scenario,
                   sim::with_thousands(devices), twin.fleets.size(),
                   sim::readable_duration(twin.duration));
        return exit_success;
    } catch (const recording::recording_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_bad_input;
    } catch (const std::runtime_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_not_carried_out;
    }
}

}  // namespace

void add_learn(CLI::App& app, int& exit_status) {
    auto options = std::make_shared<learn_options>();
    CLI::App* const command =
        app.add_subcommand("learn", "Make a scenario whose traffic is like that of a recording");
    command->add_option("recording", options->recording, "The recording")
        ->required()
        ->type_name("FILE");
    command->add_option("scenario", options->scenario, "Where the scenario goes: a new file")
        ->required()
        ->type_name("SCENARIO.json");
    command->add_option("--seed", options->seed, "The scenario's seed")
        ->type_name("N")
        ->capture_default_str();
    command
        ->add_flag("!--no-compare", options->compare,
                   "Do not run the scenario to compare its traffic with the recording's")
        ->default_val(true);
    command->add_option("--report", options->report, "The comparison and the notes as JSON")
        ->type_name("FILE.json");
    command->callback([options, &exit_status] { exit_status = learn(*options); });
}

}  // namespace fleetarium::cli
