#include <fleetarium/codec/codec.hpp>
#include <fleetarium/codec/properties.hpp>
#include <fleetarium/codec/reason_code_table.hpp>

namespace fleetarium {

// PUBACK, PUBREC, PUBREL and PUBCOMP have one layout: the packet identifier; in 5.0 then a reason
// code, left out with all that follows if it is 0x00 and there are no properties; then properties,
// left out with their length if there are none.

namespace {

using detail::property;
using detail::property_id;

/// PUBREL has flags 2, the others 0: v5/MQTT-2.1.3-1, v3/MQTT-2.2.2-1.
template <packet_type Type>
constexpr unsigned first_byte_of =
    static_cast<unsigned>(Type) << 4 | (Type == packet_type::pubrel ? 2U : 0U);

template <packet_type Type>
violation decode_code_and_properties(detail::reader& from, basic_acknowledgement<Type>& out) {
    std::uint8_t code = 0;
    from.take_byte(code);
    if (!detail::may_hold(Type, code)) {
        return violation::reason_code_invalid;
    }
    out.code = static_cast<reason_code>(code);
    if (from.empty()) {
        return violation::none;
    }
    const violation broken = detail::read_properties(
        from, detail::place_in(Type), out.user_properties, [&out](const property& each) {
            if (each.id == property_id::reason_string) {
                out.reason_string = each.text;
            }
            return violation::none;
        });
    if (broken != violation::none) {
        return broken;
    }
    return from.empty() ? violation::none : violation::bytes_left_over;
}

template <packet_type Type>
violation decode_acknowledgement(const frame& in, protocol_version version,
                                 basic_acknowledgement<Type>& out) {
    if (in.first_byte != first_byte_of<Type>) {
        return violation::fixed_header_flags_invalid;  // v5/MQTT-3.6.1-1, v3/MQTT-3.6.1-1
    }
    detail::reader from(in.body);
    if (const violation broken = from.take_packet_id(out.packet_id); broken != violation::none) {
        return broken;
    }
    out.code = reason_code::success;
    out.reason_string.reset();
    out.user_properties = {};
    if (from.empty()) {
        return violation::none;
    }
    return version == protocol_version::v5 ? decode_code_and_properties(from, out)
                                           : violation::bytes_left_over;
}

template <class Packet>
bool encode_with_properties(const Packet& in, wire_buffer& out,
                            std::uint32_t packet_size_maximum) {
    const auto list = [&in](auto& sink) {
        sink.put_reason_string(in.reason_string);
        sink.put(in.user_properties);
    };
    const auto remaining_length = [&in](std::size_t property_size) {
        if (property_size != 0) {
            return 3 + detail::variable_size(property_size) + property_size;
        }
        return std::size_t{in.code == reason_code::success ? 2U : 3U};
    };
    detail::property_sizer sizes;
    list(sizes);
    detail::diagnostics keep;
    if (!detail::choose_diagnostics(sizes, packet_size_maximum, keep, remaining_length)) {
        return false;
    }
    const std::size_t length = remaining_length(sizes.size(keep));
    std::uint8_t* at = out.extend(detail::packet_size(length));
    at = detail::write_fixed_header(at, first_byte_of<Packet::type>, length);
    at = detail::write_two_bytes(at, in.packet_id);
    if (length > 2) {
        at = detail::write_byte(at, static_cast<std::uint8_t>(in.code));
    }
    if (length > 3) {
        detail::write_properties(at, sizes.size(keep), keep, list);
    }
    return true;
}

template <class Packet>
bool encode_acknowledgement(const Packet& in, protocol_version version, wire_buffer& out,
                            std::uint32_t packet_size_maximum) {
    const bool plain = in.code == reason_code::success && !in.reason_string &&
                       in.user_properties.empty();
    if (!plain && version == protocol_version::v5) {
        return encode_with_properties(in, out, packet_size_maximum);
    }
    if (!detail::packet_fits(2, packet_size_maximum)) {
        return false;
    }
    std::uint8_t* const at = out.extend(4);
    at[0] = first_byte_of<Packet::type>;
    at[1] = 2;
    detail::write_two_bytes(at + 2, in.packet_id);
    return true;
}

}  // namespace

violation decode(const frame& in, protocol_version version, puback& out) {
    return decode_acknowledgement(in, version, out);
}

violation decode(const frame& in, protocol_version version, pubrec& out) {
    return decode_acknowledgement(in, version, out);
}

violation decode(const frame& in, protocol_version version, pubrel& out) {
    return decode_acknowledgement(in, version, out);
}

violation decode(const frame& in, protocol_version version, pubcomp& out) {
    return decode_acknowledgement(in, version, out);
}

bool encode(const puback& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    return encode_acknowledgement(in, version, out, packet_size_maximum);
}

bool encode(const pubrec& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    return encode_acknowledgement(in, version, out, packet_size_maximum);
}

bool encode(const pubrel& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    return encode_acknowledgement(in, version, out, packet_size_maximum);
}

bool encode(const pubcomp& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    return encode_acknowledgement(in, version, out, packet_size_maximum);
}

}  // namespace fleetarium
