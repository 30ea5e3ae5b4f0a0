#include "commands.hpp"

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/sim/expectations.hpp>
#include <fleetarium/sim/report_json.hpp>
#include <fleetarium/sim/report_text.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace fleetarium::cli {

namespace {

using wall_clock = std::chrono::steady_clock;

volatile std::sig_atomic_t interrupted = 0;

void note_interrupt(int) { interrupted = 1; }

struct run_options {
    std::string scenario_file;
    std::optional<std::uint64_t> seed;
    std::string time = "virtual";
    std::string duration;
    std::string report_file;
    std::vector<std::string> overrides;
    bool quiet = false;
};

/// How many virtual seconds pass in a real one; none: as many as the machine can do.
std::optional<double> pace_of(const std::string& time) {
    if (time == "real") {
        return 1.0;
    }
    if (time.size() > 1 && time.front() == 'x') {
        std::size_t used = 0;
        const double factor = std::stod(time.substr(1), &used);
        if (used == time.size() - 1 && factor > 0 && factor <= 1e9) {
            return factor;
        }
    }
    return std::nullopt;
}

std::string check_time(const std::string& time) {
    try {
        if (time == "virtual" || pace_of(time)) {
            return {};
        }
    } catch (const std::exception&) {
        // not a number
    }
    return "found \"" + time + "\", expected virtual, real or xN, for example x60";
}

std::string check_duration(const std::string& text) {
    return config::parse_duration(text)
               ? std::string()
               : "found \"" + text + "\", expected a duration such as 90s, 24h";
}

/// One line on a terminal, written over again and again; nothing elsewhere.
class progress_line {
public:
    explicit progress_line(bool shown) : shown_(shown) {}

    void show(const sim::world& running, instant end, double wall_seconds) {
        const double done = running.now().time_since_epoch() / std::chrono::duration<double>(1);
        const double whole = end.time_since_epoch() / std::chrono::duration<double>(1);
        if (!shown_ || wall_seconds <= 0) {
            return;
        }
        const double left = done > 0 ? wall_seconds * (whole - done) / done : 0;
        const auto total = static_cast<long>(done);
        fmt::print(stderr,
                   "\r\x1b[K  {:02}:{:02}:{:02} of {}  {:3.0f} %  {} events  {} times real time  "
                   "{:.0f} s left",
                   total / 3600, total / 60 % 60, total % 60,
                   sim::readable_duration(end.time_since_epoch()), 100 * done / whole,
                   sim::with_thousands(running.events_handled()),
                   sim::with_thousands(static_cast<std::uint64_t>(done / wall_seconds)), left);
        std::fflush(stderr);
        drawn_ = true;
    }

