#include "bench.hpp"
#include "bench_against.hpp"
#include "commands.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::cli {

namespace {

struct part {
    std::string_view name;
    std::string_view what;
    std::vector<bench::figure> (*measure)(const bench::scale&);
};

constexpr std::array<part, 11> parts{{
    {"messages", "one message end to end, by QoS: in memory, and in a world",
     bench::measure_messages},
    {"day", "10,000 devices for 24 hours", bench::measure_fleet_day},
    {"memory", "bytes of a device, a million connected", bench::measure_memory},
    {"matching", "topic match with a million subscriptions", bench::measure_matching},
    {"flat", "messages a second from 1,000 to 1,000,000 devices", bench::measure_flat_cost},
    {"explore", "runs a second of a hunt, and what the ledger costs", bench::measure_exploring},
    {"embedding", "start and stop of brokers in this process, in wall time",
     bench::measure_embedding},
    {"recording", "recording, exporting and opening recordings, beside SQLite itself",
     bench::measure_recording},
    {"replay", "messages of a recording into a broker core", bench::measure_replay},
    {"persistence", "durable sessions, beside SQLite itself", bench::measure_persistence},
    {"feed", "a run of 100,000 devices while somebody looks at it", bench::measure_feed},
}};

struct bench_options {
    std::vector<std::string> chosen;
    double scale = 1;
    bench::against_options against;
};

int run_bench(const bench_options& options) {
    fmt::print(
        "One core, processor time; each figure beside a limit measured in the same run.\n\n");
    fmt::print("{:<58} {:>20}  {:<34} {:>6}  {}\n", "", "measured", "limit", "share", "goal");
    const bench::scale size{options.scale};
    for (const part& one : parts) {
        const bool wanted = options.chosen.empty() ||
                            std::find(options.chosen.begin(), options.chosen.end(), one.name) !=
                                options.chosen.end();
        if (!wanted) {
            continue;
        }
        for (const bench::figure& figure : one.measure(size)) {
            fmt::print("{:<58} {:>20}  {:<34} {:>6.3f}  {}{}\n", figure.name, figure.value,
                       figure.limit, figure.ratio, figure.goal,
                       figure.goal.empty() ? ""
                       : figure.reached    ? ": reached"
                                           : ": NOT REACHED");
            std::fflush(stdout);
        }
    }
    return exit_success;
}

/// Options of the comparison with another broker; each asks for `--against`.
void add_against(CLI::App& command, bench::against_options& against) {
    CLI::Option* const other =
        command
            .add_option("--against", against.against,
                        "Put this program's broker and the one that listens here under the same "
                        "loads in turns; `mosquitto` starts Debian's with fair settings")
            ->type_name("HOST:PORT");
    const auto of_comparison = [other](CLI::Option* option) { return option->needs(other); };
    of_comparison(command.add_option("--pid", against.pids,
                                     "Processes of the other broker; without, those that hold its "
                                     "listening socket"))
        ->type_name("PID")
        ->check(CLI::PositiveNumber);
    CLI::Option* const arguments =
        of_comparison(command.add_option("--broker-args", against.broker_arguments,
                                         "More arguments for this program's broker, in one text"))
            ->type_name("TEXT");
    of_comparison(
        command.add_flag("--no-ours", against.without_ours, "Measure the other broker alone"))
        ->excludes(arguments);
    of_comparison(command.add_option("--only", against.only,
                                     "Only this load, or those whose names begin with NAME-:" +
                                         bench::list_of_loads()))
        ->type_name("NAME");
    of_comparison(command.add_option("--seconds", against.seconds, "Length of a measurement"))
        ->check(CLI::Range(0.05, 3600.0))
        ->capture_default_str();
    of_comparison(command.add_option("--rounds", against.rounds, "Measurements of each broker"))
        ->check(CLI::Range(1u, 1000u))
        ->capture_default_str();
    of_comparison(command.add_option("--mqtt", against.version, "Version that the load speaks"))
        ->check(CLI::IsMember({"3.1.1", "5"}))
        ->capture_default_str();
    of_comparison(command.add_option("--json", against.json, "Write every figure to this file"))
        ->type_name("FILE");
}

}  // namespace

void add_bench(CLI::App& app, int& exit_status) {
    auto options = std::make_shared<bench_options>();
    CLI::App* const command =
        app.add_subcommand("bench", "Measure speed and memory, each beside a limit");
    std::vector<std::string> names;
    std::string list;
    for (const part& one : parts) {
        names.emplace_back(one.name);
        list += fmt::format("\n  {:<10} {}", one.name, one.what);
    }
    CLI::Option* const parts_option =
        command->add_option("parts", options->chosen, "Which parts; all without any:" + list)
            ->check(CLI::IsMember(names))
            ->type_name("PART");
    command
        ->add_option("--scale", options->scale,
                     "Share of devices and messages, or of seconds and idle connections, for a "
                     "quick look; 10 for ten times as many")
        ->check(CLI::Range(0.0001, 10.0))
        ->capture_default_str();
    add_against(*command, options->against);
    parts_option->excludes("--against");
    command->callback([options, &exit_status] {
        options->against.scale = options->scale;
        exit_status = options->against.against.empty() ? run_bench(*options)
                                                       : bench::run_against(options->against);
    });
}

}  // namespace fleetarium::cli
