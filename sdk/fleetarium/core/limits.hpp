#pragma once

#include <cstddef>
#include <cstdint>

/// Every bound of the project that is not an option, each with its reason.
namespace fleetarium::limits {

/// Free blocks that the depot of the block pool keeps per size class: enough for the messages
/// under way of a large world, small beside its devices.
inline constexpr std::size_t pooled_bytes_per_class_max = std::size_t{8} << 20;

/// The largest Remaining Length that four bytes can carry [v5/MQTT-1.5.5-1].
inline constexpr std::uint32_t remaining_length_max = 268'435'455;

/// The largest packet: fixed header of five bytes and the largest Remaining Length.
inline constexpr std::uint32_t packet_size_max = remaining_length_max + 5;

/// UTF-8 strings and binary data carry their length in two bytes [v5/MQTT-4.7.3-3].
inline constexpr std::size_t string_size_max = 65'535;

/// Payloads from this size on are held apart from their message and shared by all receivers;
/// below it a copy is cheaper than a counted reference.
inline constexpr std::size_t shared_payload_size_min = 1024;

/// Topic aliases that this side sets on one connection, and the longest topic that gets one: a
/// peer's Topic Alias Maximum must not decide how much memory goes into them.
inline constexpr std::uint16_t topic_aliases_set_max = 256;
inline constexpr std::size_t aliased_topic_size_max = 1024;

/// Levels of a topic filter or topic name that the broker stores: deeper trees cost memory and
/// match time out of proportion, and no fleet names its topics so.
inline constexpr std::size_t topic_levels_max = 128;

/// Bytes of output that waits for a session file before QoS 0 behind it is dropped.
inline constexpr std::size_t held_output_bytes_max = std::size_t{64} << 20;

/// Arrays and objects inside one another in a JSON text: a scenario needs ten, and the reader
/// uses stack for each.
inline constexpr std::size_t json_depth_max = 64;

/// Messages that are remembered to tell which one a delivery of a broker outside of the world is:
/// minutes of a large fleet's, in about 100 MB.
inline constexpr std::size_t matched_messages_max = std::size_t{1} << 20;

/// Bytes of a scenario file: far above any written by hand or script, far below what hurts.
inline constexpr std::size_t scenario_size_max = std::size_t{64} << 20;

/// Bytes of a server's configuration, password or access file: a million users fit.
inline constexpr std::size_t server_file_size_max = std::size_t{256} << 20;

}  // namespace fleetarium::limits
