#pragma once

#include <fleetarium/sim/expectations.hpp>
#include <fleetarium/sim/report.hpp>
#include <fleetarium/sim/report_text.hpp>

#include <span>
#include <string>

namespace fleetarium::sim {

/// The report for machines: one JSON object, indented, keys in a fixed order.
///
/// Stable: keys keep their meaning within one `report_version`; new ones may be added. Durations
/// are in seconds. Everything but `wall` is the same in each run of a scenario with one seed.
std::string report_json(const run_report& report, std::span<const expectation_result> expectations,
                        const run_timing& timing);

}  // namespace fleetarium::sim
