#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/codec/violation.hpp>
#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/limits.hpp>
#include <fleetarium/core/shared_bytes.hpp>
#include <fleetarium/core/wire_buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace fleetarium {

/// One whole packet as it came: the first byte, and what the Remaining Length counts.
struct frame {
    std::uint8_t first_byte = 0;
    bytes_view body{};

    packet_type type() const { return static_cast<packet_type>(first_byte >> 4); }
    std::uint8_t flags() const { return first_byte & 0x0F; }
};

/// Takes the first packet off `input`.
///
/// Returns none and leaves `out.body` in `input` if the packet is whole; `input` then begins
/// behind it. Returns none with `complete` false and `input` unchanged while bytes are missing.
/// A packet larger than `packet_size_maximum` (fixed header included) is refused as soon as its
/// length is known, before its body is there. Constant time.
/// Spec: section 2.1, [v5/MQTT-1.5.5-1].
struct frame_result {
    violation broken = violation::none;
    bool complete = false;
    /// Bytes the whole packet needs, fixed header included, if that is known; else 0.
    std::uint32_t packet_size = 0;
};
frame_result split_frame(bytes_view& input, frame& out,
                         std::uint32_t packet_size_maximum = limits::packet_size_max);

// Decoding. Each function checks everything that can be known from the packet and its version
// alone (flags of the fixed header, field lengths, UTF-8, which properties and reason codes the
// packet may hold, ranges) and returns the first rule broken, or none. Views in the result point
// into the frame. `out` is meaningful only if none is returned.
// Not checked here, since it depends on direction and connection: see session/.

/// CONNECT says its own version; with protocol_version_unsupported, `out.version` is unspecified.
violation decode(const frame& in, connect& out);
violation decode(const frame& in, protocol_version version, connack& out);
violation decode(const frame& in, protocol_version version, publish& out);
violation decode(const frame& in, protocol_version version, puback& out);
violation decode(const frame& in, protocol_version version, pubrec& out);
violation decode(const frame& in, protocol_version version, pubrel& out);
violation decode(const frame& in, protocol_version version, pubcomp& out);
violation decode(const frame& in, protocol_version version, subscribe& out);
violation decode(const frame& in, protocol_version version, suback& out);
violation decode(const frame& in, protocol_version version, unsubscribe& out);
violation decode(const frame& in, protocol_version version, unsuback& out);
violation decode(const frame& in, protocol_version version, pingreq& out);
violation decode(const frame& in, protocol_version version, pingresp& out);
violation decode(const frame& in, protocol_version version, disconnect& out);
violation decode(const frame& in, protocol_version version, auth& out);

/// Decodes a packet of any type, a CONNECT of either version; for tools and tests that look at both
/// directions.
violation decode(const frame& in, protocol_version version, packet& out);

// Encoding. Each function appends the packet in one contiguous piece. It returns false and
// appends nothing if the packet would be larger than `packet_size_maximum`. Where the standard
// allows it the Reason String is left out to make a packet fit, and if that is not enough the User
// Properties too [v5/MQTT-3.4.2-2, v5/MQTT-3.4.2-3 and the like]: all acknowledgements, CONNACK,
// DISCONNECT and AUTH. The caller answers for the meaning: well-formed strings, ranges, legal
// combinations.
// The shortest form is written: acknowledgements, DISCONNECT and AUTH leave out what they can.

bool encode(const connect& in, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);

/// In 3.1.1 also false for a code that no CONNACK code of 3.1.1 stands for: then the connection is
/// closed without one [v3/MQTT-3.2.2-6].
bool encode(const connack& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);
bool encode(const publish& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);

/// A PUBLISH whose forwardable properties are bytes already: what a server holds of a message that
/// it sends to many receivers.
struct encoded_publish {
    std::string_view topic{};
    /// As write_forwardable_properties made them; not looked at in 3.1.1.
    bytes_view forwardable_properties{};
    bytes_view payload{};
    /// If not null, this is the payload instead of `payload`, and it is referred to, not copied.
    const shared_bytes* shared_payload = nullptr;
    std::uint16_t packet_id = 0;  ///< not looked at if qos is at_most_once
    enum qos qos = qos::at_most_once;
    bool dup = false;
    bool retain = false;
    std::uint16_t topic_alias = 0;  ///< 0 is none
    std::optional<std::uint32_t> message_expiry_interval{};  ///< seconds
    std::span<const std::uint32_t> subscription_identifiers{};
};

/// As encode of a publish, but for a shared payload, which follows the rest as a part of its own.
bool encode(const encoded_publish& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);

/// Bytes of the properties that a server forwards unchanged: Payload Format Indicator, Content
/// Type, Response Topic, Correlation Data and the User Properties in their order; without a length
/// in front. Linear in the number of user properties.
/// Spec: [v5/MQTT-3.3.2-4], [v5/MQTT-3.3.2-15] to [v5/MQTT-3.3.2-18], [v5/MQTT-3.3.2-20].
std::size_t forwardable_properties_size(const publish& in);

/// Writes forwardable_properties_size(in) bytes at `at` and returns the end of them.
std::uint8_t* write_forwardable_properties(const publish& in, std::uint8_t* at);

/// Sets the forwardable properties of `out` to those of `block`, which write_forwardable_properties
/// made and which must outlive `out`; the other members stay as they are.
void read_forwardable_properties(bytes_view block, publish& out);

bool encode(const puback& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);
bool encode(const pubrec& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);
bool encode(const pubrel& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);
bool encode(const pubcomp& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);
bool encode(const subscribe& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);
bool encode(const suback& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);
bool encode(const unsubscribe& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);
bool encode(const unsuback& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);
bool encode(const pingreq& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);
bool encode(const pingresp& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);

/// 3.1.1 has no DISCONNECT from a server and no codes: the caller decides whether to send.
bool encode(const disconnect& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);

/// 3.1.1 has no AUTH: false.
bool encode(const auth& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);

/// Encodes a packet of any type; a CONNECT in its own version.
bool encode(const packet& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum = limits::packet_size_max);

}  // namespace fleetarium
