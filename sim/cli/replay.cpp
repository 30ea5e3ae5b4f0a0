#include "commands.hpp"
#include "mutant_flag.hpp"
#include "replay_execution.hpp"
#include "replay_traffic.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <vector>

namespace fleetarium::cli {

namespace {

struct replay_flags {
    std::string file;
    execution_flags execution;
    traffic_flags traffic;
};

/// The options of a command that it has not had before.
template <class Add>
std::vector<CLI::Option*> added_by(CLI::App& command, const Add& add) {
    const std::vector<CLI::Option*> before = command.get_options();
    add();
    const std::vector<CLI::Option*> after = command.get_options();
    return {after.begin() + static_cast<std::ptrdiff_t>(before.size()), after.end()};
}

}  // namespace

void add_replay(CLI::App& app, int& exit_status) {
    auto flags = std::make_shared<replay_flags>();
    CLI::App* const command = app.add_subcommand(
        "replay",
        "Run a recorded scenario once more and compare what happens, exit 1 if it differs; or, "
        "with "
        "--to, publish its messages again to any broker, exit 3 if some got lost");
    command->add_option("recording", flags->file, "A file that record or run --record made")
        ->required()
        ->type_name("FILE");
    const auto of_execution = added_by(*command, [&] { flags->execution.add_to(*command); });
    const auto of_traffic = added_by(*command, [&] { flags->traffic.add_to(*command); });
    add_mutant_flag(*command);
    // Each option has a meaning for one of the two; --report for both.
    CLI::Option* const to = command->get_option("--to");
    for (CLI::Option* const option : of_execution) {
        if (option->get_name() != "--report") {
            option->excludes(to);
        }
    }
    for (CLI::Option* const option : of_traffic) {
        if (option != to) {
            option->needs(to);
        }
    }
    command->callback([flags, &exit_status] {
        exit_status = flags->traffic.is_given() ? replay_traffic(flags->file, flags->traffic,
                                                                 flags->execution.report_file)
                                                : replay_execution(flags->file, flags->execution);
    });
}

}  // namespace fleetarium::cli
