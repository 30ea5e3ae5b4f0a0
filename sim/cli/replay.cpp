#include "commands.hpp"
#include "mutant_flag.hpp"
#include "replay_execution.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

namespace fleetarium::cli {

void add_replay(CLI::App& app, int& exit_status) {
    auto file = std::make_shared<std::string>();
    auto execution = std::make_shared<execution_flags>();
    CLI::App* const command = app.add_subcommand(
        "replay",
        "Run a recorded scenario once more and compare what happens; exit 1 if it "
        "differs");
    command->add_option("recording", *file, "A file that run --record made")
        ->required()
        ->type_name("FILE");
    execution->add_to(*command);
    add_mutant_flag(*command);
    command->callback(
        [file, execution, &exit_status] { exit_status = replay_execution(*file, *execution); });
}

}  // namespace fleetarium::cli
