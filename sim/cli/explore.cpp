#include "commands.hpp"
#include "mutant_flag.hpp"

#include <fleetarium/capture/link_capture.hpp>
#include <fleetarium/config/document.hpp>
#include <fleetarium/core/limits.hpp>
#include <fleetarium/explore/explorer.hpp>
#include <fleetarium/explore/finding_files.hpp>
#include <fleetarium/explore/shrinker.hpp>
#include <fleetarium/sim/report_text.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace fleetarium::cli {

namespace {

using wall_clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

volatile std::sig_atomic_t interrupted = 0;

void note_interrupt(int) { interrupted = 1; }

struct explore_flags {
    std::string scenario_file;
    std::vector<std::string> overrides;
    sim::explore_options hunt;
    bool no_faults = false;
    bool no_expectations = false;
    bool no_shrink = false;
    double shrink_seconds = 60;
    std::string out = ".";
};

double seconds_since(wall_clock::time_point when) {
    return std::chrono::duration<double>(wall_clock::now() - when).count();
}

/// The part of a file name that says which rule.
std::string word_of(const std::string& rule) {
    std::string word;
    for (const char each : rule) {
        const bool plain = (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') ||
                           (each >= '0' && each <= '9');
        if (plain || (!word.empty() && word.back() != '_')) {
            word += plain ? each : '_';
        }
    }
    return word.substr(0, 60);
}

void print_coverage(const sim::coverage& seen, double seconds) {
    using sim::with_thousands;
    fmt::print("  {} runs in {:.1f} s, {:.0f} a second; {} events\n", with_thousands(seen.runs),
               seconds, seconds > 0 ? static_cast<double>(seen.runs) / seconds : 0.0,
               with_thousands(seen.events));
    fmt::print(
        "  seen: {} connects, {} sessions resumed, {} links broken, {} keep alive timeouts, "
        "{} deliveries, {} copies at receivers, {} copies at brokers, {} drops, {} wills, "
        "{} retained messages to new subscriptions\n",
        with_thousands(seen.connects), with_thousands(seen.sessions_resumed),
        with_thousands(seen.links_broken), with_thousands(seen.keep_alive_timeouts),
        with_thousands(seen.deliveries), with_thousands(seen.duplicates),
        with_thousands(seen.received_again), with_thousands(seen.drops), with_thousands(seen.wills),
        with_thousands(seen.retained));
    std::string faults;
    for (std::size_t i = 0; i < seen.faults.size(); ++i) {
        faults += fmt::format("{}{} {}", faults.empty() ? "" : ", ", with_thousands(seen.faults[i]),
                              sim::name_of(static_cast<sim::fault_kind>(i)));
    }
    fmt::print("  faults: {}\n", faults);
}

bool write_file(const fs::path& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    if (!file) {
        std::cerr << "fleetarium: " << path.string() << ": cannot be written\n";
        return false;
    }
    return true;
}

/// Runs it once more, for Wireshark.
bool write_capture(const fs::path& path, const config::json_value& document,
                   const std::string& scenario_file) {
    const auto read = sim::parse_scenario(config::json_compact(document), scenario_file);
    const auto& scenario = std::get<sim::scenario>(read);
    std::ofstream file(path, std::ios::binary);
    sim::world running = sim::world::from(scenario);
    {
        const capture::link_capture traffic(running, file);
        running.run_until(instant{scenario.duration});
    }
    file.flush();
    if (!file) {
        std::cerr << "fleetarium: " << path.string() << ": cannot be written\n";
        return false;
    }
    return true;
}

/// Makes it small and writes the files.
bool report_finding(const explore_flags& flags, const std::string& text,
                    const sim::finding& found) {
    for (const sim::failure& each : found.failures) {
        fmt::print("seed {}: {}\n", found.seed, each.what);
    }
    const sim::failure& first = found.failures.front();
    config::json_value document = sim::document_of(text, flags.overrides, found);
    sim::finding_facts facts{flags.scenario_file, found.seed, first};
    if (!flags.no_shrink) {
        const auto started = wall_clock::now();
        sim::shrink_options options;
        options.file_name = flags.scenario_file;
        options.judge = flags.hunt.judge;
        options.may_go_on = [&] {
            return interrupted == 0 && seconds_since(started) < flags.shrink_seconds;
        };
        sim::shrunk small = sim::shrink(std::move(document), first, options);
        fmt::print("  made small by {} of {} runs in {:.1f} s: {} {}, {} {}\n", small.steps,
                   small.trials, seconds_since(started), small.devices,
                   small.devices == 1 ? "device" : "devices", small.faults,
                   small.faults == 1 ? "fault" : "faults");
        document = std::move(small.document);
        facts.why = small.why;
    }
    const fs::path folder(flags.out);
    const std::string stem = fs::path(flags.scenario_file).stem().string() + "-" +
                             word_of(first.rule) + "-" + std::to_string(found.seed);
    const fs::path scenario_path = folder / (stem + ".json");
    const fs::path test_path = folder / (stem + "_test.cpp");
    const fs::path capture_path = folder / (stem + ".pcapng");
    if (!write_file(scenario_path, sim::finding_scenario_text(document, facts)) ||
        !write_file(test_path, sim::finding_test_text(document, facts)) ||
        !write_capture(capture_path, document, flags.scenario_file)) {
        return false;
    }
    fmt::print("  {}\n  a test: {}\n  its packets: {}\n  to see it again: fleetarium run {}\n",
               facts.why.what, test_path.string(), capture_path.string(), scenario_path.string());
    return true;
}

int explore(explore_flags& flags) {
    auto text =
        config::read_text_file(flags.scenario_file, limits::scenario_size_max, "a scenario file");
    if (const auto* problems = std::get_if<std::vector<sim::problem>>(&text)) {
        std::cerr << sim::to_string(*problems);
        return exit_bad_input;
    }
    const std::string& content = std::get<std::string>(text);
    const auto loaded = sim::parse_scenario(content, flags.scenario_file, flags.overrides);
    if (const auto* problems = std::get_if<std::vector<sim::problem>>(&loaded)) {
        std::cerr << sim::to_string(*problems);
        return exit_bad_input;
    }
    std::error_code wrong;
    if (!fs::is_directory(flags.out, wrong)) {
        std::cerr << "fleetarium: --out " << flags.out << ": expected a directory that exists\n";
        return exit_bad_input;
    }
    const auto& scenario = std::get<sim::scenario>(loaded);
    flags.hunt.draw_faults = !flags.no_faults;
    flags.hunt.judge.expectations = !flags.no_expectations;

    std::signal(SIGINT, note_interrupt);
    std::signal(SIGTERM, note_interrupt);
    const bool shows = isatty(STDERR_FILENO) != 0;
    const auto started = wall_clock::now();
    const sim::exploration found =
        sim::explore(scenario, flags.hunt, [&](const sim::explore_progress& now) {
            const double seconds = seconds_since(started);
            if (shows && seconds > 0) {
                fmt::print(stderr, "\r\x1b[K  {} of {} runs, {:.0f} a second, {} broke a rule",
                           sim::with_thousands(now.runs), sim::with_thousands(flags.hunt.seeds),
                           static_cast<double>(now.runs) / seconds, now.findings);
                std::fflush(stderr);
            }
            return interrupted == 0;
        });
    if (shows) {
        fmt::print(stderr, "\r\x1b[K");
    }
    fmt::print("{}, seeds {} to {}: {}\n", scenario.name, flags.hunt.first_seed,
               flags.hunt.first_seed + flags.hunt.seeds - 1,
               !found.findings.empty() ? fmt::format("{} broke a rule", found.findings.size())
               : found.stopped         ? std::string("stopped; no rule broken so far")
                                       : std::string("no rule broken"));
    print_coverage(found.seen, seconds_since(started));
    std::fflush(stdout);
    for (const sim::finding& each : found.findings) {
        if (!report_finding(flags, content, each)) {
            return exit_not_carried_out;
        }
    }
    return found.findings.empty() ? exit_success : exit_expectation_failed;
}

}  // namespace

void add_explore(CLI::App& app, int& exit_status) {
    auto flags = std::make_shared<explore_flags>();
    flags->hunt.jobs = std::max(1u, std::thread::hardware_concurrency());
    CLI::App* const command = app.add_subcommand(
        "explore",
        "Run a scenario under many seeds with faults drawn from them; make what breaks "
        "a rule small");
    command->add_option("scenario", flags->scenario_file, "The scenario, a JSON file")
        ->required()
        ->type_name("SCENARIO.json");
    command->add_option("--seeds", flags->hunt.seeds, "How many; one run each")
        ->capture_default_str()
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40))
        ->type_name("N");
    command->add_option("--first-seed", flags->hunt.first_seed, "The first of them")
        ->capture_default_str()
        ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 52))
        ->type_name("N");
    command->add_option("--jobs", flags->hunt.jobs, "Runs at once")
        ->capture_default_str()
        ->check(CLI::Range(1u, 1024u))
        ->type_name("N");
    command->add_flag("--keep-going", flags->hunt.keep_going,
                      "Look at all seeds; without, stop at the first that breaks a rule");
    command->add_flag("--no-faults", flags->no_faults, "Draw no faults: the scenario's own alone");
    command->add_flag("--no-expectations", flags->no_expectations,
                      "Judge the rules of MQTT alone, not what the scenario expects");
    command->add_flag("--no-shrink", flags->no_shrink, "Write the run as it was found");
    command
        ->add_option("--shrink-time", flags->shrink_seconds,
                     "Seconds to make each finding small in")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 1e6))
        ->type_name("S");
    command->add_option("--out", flags->out, "Folder for what is found")
        ->capture_default_str()
        ->type_name("DIR");
    command->add_option("--set", flags->overrides, "As in run")
        ->type_name("PATH=VALUE")
        ->allow_extra_args(false);
    add_mutant_flag(*command);
    command->callback([flags, &exit_status] { exit_status = explore(*flags); });
}

}  // namespace fleetarium::cli
