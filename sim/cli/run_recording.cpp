#include "run_recording.hpp"

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/sim/report_text.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>

namespace fleetarium::cli {

namespace {

/// Instant 0 as {time:iso} and captures have it: 2000-01-01.
constexpr std::int64_t virtual_epoch = 946'684'800'000'000'000;

/// A recording has so many checkpoints at most, however long the run.
constexpr std::int64_t checkpoints_max = 100;

}  // namespace

std::int64_t epoch_of(bool is_virtual, instant now) {
    if (is_virtual) {
        return virtual_epoch;
    }
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count() -
           now.time_since_epoch().count();
}

void recording_flags::add_to(CLI::App& command, of what) {
    command
        .add_option("--record", file,
                    what == of::run ? "Record the run's traffic in this new file, a SQLite database"
                                    : "Record all that it does in this new file, a SQLite database")
        ->type_name("FILE");
    command
        .add_option("--max-size", size_max,
                    "Give up the oldest messages of the recording for newer ones beyond this size")
        ->type_name("SIZE");
    command
        .add_option("--last", last,
                    what == of::run
                        ? "Record as a flight recorder: keep only so much of the newest, and keep "
                          "the file only if an expectation or invariant failed"
                        : "Keep only so much of the newest")
        ->type_name("D");
}

std::string recording_flags::check() const {
    if (file.empty()) {
        return size_max.empty() && last.empty() ? "" : "--max-size and --last go with --record";
    }
    return check_bounds(size_max, last);
}

std::string check_bounds(const std::string& size_max, const std::string& last) {
    if (!size_max.empty()) {
        const auto size = config::parse_size(size_max);
        if (!size || *size < recording::recording_options::file_size_min) {
            return "--max-size: found \"" + size_max +
                   "\", expected a size such as 500MiB, of 4MiB "
                   "at least";
        }
    }
    if (!last.empty() && config::parse_duration(last).value_or(duration{}) <= duration{}) {
        return "--last: found \"" + last + "\", expected a duration such as 10m";
    }
    return {};
}

void set_bounds(recording::recording_options& to, const std::string& size_max,
                const std::string& last) {
    if (!size_max.empty()) {
        to.file_size_max = config::parse_size(size_max);
    }
    if (!last.empty()) {
        to.last = config::parse_duration(last);
    }
}

std::string wall_time() {
    const std::time_t now = std::time(nullptr);
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

run_recording::run_recording(const recording_flags& flags, const recorded_run& run, sim::world& of)
    : flags_(flags) {
    if (flags.file.empty()) {
        return;
    }
    recording::recording_options options;
    options.path = flags.file;
    options.kind = run.is_virtual ? "virtual" : "paced";
    options.scenario = sim::scenario_document(run.scenario_file, run.overrides);
    options.scenario_file = std::filesystem::absolute(run.scenario_file).string();
    options.inputs = run.inputs;
    options.seed = run.seed;
    options.epoch = epoch_of(run.is_virtual, of.now());
    options.began = wall_time();
    options.program_version = FLEETARIUM_VERSION;
    set_bounds(options, flags.size_max, flags.last);
    recorder_ = std::make_unique<recording::world_recorder>(of, options);
    if (run.is_virtual) {
        between_checkpoints_ = std::max(run.end.time_since_epoch() / checkpoints_max, duration(1));
        next_checkpoint_ = saturating_add(of.now(), between_checkpoints_);
    }
}

void run_recording::reach(instant now) {
    if (now >= next_checkpoint_) {
        recorder_->checkpoint();
        next_checkpoint_ = saturating_add(now, between_checkpoints_);
    }
}

void run_recording::keep_up() const {
    if (recorder_ != nullptr) {
        recorder_->flush();
        const std::string wrong = recorder_->error();
        if (!wrong.empty()) {
            throw recording::recording_error(wrong);
        }
    }
}

void run_recording::add_intervention(std::string_view what, std::string_view json) {
    if (recorder_ != nullptr) {
        recorder_->add_intervention(what, json);
    }
}

void run_recording::annotate(std::string_view text) {
    if (recorder_ != nullptr) {
        recorder_->annotate(text);
    }
}

void run_recording::finish(const sim::run_report& report, const std::string& report_json,
                           bool all_is_well, bool stopped_at_failure) {
    if (recorder_ == nullptr) {
        return;
    }
    const auto written =
        recorder_->finish(report, report_json,
                          stopped_at_failure ? recording::world_recorder::last_instant::broken_off
                                             : recording::world_recorder::last_instant::whole);
    recorder_.reset();
    if (!flags_.last.empty() && all_is_well) {
        std::filesystem::remove(flags_.file);
        fmt::print(stderr, "fleetarium: all is well: {} is not kept\n", flags_.file);
        return;
    }
    fmt::print(stderr, "fleetarium: {}: {} messages, {} deliveries, {:.1f} MiB\n", flags_.file,
               sim::with_thousands(written.messages), sim::with_thousands(written.deliveries),
               static_cast<double>(written.file_bytes) / 1048576.0);
}

}  // namespace fleetarium::cli
