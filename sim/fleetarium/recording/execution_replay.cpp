#include <fleetarium/recording/execution_replay.hpp>

#include <fleetarium/recording/schema.hpp>
#include <fleetarium/recording/world_recorder.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <variant>

namespace fleetarium::recording {

namespace {

/// So many events take some milliseconds: between them one can look at the clock.
constexpr std::uint64_t events_a_watch = 20'000;

instant to_instant(std::int64_t nanoseconds) { return instant{duration{nanoseconds}}; }

trace_checkpoint present_of(const sim::world& running) {
    return {running.now(), running.events_handled(), trace_hash_text(running.trace_hash())};
}

std::string why_not_runnable(const std::string& kind, bool has_scenario) {
    if (kind == "paced") {
        return "is the recording of a run in real time: who else took part, and when, no run can "
               "repeat; `fleetarium replay FILE --to URL` publishes its messages again";
    }
    if (kind != "virtual") {
        return "is the recording of a broker's traffic, without a scenario that could be run; "
               "`fleetarium replay FILE --to URL` publishes its messages again";
    }
    if (!has_scenario) {
        return "has no scenario: a program built its world by hand; run that program again and "
               "compare both recordings with `fleetarium diff`";
    }
    return {};
}

sim::scenario_inputs::files inputs_of(recording_reader& from) {
    sim::scenario_inputs::files held;
    statement rows(from.tables(), "SELECT name, bytes FROM inputs");
    while (rows.step()) {
        const bytes_view bytes = rows.blob(1);
        held.emplace(rows.text(0), std::string(bytes.begin(), bytes.end()));
    }
    return held;
}

sim::scenario scenario_of(recording_reader& from, const recorded_execution& what) {
    sim::scenario_inputs inputs(what.inputs);
    auto read = sim::parse_scenario(what.scenario_text, what.scenario_file, {}, &inputs);
    if (const auto* const problems = std::get_if<std::vector<sim::problem>>(&read)) {
        throw not_runnable_again(from.tables().path() +
                                 ": its scenario cannot be run by this program:\n" +
                                 sim::to_string(*problems));
    }
    return std::get<sim::scenario>(std::move(read));
}

/// A run that goes on to one instant after the other.
class running_replay {
public:
    running_replay(const recorded_execution& what, const replay_options& options)
        : what_(what),
          options_(options),
          world_(sim::world::from(what.scenario)),
          hand_(world_) {
        if (!options.recording.empty()) {
            recorder_ = std::make_unique<world_recorder>(
                world_, recording_options{.path = options.recording,
                                          .scenario = what.scenario_text,
                                          .scenario_file = what.scenario_file,
                                          .inputs = what.inputs,
                                          .seed = what.scenario.seed,
                                          .began = options.began,
                                          .epoch = what.epoch,
                                          .program_version = options.program_version});
        }
    }

    replayed_execution run() {
        replayed_execution out;
        for (const trace_checkpoint& each : what_.checkpoints) {
            if (each.at > what_.known_until) {
                break;
            }
            if (!intervene([&](instant at) { return at < each.at; }) ||
                !go_to(each.at, no_limit)) {
                out.interrupted = true;
                return out;
            }
            if (recorder_ != nullptr) {
                recorder_->checkpoint();
            }
            compare(out, each, present_of(world_));
        }
        // A run that stopped at a failure left the rest of its last instant undone.
        const std::uint64_t limit = what_.ended_within && what_.end ? what_.end->events : no_limit;
        out.interrupted = !intervene([&](instant at) { return at <= what_.known_until; }) ||
                          !go_to(what_.known_until, limit);
        out.end = present_of(world_);
        if (what_.end) {
            // Of an instant that was broken off the hash says all.
            compare(out, *what_.end, out.end);
        }
        out.is_equal = !out.interrupted && !out.different_at;
        out.report = world_.report();
        if (recorder_ != nullptr) {
            recorder_->finish(out.report, {},
                              what_.ended_within ? world_recorder::last_instant::broken_off
                                                 : world_recorder::last_instant::whole);
        }
        return out;
    }

private:
    static constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

    static void compare(replayed_execution& out, const trace_checkpoint& recorded,
                        const trace_checkpoint& present) {
        if (out.different_at) {
            return;
        }
        if (recorded == present) {
            out.equal_until = recorded.at;
        } else {
            out.different_at = recorded.at;
        }
    }

