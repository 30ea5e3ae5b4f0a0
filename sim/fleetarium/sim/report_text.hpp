#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/sim/expectations.hpp>
#include <fleetarium/sim/report.hpp>

#include <cstdint>
#include <span>
#include <string>

namespace fleetarium::sim {

/// What the world cannot know of a run.
struct run_timing {
    double wall_seconds = 0;
    bool interrupted = false;  ///< ended by the user before its time
    bool stopped_at_failure = false;  ///< as asked for; what only the end shows is not judged
    double pace = 0;           ///< virtual seconds in a real one; 0: as fast as possible
    double behind_max_seconds = 0;    ///< paced: the latest that any event came
    double behind_total_seconds = 0;  ///< paced: for how long events came too late to be on time
    std::uint64_t real_clients = 0;         ///< connections from outside
    std::uint64_t real_clients_closed = 0;  ///< of these, for reading too slowly
};

/// "1,234,567".
std::string with_thousands(std::uint64_t value);

/// Three significant digits and the largest unit that fits: "12.5 ms", "1.53 s", "24 h", "0 s".
std::string readable_duration(duration value);

/// The report as people read it, up to 100 columns wide. Colours are ANSI sequences.
std::string report_text(const run_report& report, std::span<const expectation_result> expectations,
                        const run_timing& timing, bool colours);

}  // namespace fleetarium::sim
