#pragma once

#include <fleetarium/sim/report_text.hpp>

#include <span>
#include <string>

namespace fleetarium::sim {

/// The run as JUnit XML, for the systems that show tests: a suite with a case for each
/// expectation, and one with a case for each invariant of the ledger. A failure says when in
/// virtual time, which devices, and `replay`, the command that repeats the run (may be empty).
/// UTF-8; characters that XML cannot have are replaced by U+FFFD.
std::string report_junit(const run_report& report, std::span<const expectation_result> expectations,
                         const run_timing& timing, std::string_view replay);

}  // namespace fleetarium::sim
