#pragma once

#include <fleetarium/session/outbound_flow.hpp>

namespace fleetarium::broker {

/// Whether another member of its group gets this delivery when its session ends: one by a shared
/// subscription, but for QoS 2 deliveries begun [v5/MQTT-4.8.2-5].
inline bool is_handed_over(const delivery& of) {
    return of.shared && !(of.qos == qos::exactly_once && of.packet_id != 0);
}

}  // namespace fleetarium::broker
