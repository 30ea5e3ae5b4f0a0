#include <fleetarium/dashboard/panels.hpp>

namespace fleetarium::dashboard {

std::vector<std::unique_ptr<panel>> make_panels() {
    std::vector<std::unique_ptr<panel>> out;
    out.push_back(make_overview_panel());
    out.push_back(make_funnel_panel());
    out.push_back(make_latency_panel());
    out.push_back(make_faults_panel());
    out.push_back(make_log_panel());
    return out;
}

}  // namespace fleetarium::dashboard
