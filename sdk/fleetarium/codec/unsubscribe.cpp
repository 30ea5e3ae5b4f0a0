#include <fleetarium/codec/code_list.hpp>
#include <fleetarium/codec/codec.hpp>
#include <fleetarium/codec/properties.hpp>

namespace fleetarium {

// UNSUBSCRIBE: packet identifier, properties (5.0), then one or more filters. UNSUBACK: packet
// identifier; in 5.0 then properties and one code per filter, in their order.

namespace {

constexpr unsigned unsubscribe_byte = 0xA2;
constexpr unsigned unsuback_byte = 0xB0;

violation check_filters(detail::reader from) {
    if (from.empty()) {
        return violation::no_topic_filter;  // v5/MQTT-3.10.3-2, v3/MQTT-3.10.3-2
    }
    while (!from.empty()) {
        std::string_view filter;
        if (const violation broken = from.take_text(filter); broken != violation::none) {
            return broken;  // v5/MQTT-3.10.3-1, v3/MQTT-3.10.3-1
        }
    }
    return violation::none;
}

}  // namespace

bool topic_filters::next_in_payload(bytes_view& rest, std::string_view& filter) {
    detail::reader from(rest);
    if (from.take_unchecked_text(filter) != violation::none) {
        return false;
    }
    rest = from.take_rest();
    return true;
}

violation decode(const frame& in, protocol_version version, unsubscribe& out) {
    if (in.first_byte != unsubscribe_byte) {
        return violation::fixed_header_flags_invalid;  // v5/MQTT-3.10.1-1, v3/MQTT-3.10.1-1
    }
    out = unsubscribe{};
    detail::reader from(in.body);
    if (const violation broken = from.take_packet_id(out.packet_id); broken != violation::none) {
        return broken;
    }
    if (version == protocol_version::v5) {
        const violation broken = detail::read_properties(
            from, detail::place_in(packet_type::unsubscribe), out.user_properties,
            [](const detail::property&) { return violation::none; });
        if (broken != violation::none) {
            return broken;
        }
    }
    if (const violation broken = check_filters(from); broken != violation::none) {
        return broken;
    }
    out.filters = topic_filters::in_payload(from.take_rest());
    return violation::none;
}

bool encode(const unsubscribe& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    const bool v5 = version == protocol_version::v5;
    const auto list = [&in](auto& sink) { sink.put(in.user_properties); };
    detail::property_sizer sizes;
    list(sizes);
    std::size_t remaining_length = 2;
    if (v5) {
        remaining_length += detail::variable_size(sizes.size()) + sizes.size();
    }
    in.filters.for_each([&remaining_length](std::string_view filter) {
        remaining_length += 2 + filter.size();
    });
    if (!detail::packet_fits(remaining_length, packet_size_maximum)) {
        return false;
    }
    std::uint8_t* at = out.extend(detail::packet_size(remaining_length));
    at = detail::write_fixed_header(at, unsubscribe_byte, remaining_length);
    at = detail::write_two_bytes(at, in.packet_id);
    if (v5) {
        at = detail::write_properties(at, sizes.size(), {}, list);
    }
    in.filters.for_each([&at](std::string_view filter) { at = detail::write_text(at, filter); });
    return true;
}

violation decode(const frame& in, protocol_version version, unsuback& out) {
    if (in.first_byte != unsuback_byte) {
        return violation::fixed_header_flags_invalid;  // v5/MQTT-2.1.3-1, v3/MQTT-2.2.2-2
    }
    out = unsuback{};
    detail::reader from(in.body);
    const violation broken =
        detail::decode_head_of_code_list(from, version, packet_type::unsuback, out);
    if (broken != violation::none) {
        return broken;
    }
    if (version == protocol_version::v3_1_1) {
        return from.empty() ? violation::none : violation::bytes_left_over;
    }
    return detail::decode_code_list(from, version, packet_type::unsuback, out.codes);
}

bool encode(const unsuback& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    const auto codes = version == protocol_version::v5 ? in.codes : std::span<const reason_code>{};
    return detail::encode_code_list(unsuback_byte, in, version, codes, out, packet_size_maximum);
}

}  // namespace fleetarium
