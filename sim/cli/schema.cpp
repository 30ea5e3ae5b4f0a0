#include "commands.hpp"

#include <fleetarium/sim/scenario_loader.hpp>

#include <CLI/CLI.hpp>

#include <iostream>

namespace fleetarium::cli {

void add_schema(CLI::App& app, int& exit_status) {
    CLI::App* const command = app.add_subcommand(
        "schema", "Print the JSON Schema of scenarios, for editors that complete and check");
    command->callback([&exit_status] {
        std::cout << sim::scenario_schema() << std::flush;
        exit_status = std::cout ? exit_success : exit_not_carried_out;
    });
}

}  // namespace fleetarium::cli
