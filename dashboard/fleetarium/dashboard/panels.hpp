#pragma once

#include <fleetarium/dashboard/viewer.hpp>

#include <memory>
#include <vector>

namespace fleetarium::dashboard {

/// All views in the order of the list. The keys 1 to 9 and 0 show the first ten, whatever keys they
/// name themselves.
std::vector<std::unique_ptr<panel>> make_panels();

std::unique_ptr<panel> make_overview_panel();
std::unique_ptr<panel> make_funnel_panel();
std::unique_ptr<panel> make_latency_panel();
std::unique_ptr<panel> make_faults_panel();
std::unique_ptr<panel> make_log_panel();

}  // namespace fleetarium::dashboard
