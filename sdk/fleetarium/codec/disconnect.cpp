#include <fleetarium/codec/codec.hpp>
#include <fleetarium/codec/properties.hpp>
#include <fleetarium/codec/reason_code_table.hpp>

namespace fleetarium {

// DISCONNECT of 5.0: reason code, left out with all that follows if it is 0x00 and there are no
// properties; properties, left out with their length if there are none. That of 3.1.1 is empty.

namespace {

using detail::property;
using detail::property_id;

constexpr unsigned disconnect_byte = 0xE0;

template <class Sink>
void list_properties(const disconnect& in, Sink& sink) {
    sink.put(property_id::session_expiry_interval, in.session_expiry_interval);
    sink.put_reason_string(in.reason_string);
    sink.put(property_id::server_reference, in.server_reference);
    sink.put(in.user_properties);
}

violation assign(const property& each, disconnect& out) {
    switch (each.id) {
        case property_id::session_expiry_interval: out.session_expiry_interval = each.number; break;
        case property_id::reason_string: out.reason_string = each.text; break;
        case property_id::server_reference: out.server_reference = each.text; break;
        default: break;
    }
    return violation::none;
}

}  // namespace

violation decode(const frame& in, protocol_version version, disconnect& out) {
    if (in.first_byte != disconnect_byte) {
        return violation::fixed_header_flags_invalid;  // v5/MQTT-3.14.1-1, v3/MQTT-3.14.1-1
    }
    out = disconnect{};
    if (in.body.empty()) {
        return violation::none;
    }
    if (version == protocol_version::v3_1_1) {
        return violation::bytes_left_over;
    }
    detail::reader from(in.body);
    const std::uint8_t code = from.front();
    from.skip(1);
    if (!detail::may_hold(packet_type::disconnect, code)) {
        return violation::reason_code_invalid;  // v5/MQTT-3.14.2-1
    }
    out.code = static_cast<reason_code>(code);
    if (from.empty()) {
        return violation::none;
    }
    const violation broken = detail::read_properties(
        from, detail::place_in(packet_type::disconnect), out.user_properties,
        [&out](const property& each) { return assign(each, out); });
    if (broken != violation::none) {
        return broken;
    }
    return from.empty() ? violation::none : violation::bytes_left_over;
}

bool encode(const disconnect& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    const bool v5 = version == protocol_version::v5;
    const auto list = [&in](auto& sink) { list_properties(in, sink); };
    const auto remaining_length = [&in, v5](std::size_t property_size) {
        if (property_size != 0) {
            return 1 + detail::variable_size(property_size) + property_size;
        }
        return std::size_t{v5 && in.code != reason_code::normal_disconnection ? 1U : 0U};
    };
    detail::property_sizer sizes;
    if (v5) {
        list(sizes);
    }
    detail::diagnostics keep;
    if (!detail::choose_diagnostics(sizes, packet_size_maximum, keep, remaining_length)) {
        return false;
    }
    const std::size_t length = remaining_length(sizes.size(keep));
    std::uint8_t* at = out.extend(detail::packet_size(length));
    at = detail::write_fixed_header(at, disconnect_byte, length);
    if (length > 0) {
        at = detail::write_byte(at, static_cast<std::uint8_t>(in.code));
    }
    if (length > 1) {
        detail::write_properties(at, sizes.size(keep), keep, list);
    }
    return true;
}

}  // namespace fleetarium
