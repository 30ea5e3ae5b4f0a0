#pragma once

#include <fleetarium/explore/shrinker.hpp>

#include <cstdint>
#include <string>

namespace fleetarium::sim {

/// What the files about a finding say at their head.
struct finding_facts {
    std::string scenario_file{};  ///< where it was found
    std::uint64_t seed = 0;
    failure why{};  ///< of the run that the files repeat
};

/// A scenario file that breaks the rule when it is run.
std::string finding_scenario_text(const config::json_value& document, const finding_facts& facts);

/// A program of one Catch2 test that fails as long as the rule is broken: a translation unit that
/// needs fleetarium::sim and Catch2's main.
std::string finding_test_text(const config::json_value& document, const finding_facts& facts);

}  // namespace fleetarium::sim
