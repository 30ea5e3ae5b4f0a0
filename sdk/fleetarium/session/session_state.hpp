#pragma once

#include <fleetarium/session/inbound_flow.hpp>
#include <fleetarium/session/outbound_flow.hpp>

namespace fleetarium {

/// What of a session outlives its connection, on either side (MQTT 5 section 4.1): the messages
/// sent and not acknowledged, those waiting, and the QoS 2 ids received and not completed. The
/// server keeps its subscriptions, will and expiry beside it.
struct session_state {
    outbound_flow outbound;
    inbound_flow inbound;

    void clear() noexcept {
        outbound.clear();
        inbound.clear();
    }
};

}  // namespace fleetarium
