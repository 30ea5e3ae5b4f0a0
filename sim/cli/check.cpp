#include "commands.hpp"

#include <fleetarium/sim/report_text.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/traffic_plan.hpp>

#include <CLI/CLI.hpp>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace fleetarium::cli {

namespace {

struct check_options {
    std::vector<std::string> files;
    std::vector<std::string> overrides;
    bool plan = false;
    bool json = false;
};

/// What a scenario would run, in one line.
void print_summary(const std::string& file, const sim::scenario& good) {
    std::uint64_t devices = 0;
    for (const sim::fleet_spec& fleet : good.fleets) {
        devices += fleet.count;
    }
    std::cout << file << ": " << good.name << ": " << sim::with_thousands(devices)
              << (devices == 1 ? " device in " : " devices in ") << good.fleets.size()
              << (good.fleets.size() == 1 ? " fleet for " : " fleets for ")
              << sim::readable_duration(good.duration) << ", " << good.expectations.size()
              << (good.expectations.size() == 1 ? " expectation" : " expectations") << '\n';
}

int check(const check_options& options) {
    int status = exit_success;
    for (const std::string& file : options.files) {
        const auto loaded = sim::load_scenario(file, options.overrides);
        if (const auto* problems = std::get_if<std::vector<sim::problem>>(&loaded)) {
            std::cerr << sim::to_string(*problems);
            status = exit_bad_input;
        } else if (const auto& good = std::get<sim::scenario>(loaded); !options.plan) {
            print_summary(file, good);
        } else {
            const sim::traffic_plan plan = sim::plan_traffic(good);
            std::cout << (options.json ? sim::to_json(plan) : sim::to_text(plan));
        }
    }
    return status;
}

}  // namespace

void add_check(CLI::App& app, int& exit_status) {
    auto options = std::make_shared<check_options>();
    CLI::App* const command =
        app.add_subcommand("check", "Look for mistakes in scenarios, without running them");
    command->add_option("scenarios", options->files, "The scenarios, JSON files")
        ->required()
        ->type_name("SCENARIO.json");
    command->add_option("--set", options->overrides, "As in run")
        ->type_name("PATH=VALUE")
        ->allow_extra_args(false);
    CLI::Option* const plan = command->add_flag(
        "--plan", options->plan, "Tell what traffic each will make, without running it");
    command->add_flag("--json", options->json, "The plan as JSON")->needs(plan);
    command->callback([options, &exit_status] { exit_status = check(*options); });
}

}  // namespace fleetarium::cli
