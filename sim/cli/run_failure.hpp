#pragma once

#include <fleetarium/capture/message_journey.hpp>
#include <fleetarium/sim/expectations.hpp>
#include <fleetarium/sim/report.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::cli {

/// An argument as a shell takes it: in quotes where it has to be.
std::string shell_word(std::string_view text);

/// The command that repeats a run.
std::string replay_command(std::string_view scenario_file, std::uint64_t seed,
                           std::string_view duration, std::span<const std::string> overrides);

/// What --message names, if there is such a device; throws usage_error if not.
capture::message_name message_to_follow(const std::string& text, const sim::scenario& scenario);

/// Tells of the first violation, or else the first expectation not met, on standard error. The
/// packets around a violation are those of another run of the scenario, which `replay` repeats;
/// where that is empty, the real world took part, and there is none.
void tell_failure(const sim::scenario& scenario, const sim::run_report& report,
                  std::span<const sim::expectation_result> results, const std::string& replay);

}  // namespace fleetarium::cli
