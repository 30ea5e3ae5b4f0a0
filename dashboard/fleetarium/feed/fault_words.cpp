#include <fleetarium/feed/fault_words.hpp>

#include <fmt/format.h>

namespace fleetarium::feed {

std::string where_of(const sim::fault_spec& fault, const std::string& first_broker) {
    if (sim::hits_broker(fault.kind)) {
        return "broker " + (fault.broker.empty() ? first_broker : fault.broker);
    }
    std::string out = fault.fleet.empty() ? "all fleets" : fault.fleet;
    if (!fault.cohort.empty()) {
        out += ", cohort " + fault.cohort;
    }
    if (fault.first_device || fault.last_device) {
        out += fmt::format(", devices {} to {}", fault.first_device.value_or(0),
                           fault.last_device ? std::to_string(*fault.last_device) : "the last");
    }
    if (fault.share < 1) {
        out += fmt::format(", {:.4g} % of them", fault.share * 100);
    }
    if (!fault.broker.empty()) {
        out += ", at " + fault.broker;
    }
    return out;
}

}  // namespace fleetarium::feed
