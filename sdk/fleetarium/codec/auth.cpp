#include <fleetarium/codec/codec.hpp>
#include <fleetarium/codec/properties.hpp>
#include <fleetarium/codec/reason_code_table.hpp>

namespace fleetarium {

// AUTH, which only 5.0 has: reason code and properties; both are left out if the code is 0x00 and
// there are no properties. That an AUTH names its method is a rule of the session, since the short
// form names none.

namespace {

using detail::property;
using detail::property_id;

constexpr unsigned auth_byte = 0xF0;

template <class Sink>
void list_properties(const auth& in, Sink& sink) {
    sink.put(property_id::authentication_method, in.authentication_method);
    sink.put(property_id::authentication_data, in.authentication_data);
    sink.put_reason_string(in.reason_string);
    sink.put(in.user_properties);
}

violation assign(const property& each, auth& out) {
    switch (each.id) {
        case property_id::authentication_method: out.authentication_method = each.text; break;
        case property_id::authentication_data: out.authentication_data = each.binary; break;
        case property_id::reason_string: out.reason_string = each.text; break;
        default: break;
    }
    return violation::none;
}

}  // namespace

violation decode(const frame& in, protocol_version version, auth& out) {
    if (version == protocol_version::v3_1_1) {
        return violation::packet_type_not_in_version;
    }
    if (in.first_byte != auth_byte) {
        return violation::fixed_header_flags_invalid;  // v5/MQTT-3.15.1-1
    }
    out = auth{};
    if (in.body.empty()) {
        return violation::none;
    }
    detail::reader from(in.body);
    const std::uint8_t code = from.front();
    from.skip(1);
    if (!detail::may_hold(packet_type::auth, code)) {
        return violation::reason_code_invalid;
    }
    out.code = static_cast<reason_code>(code);
    const violation broken = detail::read_properties(
        from, detail::place_in(packet_type::auth), out.user_properties,
        [&out](const property& each) { return assign(each, out); });
    if (broken != violation::none) {
        return broken;
    }
    return from.empty() ? violation::none : violation::bytes_left_over;
}

bool encode(const auth& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    if (version == protocol_version::v3_1_1) {
        return false;
    }
    const auto list = [&in](auto& sink) { list_properties(in, sink); };
    const auto remaining_length = [&in](std::size_t property_size) {
        return property_size == 0 && in.code == reason_code::success
                   ? 0
                   : 1 + detail::variable_size(property_size) + property_size;
    };
    detail::property_sizer sizes;
    list(sizes);
    detail::diagnostics keep;
    if (!detail::choose_diagnostics(sizes, packet_size_maximum, keep, remaining_length)) {
        return false;
    }
    const std::size_t length = remaining_length(sizes.size(keep));
    std::uint8_t* at = out.extend(detail::packet_size(length));
    at = detail::write_fixed_header(at, auth_byte, length);
    if (length > 0) {
        at = detail::write_byte(at, static_cast<std::uint8_t>(in.code));
        detail::write_properties(at, sizes.size(keep), keep, list);
    }
    return true;
}

}  // namespace fleetarium
