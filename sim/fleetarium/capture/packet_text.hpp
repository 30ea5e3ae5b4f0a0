#pragma once

#include <fleetarium/codec/packets.hpp>

#include <cstddef>
#include <string>

namespace fleetarium::capture {

/// A packet in one line: type, packet id, QoS, DUP, RETAIN, topic, reason code, as far as it has
/// them: `PUBLISH id 17, QoS 1, DUP, "meters/3/kwh", 23 bytes`. Control characters of strings are
/// shown as \xNN.
std::string packet_text(const packet& of);

}  // namespace fleetarium::capture
