#include <fleetarium/codec/codec.hpp>
#include <fleetarium/codec/properties.hpp>

namespace fleetarium {

// CONNECT: protocol name, level, connect flags, keep alive, properties (5.0), and the payload in
// this order: client identifier, will properties (5.0), will topic, will payload, user name,
// password [v5/MQTT-3.1.3-1], [v3/MQTT-3.1.3-1].

namespace {

using detail::property;
using detail::property_id;

constexpr unsigned connect_byte = 0x10;
constexpr std::string_view protocol_name = "MQTT";
constexpr std::string_view old_protocol_name = "MQIsdp";  // of MQTT 3.1, level 3

constexpr unsigned user_name_flag = 0x80;
constexpr unsigned password_flag = 0x40;
constexpr unsigned will_retain_flag = 0x20;
constexpr unsigned will_qos_bits = 0x18;
constexpr unsigned will_qos_shift = 3;
constexpr unsigned will_flag = 0x04;
constexpr unsigned clean_start_flag = 0x02;
constexpr unsigned reserved_flag = 0x01;

violation decode_protocol(detail::reader& from, protocol_version& version) {
    std::string_view name;
    if (const violation broken = from.take_unchecked_text(name); broken != violation::none) {
        return broken;
    }
    if (name != protocol_name && name != old_protocol_name) {
        return violation::protocol_name_invalid;  // v5/MQTT-3.1.2-1, v3/MQTT-3.1.2-1
    }
    std::uint8_t level = 0;
    if (const violation broken = from.take_byte(level); broken != violation::none) {
        return broken;
    }
    if (name == old_protocol_name) {
        return level == 3 ? violation::protocol_version_unsupported
                          : violation::protocol_name_invalid;
    }
    version = static_cast<protocol_version>(level);
    return version == protocol_version::v5 || version == protocol_version::v3_1_1
               ? violation::none
               : violation::protocol_version_unsupported;  // v5/MQTT-3.1.2-2, v3/MQTT-3.1.2-2
}

violation check_flags(unsigned flags, protocol_version version) {
    if ((flags & reserved_flag) != 0) {
        return violation::connect_flags_reserved;  // v5/MQTT-3.1.2-3, v3/MQTT-3.1.2-3
    }
    if ((flags & will_flag) == 0 && (flags & (will_qos_bits | will_retain_flag)) != 0) {
        // v5/MQTT-3.1.2-11, v5/MQTT-3.1.2-13, v3/MQTT-3.1.2-11
        return violation::will_flags_without_will;
    }
    if ((flags & will_qos_bits) == will_qos_bits) {
        return violation::will_qos_invalid;  // v5/MQTT-3.1.2-12, v3/MQTT-3.1.2-14
    }
    if (version == protocol_version::v3_1_1 && (flags & password_flag) != 0 &&
        (flags & user_name_flag) == 0) {
        return violation::password_without_user_name;  // v3/MQTT-3.1.2-22
    }
    return violation::none;
}

void assign(const property& each, connect& out) {
    switch (each.id) {
        case property_id::session_expiry_interval: out.session_expiry_interval = each.number; break;
        case property_id::receive_maximum:
            out.receive_maximum = static_cast<std::uint16_t>(each.number);
            break;
        case property_id::maximum_packet_size: out.maximum_packet_size = each.number; break;
        case property_id::topic_alias_maximum:
            out.topic_alias_maximum = static_cast<std::uint16_t>(each.number);
            break;
        case property_id::request_response_information:
            out.request_response_information = each.number != 0;
            break;
        case property_id::request_problem_information:
            out.request_problem_information = each.number != 0;
            break;
        case property_id::authentication_method: out.authentication_method = each.text; break;
        case property_id::authentication_data: out.authentication_data = each.binary; break;
        default: break;
    }
}

violation assign(const property& each, will& out) {
    switch (each.id) {
        case property_id::will_delay_interval: out.delay_interval = each.number; break;
        case property_id::payload_format_indicator:
            out.payload_format_indicator = static_cast<std::uint8_t>(each.number);
            break;
        case property_id::message_expiry_interval: out.message_expiry_interval = each.number; break;
        case property_id::content_type: out.content_type = each.text; break;
        case property_id::response_topic:
            out.response_topic = each.text;
            return detail::check_response_topic(each.text);
        case property_id::correlation_data: out.correlation_data = each.binary; break;
        default: break;
    }
    return violation::none;
}

template <class Sink>
void list_properties(const connect& in, Sink& sink) {
    sink.put(property_id::session_expiry_interval, in.session_expiry_interval);
    sink.put(property_id::receive_maximum, in.receive_maximum);
    sink.put(property_id::maximum_packet_size, in.maximum_packet_size);
    sink.put(property_id::topic_alias_maximum, in.topic_alias_maximum);
    sink.put(property_id::request_response_information, in.request_response_information);
    sink.put(property_id::request_problem_information, in.request_problem_information);
    sink.put(property_id::authentication_method, in.authentication_method);
    sink.put(property_id::authentication_data, in.authentication_data);
    sink.put(in.user_properties);
}

template <class Sink>
void list_properties(const will& in, Sink& sink) {
    if (in.delay_interval != 0) {
        sink.put(property_id::will_delay_interval, std::optional(in.delay_interval));
    }
    sink.put(property_id::payload_format_indicator, in.payload_format_indicator);
    sink.put(property_id::message_expiry_interval, in.message_expiry_interval);
    sink.put(property_id::content_type, in.content_type);
    sink.put(property_id::response_topic, in.response_topic);
    sink.put(property_id::correlation_data, in.correlation_data);
    sink.put(in.user_properties);
}

violation decode_properties(detail::reader& from, connect& out) {
    const violation broken = detail::read_properties(
        from, detail::place_in(packet_type::connect), out.user_properties,
        [&out](const property& each) {
            assign(each, out);
            return violation::none;
        });
    if (broken == violation::none && out.authentication_data && !out.authentication_method) {
        return violation::authentication_data_without_method;
    }
    return broken;
}

violation decode_will(detail::reader& from, protocol_version version, unsigned flags, will& out) {
    out.qos = static_cast<enum qos>((flags & will_qos_bits) >> will_qos_shift);
    out.retain = (flags & will_retain_flag) != 0;
    if (version == protocol_version::v5) {
        const violation broken = detail::read_properties(
            from, detail::property_place::will, out.user_properties,
            [&out](const property& each) { return assign(each, out); });
        if (broken != violation::none) {
            return broken;
        }
    }
    if (const violation broken = from.take_unchecked_text(out.topic); broken != violation::none) {
        return broken;
    }
    // v5/MQTT-3.1.3-11, v3/MQTT-3.1.3-10; and what holds for every topic name.
    if (const violation broken = detail::check_topic_name(out.topic); broken != violation::none) {
        return broken;
    }
    if (out.topic.empty()) {
        return violation::topic_name_empty;
    }
    return from.take_binary(out.payload);
}

violation decode_payload(detail::reader& from, unsigned flags, connect& out) {
    // v5/MQTT-3.1.3-3, v3/MQTT-3.1.3-3: the client identifier is always there.
    if (const violation broken = from.take_text(out.client_id); broken != violation::none) {
        return broken;
    }
    if ((flags & will_flag) != 0) {
        const violation broken = decode_will(from, out.version, flags, out.will.emplace());
        if (broken != violation::none) {
            return broken;
        }
    }
    if ((flags & user_name_flag) != 0) {
        const violation broken = from.take_text(out.user_name.emplace());
        if (broken != violation::none) {
            return broken;
        }
    }
    if ((flags & password_flag) != 0) {
        const violation broken = from.take_binary(out.password.emplace());
        if (broken != violation::none) {
            return broken;
        }
    }
    return from.empty() ? violation::none : violation::bytes_left_over;
}

unsigned flags_of(const connect& in) {
    unsigned flags = 0;
    flags |= in.user_name ? user_name_flag : 0U;
    flags |= in.password ? password_flag : 0U;
    flags |= in.clean_start ? clean_start_flag : 0U;
    if (in.will) {
        flags |= will_flag | static_cast<unsigned>(in.will->qos) << will_qos_shift |
                 (in.will->retain ? will_retain_flag : 0U);
    }
    return flags;
}

template <class Part>
std::size_t properties_size(const Part& in) {
    detail::property_sizer sizes;
    list_properties(in, sizes);
    return sizes.size();
}

template <class Part>
std::uint8_t* write_properties(const Part& in, std::size_t size, std::uint8_t* at) {
    return detail::write_properties(at, size, {},
                                    [&in](auto& sink) { list_properties(in, sink); });
}

}  // namespace

violation decode(const frame& in, connect& out) {
    out = connect{};
    if (in.first_byte != connect_byte) {
        return violation::fixed_header_flags_invalid;  // v5/MQTT-2.1.3-1, v3/MQTT-2.2.2-2
    }
    detail::reader from(in.body);
    if (const violation broken = decode_protocol(from, out.version); broken != violation::none) {
        return broken;
    }
    std::uint8_t flags = 0;
    if (const violation broken = from.take_byte(flags); broken != violation::none) {
        return broken;
    }
    if (const violation broken = check_flags(flags, out.version); broken != violation::none) {
        return broken;
    }
    out.clean_start = (flags & clean_start_flag) != 0;
    if (const violation broken = from.take_two_bytes(out.keep_alive); broken != violation::none) {
        return broken;
    }
    if (out.version == protocol_version::v5) {
        if (const violation broken = decode_properties(from, out); broken != violation::none) {
            return broken;
        }
    }
    return decode_payload(from, flags, out);
}

bool encode(const connect& in, wire_buffer& out, std::uint32_t packet_size_maximum) {
    const bool v5 = in.version == protocol_version::v5;
    const std::size_t property_size = v5 ? properties_size(in) : 0;
    const std::size_t will_property_size = v5 && in.will ? properties_size(*in.will) : 0;
    std::size_t remaining_length = 10 + 2 + in.client_id.size();
    if (v5) {
        remaining_length += detail::variable_size(property_size) + property_size;
    }
    if (in.will) {
        remaining_length += 4 + in.will->topic.size() + in.will->payload.size();
        if (v5) {
            remaining_length += detail::variable_size(will_property_size) + will_property_size;
        }
    }
    remaining_length += in.user_name ? 2 + in.user_name->size() : 0;
    remaining_length += in.password ? 2 + in.password->size() : 0;
    if (!detail::packet_fits(remaining_length, packet_size_maximum)) {
        return false;
    }

    std::uint8_t* at = out.extend(detail::packet_size(remaining_length));
    at = detail::write_fixed_header(at, connect_byte, remaining_length);
    at = detail::write_text(at, protocol_name);
    at = detail::write_byte(at, static_cast<std::uint8_t>(in.version));
    at = detail::write_byte(at, static_cast<std::uint8_t>(flags_of(in)));
    at = detail::write_two_bytes(at, in.keep_alive);
    if (v5) {
        at = write_properties(in, property_size, at);
    }
    at = detail::write_text(at, in.client_id);
    if (in.will) {
        if (v5) {
            at = write_properties(*in.will, will_property_size, at);
        }
        at = detail::write_text(at, in.will->topic);
        at = detail::write_binary(at, in.will->payload);
    }
    if (in.user_name) {
        at = detail::write_text(at, *in.user_name);
    }
    if (in.password) {
        detail::write_binary(at, *in.password);
    }
    return true;
}

}  // namespace fleetarium
