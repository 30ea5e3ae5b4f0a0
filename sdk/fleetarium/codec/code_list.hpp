#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/codec/properties.hpp>
#include <fleetarium/codec/reason_code_table.hpp>
#include <fleetarium/core/wire_buffer.hpp>

#include <span>

// SUBACK and UNSUBACK are the same packet but for the type: packet identifier, properties (5.0),
// and one reason code per filter of the request.

namespace fleetarium::detail {

/// Reads what stands before the codes.
template <class Packet>
violation decode_head_of_code_list(reader& from, protocol_version version, packet_type type,
                                   Packet& out) {
    const violation broken = from.take_packet_id(out.packet_id);
    if (broken != violation::none || version == protocol_version::v3_1_1) {
        return broken;
    }
    return read_properties(from, place_in(type), out.user_properties, [&out](const property& each) {
        if (each.id == property_id::reason_string) {
            out.reason_string = each.text;
        }
        return violation::none;
    });
}

/// Reads the rest as codes, of which there must be one at least. `codes` points into the frame.
inline violation decode_code_list(reader& from, protocol_version version, packet_type type,
                                  std::span<const reason_code>& codes) {
    const bytes_view bytes = from.take_rest();
    if (bytes.empty()) {
        return violation::packet_truncated;
    }
    for (const std::uint8_t code : bytes) {
        // v5/MQTT-3.9.3-2, v5/MQTT-3.11.3-2, v3/MQTT-3.9.3-2
        const bool known = version == protocol_version::v5 ? may_hold(type, code)
                                                           : code <= 2 || code == 0x80;
        if (!known) {
            return violation::reason_code_invalid;
        }
    }
    // The frame's bytes were stored as unsigned char, the type that reason_code is made of.
    codes = {reinterpret_cast<const reason_code*>(bytes.data()), bytes.size()};
    return violation::none;
}

/// `codes` are written as they are in 5.0, and as 0x80 where they tell of a failure in 3.1.1.
template <class Packet>
bool encode_code_list(unsigned first_byte, const Packet& in, protocol_version version,
                      std::span<const reason_code> codes, wire_buffer& out,
                      std::uint32_t packet_size_maximum) {
    const bool v5 = version == protocol_version::v5;
    const auto list = [&in](auto& sink) {
        sink.put_reason_string(in.reason_string);
        sink.put(in.user_properties);
    };
    const auto remaining_length = [&codes, v5](std::size_t property_size) {
        return 2 + codes.size() + (v5 ? variable_size(property_size) + property_size : 0);
    };
    property_sizer sizes;
    if (v5) {
        list(sizes);
    }
    diagnostics keep;
    if (!choose_diagnostics(sizes, packet_size_maximum, keep, remaining_length)) {
        return false;
    }
    const std::size_t length = remaining_length(sizes.size(keep));
    std::uint8_t* at = out.extend(packet_size(length));
    at = write_fixed_header(at, first_byte, length);
    at = write_two_bytes(at, in.packet_id);
    if (v5) {
        at = write_properties(at, sizes.size(keep), keep, list);
    }
    for (const reason_code code : codes) {
        const bool unspecified = !v5 && is_failure(code);
        at = write_byte(at, static_cast<std::uint8_t>(
                                unspecified ? reason_code::unspecified_error : code));
    }
    return true;
}

}  // namespace fleetarium::detail
