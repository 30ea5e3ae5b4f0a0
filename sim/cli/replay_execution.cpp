#include "replay_execution.hpp"

#include "commands.hpp"
#include "difference_output.hpp"
#include "run_recording.hpp"

#include <fleetarium/recording/execution_replay.hpp>
#include <fleetarium/recording/recording_difference.hpp>
#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/sim/report_text.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <stdlib.h>
#include <unistd.h>

namespace fleetarium::cli {

namespace {

const compared_names recorded_and_now{"recorded", "now"};

volatile std::sig_atomic_t interrupted = 0;

void note_interrupt(int) { interrupted = 1; }

/// Where the second recording lies while it is compared.
class second_recording {
public:
    explicit second_recording(const execution_flags& flags) {
        if (flags.hash_only || !flags.recording.empty()) {
            path_ = flags.recording;
            return;
        }
        folder_ = (std::filesystem::temp_directory_path() / "fleetarium-replay-XXXXXX").string();
        if (mkdtemp(folder_.data()) == nullptr) {
            throw std::runtime_error(folder_ + ": " + std::strerror(errno));
        }
        path_ = folder_ + "/now.flr";
    }
    ~second_recording() {
        if (!folder_.empty()) {
            std::error_code ignored;
            std::filesystem::remove_all(folder_, ignored);
        }
    }
    second_recording(const second_recording&) = delete;
    second_recording& operator=(const second_recording&) = delete;

    const std::string& path() const { return path_; }

private:
    std::string folder_;  // empty: the user's file
    std::string path_;    // empty: none is made
};

/// How far it is, on a terminal; and whether the user has had enough.
class progress {
public:
    explicit progress(instant end)
        : end_(end), shown_(isatty(STDERR_FILENO) != 0), drawn_(std::chrono::steady_clock::now()) {}

    bool running(instant now) {
        draw([&] {
            return fmt::format("{} of {}", sim::readable_duration(now.time_since_epoch()),
                               sim::readable_duration(end_.time_since_epoch()));
        });
        return interrupted == 0;
    }
    bool comparing() {
        draw([] { return std::string("comparing"); });
        return interrupted == 0;
    }
    ~progress() {
        if (is_drawn_) {
            fmt::print(stderr, "\r\x1b[K");
        }
    }
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

private:
    template <class Text>
    void draw(Text&& text) {
        const auto now = std::chrono::steady_clock::now();
        if (!shown_ || now - drawn_ < std::chrono::milliseconds{100}) {
            return;
        }
        drawn_ = now;
        is_drawn_ = true;
        fmt::print(stderr, "\r\x1b[K  {}", text());
        std::fflush(stderr);
    }

    instant end_;
    bool shown_;
    bool is_drawn_ = false;
    std::chrono::steady_clock::time_point drawn_;
};

struct outcome {
    recording::recorded_execution recorded;
    recording::replayed_execution now;
    std::optional<recording::recording_difference> rows;  // none: not compared

