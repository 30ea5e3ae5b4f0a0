#pragma once

#include <fleetarium/core/distribution.hpp>
#include <fleetarium/sim/sparkplug.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// Common conventions as plain values: each is short for subscriptions, publications, replies and
/// a will that could be written by hand, and that expand_preset() writes.
namespace fleetarium::sim {

/// When a Sparkplug device below its edge node goes away and comes back, at any moment alike:
/// DDEATH and DBIRTH. `every` and `lasts` are means.
struct sparkplug_outages {
    duration every{};
    duration lasts{};
};

/// A device below an edge node.
struct sparkplug_device_preset {
    std::string id{};  ///< template; one level of a topic
    std::vector<sparkplug_metric> metrics{};
    std::optional<distribution> period{};  ///< of DDATA; none: the node's
    std::optional<sparkplug_outages> outages{};
};

/// Each device of the fleet is a Sparkplug B edge node: NBIRTH and a DBIRTH for each device after
/// each connect and on Node Control/Rebirth, NDATA and DDATA every period, NDEATH as the will.
struct sparkplug_b_preset {
    std::string group{};               ///< template; one level of a topic
    std::string node = "{client_id}";  ///< template; one level of a topic
    distribution period = distribution::constant(10e9);
    std::vector<sparkplug_metric> metrics{};  ///< of the node itself
    std::vector<sparkplug_device_preset> devices{};
    /// Number the metrics without an alias from 1 on, so that data has numbers and no names.
    bool aliases = true;
};

/// Orders to edge nodes of a fleet, in turn, to send their births again.
struct sparkplug_rebirths {
    std::string fleet{};
    std::string group{};               ///< template in the terms of the edge nodes
    std::string node = "{client_id}";  ///< the same
    distribution period{};             ///< from one order to the next
};

/// A Sparkplug host application: STATE, online after each connect and offline as the will, and
/// all messages of some groups.
struct sparkplug_host_preset {
    std::string host{};                 ///< template of its id; one level of a topic
    std::vector<std::string> groups{};  ///< templates; empty: all
    std::optional<sparkplug_rebirths> rebirths{};
};

enum class home_assistant_component : std::uint8_t {
    sensor,
    binary_sensor,
    // From here on they obey commands, and say so.
    switch_,  // NOLINT(readability-identifier-naming): a keyword without it
    light,
    number,
    select,
    text,
    button,  ///< has no state
};

struct home_assistant_entity {
    home_assistant_component component = home_assistant_component::sensor;
    std::string id{};            ///< letters, digits, "_" and "-"
    std::string name{};          ///< template; empty: the id
    std::string device_class{};  ///< of Home Assistant; empty: none
    std::string unit{};          ///< unit_of_measurement; empty: none
    std::string state_class{};   ///< "measurement", "total"...; empty: none
    std::string value{};         ///< template; of those that obey: what it is at first
    std::string config{};        ///< more members of the configuration, a JSON object
};

/// Each device of the fleet is a device of Home Assistant, found by MQTT discovery: a retained
/// configuration of each entity after each connect and when Home Assistant comes online, one
/// state message with the values of all sensors, and availability with the will.
struct home_assistant_preset {
    std::string node = "{client_id}";  ///< template of the node id; one level of a topic
    std::string discovery_prefix = "homeassistant";
    std::string base = "{fleet}/{client_id}";  ///< template; beginning of the device's own topics
    std::string name = "{client_id}";          ///< template; of the device
    std::string manufacturer = "Fleetarium";
    std::string model{};       ///< empty: none
    std::string sw_version{};  ///< empty: none
    distribution period = distribution::constant(60e9);
    std::vector<home_assistant_entity> entities{};
};

/// Each device of the fleet is a thing with a device shadow, as AWS IoT has it: asks for the
/// shadow after each connect, reports its state every period, and makes what is desired its own
/// and reports it.
struct device_shadow_preset {
    std::string prefix = "$aws/things";
    std::string thing = "{client_id}";  ///< template; one level of a topic
    std::string shadow{};               ///< name of a named shadow; empty: the classic one
    distribution period = distribution::constant(60e9);
    std::string reported = "{}";                       ///< template of a JSON object
    distribution delay = distribution::constant(1e9);  ///< from a delta to the report
};

/// The back end of device shadows: shadow_service.hpp.
struct shadow_service_preset {
    std::string prefix = "$aws/things";
};

/// Exactly one of them.
struct preset_spec {
    std::optional<sparkplug_b_preset> sparkplug_b{};
    std::optional<sparkplug_host_preset> sparkplug_host{};
    std::optional<home_assistant_preset> home_assistant{};
    std::optional<device_shadow_preset> device_shadow{};
    std::optional<shadow_service_preset> shadow_service{};
};

struct fleet_spec;
struct scenario;

/// The fleet as it would be written by hand: what its preset adds comes after what it has itself.
/// Without a preset, the fleet. Throws std::invalid_argument unless the preset is exactly one.
fleet_spec expand_preset(const fleet_spec& fleet);

/// The scenario with each fleet expanded.
scenario expand_presets(const scenario& made);

}  // namespace fleetarium::sim