    void clear() {
        if (drawn_) {
            fmt::print(stderr, "\r\x1b[K");
        }
    }

private:
    bool shown_;
    bool drawn_ = false;
};

/// Runs the world to its end or to the first Ctrl-C, in slices short enough to draw and to stop.
void run_to_end(sim::world& running, instant end, std::optional<double> pace, bool show_progress) {
    using namespace std::chrono_literals;
    const auto started = wall_clock::now();
    const auto wall_seconds = [&] {
        return std::chrono::duration<double>(wall_clock::now() - started).count();
    };
    progress_line progress(show_progress);
    auto last_drawn = started;
    // Never so much virtual time at once that a busy stretch after a quiet one could not be
    // stopped or watched.
    const duration slice_max = std::max<duration>(1s, end.time_since_epoch() / 500);
    duration slice = 100ms;
    while (running.now() < end && interrupted == 0) {
        const auto before = wall_clock::now();
        if (pace) {
            const auto due = std::min<std::chrono::duration<double>>(
                std::chrono::duration<double>(wall_seconds() * *pace), end.time_since_epoch());
            const instant until = std::min(instant{std::chrono::duration_cast<duration>(due)},
                                           saturating_add(running.now(), slice_max));
            running.run_until(std::max(until, running.now()));
            std::this_thread::sleep_for(5ms);
        } else {
            running.run_until(std::min(end, saturating_add(running.now(), slice)));
            const auto took = wall_clock::now() - before;
            if (took < 20ms) {
                slice = std::min(2 * slice, slice_max);
            } else if (took > 80ms && slice > 1ms) {
                slice /= 2;
            }
        }
        if (wall_clock::now() - last_drawn > 100ms) {
            last_drawn = wall_clock::now();
            progress.show(running, end, wall_seconds());
        }
    }
    progress.clear();
}

int run(const run_options& options) {
    std::vector<std::string> overrides = options.overrides;
    if (options.seed) {
        overrides.push_back("/seed=" + std::to_string(*options.seed));
    }
    if (!options.duration.empty()) {
        overrides.push_back("/duration=" + options.duration);
    }
    auto loaded = sim::load_scenario(options.scenario_file, overrides);
    if (const auto* problems = std::get_if<std::vector<sim::problem>>(&loaded)) {
        std::cerr << sim::to_string(*problems);
        return exit_bad_input;
    }
    const auto& scenario = std::get<sim::scenario>(loaded);

    // Opened first: to find out at the end of a long run that it cannot be written would be late.
    std::ofstream report_file;
    if (!options.report_file.empty()) {
        report_file.open(options.report_file);
        if (!report_file) {
            std::cerr << "fleetarium: " << options.report_file << ": cannot be written\n";
            return exit_not_carried_out;
        }
    }

    std::signal(SIGINT, note_interrupt);
    std::signal(SIGTERM, note_interrupt);
    const auto started = wall_clock::now();
    sim::world running = sim::world::from(scenario);
    run_to_end(running, instant{scenario.duration}, pace_of(options.time),
               !options.quiet && isatty(STDERR_FILENO) != 0);
    sim::run_timing timing;
    timing.wall_seconds = std::chrono::duration<double>(wall_clock::now() - started).count();
    timing.interrupted = interrupted != 0;

    const sim::run_report report = running.report();
    const auto results = sim::evaluate(scenario.expectations, report);
    if (!options.quiet) {
        std::cout << sim::report_text(report, results, timing, isatty(STDOUT_FILENO) != 0)
                  << std::flush;
    }
    if (report_file.is_open()) {
        report_file << sim::report_json(report, results, timing) << std::flush;
        if (!report_file) {
            std::cerr << "fleetarium: " << options.report_file << ": could not be written whole\n";
            return exit_not_carried_out;
        }
    }
    const bool all_met = std::all_of(results.begin(), results.end(),
                                     [](const auto& result) { return result.met; });
    return all_met ? exit_success : exit_expectation_failed;
}

}  // namespace

void add_run(CLI::App& app, int& exit_status) {
    auto options = std::make_shared<run_options>();
    CLI::App* const command = app.add_subcommand(
        "run", "Simulate a scenario and report what came of it; exit 1 if an expectation failed");
    command->add_option("scenario", options->scenario_file, "The scenario, a JSON file")
        ->required()
        ->type_name("SCENARIO.json");
    command->add_option("--seed", options->seed, "Instead of the scenario's seed");
    command
        ->add_option("--time", options->time,
                     "virtual: as fast as possible; real or xN: paced to the wall clock")
        ->check(check_time)
        ->type_name("virtual|real|xN")
        ->capture_default_str();
    command->add_option("--duration", options->duration, "Instead of the scenario's duration")
        ->check(check_duration)
        ->type_name("D");
    command->add_option("--report", options->report_file, "Write the report as JSON, too")
        ->type_name("FILE.json");
    command
        ->add_option("--set", options->overrides,
                     "Replace a value: /fleets/0/count=10 or fleets.meters.count=10")
        ->type_name("PATH=VALUE")
        ->allow_extra_args(false);
    command->add_flag("--quiet", options->quiet, "Print no progress and no report");
    command->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace fleetarium::cli
