#include "commands.hpp"

#include <fleetarium/server/server_config.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <CLI/CLI.hpp>

#include <iostream>
#include <memory>

namespace fleetarium::cli {

void add_schema(CLI::App& app, int& exit_status) {
    auto of_broker = std::make_shared<bool>(false);
    CLI::App* const command = app.add_subcommand(
        "schema", "Print the JSON Schema of scenarios, for editors that complete and check");
    command->add_flag("--broker", *of_broker,
                      "The schema of configurations of fleetarium broker instead");
    command->callback([of_broker, &exit_status] {
        std::cout << (*of_broker ? broker::server_config_schema() : sim::scenario_schema())
                  << std::flush;
        exit_status = std::cout ? exit_success : exit_not_carried_out;
    });
}

}  // namespace fleetarium::cli
