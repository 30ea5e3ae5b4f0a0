#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/codec/reason_code.hpp>

#include <cstdint>

namespace fleetarium::detail {

/// Whether a packet of that type of MQTT 5 may hold that reason code, sent by either side.
/// Constant time.
bool may_hold(packet_type type, std::uint8_t code);

}  // namespace fleetarium::detail
