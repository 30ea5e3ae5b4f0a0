#include "commands.hpp"
#include "output_file.hpp"

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/recording/recording_csv.hpp>
#include <fleetarium/recording/recording_json_lines.hpp>
#include <fleetarium/recording/recording_pcapng.hpp>
#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/sim/report_text.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fleetarium::cli {

namespace {

struct export_options {
    std::string file;
    std::string pcapng;
    std::string csv;
    std::string json_lines;
    std::string filter;
    std::string from;
    std::string until;
    std::vector<std::string> clients;
};

/// What is wrong with the options, as a sentence; empty: nothing.
std::string check(const export_options& options, recording::export_selection& selection) {
    std::vector<std::string> outputs;
    for (const std::string* each : {&options.pcapng, &options.csv, &options.json_lines}) {
        if (each->empty()) {
            continue;
        }
        if (std::find(outputs.begin(), outputs.end(), *each) != outputs.end()) {
            return "found \"" + *each + "\" for two formats, expected an output for each";
        }
        outputs.push_back(*each);
    }
    if (outputs.empty()) {
        return "expected at least one of --pcapng OUT, --csv OUT and --jsonl OUT";
    }
    const auto instant_of = [](const char* option, const std::string& text,
                               std::int64_t& out) -> std::string {
        if (text.empty()) {
            return {};
        }
        const std::optional<duration> read = config::parse_duration(text);
        if (!read) {
            return std::string(option) + ": found \"" + text +
                   "\", expected an instant as time since the beginning of the run, such as 90s "
                   "or 1h30m";
        }
        out = read->count();
        return {};
    };
    std::string wrong = instant_of("--from", options.from, selection.from);
    if (wrong.empty()) {
        wrong = instant_of("--until", options.until, selection.until);
    }
    if (wrong.empty() && selection.from >= selection.until) {
        wrong = "--until: found " + options.until + ", expected an instant after --from";
    }
    selection.filter = options.filter;
    selection.clients = options.clients;
    return wrong;
}

std::string count(std::uint64_t number) { return sim::with_thousands(number); }

/// On standard error: the output may be standard output.
void say(const output_file& to, const recording::pcapng_sums& sums) {
    fmt::print(stderr,
               "fleetarium: {}: {} connections, {} MQTT packets, {} PUBLISH to and {} from "
               "brokers\n",
               to.path(), count(sums.connections), count(sums.packets), count(sums.published),
               count(sums.delivered));
    if (sums.not_placed != 0) {
        fmt::print(stderr,
                   "fleetarium: {}: {} PUBLISH are left out: the recording has no connection in "
                   "which they went\n",
                   to.path(), count(sums.not_placed));
    }
}

void say(const output_file& to, const recording::text_sums& sums) {
    fmt::print(stderr, "fleetarium: {}: {} lines, of {} messages and {} deliveries\n", to.path(),
               count(sums.rows), count(sums.messages), count(sums.deliveries));
}

template <class Export>
void write(const std::string& path, recording::recording_reader& from,
           const recording::export_selection& selection, Export&& with) {
    if (!path.empty()) {
        output_file to(path);
        const auto sums = with(from, selection, to.stream());
        to.finish();
        say(to, sums);
    }
}

int export_recording(const export_options& options) {
    recording::export_selection selection;
    const std::string wrong = check(options, selection);
    if (!wrong.empty()) {
        std::cerr << "fleetarium: " << wrong << '\n';
        return exit_bad_input;
    }
    try {
        recording::recording_reader from(options.file);
        const std::string kind = from.tables().text("SELECT kind FROM runs");
        if (!options.pcapng.empty() && kind == "subscriber") {
            std::cerr << "fleetarium: " << options.file
                      << ": has no connections to show as pcapng, since a subscriber recorded it; "
                         "--csv and --jsonl have its messages\n";
            return exit_bad_input;
        }
        // Before anything is written: is what is asked for there?
        recording::recorded_names(from.tables(), selection);
        write(options.pcapng, from, selection, recording::export_pcapng);
        write(options.csv, from, selection, recording::export_csv);
        write(options.json_lines, from, selection, recording::export_json_lines);
        return exit_success;
    } catch (const recording::no_room_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_not_carried_out;
    } catch (const recording::recording_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_bad_input;
    } catch (const output_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return error.why() == output_error::cause::input ? exit_bad_input : exit_not_carried_out;
    }
}

}  // namespace

void add_export(CLI::App& app, int& exit_status) {
    auto options = std::make_shared<export_options>();
    CLI::App* const command = app.add_subcommand(
        "export", "Write a recording for Wireshark, spreadsheets, pandas or scripts");
    command->add_option("recording", options->file, "A file that record or run --record made")
        ->required()
        ->type_name("FILE");
    command
        ->add_option("--pcapng", options->pcapng,
                     "The conversations, for Wireshark and tshark; `-` is standard output")
        ->type_name("OUT");
    command->add_option("--csv", options->csv, "Deliveries with their messages, a row for each")
        ->type_name("OUT");
    command
        ->add_option("--jsonl", options->json_lines,
                     "What happened, a JSON object a line, in the order of time")
        ->type_name("OUT");
    command->add_option("--filter", options->filter, "Only messages of topics that match")
        ->type_name("FILTER");
    command->add_option("--from", options->from, "Only what happened from then on")->type_name("T");
    command->add_option("--until", options->until, "Only what happened before")->type_name("T");
    command
        ->add_option("--client", options->clients,
                     "Only this client, by client id or as sensors[17]; may be given again")
        ->type_name("ID");
    command->callback([options, &exit_status] { exit_status = export_recording(*options); });
}

}  // namespace fleetarium::cli
