#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/sim/intervention.hpp>
#include <fleetarium/sim/report.hpp>
#include <fleetarium/sim/scenario.hpp>
#include <fleetarium/sim/scenario_inputs.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// Execution replay: the scenario that a recording holds is run once more, in virtual time, and has
/// to come to the same events to the bit.
namespace fleetarium::recording {

/// The recording is sound, but its run cannot be done again; what() says what can be done instead.
class not_runnable_again : public recording_error {
public:
    using recording_error::recording_error;
};

/// The history of all hosts up to an instant in one number.
struct trace_checkpoint {
    instant at{};
    std::uint64_t events = 0;
    std::string trace_hash{};

    bool operator==(const trace_checkpoint&) const = default;
};

/// A recorded run with all that is needed to do it again.
struct recorded_execution {
    sim::scenario scenario{};
    // As it is recorded, for a recording of the same run
    std::string scenario_text{};
    std::string scenario_file{};
    sim::scenario_inputs::files inputs{};
    std::int64_t epoch = 0;  ///< instant 0 as nanoseconds since 1970
    std::string program_version{};
    std::vector<trace_checkpoint> checkpoints{};  ///< in the order of time
    std::vector<sim::intervention> interventions{};  ///< by hand, in the order of time
    /// How it ended; none: the recording was cut short.
    std::optional<trace_checkpoint> end{};
    bool ended_within = false;  ///< events of the last instant were left out
    instant known_until{};      ///< its end; of one that was cut short the newest thing in it
};

/// Throws not_runnable_again: it is not of a virtual run, or its scenario is none for this program.
recorded_execution read_execution(recording_reader& from);

/// The instant of the newest thing in a recording, its end if it has one, in nanoseconds. Linear in
/// deliveries where it was cut short.
std::int64_t recording_known_until(database& of);

struct replay_options {
    /// Where to record the run once more, a new file; empty: nowhere.
    std::string recording{};
    std::string program_version{};  ///< for the new recording
    std::string began{};            ///< for the new recording: wall clock, ISO 8601
    /// Is called now and then, with the present; false: stop.
    std::function<bool(instant now)> watch{};
};

/// What came of it.
struct replayed_execution {
    trace_checkpoint end{};
    bool interrupted = false;
    /// Whether end and checkpoints are those of the recording.
    bool is_equal = false;
    /// Where it is not: histories were equal here (none: at no checkpoint), and no more there.
    std::optional<instant> equal_until{};
    std::optional<instant> different_at{};
    sim::run_report report{};
};

/// Runs it once more. Throws recording_error if the new recording cannot be written, and
/// std::invalid_argument for a scenario that cannot be run at all.
replayed_execution replay_execution(const recorded_execution& what, const replay_options& options);

}  // namespace fleetarium::recording
