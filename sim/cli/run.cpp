#include "commands.hpp"
#include "dashboard_window.hpp"
#include "mutant_flag.hpp"
#include "run_failure.hpp"
#include "run_live.hpp"
#include "run_recording.hpp"
#include "run_viewers.hpp"

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/sim/expectations.hpp>
#include <fleetarium/sim/report_json.hpp>
#include <fleetarium/sim/report_junit.hpp>
#include <fleetarium/sim/report_text.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace fleetarium::cli {

namespace {

using wall_clock = std::chrono::steady_clock;

volatile std::sig_atomic_t interrupted = 0;

void note_interrupt(int) { interrupted = 1; }

struct run_options {
    std::string scenario_file;
    std::optional<std::uint64_t> seed;
    std::string time;  // empty: virtual, or real with a target
    live_flags live;
    recording_flags recording;
    viewer_flags viewers;
    std::string duration;
    std::string report_file;
    std::string junit_file;
    std::string message;
    std::vector<std::string> overrides;
    bool fail_fast = false;
    bool quiet = false;
    std::function<void()> on_viewers{};      // from when on they are served
    std::function<bool()> is_window_open{};  // of --dashboard
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

std::string check_audit(const std::string& text) {
    return text == "user_property" || text == "payload" || text == "none"
               ? std::string()
               : "found \"" + text + "\", expected user_property, payload or none";
}

double seconds_since(wall_clock::time_point when) {
    return std::chrono::duration<double>(wall_clock::now() - when).count();
}

/// One line on a terminal, written over again and again; nothing elsewhere.
class progress_line {
public:
    explicit progress_line(bool shown) : shown_(shown) {}

