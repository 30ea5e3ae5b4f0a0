#include "commands.hpp"

#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/sim/report_text.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

namespace fleetarium::cli {

namespace {

struct info_options {
    std::string file;
    std::optional<std::int64_t> message;
    bool json = false;
    bool check = false;
};

double seconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e9; }

std::string count(std::int64_t number) {
    return sim::with_thousands(static_cast<std::uint64_t>(number));
}

void print_summary(const recording::recording_summary& of) {
    const bool by_subscriber = of.from == recording::viewpoint::subscriber;
    if (by_subscriber) {
        fmt::print("what a subscriber got from {}, recorded by fleetarium {}, begun {}\n",
                   of.source, of.program_version, of.began);
    } else {
        fmt::print("{} run{} of fleetarium {}, begun {}\n", of.kind,
                   of.scenario_name.empty() ? "" : " of " + of.scenario_name, of.program_version,
                   of.began);
    }
    if (of.ran_for) {
        fmt::print("  ran for {}\n", sim::readable_duration(*of.ran_for));
    } else {
        fmt::print("  cut short: what was committed is here\n");
    }
    if (of.forgotten_until > duration{}) {
        fmt::print("  messages before {} were given up for space\n",
                   sim::readable_duration(of.forgotten_until));
    }
    if (of.seed) {
        fmt::print("  seed {}{}\n", *of.seed,
                   of.trace_hash.empty() ? "" : ", trace hash " + of.trace_hash);
    }
    if (by_subscriber) {
        for (const std::string& each : of.filters) {
            fmt::print("  subscribed to {}\n", each);
        }
        fmt::print("  {} topics, {} messages\n", count(of.topics), count(of.messages));
        if (of.gaps != 0) {
            fmt::print("  {} {} in which nothing was heard, together {}\n", count(of.gaps),
                       of.gaps == 1 ? "gap" : "gaps", sim::readable_duration(of.gap_time));
        }
        return;
    }
    fmt::print("  {} clients, {} connections, {} topics, {} faults, {} violations\n",
               count(of.clients), count(of.connections), count(of.topics), count(of.faults),
               count(of.violations));
    fmt::print("  {} messages, {} deliveries\n", count(of.messages), count(of.deliveries));
    for (const auto& [state, times] : of.by_state) {
        fmt::print("    {:<12}{:>14}\n", state, count(times));
    }
}

/// What a subscriber cannot know is left out.
nlohmann::ordered_json to_json_of_subscriber(const recording::recording_summary& of) {
    nlohmann::ordered_json out{{"kind", of.kind},
                               {"fleetarium", of.program_version},
                               {"began", of.began},
                               {"source", of.source},
                               {"filters", of.filters}};
    out["ran_for_seconds"] = of.ran_for ? nlohmann::ordered_json(seconds(of.ran_for->count()))
                                        : nlohmann::ordered_json();
    out["forgotten_until_seconds"] = seconds(of.forgotten_until.count());
    out["topics"] = of.topics;
    out["messages"] = of.messages;
    out["gaps"] = of.gaps;
    out["gap_seconds"] = seconds(of.gap_time.count());
    return out;
}

nlohmann::ordered_json to_json(const recording::recording_summary& of) {
    if (of.from == recording::viewpoint::subscriber) {
        return to_json_of_subscriber(of);
    }
    nlohmann::ordered_json out{{"kind", of.kind},
                               {"fleetarium", of.program_version},
                               {"began", of.began},
                               {"scenario", of.scenario_name}};
    out["seed"] = of.seed ? nlohmann::ordered_json(*of.seed) : nlohmann::ordered_json();
    out["ran_for_seconds"] = of.ran_for ? nlohmann::ordered_json(seconds(of.ran_for->count()))
                                        : nlohmann::ordered_json();
    out["trace_hash"] = of.trace_hash;
    out["forgotten_until_seconds"] = seconds(of.forgotten_until.count());
    out["clients"] = of.clients;
    out["connections"] = of.connections;
    out["topics"] = of.topics;
    out["faults"] = of.faults;
    out["violations"] = of.violations;
    out["messages"] = of.messages;
    out["deliveries"] = of.deliveries;
    for (const auto& [state, times] : of.by_state) {
        out["deliveries_by_state"][state] = times;
    }
    return out;
}

/// One message's journey. False: there is no such message.
bool print_message(recording::database& in, std::int64_t id) {
    recording::statement message(
        in,
        "SELECT topic, qos, retain, payload, reason, properties FROM message_log WHERE id = ?1");
    message.bind(1, id);
    if (!message.step()) {
        return false;
    }
    fmt::print("message {}: {}, QoS {}{}, {} bytes{}{}\n", id, message.text(0), message.integer(1),
               message.integer(2) != 0 ? ", RETAIN" : "", message.blob(3).size(),
               message.text(4) == "none" ? "" : ", ",
               message.text(4) == "none" ? "" : message.text(4));
    if (!message.is_null(5)) {
        fmt::print("  {}\n", message.text(5));
    }
    message.reset();
    recording::statement steps(
        in, "SELECT at, step, client FROM journeys WHERE message = ?1 ORDER BY at, step, client");
    steps.bind(1, id);
    while (steps.step()) {
        fmt::print("  {:>16.6f} s  {:<32}{}\n", seconds(steps.integer(0)), steps.text(1),
                   steps.text(2));
    }
    return true;
}

int info(const info_options& options) {
    try {
        recording::recording_reader opened(options.file);
        if (options.check) {
            const std::string found = opened.tables().text("PRAGMA integrity_check(1)");
            if (found != "ok") {
                std::cerr << "fleetarium: " << options.file << ": is damaged: " << found << '\n';
                return exit_bad_input;
            }
        }
        if (options.message) {
            if (print_message(opened.tables(), *options.message)) {
                return exit_success;
            }
            const auto first = opened.tables().integer("SELECT min(id) FROM messages");
            const auto last = opened.tables().integer("SELECT max(id) FROM messages");
            std::cerr << "fleetarium: " << options.file << ": has no message " << *options.message
                      << (first ? fmt::format("; it has {} to {}", *first, *last)
                                : std::string("; it has none at all"))
                      << '\n';
            return exit_bad_input;
        }
        const recording::recording_summary summary = opened.summary();
        if (options.json) {
            std::cout << to_json(summary).dump(2) << '\n';
        } else {
            print_summary(summary);
        }
        return exit_success;
    } catch (const recording::recording_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_bad_input;
    }
}

}  // namespace

void add_info(CLI::App& app, int& exit_status) {
    auto options = std::make_shared<info_options>();
    CLI::App* const command = app.add_subcommand("info", "Say what is in a recording");
    command->add_option("recording", options->file, "A file that record or run --record made")
        ->required()
        ->type_name("FILE");
    command->add_option("--message", options->message, "One message's journey")->type_name("ID");
    command->add_flag("--json", options->json, "The summary as JSON");
    command->add_flag("--check", options->check, "Look at every page of the file first");
    command->callback([options, &exit_status] { exit_status = info(*options); });
}

}  // namespace fleetarium::cli
