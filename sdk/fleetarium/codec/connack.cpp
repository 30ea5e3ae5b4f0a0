#include <fleetarium/codec/codec.hpp>
#include <fleetarium/codec/properties.hpp>
#include <fleetarium/codec/reason_code_table.hpp>

namespace fleetarium {

namespace {

using detail::property;
using detail::property_id;

constexpr unsigned connack_byte = 0x20;

/// The codes of 3.1.1, by value, as codes of 5.0.
constexpr reason_code codes_of_v3[] = {
    reason_code::success,
    reason_code::unsupported_protocol_version,
    reason_code::client_identifier_not_valid,
    reason_code::server_unavailable,
    reason_code::bad_user_name_or_password,
    reason_code::not_authorized,
};

/// The code of 3.1.1 that stands for `code`, or none.
std::optional<std::uint8_t> code_for_v3(reason_code code) {
    switch (code) {
        case reason_code::success: return std::uint8_t{0};
        case reason_code::unsupported_protocol_version: return std::uint8_t{1};
        case reason_code::client_identifier_not_valid: return std::uint8_t{2};
        case reason_code::server_unavailable:
        case reason_code::server_busy:
        case reason_code::quota_exceeded:
        case reason_code::use_another_server:
        case reason_code::server_moved:
        case reason_code::connection_rate_exceeded: return std::uint8_t{3};
        case reason_code::bad_user_name_or_password: return std::uint8_t{4};
        case reason_code::not_authorized:
        case reason_code::banned:
        case reason_code::bad_authentication_method: return std::uint8_t{5};
        default: return std::nullopt;
    }
}

// NOLINTNEXTLINE(readability-function-size): one line per property
void assign(const property& each, connack& out) {
    const auto two_bytes = static_cast<std::uint16_t>(each.number);
    const bool yes = each.number != 0;
    switch (each.id) {
        case property_id::session_expiry_interval: out.session_expiry_interval = each.number; break;
        case property_id::receive_maximum: out.receive_maximum = two_bytes; break;
        case property_id::maximum_qos: out.maximum_qos = static_cast<qos>(each.number); break;
        case property_id::retain_available: out.retain_available = yes; break;
        case property_id::maximum_packet_size: out.maximum_packet_size = each.number; break;
        case property_id::assigned_client_identifier:
            out.assigned_client_identifier = each.text;
            break;
        case property_id::topic_alias_maximum: out.topic_alias_maximum = two_bytes; break;
        case property_id::reason_string: out.reason_string = each.text; break;
        case property_id::wildcard_subscription_available:
            out.wildcard_subscription_available = yes;
            break;
        case property_id::subscription_identifier_available:
            out.subscription_identifier_available = yes;
            break;
        case property_id::shared_subscription_available:
            out.shared_subscription_available = yes;
            break;
        case property_id::server_keep_alive: out.server_keep_alive = two_bytes; break;
        case property_id::response_information: out.response_information = each.text; break;
        case property_id::server_reference: out.server_reference = each.text; break;
        case property_id::authentication_method: out.authentication_method = each.text; break;
        case property_id::authentication_data: out.authentication_data = each.binary; break;
        default: break;
    }
}

template <class Sink>
void list_properties(const connack& in, Sink& sink) {
    sink.put(property_id::session_expiry_interval, in.session_expiry_interval);
    sink.put(property_id::receive_maximum, in.receive_maximum);
    sink.put(property_id::maximum_qos, in.maximum_qos);
    sink.put(property_id::retain_available, in.retain_available);
    sink.put(property_id::maximum_packet_size, in.maximum_packet_size);
    sink.put(property_id::assigned_client_identifier, in.assigned_client_identifier);
    sink.put(property_id::topic_alias_maximum, in.topic_alias_maximum);
    sink.put_reason_string(in.reason_string);
    sink.put(property_id::wildcard_subscription_available, in.wildcard_subscription_available);
    sink.put(property_id::subscription_identifier_available, in.subscription_identifier_available);
    sink.put(property_id::shared_subscription_available, in.shared_subscription_available);
    sink.put(property_id::server_keep_alive, in.server_keep_alive);
    sink.put(property_id::response_information, in.response_information);
    sink.put(property_id::server_reference, in.server_reference);
    sink.put(property_id::authentication_method, in.authentication_method);
    sink.put(property_id::authentication_data, in.authentication_data);
    sink.put(in.user_properties);
}

violation decode_code(std::uint8_t code, protocol_version version, reason_code& out) {
    if (version == protocol_version::v5) {
        out = static_cast<reason_code>(code);
        return detail::may_hold(packet_type::connack, code) ? violation::none
                                                            : violation::reason_code_invalid;
    }
    if (code >= std::size(codes_of_v3)) {
        return violation::reason_code_invalid;
    }
    out = codes_of_v3[code];
    return violation::none;
}

}  // namespace

violation decode(const frame& in, protocol_version version, connack& out) {
    out = connack{};
    if (in.first_byte != connack_byte) {
        return violation::fixed_header_flags_invalid;  // v5/MQTT-2.1.3-1, v3/MQTT-2.2.2-2
    }
    detail::reader from(in.body);
    std::uint8_t flags = 0;
    std::uint8_t code = 0;
    if (const violation broken = from.take_byte(flags); broken != violation::none) {
        return broken;
    }
    if (flags > 1) {
        return violation::connack_flags_reserved;  // v5/MQTT-3.2.2-1
    }
    out.session_present = flags == 1;
    if (const violation broken = from.take_byte(code); broken != violation::none) {
        return broken;
    }
    if (const violation broken = decode_code(code, version, out.code); broken != violation::none) {
        return broken;
    }
    if (version == protocol_version::v5) {
        const violation broken = detail::read_properties(
            from, detail::place_in(packet_type::connack), out.user_properties,
            [&out](const property& each) {
                assign(each, out);
                return violation::none;
            });
        if (broken != violation::none) {
            return broken;
        }
    }
    return from.empty() ? violation::none : violation::bytes_left_over;
}

bool encode(const connack& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    const std::uint8_t session_present = in.session_present ? 1 : 0;
    if (version == protocol_version::v3_1_1) {
        const std::optional<std::uint8_t> code = code_for_v3(in.code);
        if (!code || !detail::packet_fits(2, packet_size_maximum)) {
            return false;  // v3/MQTT-3.2.2-6
        }
        std::uint8_t* const at = detail::write_fixed_header(out.extend(4), connack_byte, 2);
        detail::write_byte(detail::write_byte(at, session_present), *code);
        return true;
    }
    const auto list = [&in](auto& sink) { list_properties(in, sink); };
    const auto remaining_length = [](std::size_t property_size) {
        return 2 + detail::variable_size(property_size) + property_size;
    };
    detail::property_sizer sizes;
    list(sizes);
    detail::diagnostics keep;
    if (!detail::choose_diagnostics(sizes, packet_size_maximum, keep, remaining_length)) {
        return false;
    }
    const std::size_t length = remaining_length(sizes.size(keep));
    std::uint8_t* at = out.extend(detail::packet_size(length));
    at = detail::write_fixed_header(at, connack_byte, length);
    at = detail::write_byte(at, session_present);
    at = detail::write_byte(at, static_cast<std::uint8_t>(in.code));
    detail::write_properties(at, sizes.size(keep), keep, list);
    return true;
}

}  // namespace fleetarium
