#pragma once

#include <fleetarium/recording/world_recorder.hpp>
#include <fleetarium/sim/scenario_inputs.hpp>
#include <fleetarium/sim/world.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace fleetarium::cli {

/// What is wrong with --max-size and --last as they were given, as a sentence; empty: nothing.
std::string check_bounds(const std::string& size_max, const std::string& last);
/// Sets what they ask for; they passed the check.
void set_bounds(recording::recording_options& to, const std::string& size_max,
                const std::string& last);
/// Instant 0 of a run as nanoseconds since 1970: virtual time begins with the year 2000.
std::int64_t epoch_of(bool is_virtual, instant now);
/// The wall clock, as recordings tell when they began (`runs.began`): ISO 8601, UTC.
std::string wall_time();

/// The options of `run` and `broker` about recording.
struct recording_flags {
    std::string file;
    std::string size_max;  ///< as it was given; empty: no limit
    std::string last;

    enum class of { run, broker };
    void add_to(CLI::App& command, of what = of::run);
    /// What is wrong with them, as a sentence; empty: nothing.
    std::string check() const;
};

/// What the recording of a run knows of it.
struct recorded_run {
    std::string scenario_file;
    std::vector<std::string> overrides;
    sim::scenario_inputs::files inputs;
    std::uint64_t seed = 0;
    instant end{};
    bool is_virtual = true;
};

/// The recording of a run, if one is asked for. All members throw recording::recording_error.
class run_recording {
public:
    run_recording(const recording_flags& flags, const recorded_run& run, sim::world& of);

    /// Empty: nothing is recorded.
    const std::string& file() const { return flags_.file; }

    /// Lets what there is be committed; throws what went wrong, if something did.
    void keep_up() const;

    /// Where the run has to stop for a moment, so that its trace hash can be kept.
    instant next_checkpoint() const { return next_checkpoint_; }
    /// Keeps it if this is there. `now` is the world's present, with all its events.
    void reach(instant now);

    /// See world_recorder; nothing where nothing is recorded.
    void add_intervention(std::string_view what, std::string_view json);
    void annotate(std::string_view text);

    /// Closes the file and says on standard error what is in it. With --last the file goes if all
    /// is well: it is there to show what led to a failure.
    /// A run that `stopped_at_failure` has left events of its last instant undone.
    void finish(const sim::run_report& report, const std::string& report_json, bool all_is_well,
                bool stopped_at_failure);

private:
    recording_flags flags_;
    instant next_checkpoint_ = never;
    duration between_checkpoints_{};
    std::unique_ptr<recording::world_recorder> recorder_;  // null: none is asked for
};

}  // namespace fleetarium::cli
