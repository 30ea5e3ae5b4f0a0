#pragma once

#include <fleetarium/codec/reason_code.hpp>
#include <fleetarium/core/bytes.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

namespace fleetarium {

/// The value of the protocol version byte of CONNECT.
enum class protocol_version : std::uint8_t { v3_1_1 = 4, v5 = 5 };

enum class qos : std::uint8_t { at_most_once = 0, at_least_once = 1, exactly_once = 2 };

enum class retain_handling : std::uint8_t {
    send = 0,                    ///< retained messages at each SUBSCRIBE
    send_if_new = 1,             ///< only if the subscription did not exist
    do_not_send = 2,
};

enum class packet_type : std::uint8_t {
    connect = 1,
    connack,
    publish,
    puback,
    pubrec,
    pubrel,
    pubcomp,
    subscribe,
    suback,
    unsubscribe,
    unsuback,
    pingreq,
    pingresp,
    disconnect,
    auth,
};

/// "CONNECT" and so on.
std::string_view name_of(packet_type type);

// One struct per packet type serves both versions; what 3.1.1 does not have is absent after
// decoding and left out when encoding. All strings and binary fields are views: after decoding,
// into the bytes decoded. Every member has an initializer, so that a designated initializer may
// leave out any of them without a warning.

/// A name and a value that only the application understands (MQTT 5 section 1.5.7).
using user_property = std::pair<std::string_view, std::string_view>;

/// User properties in their order: either given by the application as a span of pairs, or, after
/// decoding, a valid property block in which they are found on the fly.
class user_properties {
public:
    user_properties() = default;
    explicit user_properties(std::span<const user_property> pairs) : pairs_(pairs) {}

    /// `block` is a property block without its length that passed decoding.
    static user_properties in_block(bytes_view block) {
        user_properties made;
        made.block_ = block;
        return made;
    }

    bool empty() const { return pairs_.empty() && block_.empty(); }

    /// Calls `visit(user_property)` for each pair, in order.
    template <class Visitor>
    void for_each(Visitor&& visit) const {
        for (const auto& pair : pairs_) {
            visit(pair);
        }
        user_property pair;
        for (bytes_view rest = block_; next_in_block(rest, pair);) {
            visit(pair);
        }
    }

private:
    static bool next_in_block(bytes_view& rest, user_property& pair);

    std::span<const user_property> pairs_;
    bytes_view block_;
};

/// The subscription identifiers of a PUBLISH, given as a span or found in a decoded block.
class subscription_identifiers {
public:
    subscription_identifiers() = default;
    explicit subscription_identifiers(std::span<const std::uint32_t> values) : values_(values) {}

    /// As user_properties::in_block.
    static subscription_identifiers in_block(bytes_view block) {
        subscription_identifiers made;
        made.block_ = block;
        return made;
    }

    bool empty() const { return values_.empty() && block_.empty(); }

    /// Calls `visit(std::uint32_t)` for each identifier, in order.
    template <class Visitor>
    void for_each(Visitor&& visit) const {
        for (const std::uint32_t value : values_) {
            visit(value);
        }
        std::uint32_t value = 0;
        for (bytes_view rest = block_; next_in_block(rest, value);) {
            visit(value);
        }
    }

private:
    static bool next_in_block(bytes_view& rest, std::uint32_t& value);

    std::span<const std::uint32_t> values_;
    bytes_view block_;
};

/// The will of a CONNECT.
struct will {
    std::string_view topic{};
    bytes_view payload{};  ///< at most 65,535 bytes
    enum qos qos = qos::at_most_once;
    bool retain = false;
    std::uint32_t delay_interval = 0;  ///< seconds
    std::optional<std::uint8_t> payload_format_indicator{};
    std::optional<std::uint32_t> message_expiry_interval{};  ///< seconds
    std::optional<std::string_view> content_type{};
    std::optional<std::string_view> response_topic{};
    std::optional<bytes_view> correlation_data{};
    fleetarium::user_properties user_properties{};
};

struct connect {
    protocol_version version = protocol_version::v5;
    bool clean_start = true;  ///< Clean Session in 3.1.1
    std::uint16_t keep_alive = 0;  ///< seconds, 0 is off
    std::string_view client_id{};
    std::optional<fleetarium::will> will{};
    std::optional<std::string_view> user_name{};
    std::optional<bytes_view> password{};
    std::optional<std::uint32_t> session_expiry_interval{};  ///< seconds, 0xFFFFFFFF is for ever
    std::optional<std::uint16_t> receive_maximum{};
    std::optional<std::uint32_t> maximum_packet_size{};
    std::optional<std::uint16_t> topic_alias_maximum{};
    std::optional<bool> request_response_information{};
    std::optional<bool> request_problem_information{};
    std::optional<std::string_view> authentication_method{};
    std::optional<bytes_view> authentication_data{};
    fleetarium::user_properties user_properties{};
};

struct connack {
    bool session_present = false;
    reason_code code = reason_code::success;  ///< 3.1.1 codes are mapped to and from those of 5.0
    std::optional<std::uint32_t> session_expiry_interval{};
    std::optional<std::uint16_t> receive_maximum{};
    std::optional<enum qos> maximum_qos{};  ///< 0 or 1; absent is 2
    std::optional<bool> retain_available{};
    std::optional<std::uint32_t> maximum_packet_size{};
    std::optional<std::string_view> assigned_client_identifier{};
    std::optional<std::uint16_t> topic_alias_maximum{};
    std::optional<std::string_view> reason_string{};
    std::optional<bool> wildcard_subscription_available{};
    std::optional<bool> subscription_identifier_available{};
    std::optional<bool> shared_subscription_available{};
    std::optional<std::uint16_t> server_keep_alive{};
    std::optional<std::string_view> response_information{};
    std::optional<std::string_view> server_reference{};
    std::optional<std::string_view> authentication_method{};
    std::optional<bytes_view> authentication_data{};
    fleetarium::user_properties user_properties{};
};

struct publish {
    std::string_view topic{};
    bytes_view payload{};
    std::uint16_t packet_id = 0;  ///< 0 exactly when qos is at_most_once
    enum qos qos = qos::at_most_once;
    bool dup = false;
    bool retain = false;
    std::optional<std::uint8_t> payload_format_indicator{};
    std::optional<std::uint32_t> message_expiry_interval{};  ///< seconds
    std::optional<std::uint16_t> topic_alias{};
    std::optional<std::string_view> content_type{};
    std::optional<std::string_view> response_topic{};
    std::optional<bytes_view> correlation_data{};
    fleetarium::subscription_identifiers subscription_identifiers{};
    fleetarium::user_properties user_properties{};
};

/// PUBACK, PUBREC, PUBREL and PUBCOMP.
template <packet_type Type>
struct basic_acknowledgement {
    static constexpr packet_type type = Type;
    std::uint16_t packet_id = 0;
    reason_code code = reason_code::success;
    std::optional<std::string_view> reason_string{};
    fleetarium::user_properties user_properties{};
};

using puback = basic_acknowledgement<packet_type::puback>;
using pubrec = basic_acknowledgement<packet_type::pubrec>;
using pubrel = basic_acknowledgement<packet_type::pubrel>;
using pubcomp = basic_acknowledgement<packet_type::pubcomp>;

struct subscription_options {
    enum qos qos = qos::at_most_once;
    bool no_local = false;
    bool retain_as_published = false;
    enum retain_handling retain_handling = retain_handling::send;

