#include "commands.hpp"

#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>
#include <new>

int main(int argc, char** argv) {
    using namespace fleetarium::cli;
    CLI::App app("Fleetarium: a whole IoT fleet and its MQTT broker in one process", "fleetarium");
    app.set_version_flag("--version", "fleetarium " FLEETARIUM_VERSION);
    app.require_subcommand(1);
    app.footer("Exit status: 0 all expectations met; 1 an expectation failed; 2 bad input or use; "
               "3 the run could not be carried out.");
    int exit_status = exit_success;
    add_run(app, exit_status);
    add_check(app, exit_status);
    add_schema(app, exit_status);
    add_bench(app, exit_status);
    add_certs(app, exit_status);
    add_broker(app, exit_status);
    add_passwd(app, exit_status);
    add_pub(app, exit_status);
    add_sub(app, exit_status);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const bool asked_for_help = error.get_exit_code() == 0;
        app.exit(error);
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