    /// Does by hand what was done by then; false: told to stop. What was done at the instant of a
    /// checkpoint was done behind it.
    template <class Due>
    bool intervene(Due&& is_due) {
        for (; next_ < what_.interventions.size() && is_due(what_.interventions[next_].at);
             ++next_) {
            const sim::intervention& each = what_.interventions[next_];
            if (!go_to(each.at, no_limit)) {
                return false;
            }
            try {
                hand_.act(each.what, each.json);
            } catch (const std::invalid_argument& error) {
                throw recording_error("what was done by hand at " +
                                      std::to_string(each.at.time_since_epoch().count()) +
                                      " ns cannot be done again: " + error.what());
            }
            if (recorder_ != nullptr) {
                recorder_->add_intervention(each.what, each.json);
            }
        }
        return true;
    }

    /// Until that instant, or so many events have been handled in all; false: told to stop.
    bool go_to(instant until, std::uint64_t events_max) {
        while (true) {
            const std::uint64_t left = events_max - std::min(events_max, world_.events_handled());
            if (world_.run_until(until, std::min(left, events_a_watch)) || left == 0) {
                return true;
            }
            if (recorder_ != nullptr && !recorder_->error().empty()) {
                throw recording_error(recorder_->error());
            }
            if (options_.watch && !options_.watch(world_.now())) {
                return false;
            }
        }
    }

    const recorded_execution& what_;
    const replay_options& options_;
    sim::world world_;
    sim::interventions hand_;
    std::size_t next_ = 0;  // of what was done by hand
    std::unique_ptr<world_recorder> recorder_;
};

}  // namespace

std::int64_t recording_known_until(database& of) {
    if (const auto ended = of.integer("SELECT ended_at FROM runs")) {
        return *ended;
    }
    std::int64_t newest = 0;
    for (const char* const query :
         {"SELECT at FROM messages ORDER BY id DESC LIMIT 1",
          "SELECT max(max(at), max(coalesce(ended, at))) FROM connections",
          "SELECT max(at) FROM subscriptions", "SELECT max(at) FROM acknowledgements",
          "SELECT max(ended) FROM deliveries", "SELECT max(at) FROM faults",
          "SELECT max(at) FROM checkpoints", "SELECT at FROM resends ORDER BY id DESC LIMIT 1",
          "SELECT (max(second) + 1) * 1000000000 FROM gauges"}) {
        newest = std::max(newest, of.integer(query).value_or(0));
    }
    return newest;
}

recorded_execution read_execution(recording_reader& from) {
    database& tables = from.tables();
    const std::string& path = tables.path();
    recorded_execution out;
    statement run(tables,
                  "SELECT kind, fleetarium, scenario, scenario_file, ended_at, events, trace_hash, "
                  "ended_within, epoch FROM runs");
    if (!run.step()) {
        throw recording_error(path + ": has no run in it");
    }
    const std::string why = why_not_runnable(std::string(run.text(0)), !run.is_null(2));
    if (!why.empty()) {
        throw not_runnable_again(path + ": " + why);
    }
    out.program_version = run.text(1);
    out.scenario_text = run.text(2);
    out.scenario_file = run.text(3);
    out.epoch = run.integer(8);
    out.inputs = inputs_of(from);
    out.scenario = scenario_of(from, out);
    if (!run.is_null(4) && !run.is_null(6)) {
        out.end = {to_instant(run.integer(4)), static_cast<std::uint64_t>(run.integer(5)),
                   std::string(run.text(6))};
    }
    out.ended_within = run.integer(7) != 0;
    run.reset();
    out.known_until = to_instant(recording_known_until(tables));
    statement acts(tables, "SELECT at, what, json FROM interventions ORDER BY id");
    while (acts.step()) {
        out.interventions.push_back(
            {to_instant(acts.integer(0)), std::string(acts.text(1)), std::string(acts.text(2))});
    }
    statement checkpoints(tables, "SELECT at, events, trace_hash FROM checkpoints ORDER BY at");
    while (checkpoints.step()) {
        out.checkpoints.push_back({to_instant(checkpoints.integer(0)),
                                   static_cast<std::uint64_t>(checkpoints.integer(1)),
                                   std::string(checkpoints.text(2))});
    }
    return out;
}

replayed_execution replay_execution(const recorded_execution& what, const replay_options& options) {
    return running_replay(what, options).run();
}

}  // namespace fleetarium::recording