    bool operator==(const subscription_options&) const = default;
};

/// A filter with its options, as SUBSCRIBE lists them.
struct subscription_request {
    std::string_view filter{};
    subscription_options options{};
};

/// The list of filters of SUBSCRIBE: given as a span, or found in a decoded payload.
class subscription_requests {
public:
    subscription_requests() = default;
    explicit subscription_requests(std::span<const subscription_request> list) : list_(list) {}
    static subscription_requests in_payload(bytes_view payload, protocol_version version) {
        subscription_requests made;
        made.payload_ = payload;
        made.version_ = version;
        return made;
    }

    bool empty() const { return list_.empty() && payload_.empty(); }

    template <class Visitor>
    void for_each(Visitor&& visit) const {
        for (const auto& request : list_) {
            visit(request);
        }
        subscription_request request;
        for (bytes_view rest = payload_; next_in_payload(rest, version_, request);) {
            visit(request);
        }
    }

private:
    static bool next_in_payload(bytes_view& rest, protocol_version version,
                                subscription_request& request);

    std::span<const subscription_request> list_;
    bytes_view payload_;
    protocol_version version_ = protocol_version::v5;
};

struct subscribe {
    std::uint16_t packet_id = 0;
    std::optional<std::uint32_t> subscription_identifier{};
    fleetarium::user_properties user_properties{};
    subscription_requests requests{};
};

struct suback {
    std::uint16_t packet_id = 0;
    std::optional<std::string_view> reason_string{};
    fleetarium::user_properties user_properties{};
    std::span<const reason_code> codes{};
};

/// The list of filters of UNSUBSCRIBE: given as a span, or found in a decoded payload.
class topic_filters {
public:
    topic_filters() = default;
    explicit topic_filters(std::span<const std::string_view> list) : list_(list) {}
    static topic_filters in_payload(bytes_view payload) {
        topic_filters made;
        made.payload_ = payload;
        return made;
    }

    bool empty() const { return list_.empty() && payload_.empty(); }

    template <class Visitor>
    void for_each(Visitor&& visit) const {
        for (const auto& filter : list_) {
            visit(filter);
        }
        std::string_view filter;
        for (bytes_view rest = payload_; next_in_payload(rest, filter);) {
            visit(filter);
        }
    }

private:
    static bool next_in_payload(bytes_view& rest, std::string_view& filter);

    std::span<const std::string_view> list_;
    bytes_view payload_;
};

struct unsubscribe {
    std::uint16_t packet_id = 0;
    fleetarium::user_properties user_properties{};
    topic_filters filters{};
};

/// In 3.1.1 UNSUBACK has no codes.
struct unsuback {
    std::uint16_t packet_id = 0;
    std::optional<std::string_view> reason_string{};
    fleetarium::user_properties user_properties{};
    std::span<const reason_code> codes{};
};

struct pingreq {};
struct pingresp {};

struct disconnect {
    reason_code code = reason_code::normal_disconnection;
    std::optional<std::uint32_t> session_expiry_interval{};
    std::optional<std::string_view> reason_string{};
    std::optional<std::string_view> server_reference{};
    fleetarium::user_properties user_properties{};
};

struct auth {
    reason_code code = reason_code::success;
    std::optional<std::string_view> authentication_method{};
    std::optional<bytes_view> authentication_data{};
    std::optional<std::string_view> reason_string{};
    fleetarium::user_properties user_properties{};
};

using packet = std::variant<connect, connack, publish, puback, pubrec, pubrel, pubcomp, subscribe,
                            suback, unsubscribe, unsuback, pingreq, pingresp, disconnect, auth>;

}  // namespace fleetarium
