#include "commands.hpp"
#include "replay_traffic.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

namespace fleetarium::cli {

void add_replay(CLI::App& app, int& exit_status) {
    struct replay_flags {
        std::string file;
        std::string report_file;
        traffic_flags traffic;
    };
    auto flags = std::make_shared<replay_flags>();
    CLI::App* const command = app.add_subcommand(
        "replay", "Publish recorded messages again to any broker; exit 3 if some got lost");
    command->add_option("recording", flags->file, "A file that run --record made")
        ->required()
        ->type_name("FILE");
    command->add_option("--report", flags->report_file, "What became of it, as JSON")
        ->type_name("FILE.json");
    flags->traffic.add_to(*command);
    command->get_option("--to")->required();
    command->callback([flags, &exit_status] {
        exit_status = replay_traffic(flags->file, flags->traffic, flags->report_file);
    });
}

}  // namespace fleetarium::cli
