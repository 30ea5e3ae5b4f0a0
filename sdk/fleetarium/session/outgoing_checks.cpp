#include <fleetarium/session/outgoing_checks.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/limits.hpp>

#include <optional>

namespace fleetarium::detail {

namespace {

constexpr std::uint32_t subscription_identifier_max = 268'435'455;

bool is_text(std::string_view text) {
    return text.size() <= limits::string_size_max && is_valid_string(text);
}

bool is_text(const std::optional<std::string_view>& text) { return !text || is_text(*text); }

bool is_binary(const std::optional<bytes_view>& data) {
    return !data || data->size() <= limits::string_size_max;
}

bool are_texts(const user_properties& properties) {
    bool valid = true;
    properties.for_each([&valid](const user_property& one) {
        valid = valid && is_text(one.first) && is_text(one.second);
    });
    return valid;
}

/// What PUBLISH and a will have in common.
template <class Message>
bool has_valid_properties(const Message& out) {
    return out.payload_format_indicator.value_or(0) <= 1 && is_text(out.content_type) &&
           (!out.response_topic || is_valid_topic_name(*out.response_topic)) &&
           is_binary(out.correlation_data) && are_texts(out.user_properties);
}

bool is_v5(protocol_version version) { return version == protocol_version::v5; }

/// MQTT 5 section 3.14.2.1, the codes that a client may send. 0x9B is there for servers only, but
/// section 3.3.4 has a client send it.
bool may_send(reason_code code) {
    switch (code) {
        case reason_code::normal_disconnection:
        case reason_code::disconnect_with_will_message:
        case reason_code::unspecified_error:
        case reason_code::malformed_packet:
        case reason_code::protocol_error:
        case reason_code::implementation_specific_error:
        case reason_code::topic_name_invalid:
        case reason_code::receive_maximum_exceeded:
        case reason_code::topic_alias_invalid:
        case reason_code::packet_too_large:
        case reason_code::message_rate_too_high:
        case reason_code::quota_exceeded:
        case reason_code::administrative_action:
        case reason_code::payload_format_invalid:
        case reason_code::qos_not_supported: return true;
        default: return false;
    }
}

}  // namespace

boost::system::error_code check_outgoing(const connect& out) {
    const bool valid_login = is_text(out.user_name) && is_binary(out.password);
    if (!is_text(out.client_id) || !valid_login) {
        return error::invalid_argument;
    }
    if (is_v5(out.version)) {
        const bool valid = out.receive_maximum != 0 && out.maximum_packet_size != 0u &&
                           is_text(out.authentication_method) &&
                           is_binary(out.authentication_data) &&
                           (!out.authentication_data || out.authentication_method) &&
                           are_texts(out.user_properties);
        if (!valid) {
            return error::invalid_argument;
        }
    } else if ((out.client_id.empty() && !out.clean_start) ||  // v3/MQTT-3.1.3-7
               (out.password && !out.user_name)) {             // v3/MQTT-3.1.2-22
        return error::invalid_argument;
    }
    if (!out.will) {
        return {};
    }
    const will& last = *out.will;
    if (!is_valid_topic_name(last.topic)) {
        return error::invalid_topic_name;
    }
    const bool valid = last.qos <= qos::exactly_once && is_binary(last.payload) &&
                       (!is_v5(out.version) || has_valid_properties(last));
    return valid ? boost::system::error_code() : error::invalid_argument;
}

boost::system::error_code check_outgoing(const publish& out, protocol_version version) {
    if (!is_valid_topic_name(out.topic)) {
        return error::invalid_topic_name;
    }
    const bool valid =
        out.qos <= qos::exactly_once &&
        out.payload.size() <= limits::remaining_length_max - limits::string_size_max &&
        (!is_v5(version) || has_valid_properties(out));
    return valid ? boost::system::error_code() : error::invalid_argument;
}

boost::system::error_code check_outgoing(const subscribe& out, protocol_version version) {
    if (out.requests.empty()) {
        return error::invalid_argument;  // v5/MQTT-3.8.3-2, v3/MQTT-3.8.3-3
    }
    boost::system::error_code refused;
    out.requests.for_each([&](const subscription_request& one) {
        const bool shared = is_shared_filter(one.filter);
        const subscription_options& options = one.options;
        if (shared ? !parse_shared_filter(one.filter) : !is_valid_topic_filter(one.filter)) {
            refused = error::invalid_topic_filter;
        } else if (options.qos > qos::exactly_once ||
                   options.retain_handling > retain_handling::do_not_send ||
                   (shared && options.no_local && is_v5(version))) {  // v5/MQTT-3.8.3-4
            refused = error::invalid_argument;
        }
    });
    if (out.subscription_identifier && !is_v5(version)) {
        return error::not_in_this_version;
    }
    const std::uint32_t identifier = out.subscription_identifier.value_or(1);
    if (identifier == 0 || identifier > subscription_identifier_max ||
        (is_v5(version) && !are_texts(out.user_properties))) {
        return error::invalid_argument;
    }
    return refused;
}

boost::system::error_code check_outgoing(const unsubscribe& out, protocol_version version) {
    if (out.filters.empty() || (is_v5(version) && !are_texts(out.user_properties))) {
        return error::invalid_argument;  // v5/MQTT-3.10.3-2, v3/MQTT-3.10.3-2
    }
    bool valid = true;
    out.filters.for_each(
        [&valid](std::string_view filter) { valid = valid && is_valid_topic_filter(filter); });
    return valid ? boost::system::error_code() : error::invalid_topic_filter;
}

boost::system::error_code check_outgoing(const auth& out) {
    const bool valid = is_text(out.authentication_method) && is_binary(out.authentication_data) &&
                       is_text(out.reason_string) && are_texts(out.user_properties);
    return valid ? boost::system::error_code() : error::invalid_argument;
}

boost::system::error_code check_outgoing(const disconnect& out, protocol_version version) {
    const bool valid =
        !is_v5(version) || (may_send(out.code) && !out.server_reference &&
                            is_text(out.reason_string) && are_texts(out.user_properties));
    return valid ? boost::system::error_code() : error::invalid_argument;
}

}  // namespace fleetarium::detail
