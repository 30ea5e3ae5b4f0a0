#pragma once

#include <fleetarium/sim/scenario.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace fleetarium::sim {

/// Messages of one publication of a fleet, or replies to them, as they are to be expected. Means
/// where chance decides, and no account of what faults, gaps in coverage and limits take away.
struct planned_messages {
    std::string fleet{};
    std::string topic{};  ///< the template, or "replies to " and the filter
    enum qos qos = qos::at_most_once;
    std::uint64_t devices = 0;
    double messages = 0;        ///< over the run, of all devices
    double per_second_max = 0;  ///< in the busiest stretch of the run
    double payload_bytes = 0;   ///< of a message
    double fan_out = 0;         ///< deliveries that a message makes
    double deliveries = 0;
    double packets = 0;  ///< PUBLISH and what answers it, to the broker and from it
};

/// The traffic that a scenario will make.
struct traffic_plan {
    std::string scenario{};
    duration run{};
    std::uint64_t devices = 0;
    std::uint64_t subscriptions = 0;
    duration connected_after{};          ///< when the last device makes its first connect
    double connects_per_second_max = 0;  ///< first connects; those at one instant count together
    std::vector<planned_messages> rows{};
    double messages = 0;
    double messages_per_second_max = 0;
    double deliveries = 0;
    double packets = 0;
    double payload_bytes = 0;  ///< of messages and deliveries
    /// What devices and their sessions take at rest; queues and retained messages come on top.
    std::uint64_t memory_bytes = 0;
};

/// Plans a scenario that has passed check_scenario. Fan-out is that of up to 200 devices of each
/// fleet, once all are connected; replies to replies are not followed. Linear in devices with
/// subscriptions.
traffic_plan plan_traffic(const scenario& what);

/// As people read it, and as JSON: an object with the members of traffic_plan.
std::string to_text(const traffic_plan& plan);
std::string to_json(const traffic_plan& plan);

}  // namespace fleetarium::sim
