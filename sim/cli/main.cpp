#include "commands.hpp"

#include <fleetarium/config/problem.hpp>

#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>
#include <new>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// The nearest of `known` for each of `unknown`; nothing where none is near.
void suggest(const std::vector<std::string>& unknown, const std::vector<std::string>& known) {
    const std::vector<std::string_view> candidates(known.begin(), known.end());
    for (const std::string& each : unknown) {
        const std::string name = each.substr(0, each.find('='));
        const std::string nearest = fleetarium::config::nearest_name(name, candidates);
        if (!nearest.empty()) {
            std::cerr << "Did you mean " << nearest << " instead of " << name << "?\n";
        }
    }
}

/// For subcommands and options that there are none of.
void suggest_names(const CLI::App& app) {
    std::vector<std::string> names;
    if (app.get_subcommands().empty()) {
        for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
            names.push_back(each->get_name());
        }
        suggest(app.remaining(), names);
        return;
    }
    const CLI::App& command = *app.get_subcommands().front();
    for (const CLI::Option* each : command.get_options()) {
        for (const std::string& name : each->get_lnames()) {
            names.push_back("--" + name);
        }
    }
    std::vector<std::string> unknown = command.remaining();
    std::erase_if(unknown, [](const std::string& each) { return !each.starts_with("--"); });
    suggest(unknown, names);
}

}  // namespace

int main(int argc, char** argv) {
    using namespace fleetarium::cli;
    CLI::App app("Fleetarium: a whole IoT fleet and its MQTT broker in one process", "fleetarium");
    app.set_version_flag("--version", "fleetarium " FLEETARIUM_VERSION);
    app.require_subcommand(1);
    app.footer(
        "Exit status: 0 all expectations met; 1 an expectation failed; 2 bad input or use; "
        "3 the run could not be carried out.");
    int exit_status = exit_success;
    add_run(app, exit_status);
    add_check(app, exit_status);
    add_explore(app, exit_status);
    add_export(app, exit_status);
    add_info(app, exit_status);
    add_learn(app, exit_status);
    add_record(app, exit_status);
    add_replay(app, exit_status);
    add_diff(app, exit_status);
    add_schema(app, exit_status);
    add_bench(app, exit_status);
    add_certs(app, exit_status);
    add_broker(app, exit_status);
    add_passwd(app, exit_status);
    add_pub(app, exit_status);
    add_sub(app, exit_status);
    add_dashboard(app, exit_status);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const bool asked_for_help = error.get_exit_code() == 0;
        app.exit(error);
        if (!asked_for_help) {
            suggest_names(app);
        }
        return asked_for_help ? exit_success : exit_bad_input;
    } catch (const std::bad_alloc&) {
        std::cerr << "fleetarium: out of memory\n";
        return exit_not_carried_out;
    } catch (const std::exception& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_not_carried_out;
    }
    return exit_status;
}
