#include <fleetarium/codec/properties.hpp>

#include <array>
#include <limits>

namespace fleetarium {

namespace detail {

namespace {

constexpr std::uint16_t in(auto... places) {
    return static_cast<std::uint16_t>(((1U << static_cast<unsigned>(places)) | ...));
}

constexpr std::array<property_info, property_id_end> make_table() {
    using enum packet_type;
    using enum property_id;
    using type = property_type;
    constexpr auto will = property_place::will;
    constexpr std::uint32_t u16_max = std::numeric_limits<std::uint16_t>::max();
    constexpr std::uint32_t u32_max = std::numeric_limits<std::uint32_t>::max();
    constexpr std::uint16_t every = in(will, connect, connack, publish, puback, pubrec, pubrel,
                                       pubcomp, subscribe, suback, unsubscribe, unsuback,
                                       disconnect, auth);
    constexpr std::uint16_t answers = in(connack, puback, pubrec, pubrel, pubcomp, suback, unsuback,
                                         disconnect, auth);

    std::array<property_info, property_id_end> table{};
    const auto row = [&table](property_id id) -> property_info& {
        return table[static_cast<std::size_t>(id)];
    };
    row(payload_format_indicator) = {type::byte, in(publish, will), 0, 0, 1};
    row(message_expiry_interval) = {type::four_bytes, in(publish, will), 0, 0, u32_max};
    row(content_type) = {type::text, in(publish, will)};
    row(response_topic) = {type::text, in(publish, will)};
    row(correlation_data) = {type::binary, in(publish, will)};
    row(subscription_identifier) = {type::variable, in(publish, subscribe), in(publish), 1,
                                    u32_max};
    row(session_expiry_interval) = {type::four_bytes, in(connect, connack, disconnect), 0, 0,
                                    u32_max};
    row(assigned_client_identifier) = {type::text, in(connack)};
    row(server_keep_alive) = {type::two_bytes, in(connack), 0, 0, u16_max};
    row(authentication_method) = {type::text, in(connect, connack, auth)};
    row(authentication_data) = {type::binary, in(connect, connack, auth)};
    row(request_problem_information) = {type::byte, in(connect), 0, 0, 1};
    row(will_delay_interval) = {type::four_bytes, in(will), 0, 0, u32_max};
    row(request_response_information) = {type::byte, in(connect), 0, 0, 1};
    row(response_information) = {type::text, in(connack)};
    row(server_reference) = {type::text, in(connack, disconnect)};
    row(reason_string) = {type::text, answers};
    row(receive_maximum) = {type::two_bytes, in(connect, connack), 0, 1, u16_max};
    row(topic_alias_maximum) = {type::two_bytes, in(connect, connack), 0, 0, u16_max};
    row(topic_alias) = {type::two_bytes, in(publish), 0, 1, u16_max,
                        violation::topic_alias_invalid};
    row(maximum_qos) = {type::byte, in(connack), 0, 0, 1};
    row(retain_available) = {type::byte, in(connack), 0, 0, 1};
    row(user_property) = {type::pair, every, every};
    row(maximum_packet_size) = {type::four_bytes, in(connect, connack), 0, 1, u32_max};
    row(wildcard_subscription_available) = {type::byte, in(connack), 0, 0, 1};
    row(subscription_identifier_available) = {type::byte, in(connack), 0, 0, 1};
    row(shared_subscription_available) = {type::byte, in(connack), 0, 0, 1};
    return table;
}

constexpr std::array<property_info, property_id_end> table = make_table();
constexpr property_info unknown_property;

/// Takes the value of a property off a block that passed decoding.
void skip_value(property_type type, reader& from) {
    std::string_view text;
    std::uint32_t number = 0;
    switch (type) {
        case property_type::byte: from.skip(1); break;
        case property_type::two_bytes: from.skip(2); break;
        case property_type::four_bytes: from.skip(4); break;
        case property_type::variable: from.take_variable(number); break;
        case property_type::pair: from.take_unchecked_text(text); [[fallthrough]];
        case property_type::text:
        case property_type::binary: from.take_unchecked_text(text); break;
        case property_type::unknown: FLEETARIUM_ASSERT(type != property_type::unknown);
    }
}

/// Moves `rest`, a block that passed decoding, to the value of its next property `wanted`. False
/// if there is none.
bool find_in_block(bytes_view& rest, property_id wanted) {
    reader from(rest);
    while (!from.empty()) {
        const std::uint8_t id = from.front();
        from.skip(1);
        if (id == static_cast<std::uint8_t>(wanted)) {
            rest = from.take_rest();
            return true;
        }
        skip_value(info_of(id).type, from);
    }
    return false;
}

}  // namespace

const property_info& info_of(std::uint8_t id) {
    return id < table.size() ? table[id] : unknown_property;
}

bool property_reader::next(property& out) {
    if (from_.empty()) {
        return false;
    }
    broken_ = take(out);
    return broken_ == violation::none;
}

violation property_reader::take(property& out) {
    const std::uint8_t* const begin = from_.position();
    const std::uint8_t id = from_.front();
    const property_info& info = info_of(id);
    const auto place = std::uint16_t{1} << static_cast<unsigned>(place_);
    if (info.type == property_type::unknown) {
        return violation::property_unknown;
    }
    if ((info.allowed & place) == 0) {
        return violation::property_not_allowed;
    }
    const std::uint64_t bit = std::uint64_t{1} << id;
    if ((seen_ & bit) != 0 && (info.repeatable & place) == 0) {
        return violation::property_repeated;
    }
    out.id = static_cast<property_id>(id);
    from_.skip(1);
    if (const violation broken = take_value(info, out); broken != violation::none) {
        return broken;
    }
    if (out.id == property_id::user_property) {
        const auto* const first = (seen_ & bit) != 0 ? user_properties_.data() : begin;
        user_properties_ = {first, from_.position()};
    } else if (out.id == property_id::subscription_identifier) {
        const auto* const first = (seen_ & bit) != 0 ? subscription_identifiers_.data() : begin;
        subscription_identifiers_ = {first, from_.position()};
    }
    seen_ |= bit;
    return violation::none;
}

violation property_reader::take_value(const property_info& info, property& out) {
    violation broken = violation::none;
    std::uint8_t byte = 0;
    std::uint16_t two_bytes = 0;
    switch (info.type) {
        case property_type::byte:
            broken = from_.take_byte(byte);
            out.number = byte;
            break;
        case property_type::two_bytes:
            broken = from_.take_two_bytes(two_bytes);
            out.number = two_bytes;
            break;
        case property_type::four_bytes: broken = from_.take_four_bytes(out.number); break;
        case property_type::variable: broken = from_.take_variable(out.number); break;
        case property_type::text: return from_.take_text(out.text);
        case property_type::binary: return from_.take_binary(out.binary);
        case property_type::pair:
            broken = from_.take_text(out.text);  // v5/MQTT-1.5.7-1
            return broken == violation::none ? from_.take_text(out.text) : broken;
        case property_type::unknown: return violation::property_unknown;
    }
    if (broken == violation::none && (out.number < info.value_min || out.number > info.value_max)) {
        return info.outside_range;
    }
    return broken;
}

violation take_property_block(reader& from, bytes_view& block) {
    std::uint32_t size = 0;
    const violation broken = from.take_variable(size);
    return broken == violation::none ? from.take_bytes(size, block) : broken;
}

violation check_response_topic(std::string_view topic) {
    if (topic.empty() || topic.find_first_of("+#") != std::string_view::npos) {
        return violation::response_topic_invalid;
    }
    return violation::none;
}

}  // namespace detail

bool user_properties::next_in_block(bytes_view& rest, user_property& pair) {
    if (!detail::find_in_block(rest, detail::property_id::user_property)) {
        return false;
    }
    detail::reader from(rest);
    from.take_unchecked_text(pair.first);
    from.take_unchecked_text(pair.second);
    rest = from.take_rest();
    return true;
}

bool subscription_identifiers::next_in_block(bytes_view& rest, std::uint32_t& value) {
    if (!detail::find_in_block(rest, detail::property_id::subscription_identifier)) {
        return false;
    }
    detail::reader from(rest);
    from.take_variable(value);
    rest = from.take_rest();
    return true;
}

}  // namespace fleetarium
