#include <fleetarium/codec/codec.hpp>
#include <fleetarium/codec/properties.hpp>

namespace fleetarium {

namespace {

using detail::property;
using detail::property_id;

constexpr unsigned publish_byte = 0x30;
constexpr unsigned dup_flag = 0x08;
constexpr unsigned retain_flag = 0x01;

void clear_properties(publish& out) {
    out.payload_format_indicator.reset();
    out.message_expiry_interval.reset();
    out.topic_alias.reset();
    out.content_type.reset();
    out.response_topic.reset();
    out.correlation_data.reset();
    out.subscription_identifiers = {};
    out.user_properties = {};
}

violation assign(const property& each, publish& out) {
    switch (each.id) {
        case property_id::payload_format_indicator:
            out.payload_format_indicator = static_cast<std::uint8_t>(each.number);
            break;
        case property_id::message_expiry_interval: out.message_expiry_interval = each.number; break;
        case property_id::topic_alias:
            out.topic_alias = static_cast<std::uint16_t>(each.number);
            break;
        case property_id::content_type: out.content_type = each.text; break;
        case property_id::response_topic:
            out.response_topic = each.text;
            return detail::check_response_topic(each.text);
        case property_id::correlation_data: out.correlation_data = each.binary; break;
        default: break;  // the repeatable ones are taken over as blocks
    }
    return violation::none;
}

violation read_block(bytes_view block, publish& out) {
    detail::property_reader properties(block, detail::place_in(packet_type::publish));
    for (property each; properties.next(each);) {
        if (const violation broken = assign(each, out); broken != violation::none) {
            return broken;
        }
    }
    out.user_properties = properties.user_properties();
    out.subscription_identifiers = properties.subscription_identifiers();
    return properties.broken();
}

/// Kept out of line: most messages have no properties.
[[gnu::noinline]] violation decode_properties(detail::reader& from, publish& out) {
    bytes_view block;
    const violation broken = detail::take_property_block(from, block);
    return broken == violation::none ? read_block(block, out) : broken;
}

template <class Sink>
void list_forwardable(const publish& in, Sink& sink) {
    sink.put(property_id::payload_format_indicator, in.payload_format_indicator);
    sink.put(property_id::content_type, in.content_type);
    sink.put(property_id::response_topic, in.response_topic);
    sink.put(property_id::correlation_data, in.correlation_data);
    sink.put(in.user_properties);
}

template <class Sink>
void list_properties(const publish& in, Sink& sink) {
    sink.put(property_id::payload_format_indicator, in.payload_format_indicator);
    sink.put(property_id::message_expiry_interval, in.message_expiry_interval);
    sink.put(property_id::topic_alias, in.topic_alias);
    sink.put(property_id::content_type, in.content_type);
    sink.put(property_id::response_topic, in.response_topic);
    sink.put(property_id::correlation_data, in.correlation_data);
    in.subscription_identifiers.for_each([&sink](std::uint32_t value) {
        sink.put_variable(property_id::subscription_identifier, value);
    });
    sink.put(in.user_properties);
}

bool has_forwardable(const publish& in) {
    return in.payload_format_indicator || in.content_type || in.response_topic ||
           in.correlation_data || !in.user_properties.empty();
}

bool has_properties(const publish& in) {
    return in.message_expiry_interval || in.topic_alias || !in.subscription_identifiers.empty() ||
           has_forwardable(in);
}

[[gnu::noinline]] std::size_t properties_size(const publish& in) {
    detail::property_sizer sizes;
    list_properties(in, sizes);
    return sizes.size();
}

[[gnu::noinline]] std::uint8_t* write_all_properties(const publish& in, std::uint8_t* at) {
    detail::property_writer properties(at);
    list_properties(in, properties);
    return properties.position();
}

/// `Message` is publish or encoded_publish.
template <class Message>
unsigned first_byte(const Message& in) {
    return publish_byte | (in.dup ? dup_flag : 0U) | static_cast<unsigned>(in.qos) << 1 |
           (in.retain ? retain_flag : 0U);
}

/// Writes what stands before the properties.
template <class Message>
std::uint8_t* write_head(const Message& in, std::size_t remaining_length, std::uint8_t* at) {
    at = detail::write_fixed_header(at, first_byte(in), remaining_length);
    at = detail::write_text(at, in.topic);
    // A QoS 0 PUBLISH has no packet identifier: v5/MQTT-2.2.1-2, v3/MQTT-2.3.1-5.
    return in.qos == qos::at_most_once ? at : detail::write_two_bytes(at, in.packet_id);
}

}  // namespace

violation decode(const frame& in, protocol_version version, publish& out) {
    const unsigned level = in.first_byte >> 1 & 3U;
    out.dup = (in.first_byte & dup_flag) != 0;
    out.retain = (in.first_byte & retain_flag) != 0;
    out.qos = static_cast<enum qos>(level);
    if (level == 3) {
        return violation::qos_invalid;  // v5/MQTT-3.3.1-4, v3/MQTT-3.3.1-4
    }
    if (level == 0 && out.dup) {
        return violation::dup_with_qos_0;  // v5/MQTT-3.3.1-2, v3/MQTT-3.3.1-2
    }
    detail::reader from(in.body);
    if (const violation broken = from.take_unchecked_text(out.topic); broken != violation::none) {
        return broken;
    }
    if (const violation broken = detail::check_topic_name(out.topic); broken != violation::none) {
        return broken;
    }
    out.packet_id = 0;
    if (level != 0) {
        const violation broken = from.take_packet_id(out.packet_id);
        if (broken != violation::none) {
            return broken;
        }
    }
    clear_properties(out);
    if (version == protocol_version::v5) {
        if (!from.empty() && from.front() == 0) {
            from.skip(1);
        } else if (const violation broken = decode_properties(from, out);
                   broken != violation::none) {
            return broken;
        }
    }
    if (out.topic.empty() && !out.topic_alias) {
        return violation::topic_name_empty;  // v5/MQTT-4.7.3-1, v3/MQTT-4.7.3-1
    }
    out.payload = from.take_rest();
    return violation::none;
}

bool encode(const publish& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    const bool v5 = version == protocol_version::v5;
    const bool with_properties = v5 && has_properties(in);
    const std::size_t property_size = with_properties ? properties_size(in) : 0;
    const std::size_t remaining_length =
        2 + in.topic.size() + (in.qos == qos::at_most_once ? 0U : 2U) +
        (v5 ? detail::variable_size(property_size) + property_size : 0) + in.payload.size();
    if (!detail::packet_fits(remaining_length, packet_size_maximum)) {
        return false;
    }
    std::uint8_t* at = out.extend(detail::packet_size(remaining_length));
    at = write_head(in, remaining_length, at);
    if (v5) {
        at = detail::write_variable(at, property_size);  // written even if 0: v5/MQTT-2.2.2-1
        if (with_properties) {
            at = write_all_properties(in, at);
        }
    }
    detail::write_bytes(at, in.payload.data(), in.payload.size());
    return true;
}

bool encode(const encoded_publish& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    const bool v5 = version == protocol_version::v5;
    const bytes_view payload =
        in.shared_payload != nullptr ? in.shared_payload->view() : in.payload;
    std::size_t property_size = 0;
    std::size_t remaining_length =
        2 + in.topic.size() + (in.qos == qos::at_most_once ? 0U : 2U) + payload.size();
    if (v5) {
        property_size = in.forwardable_properties.size() + (in.message_expiry_interval ? 5U : 0U) +
                        (in.topic_alias != 0 ? 3U : 0U);
        for (const std::uint32_t identifier : in.subscription_identifiers) {
            property_size += 1 + detail::variable_size(identifier);
        }
        remaining_length += detail::variable_size(property_size) + property_size;
    }
    if (!detail::packet_fits(remaining_length, packet_size_maximum)) {
        return false;
    }
    std::uint8_t* at = out.extend(detail::packet_size(remaining_length) -
                                  (in.shared_payload != nullptr ? payload.size() : 0));
    at = write_head(in, remaining_length, at);
    if (v5) {
        at = detail::write_variable(at, property_size);
        if (property_size != 0) {
            detail::property_writer properties(at);
            properties.put(property_id::message_expiry_interval, in.message_expiry_interval);
            if (in.topic_alias != 0) {
                properties.put(property_id::topic_alias, std::optional(in.topic_alias));
            }
            for (const std::uint32_t identifier : in.subscription_identifiers) {
                properties.put_variable(property_id::subscription_identifier, identifier);
            }
            at = detail::write_bytes(properties.position(), in.forwardable_properties.data(),
                                     in.forwardable_properties.size());
        }
    }
    if (in.shared_payload != nullptr) {
        out.append_shared(*in.shared_payload);
    } else {
        detail::write_bytes(at, payload.data(), payload.size());
    }
    return true;
}

std::size_t forwardable_properties_size(const publish& in) {
    if (!has_forwardable(in)) {
        return 0;
    }
    detail::property_sizer sizes;
    list_forwardable(in, sizes);
    return sizes.size();
}

std::uint8_t* write_forwardable_properties(const publish& in, std::uint8_t* at) {
    if (!has_forwardable(in)) {
        return at;
    }
    detail::property_writer properties(at);
    list_forwardable(in, properties);
    return properties.position();
}

void read_forwardable_properties(bytes_view block, publish& out) {
    out.payload_format_indicator.reset();
    out.content_type.reset();
    out.response_topic.reset();
    out.correlation_data.reset();
    detail::property_reader properties(block, detail::place_in(packet_type::publish));
    for (property each; properties.next(each);) {
        assign(each, out);
    }
    FLEETARIUM_ASSERT(properties.broken() == violation::none);
    out.user_properties = properties.user_properties();
}

}  // namespace fleetarium
