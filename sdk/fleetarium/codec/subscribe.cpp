#include <fleetarium/codec/code_list.hpp>
#include <fleetarium/codec/codec.hpp>
#include <fleetarium/codec/properties.hpp>
#include <fleetarium/codec/topic.hpp>

namespace fleetarium {

// SUBSCRIBE: packet identifier, properties (5.0), then one or more pairs of a filter and an options
// byte. SUBACK: packet identifier, properties (5.0), then one code per filter, in their order.

namespace {

using detail::property;
using detail::property_id;

constexpr unsigned subscribe_byte = 0x82;
constexpr unsigned suback_byte = 0x90;

constexpr unsigned qos_bits = 0x03;
constexpr unsigned no_local_bit = 0x04;
constexpr unsigned retain_as_published_bit = 0x08;
constexpr unsigned retain_handling_bits = 0x30;
constexpr unsigned retain_handling_shift = 4;
constexpr unsigned reserved_bits_v5 = 0xC0;
constexpr unsigned reserved_bits_v3 = 0xFC;

subscription_options options_of(unsigned bits) {
    return {static_cast<enum qos>(bits & qos_bits), (bits & no_local_bit) != 0,
            (bits & retain_as_published_bit) != 0,
            static_cast<enum retain_handling>((bits & retain_handling_bits) >>
                                              retain_handling_shift)};
}

std::uint8_t bits_of(const subscription_options& options, protocol_version version) {
    auto bits = static_cast<unsigned>(options.qos);
    if (version == protocol_version::v5) {
        bits |= (options.no_local ? no_local_bit : 0U) |
                (options.retain_as_published ? retain_as_published_bit : 0U) |
                static_cast<unsigned>(options.retain_handling) << retain_handling_shift;
    }
    return static_cast<std::uint8_t>(bits);
}

violation check_options(unsigned bits, std::string_view filter, protocol_version version) {
    if ((bits & (version == protocol_version::v5 ? reserved_bits_v5 : reserved_bits_v3)) != 0) {
        return violation::subscription_options_reserved;  // v5/MQTT-3.8.3-5, v3/MQTT-3.8.3-4
    }
    if ((bits & qos_bits) == qos_bits) {
        return violation::subscription_qos_invalid;  // v3/MQTT-3.8.3-4
    }
    if ((bits & retain_handling_bits) == retain_handling_bits) {
        return violation::retain_handling_invalid;
    }
    if ((bits & no_local_bit) != 0 && is_shared_filter(filter)) {
        return violation::no_local_on_shared_subscription;  // v5/MQTT-3.8.3-4
    }
    return violation::none;
}

/// A filter that is a string but breaks the syntax of filters passes: it is answered in SUBACK.
violation check_requests(detail::reader from, protocol_version version) {
    if (from.empty()) {
        return violation::no_topic_filter;  // v5/MQTT-3.8.3-2, v3/MQTT-3.8.3-3
    }
    while (!from.empty()) {
        std::string_view filter;
        std::uint8_t bits = 0;
        if (const violation broken = from.take_text(filter); broken != violation::none) {
            return broken;  // v5/MQTT-3.8.3-1, v3/MQTT-3.8.3-1
        }
        if (const violation broken = from.take_byte(bits); broken != violation::none) {
            return broken;
        }
        if (const violation broken = check_options(bits, filter, version);
            broken != violation::none) {
            return broken;
        }
    }
    return violation::none;
}

}  // namespace

bool subscription_requests::next_in_payload(bytes_view& rest, protocol_version version,
                                            subscription_request& request) {
    detail::reader from(rest);
    std::uint8_t bits = 0;
    if (from.take_unchecked_text(request.filter) != violation::none ||
        from.take_byte(bits) != violation::none) {
        return false;
    }
    request.options = options_of(version == protocol_version::v5 ? bits : bits & qos_bits);
    rest = from.take_rest();
    return true;
}

violation decode(const frame& in, protocol_version version, subscribe& out) {
    if (in.first_byte != subscribe_byte) {
        return violation::fixed_header_flags_invalid;  // v5/MQTT-3.8.1-1, v3/MQTT-3.8.1-1
    }
    out = subscribe{};
    detail::reader from(in.body);
    if (const violation broken = from.take_packet_id(out.packet_id); broken != violation::none) {
        return broken;
    }
    if (version == protocol_version::v5) {
        const violation broken = detail::read_properties(
            from, detail::place_in(packet_type::subscribe), out.user_properties,
            [&out](const property& each) {
                if (each.id == property_id::subscription_identifier) {
                    out.subscription_identifier = each.number;
                }
                return violation::none;
            });
        if (broken != violation::none) {
            return broken;
        }
    }
    if (const violation broken = check_requests(from, version); broken != violation::none) {
        return broken;
    }
    out.requests = subscription_requests::in_payload(from.take_rest(), version);
    return violation::none;
}

bool encode(const subscribe& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    const bool v5 = version == protocol_version::v5;
    const auto list = [&in](auto& sink) {
        if (in.subscription_identifier) {
            sink.put_variable(property_id::subscription_identifier, *in.subscription_identifier);
        }
        sink.put(in.user_properties);
    };
    detail::property_sizer sizes;
    list(sizes);
    std::size_t remaining_length = 2;
    if (v5) {
        remaining_length += detail::variable_size(sizes.size()) + sizes.size();
    }
    in.requests.for_each([&remaining_length](const subscription_request& request) {
        remaining_length += 2 + request.filter.size() + 1;
    });
    if (!detail::packet_fits(remaining_length, packet_size_maximum)) {
        return false;
    }
    std::uint8_t* at = out.extend(detail::packet_size(remaining_length));
    at = detail::write_fixed_header(at, subscribe_byte, remaining_length);
    at = detail::write_two_bytes(at, in.packet_id);
    if (v5) {
        at = detail::write_properties(at, sizes.size(), {}, list);
    }
    in.requests.for_each([&at, version](const subscription_request& request) {
        at = detail::write_text(at, request.filter);
        at = detail::write_byte(at, bits_of(request.options, version));
    });
    return true;
}

violation decode(const frame& in, protocol_version version, suback& out) {
    if (in.first_byte != suback_byte) {
        return violation::fixed_header_flags_invalid;  // v5/MQTT-2.1.3-1, v3/MQTT-2.2.2-2
    }
    out = suback{};
    detail::reader from(in.body);
    const violation broken =
        detail::decode_head_of_code_list(from, version, packet_type::suback, out);
    return broken == violation::none
               ? detail::decode_code_list(from, version, packet_type::suback, out.codes)
               : broken;
}

bool encode(const suback& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    return detail::encode_code_list(suback_byte, in, version, in.codes, out, packet_size_maximum);
}

}  // namespace fleetarium
