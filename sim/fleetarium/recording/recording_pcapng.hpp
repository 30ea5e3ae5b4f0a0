#pragma once

#include <fleetarium/recording/export_selection.hpp>
#include <fleetarium/recording/recording_reader.hpp>

#include <cstdint>
#include <iosfwd>

namespace fleetarium::recording {

/// What an export to pcapng has written.
struct pcapng_sums {
    std::uint64_t connections = 0;
    std::uint64_t published = 0;   ///< PUBLISH packets to brokers
    std::uint64_t delivered = 0;   ///< PUBLISH packets from brokers
    std::uint64_t packets = 0;     ///< MQTT packets, these included
    std::uint64_t not_placed = 0;  ///< PUBLISH packets of clients without a recorded connection
};

/// Writes the conversations of a recording as a pcapng file for Wireshark, as one would have
/// captured them beside the broker: a TCP connection for each that was recorded, without
/// encryption. See sim/recording.md for what is recorded of it, and what is made up.
///
/// Of a selection: packets in [from, until), and for connections that were open at `from` their
/// handshake, CONNECT and CONNACK, without which nobody can read the rest; PUBLISH and what answers
/// it of the wanted topics; connections of the wanted clients.
/// Memory: names, 64 bytes a client, 16 bytes an exchange under way. Throws recording_error; errors
/// of the stream are the caller's, who lets it throw.
pcapng_sums export_pcapng(recording_reader& from, const export_selection& selection,
                          std::ostream& to);

}  // namespace fleetarium::recording