    void show(const sim::world& running, instant end, double wall_seconds, double seconds_behind) {
        const double done = running.now().time_since_epoch() / std::chrono::duration<double>(1);
        const double whole = end.time_since_epoch() / std::chrono::duration<double>(1);
        if (!shown_ || wall_seconds <= 0) {
            return;
        }
        const double left = done > 0 ? wall_seconds * (whole - done) / done : 0;
        const auto total = static_cast<long>(done);
        fmt::print(stderr,
                   "\r\x1b[K  {:02}:{:02}:{:02} of {}  {:3.0f} %  {} events  {} times real time  "
                   "{:.0f} s left{}",
                   total / 3600, total / 60 % 60, total % 60,
                   sim::readable_duration(end.time_since_epoch()), 100 * done / whole,
                   sim::with_thousands(running.events_handled()),
                   sim::with_thousands(static_cast<std::uint64_t>(done / wall_seconds)), left,
                   seconds_behind > 0.1 ? fmt::format(", {:.1f} s BEHIND", seconds_behind) : "");
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

/// Runs the world to its end or to the first Ctrl-C, in slices short enough to draw and to stop;
/// if asked for only to the first failure, and returns false if that ended it.
bool run_to_end(sim::world& running, run_recording& recorded, instant end, bool show_progress,
                bool fail_fast) {
    using namespace std::chrono_literals;
    const auto started = wall_clock::now();
    progress_line progress(show_progress);
    auto last_drawn = started;
    // Never so much virtual time at once that a busy stretch after a quiet one could not be
    // stopped or watched.
    const duration slice_max = std::max<duration>(1s, end.time_since_epoch() / 500);
    duration slice = 100ms;
    bool go_on = true;
    while (go_on && running.now() < end && interrupted == 0) {
        const auto before = wall_clock::now();
        const instant until =
            std::min({end, saturating_add(running.now(), slice), recorded.next_checkpoint()});
        if (fail_fast) {
            go_on = running.run_until_failure(until);
        } else {
            running.run_until(until);
        }
        if (go_on) {
            recorded.reach(running.now());
        }
        const auto after = wall_clock::now();
        if (after - before < 20ms) {
            slice = std::min(2 * slice, slice_max);
        } else if (after - before > 80ms && slice > 1ms) {
            slice /= 2;
        }
        if (after - last_drawn > 100ms) {
            last_drawn = after;
            recorded.keep_up();
            progress.show(running, end, seconds_since(started), 0);
        }
    }
    progress.clear();
    return go_on;
}

/// The same while somebody outside takes part; `ended` is set by one who wants it to end.
bool run_to_end(live_run& running, run_recording& recorded, instant end, bool show_progress,
                bool fail_fast, const bool& ended) {
    const auto started = wall_clock::now();
    progress_line progress(show_progress);
    bool go_on = true;
    auto last_kept_up = started;
    const auto watch = [&] {
        if (wall_clock::now() - last_kept_up > std::chrono::milliseconds{100}) {
            last_kept_up = wall_clock::now();
            recorded.keep_up();
        }
        progress.show(running.running(), end, seconds_since(started), running.seconds_behind());
        go_on = !fail_fast || !running.running().has_failed();
        return go_on && interrupted == 0 && !ended;
    };
    while (running.running().now() < end &&
           running.run_until(std::min(end, recorded.next_checkpoint()), watch)) {
        running.running().run_until(running.running().now());  // no instant is left half done
        recorded.reach(running.running().now());
    }
    if (go_on) {
        running.running().run_until(running.running().now());  // no instant is left half done
        go_on = !fail_fast || !running.running().has_failed();
    }
    progress.clear();
    return go_on;
}

/// What of the options goes together; empty if it does.
std::string check_together(const run_options& options) {
    const bool is_virtual = options.time.empty() || options.time == "virtual";
    if (!options.live.listen.empty() && options.live.targets.empty() && is_virtual) {
        return "--listen needs --time real, or xN: in virtual time a run may be over before a "
               "client has connected";
    }
    if (!options.live.targets.empty() && options.time == "virtual") {
        return "a broker of --target lives in real time: leave --time out, or use real or xN";
    }
    if (!options.live.any() && options.live.has_tls()) {
        return "--cert, --key, --ca and --insecure go with --listen or --target";
    }
    if (!options.live.targets.empty() && !options.recording.file.empty()) {
        return "--record does not go with --target: what a broker outside decides nobody tells";
    }
    if (options.live.targets.empty() && options.live.has_audit()) {
        return "--audit, --audit-queue and --drain are for a broker outside: they go with --target";
    }
    if (options.live.audit == "none" && options.live.has_audit_bounds()) {
        return "--audit-queue and --drain are for an audit, and --audit none asks for none";
    }
    const std::string wrong = options.viewers.check();
    return wrong.empty() ? options.recording.check() : wrong;
}

/// Says so if what is expected may need more of the run than there was.
void tell_cut_short(const run_options& options, std::span<const sim::expectation_result> results) {
    std::vector<std::string> overrides = options.overrides;
    const auto whole = sim::load_scenario(options.scenario_file, overrides);
    const auto* const described = std::get_if<sim::scenario>(&whole);
    const auto given = config::parse_duration(options.duration);
    if (options.duration.empty() || !given || described == nullptr || sim::all_met(results) ||
        *given >= described->duration) {
        return;
    }
    std::cerr << fmt::format(
        "fleetarium: --duration has made {} of what is a scenario of {}: what it expects of the "
        "whole may fail for that alone; --set 'expectations=[]' leaves the ledger as the judge\n",
        config::duration_text(*given), config::duration_text(described->duration));
}

/// A file that is opened before the run: to find out at the end of a long run that it cannot be
/// written would be late.
class output_file {
public:
    /// No file if the path is empty.
    explicit output_file(const std::string& path) : path_(path) {
        if (!path.empty()) {
            file_.open(path);
        }
    }

    bool is_open() const { return file_.is_open(); }
    bool is_right() const { return path_.empty() || file_.is_open(); }

    bool write(const std::string& text) {
        file_ << text << std::flush;
        if (!file_) {
            std::cerr << "fleetarium: " << path_ << ": could not be written whole\n";
        }
        return static_cast<bool>(file_);
    }

    bool complain() const {
        std::cerr << "fleetarium: " << path_ << ": cannot be written\n";
        return false;
    }

private:
    std::string path_;
    std::ofstream file_;
};

/// Follows the message asked for, if one is.
std::unique_ptr<capture::message_journey> follow(sim::world& running, const run_options& options,
                                                 const sim::scenario& scenario) {
    return options.message.empty() ? nullptr
                                   : std::make_unique<capture::message_journey>(
                                         running, message_to_follow(options.message, scenario));
}

int run(const run_options& options) {
    std::vector<std::string> overrides = options.overrides;
    if (options.seed) {
        overrides.push_back("/seed=" + std::to_string(*options.seed));
    }
    if (!options.duration.empty()) {
        overrides.push_back("/duration=" + options.duration);
    }
    sim::scenario_inputs inputs;
    auto loaded = sim::load_scenario(options.scenario_file, overrides,
                                     options.recording.file.empty() ? nullptr : &inputs);
    if (const auto* problems = std::get_if<std::vector<sim::problem>>(&loaded)) {
        std::cerr << sim::to_string(*problems);
        return exit_bad_input;
    }
    const auto& scenario = std::get<sim::scenario>(loaded);

    if (!options.message.empty()) {
        static_cast<void>(message_to_follow(options.message, scenario));  // may throw
    }
    output_file report_file(options.report_file);
    output_file junit_file(options.junit_file);
    if (!(report_file.is_right() || report_file.complain()) ||
        !(junit_file.is_right() || junit_file.complain())) {
        return exit_not_carried_out;
    }

    std::signal(SIGINT, note_interrupt);
    std::signal(SIGTERM, note_interrupt);
    std::signal(SIGPIPE, SIG_IGN);  // a socket's peer may leave, or whoever reads our output
    const bool show_progress = !options.quiet && isatty(STDERR_FILENO) != 0;
    const instant end{scenario.duration};
    const std::optional<double> pace =
        pace_of(options.time.empty() && options.live.any() ? "real" : options.time);
    const auto started = wall_clock::now();
    sim::run_report report;
    sim::run_timing timing;
    std::unique_ptr<live_run> live;
    std::unique_ptr<sim::world> simulated;
    std::unique_ptr<run_recording> recorded;
    const recorded_run recorded_facts{.scenario_file = options.scenario_file,
                                      .overrides = overrides,
                                      .inputs = inputs.held(),
                                      .seed = scenario.seed,
                                      .end = end,
                                      .is_virtual = !pace};
    std::string story;
    std::unique_ptr<run_viewers> viewers;
    bool ended = false;
    const std::string replay = options.live.any()
                                   ? std::string()  // it will not do the same again
                                   : replay_command(options.scenario_file, scenario.seed,
                                                    options.duration, options.overrides);
    if (pace || options.viewers.any()) {
        live = std::make_unique<live_run>(scenario, options.live,
                                          pace.value_or(sim::paced_run::unlimited));
        recorded =
            std::make_unique<run_recording>(options.recording, recorded_facts, live->running());
        const auto journey = follow(live->running(), options, scenario);
        if (options.viewers.any()) {
            const auto report_json = [&] {
                const sim::run_report so_far = live->running().report();
                return sim::report_json(so_far, sim::evaluate(scenario.expectations, so_far),
                                        timing);
            };
            try {
                viewers = std::make_unique<run_viewers>(
                    options.viewers, scenario, *live, *recorded,
                    run_viewers::facts{.command = replay,
                                       .seed = scenario.seed,
                                       .can_pace = !options.live.any(),
                                       .is_virtual = !pace,
                                       .report_json = report_json,
                                       .end = [&ended] { ended = true; }});
            } catch (...) {
                recorded.reset();  // nothing has happened: its file would stand in the way
                if (!options.recording.file.empty()) {
                    std::filesystem::remove(options.recording.file);
                }
                throw;
            }
            if (options.on_viewers) {
                options.on_viewers();
            }
        }
        timing.stopped_at_failure =
            !run_to_end(*live, *recorded, end, show_progress, options.fail_fast, ended);
        report = live->running().report();
        // Expectations are of the run, and the audit is of what its end leaves behind, too.
        if (!timing.stopped_at_failure && interrupted == 0 &&
            live->drain([] { return interrupted == 0; })) {
            report.ledger = live->running().report().ledger;
        }
        live->complete(report, timing);
        story = journey != nullptr ? to_string(journey->story()) : "";
    } else {
        simulated = std::make_unique<sim::world>(sim::world::from(scenario));
        recorded = std::make_unique<run_recording>(options.recording, recorded_facts, *simulated);
        const auto journey = follow(*simulated, options, scenario);
        timing.stopped_at_failure =
            !run_to_end(*simulated, *recorded, end, show_progress, options.fail_fast);
        report = simulated->report();
        story = journey != nullptr ? to_string(journey->story()) : "";
    }
    timing.wall_seconds = seconds_since(started);
    timing.interrupted = interrupted != 0 || ended;

    const auto results = sim::evaluate(scenario.expectations, report);
    if (!options.quiet) {
        std::cout << sim::report_text(report, results, timing, isatty(STDOUT_FILENO) != 0)
                  << std::flush;
    }
    std::cout << story << std::flush;
    const bool all_is_well = report.ledger.violation_count() == 0 && sim::all_met(results);
    const std::string report_text = sim::report_json(report, results, timing);
    recorded->finish(report, report_text, all_is_well, timing.stopped_at_failure);
    const auto is_watched = [&options] {
        return options.viewers.stay || (options.is_window_open && options.is_window_open());
    };
    if (viewers != nullptr && is_watched() && !timing.interrupted) {
        viewers->note_end();
        viewers->serve([&] { return interrupted == 0 && !ended && is_watched(); });
    }
    viewers.reset();
    if (live != nullptr) {
        live->stop();
    }
    if ((report_file.is_open() && !report_file.write(report_text)) ||
        (junit_file.is_open() &&
         !junit_file.write(sim::report_junit(report, results, timing, replay)))) {
        return exit_not_carried_out;
    }
    if (all_is_well) {
        return exit_success;
    }
    tell_failure(scenario, report, results, replay);
    tell_cut_short(options, results);
    return exit_expectation_failed;
}

/// The same with the dashboard's window on this thread, and the run on another. The window stays
/// when the run has ended; if it is closed before, the run goes on.
int run_with_window(run_options options) {
    std::unique_ptr<dashboard_window> window;
    try {
        window = std::make_unique<dashboard_window>(window_flags());
    } catch (const std::runtime_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_not_carried_out;
    }
    feed::thread_link link;
    std::atomic<bool> is_open = true;
    std::atomic<bool> is_over = false;
    std::promise<void> began;
    std::exception_ptr failed;
    int status = exit_not_carried_out;
    options.viewers.window = &link;
    options.is_window_open = [&is_open] { return is_open.load(); };
    bool has_begun = false;
    options.on_viewers = [&] {
        has_begun = true;
        began.set_value();
    };
    std::thread running([&] {
        try {
            status = run(options);
        } catch (...) {
            failed = std::current_exception();
        }
        is_over = true;
        link.close("the run is over");
        if (!has_begun) {
            began.set_value();
        }
    });
    began.get_future().wait();
    std::exception_ptr window_failed;
    try {
        if (!is_over) {
            window->show(link, [&is_over] { return !is_over && interrupted == 0; });
        }
    } catch (...) {
        window_failed = std::current_exception();
        interrupted = 1;
    }
    window.reset();
    is_open = false;
    running.join();
    if (failed || window_failed) {
        std::rethrow_exception(failed ? failed : window_failed);
    }
    return status;
}

int run_checked(const run_options& options) {
    try {
        const std::string wrong = check_together(options);
        if (wrong.empty()) {
            return options.viewers.dashboard ? run_with_window(options) : run(options);
        }
        std::cerr << "fleetarium: " << wrong << '\n';
    } catch (const usage_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
    } catch (const recording::recording_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_not_carried_out;
    }
    return exit_bad_input;
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
                     "virtual, the default: as fast as possible; real, the default with --target, "
                     "or xN: paced to the wall clock")
        ->check(check_time)
        ->type_name("virtual|real|xN");
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
    command
        ->add_option("--junit", options->junit_file,
                     "Write expectations and invariants as JUnit XML, too")
        ->type_name("FILE.xml");
    command
        ->add_option("--message", options->message,
                     "Tell the way of one message step by step: meters[3]:17 is the 17th message "
                     "of the fourth device")
        ->type_name("FLEET[INDEX]:NUMBER");
    command->add_flag("--fail-fast", options->fail_fast,
                      "Stop at the first violation, or when what is always expected breaks");
    command->add_flag("--quiet", options->quiet, "Print no progress and no report");
    command
        ->add_option(
            "--listen", options->live.listen,
            "With --time real or xN: let real clients in; mqtt://HOST:PORT, mqtts://, "
            "ws://HOST:PORT/PATH, wss:// or unix:///PATH, port 0 is a free one; of several "
            "brokers say which")
        ->type_name("[BROKER=]URL")
        ->allow_extra_args(false);
    command
        ->add_option("--target", options->live.targets,
                     "The devices connect to this real broker, not to the scenario's")
        ->type_name("[BROKER=]URL")
        ->allow_extra_args(false);
    command
        ->add_option("--audit", options->live.audit,
                     "With --target: what carries the identity of messages, by which the broker is "
                     "audited; user_property, the default, where devices speak MQTT 5, or payload; "
                     "none: no audit")
        ->check(check_audit)
        ->type_name("user_property|payload|none");
    command
        ->add_option("--audit-queue", options->live.queue_limit,
                     "How many messages the broker keeps for a session at least; 500")
        ->type_name("N");
    command
        ->add_option("--drain", options->live.drain,
                     "How long to wait at the end, at most, for what is under way; 10s")
        ->check(check_duration)
        ->type_name("D");
    command
        ->add_option("--cert", options->live.certificate,
                     "Certificate with its chain, PEM: of the server with --listen, of the devices "
                     "with --target")
        ->type_name("FILE");
    command->add_option("--key", options->live.private_key, "Key of the certificate, PEM")
        ->type_name("FILE");
    command
        ->add_option("--ca", options->live.authorities,
                     "Whose certificates to trust, PEM: of clients, or of the target")
        ->type_name("FILE");
    command->add_flag("--insecure", options->live.insecure, "Let the target show any certificate");
    options->recording.add_to(*command);
    options->viewers.add_to(*command);
    add_mutant_flag(*command);
    command->callback([options, &exit_status] { exit_status = run_checked(*options); });
}

}  // namespace fleetarium::cli
