#pragma once

#include <fleetarium/broker/hooks.hpp>

#include <cstdint>
#include <string>
#include <string_view>

/// What a recording is: a SQLite file with the tables and views that `recording_schema` makes. They
/// are documented in its text, which `sqlite3 FILE .schema` shows.
namespace fleetarium::recording {

/// PRAGMA application_id of a recording: "FLTR".
inline constexpr std::int64_t recording_application_id = 0x46'4C'54'52;

/// PRAGMA user_version. A reader takes its own version and older ones; a change of meaning raises
/// it.
inline constexpr std::int64_t recording_version = 1;

/// Whose eyes a recording was made with.
enum class viewpoint : std::uint8_t {
    broker,      ///< all that a broker decides
    subscriber,  ///< what one subscriber gets, and nothing else
};

/// How a delivery ended, or where it stands.
enum class recorded_state : std::uint8_t {
    queued,     ///< waits at the broker
    in_flight,  ///< sent, not complete
    delivered,  ///< QoS 0: received; QoS 1 and 2: acknowledged
    sent,       ///< QoS 0, to a client that does not tell what it receives
    rejected,   ///< acknowledged with an error
    dropped,    ///< by the broker: `reason`
    lost,       ///< QoS 0, broken off with its link
};
inline constexpr std::size_t recorded_state_count = 7;

/// "in_flight" and so on.
std::string_view name_of(recorded_state state);

/// A trace hash as the tables have it: 16 hexadecimal digits.
std::string trace_hash_text(std::uint64_t hash);

/// A delivery's row: that of its message, and its number among the message's deliveries. So those
/// of a message lie together without an index.
inline constexpr unsigned deliveries_per_message_bits = 20;

/// The SQL that makes an empty recording.
std::string recording_schema();

}  // namespace fleetarium::recording
