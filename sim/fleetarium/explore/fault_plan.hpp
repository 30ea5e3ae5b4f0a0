#pragma once

#include <fleetarium/sim/scenario.hpp>

#include <cstdint>
#include <vector>

namespace fleetarium::sim {

/// Faults for a run of the scenario, drawn from the seed, swarm style: which kinds there are at all
/// is itself drawn, so that some runs see one kind alone and some see many at once.
///
/// All begin after a twentieth of the run and are healed before four fifths of it, so that what
/// holds once faults are over can be seen to hold. Each happens once and has a name of its own:
/// leaving one out changes no other. Without devices there are none.
std::vector<fault_spec> draw_faults(const scenario& what, std::uint64_t seed);

}  // namespace fleetarium::sim
