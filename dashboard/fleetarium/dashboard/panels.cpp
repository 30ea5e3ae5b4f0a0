#include <fleetarium/dashboard/panels.hpp>

#include <fleetarium/dashboard/device_panel.hpp>
#include <fleetarium/dashboard/devices_panel.hpp>
#include <fleetarium/dashboard/fleet_panel.hpp>
#include <fleetarium/dashboard/message_panel.hpp>
#include <fleetarium/dashboard/messages_panel.hpp>
#include <fleetarium/dashboard/topics_panel.hpp>

namespace fleetarium::dashboard {

std::vector<std::unique_ptr<panel>> make_panels() {
    std::vector<std::unique_ptr<panel>> out;
    out.push_back(make_overview_panel());
    out.push_back(make_funnel_panel());
    out.push_back(std::make_unique<topics_panel>());
    out.push_back(std::make_unique<fleet_panel>());
    out.push_back(std::make_unique<devices_panel>());
    out.push_back(std::make_unique<messages_panel>());
    out.push_back(make_latency_panel());
    out.push_back(make_faults_panel());
    out.push_back(make_log_panel());
    out.push_back(std::make_unique<device_panel>());
    out.push_back(std::make_unique<message_panel>());
    return out;
}

}  // namespace fleetarium::dashboard
