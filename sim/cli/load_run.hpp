#pragma once

#include "load_hub.hpp"
#include "load_ledger.hpp"
#include "load_plan.hpp"
#include "load_process.hpp"

#include <cstdint>
#include <vector>

namespace fleetarium::cli::load {

/// What a run of messages or connects has come to.
struct outcome {
    std::uint64_t count = 0;  ///< deliveries or connections while it was measured
    double cpu_seconds = 0;   ///< of the broker, in that time
    double wall_seconds = 0;
    std::uint64_t checked = 0;               ///< deliveries of the whole run, all checked
    std::vector<std::int64_t> latencies_ns;  ///< where that was asked for
    violations found;
};

/// How a run is made.
struct manner {
    protocol_version version = protocol_version::v3_1_1;
    double warm_up_seconds = 0.2;
    double seconds = 1;
    /// Nothing came for so long while messages were owed: the broker will not send them.
    double patience_seconds = 5;
};

/// Connects all publishers and subscribers, lets them talk, waits for all that is owed, and checks
/// it. Throws load_error if that could not be carried out; what a broker did wrong is in the
/// outcome.
outcome run_messages(const traffic& load, const endpoint& broker, const process_watch& process,
                     const manner& how);

/// Opens and ends connections for the time asked for, `at_a_time` at once. Throws load_error.
outcome run_visits(std::uint32_t at_a_time, const endpoint& broker, const process_watch& process,
                   const manner& how);

/// Opens `connections` as fast as the broker accepts them, and measures that; ends them, which is
/// not measured; and so on for the time asked for. Throws load_error.
outcome run_storm(std::uint32_t connections, const endpoint& broker, const process_watch& process,
                  const manner& how);

/// Opens `connections` with a subscription each; returns the resident bytes that the broker took
/// for each of them. Throws load_error.
double run_idle(std::uint32_t connections, const endpoint& broker, const process_watch& process,
                const manner& how);

}  // namespace fleetarium::cli::load