    bool is_equal() const { return now.is_equal && !(rows && rows->row); }
    bool is_whole() const { return recorded.end.has_value(); }
};

/// What may be the reason for a difference; empty: nothing comes to mind.
std::string likely_cause(const outcome& of) {
    if (of.now.is_equal) {
        return of.is_whole() ? "The trace hash is the same: the file was changed after it was "
                               "recorded."
                             : std::string();
    }
    if (of.recorded.program_version != FLEETARIUM_VERSION) {
        return fmt::format(
            "fleetarium {} recorded it, this is {}: another version may make other "
            "events.",
            of.recorded.program_version, FLEETARIUM_VERSION);
    }
    return "The same version recorded it: a program of other sources or another build, or a "
           "scenario that was changed in the file.";
}

std::string events(std::uint64_t count) { return sim::with_thousands(count) + " events"; }

void print(const std::string& file, const outcome& of) {
    const auto& end = of.now.end;
    const std::string compared = !of.rows ? "" : ", and the same rows in all tables";
    if (of.is_equal()) {
        if (of.is_whole()) {
            fmt::print("{}: equal: {} in {}, trace hash {}{}\n", file, events(end.events),
                       sim::readable_duration(end.at.time_since_epoch()), end.trace_hash, compared);
        } else {
            fmt::print("{}: equal as far as it goes: it was cut short at {}; {} until then{}{}\n",
                       file, instant_text(of.recorded.known_until.time_since_epoch().count()),
                       events(end.events),
                       of.now.equal_until
                           ? ", the same trace hash at " +
                                 instant_text(of.now.equal_until->time_since_epoch().count())
                           : std::string(),
                       compared);
        }
        return;
    }
    fmt::print("{}: differs\n", file);
    if (of.recorded.end) {
        fmt::print("  recorded  trace hash {}, {}\n  now       trace hash {}, {}\n",
                   of.recorded.end->trace_hash, events(of.recorded.end->events), end.trace_hash,
                   events(end.events));
    }
    if (of.now.different_at) {
        fmt::print(
            "  the trace hash parts {}{}\n",
            of.now.equal_until
                ? "after " + instant_text(of.now.equal_until->time_since_epoch().count()) + ", "
                : std::string(),
            "until " + instant_text(of.now.different_at->time_since_epoch().count()));
    }
    if (of.rows && of.rows->row) {
        print_row_difference(*of.rows->row, recorded_and_now);
        print_counts(*of.rows, recorded_and_now);
    } else if (of.rows) {
        fmt::print(
            "  no row of the recording shows it: what differs is in packets that make no "
            "row\n");
    }
    const std::string cause = likely_cause(of);
    fmt::print("{}{}", cause, cause.empty() ? "" : "\n");
}

nlohmann::ordered_json seconds_or_null(const std::optional<instant>& at) {
    return at ? nlohmann::ordered_json(static_cast<double>(at->time_since_epoch().count()) / 1e9)
              : nlohmann::ordered_json();
}

nlohmann::ordered_json to_json(const outcome& of) {
    nlohmann::ordered_json out{{"result", of.is_equal() ? "equal" : "differs"},
                               {"cut_short", !of.is_whole()},
                               {"seed", of.recorded.scenario.seed}};
    out["until_seconds"] = seconds_or_null(of.recorded.known_until);
    out["trace_hash"] = {{"recorded", nullptr}, {"now", of.now.end.trace_hash}};
    out["events"] = {{"recorded", nullptr}, {"now", of.now.end.events}};
    if (of.recorded.end) {
        out["trace_hash"]["recorded"] = of.recorded.end->trace_hash;
        out["events"]["recorded"] = of.recorded.end->events;
    }
    out["fleetarium"] = {{"recorded", of.recorded.program_version}, {"now", FLEETARIUM_VERSION}};
    out["trace_hash_equal_until_seconds"] = seconds_or_null(of.now.equal_until);
    out["trace_hash_differs_at_seconds"] = seconds_or_null(of.now.different_at);
    out["rows_compared"] = of.rows.has_value();
    if (of.rows) {
        add_difference(out, *of.rows, recorded_and_now);
    }
    return out;
}

int carry_out(const std::string& file, const execution_flags& flags) {
    outcome made;
    recording::recording_reader recorded(file);
    made.recorded = recording::read_execution(recorded);
    std::ofstream report;
    if (!flags.report_file.empty()) {
        report.open(flags.report_file);
        if (!report) {
            std::cerr << "fleetarium: " << flags.report_file << ": cannot be written\n";
            return exit_not_carried_out;
        }
    }
    try {
        const second_recording second(flags);
        progress shown(made.recorded.known_until);
        made.now = recording::replay_execution(
            made.recorded, {.recording = second.path(),
                            .program_version = FLEETARIUM_VERSION,
                            .began = wall_time(),
                            .watch = [&](instant now) { return shown.running(now); }});
        if (!second.path().empty() && !made.now.interrupted) {
            recording::recording_reader now(second.path());
            made.rows = recording::compare_rows(
                recorded.tables(), now.tables(),
                {.only_events = true, .watch = [&] { return shown.comparing(); }});
        }
    } catch (const std::runtime_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_not_carried_out;
    }
    if (made.now.interrupted || (made.rows && made.rows->interrupted)) {
        std::cerr << "fleetarium: interrupted: nothing was found out\n";
        return exit_not_carried_out;
    }
    const std::string text = to_json(made).dump(2) + '\n';
    if (flags.json) {
        std::cout << text;
    } else {
        print(file, made);
    }
    if (report.is_open() && !(report << text << std::flush)) {
        std::cerr << "fleetarium: " << flags.report_file << ": could not be written whole\n";
        return exit_not_carried_out;
    }
    return made.is_equal() ? exit_success : exit_expectation_failed;
}

}  // namespace

void execution_flags::add_to(CLI::App& command) {
    CLI::Option* const kept =
        command
            .add_option("--record", recording,
                        "Keep what happens now in this new recording, to look at both")
            ->type_name("FILE");
    command.add_option("--report", report_file, "Write the result as JSON, too")
        ->type_name("FILE.json");
    command.add_flag("--json", json, "Print the result as JSON");
    command
        .add_flag("--hash-only", hash_only,
                  "Compare the trace hash, but no rows: faster, and needs no space")
        ->excludes(kept);
}

int replay_execution(const std::string& file, const execution_flags& flags) {
    std::signal(SIGINT, note_interrupt);
    std::signal(SIGTERM, note_interrupt);
    try {
        return carry_out(file, flags);
    } catch (const recording::recording_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_bad_input;
    }
}

}  // namespace fleetarium::cli
