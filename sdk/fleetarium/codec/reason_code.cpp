#include <fleetarium/codec/reason_code.hpp>

#include <fleetarium/codec/reason_code_table.hpp>

#include <algorithm>
#include <array>

namespace fleetarium {

namespace {

using enum packet_type;

constexpr std::uint16_t in(auto... types) {
    return static_cast<std::uint16_t>(((1U << static_cast<unsigned>(types)) | ...));
}

constexpr std::uint16_t publish_answer = in(puback, pubrec);
constexpr std::uint16_t release = in(pubrel, pubcomp);
constexpr std::uint16_t subscribe_answer = in(suback, unsuback);

struct row {
    reason_code code;
    std::string_view name;
    std::uint16_t packets;
};

// MQTT 5 section 2.4. DISCONNECT lists what either side may send; 0x8C is in the standard's general
// table but not in that of DISCONNECT, and is accepted there.
constexpr row rows[] = {
    {reason_code::success, "Success",
     in(connack, disconnect, auth) | publish_answer | release | subscribe_answer},
    {reason_code::granted_qos_1, "Granted QoS 1", in(suback)},
    {reason_code::granted_qos_2, "Granted QoS 2", in(suback)},
    {reason_code::disconnect_with_will_message, "Disconnect with Will Message", in(disconnect)},
    {reason_code::no_matching_subscribers, "No matching subscribers", publish_answer},
    {reason_code::no_subscription_existed, "No subscription existed", in(unsuback)},
    {reason_code::continue_authentication, "Continue authentication", in(auth)},
    {reason_code::re_authenticate, "Re-authenticate", in(auth)},
    {reason_code::unspecified_error, "Unspecified error",
     in(connack, disconnect) | publish_answer | subscribe_answer},
    {reason_code::malformed_packet, "Malformed Packet", in(connack, disconnect)},
    {reason_code::protocol_error, "Protocol Error", in(connack, disconnect)},
    {reason_code::implementation_specific_error, "Implementation specific error",
     in(connack, disconnect) | publish_answer | subscribe_answer},
    {reason_code::unsupported_protocol_version, "Unsupported Protocol Version", in(connack)},
    {reason_code::client_identifier_not_valid, "Client Identifier not valid", in(connack)},
    {reason_code::bad_user_name_or_password, "Bad User Name or Password", in(connack)},
    {reason_code::not_authorized, "Not authorized",
     in(connack, disconnect) | publish_answer | subscribe_answer},
    {reason_code::server_unavailable, "Server unavailable", in(connack)},
    {reason_code::server_busy, "Server busy", in(connack, disconnect)},
    {reason_code::banned, "Banned", in(connack)},
    {reason_code::server_shutting_down, "Server shutting down", in(disconnect)},
    {reason_code::bad_authentication_method, "Bad authentication method", in(connack, disconnect)},
    {reason_code::keep_alive_timeout, "Keep Alive timeout", in(disconnect)},
    {reason_code::session_taken_over, "Session taken over", in(disconnect)},
    {reason_code::topic_filter_invalid, "Topic Filter invalid", in(disconnect) | subscribe_answer},
    {reason_code::topic_name_invalid, "Topic Name invalid",
     in(connack, disconnect) | publish_answer},
    {reason_code::packet_identifier_in_use, "Packet Identifier in use",
     publish_answer | subscribe_answer},
    {reason_code::packet_identifier_not_found, "Packet Identifier not found", release},
    {reason_code::receive_maximum_exceeded, "Receive Maximum exceeded", in(disconnect)},
    {reason_code::topic_alias_invalid, "Topic Alias invalid", in(disconnect)},
    {reason_code::packet_too_large, "Packet too large", in(connack, disconnect)},
    {reason_code::message_rate_too_high, "Message rate too high", in(disconnect)},
    {reason_code::quota_exceeded, "Quota exceeded",
     in(connack, suback, disconnect) | publish_answer},
    {reason_code::administrative_action, "Administrative action", in(disconnect)},
    {reason_code::payload_format_invalid, "Payload format invalid",
     in(connack, disconnect) | publish_answer},
    {reason_code::retain_not_supported, "Retain not supported", in(connack, disconnect)},
    {reason_code::qos_not_supported, "QoS not supported", in(connack, disconnect)},
    {reason_code::use_another_server, "Use another server", in(connack, disconnect)},
    {reason_code::server_moved, "Server moved", in(connack, disconnect)},
    {reason_code::shared_subscriptions_not_supported, "Shared Subscriptions not supported",
     in(suback, disconnect)},
    {reason_code::connection_rate_exceeded, "Connection rate exceeded", in(connack, disconnect)},
    {reason_code::maximum_connect_time, "Maximum connect time", in(disconnect)},
    {reason_code::subscription_identifiers_not_supported, "Subscription Identifiers not supported",
     in(suback, disconnect)},
    {reason_code::wildcard_subscriptions_not_supported, "Wildcard Subscriptions not supported",
     in(suback, disconnect)},
};

constexpr std::array<std::uint16_t, 256> packets_of_code = [] {
    std::array<std::uint16_t, 256> made{};
    for (const row& each : rows) {
        made[static_cast<std::uint8_t>(each.code)] = each.packets;
    }
    return made;
}();

}  // namespace

std::string_view name_of(reason_code code) {
    const auto* const found = std::ranges::find(rows, code, &row::code);
    return found == std::ranges::end(rows) ? "Unknown" : found->name;
}

namespace detail {

bool may_hold(packet_type type, std::uint8_t code) {
    return (packets_of_code[code] >> static_cast<unsigned>(type) & 1U) != 0;
}

}  // namespace detail

}  // namespace fleetarium
