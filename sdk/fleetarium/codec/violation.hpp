#pragma once

#include <fleetarium/codec/reason_code.hpp>

#include <cstdint>
#include <string_view>

namespace fleetarium {

/// Every way a peer can misbehave, in one table: name, reason code for MQTT 5, the statements that
/// it breaks in 3.1.1 and 5.0 ("" where the standard gives the rule no id), and a phrase.
/// The close, the log, the documentation and the tests read it.
#define FLEETARIUM_VIOLATIONS(X)                                                                   \
    /* framing */                                                                                  \
    X(remaining_length_malformed, malformed_packet, "", "MQTT-1.5.5-1",                            \
      "the remaining length is not a shortest-form variable byte integer of at most four bytes")   \
    X(packet_type_reserved, malformed_packet, "", "", "packet type 0 is reserved")                 \
    X(packet_type_not_in_version, malformed_packet, "", "",                                        \
      "the protocol version has no such packet type")                                              \
    X(fixed_header_flags_invalid, malformed_packet, "MQTT-2.2.2-2", "MQTT-2.1.3-1",                \
      "the flags of the fixed header are not those of the packet type")                            \
    X(packet_too_large, packet_too_large, "", "", "the packet exceeds the maximum packet size")    \
    X(packet_truncated, malformed_packet, "", "", "a field runs past the end of the packet")       \
    X(bytes_left_over, malformed_packet, "", "", "bytes are left over behind the last field")      \
    /* strings, integers, properties */                                                            \
    X(string_not_utf8, malformed_packet, "MQTT-1.5.3-1", "MQTT-1.5.4-1",                           \
      "a string is not well-formed UTF-8")                                                         \
    X(string_has_null, malformed_packet, "MQTT-1.5.3-2", "MQTT-1.5.4-2", "a string holds U+0000")  \
    X(variable_byte_integer_malformed, malformed_packet, "", "MQTT-1.5.5-1",                       \
      "a variable byte integer is longer than it needs to be or than four bytes")                  \
    X(property_unknown, malformed_packet, "", "", "a property identifier is unknown")              \
    X(property_not_allowed, malformed_packet, "", "", "the packet may not hold this property")     \
    X(property_repeated, protocol_error, "", "", "a property that may occur once is repeated")     \
    X(property_value_invalid, protocol_error, "", "", "a property has a value outside its range")  \
    X(reason_code_invalid, protocol_error, "", "", "the packet may not hold this reason code")     \
    X(packet_id_zero, protocol_error, "MQTT-2.3.1-1", "MQTT-2.2.1-3",                              \
      "the packet identifier is 0")                                                                \
    /* CONNECT and CONNACK */                                                                      \
    X(protocol_name_invalid, unsupported_protocol_version, "MQTT-3.1.2-1", "MQTT-3.1.2-1",         \
      "the protocol name is not MQTT")                                                             \
    X(protocol_version_unsupported, unsupported_protocol_version, "MQTT-3.1.2-2", "MQTT-3.1.2-2",  \
      "the protocol version is not supported")                                                     \
    X(connect_flags_reserved, malformed_packet, "MQTT-3.1.2-3", "MQTT-3.1.2-3",                    \
      "the reserved connect flag is set")                                                          \
    X(will_flags_without_will, malformed_packet, "MQTT-3.1.2-11", "MQTT-3.1.2-11",                 \
      "will QoS or will retain is set though the will flag is not")                                \
    X(will_qos_invalid, malformed_packet, "MQTT-3.1.2-14", "MQTT-3.1.2-12", "the will QoS is 3")   \
    X(password_without_user_name, malformed_packet, "MQTT-3.1.2-22", "",                           \
      "a password is given without a user name")                                                   \
    X(authentication_data_without_method, protocol_error, "", "",                                  \
      "authentication data is given without a method")                                             \
    X(first_packet_not_connect, protocol_error, "MQTT-3.1.0-1", "MQTT-3.1.0-1",                    \
      "the first packet is not CONNECT")                                                           \
    X(second_connect, protocol_error, "MQTT-3.1.0-2", "MQTT-3.1.0-2", "a second CONNECT")          \
    X(first_packet_not_connack, protocol_error, "MQTT-3.2.0-1", "MQTT-3.2.0-1",                    \
      "the server's first packet is neither CONNACK nor AUTH")                                     \
    X(second_connack, protocol_error, "", "MQTT-3.2.0-2", "a second CONNACK")                      \
    X(connack_flags_reserved, malformed_packet, "", "MQTT-3.2.2-1",                                \
      "a reserved flag of CONNACK is set")                                                         \
    X(session_present_without_session, protocol_error, "", "MQTT-3.2.2-4",                         \
      "session present is set though the client has no session")                                   \
    X(packet_before_connack, protocol_error, "", "MQTT-3.1.2-30",                                  \
      "a packet other than AUTH or DISCONNECT during authentication")                              \
    /* direction */                                                                                \
    X(packet_type_wrong_direction, protocol_error, "MQTT-4.8.0-1", "",                             \
      "the packet type is for the other direction")                                                \
    /* PUBLISH */                                                                                  \
    X(qos_invalid, malformed_packet, "MQTT-3.3.1-4", "MQTT-3.3.1-4", "the QoS is 3")               \
    X(dup_with_qos_0, malformed_packet, "MQTT-3.3.1-2", "MQTT-3.3.1-2",                            \
      "DUP is set on a QoS 0 PUBLISH")                                                             \
    X(topic_name_has_wildcard, topic_name_invalid, "MQTT-3.3.2-2", "MQTT-3.3.2-2",                 \
      "the topic name holds a wildcard")                                                           \
    X(topic_name_empty, protocol_error, "MQTT-4.7.3-1", "MQTT-4.7.3-1",                            \
      "the topic name is empty and no topic alias stands for it")                                  \
    X(topic_name_not_allowed, topic_name_invalid, "", "",                                          \
      "the topic name is reserved for the server")                                                 \
    X(topic_alias_unknown, protocol_error, "", "MQTT-3.3.2-7",                                     \
      "the topic alias has not been set on this connection")                                       \
    X(topic_alias_invalid, topic_alias_invalid, "", "MQTT-3.3.2-9",                                \
      "the topic alias is 0 or above the maximum")                                                 \
    X(response_topic_invalid, protocol_error, "", "MQTT-3.3.2-14",                                 \
      "the response topic is empty or holds a wildcard")                                           \
    X(subscription_identifier_from_client, protocol_error, "", "MQTT-3.3.4-6",                     \
      "a PUBLISH from a client holds a subscription identifier")                                   \
    X(receive_maximum_exceeded, receive_maximum_exceeded, "", "MQTT-3.3.4-7",                      \
      "more PUBLISH packets are open than the receive maximum allows")                             \
    X(qos_not_supported, qos_not_supported, "", "MQTT-3.2.2-11",                                   \
      "the QoS is above the server's maximum QoS")                                                 \
    X(retain_not_supported, retain_not_supported, "", "MQTT-3.2.2-14",                             \
      "RETAIN is set though the server does not support it")                                       \
    X(acknowledgement_of_wrong_kind, protocol_error, "", "",                                       \
      "an acknowledgement does not fit the state of its packet identifier")                        \
    /* SUBSCRIBE, UNSUBSCRIBE and their acknowledgements */                                        \
    X(no_topic_filter, protocol_error, "MQTT-3.8.3-3", "MQTT-3.8.3-2", "no topic filter is given") \
    X(subscription_options_reserved, malformed_packet, "MQTT-3.8.3-4", "MQTT-3.8.3-5",             \
      "a reserved bit of the subscription options is set")                                         \
    X(subscription_qos_invalid, protocol_error, "MQTT-3.8.3-4", "", "the subscription QoS is 3")   \
    X(retain_handling_invalid, protocol_error, "", "", "the retain handling is 3")                 \
    X(no_local_on_shared_subscription, protocol_error, "", "MQTT-3.8.3-4",                         \
      "no local is set on a shared subscription")                                                  \
    X(wildcard_subscription_not_supported, wildcard_subscriptions_not_supported, "", "",           \
      "wildcard subscriptions are not available")                                                  \
    X(shared_subscription_not_supported, shared_subscriptions_not_supported, "", "",               \
      "shared subscriptions are not available")                                                    \
    X(subscription_identifier_not_supported, subscription_identifiers_not_supported, "", "",       \
      "subscription identifiers are not available")                                                \
    X(acknowledgement_unexpected, protocol_error, "", "",                                          \
      "SUBACK or UNSUBACK answers no request or has another number of codes")                      \
    /* DISCONNECT and AUTH */                                                                      \
    X(session_expiry_raised_from_zero, protocol_error, "", "",                                     \
      "DISCONNECT sets a session expiry though CONNECT had none")                                  \
    X(session_expiry_from_server, protocol_error, "", "MQTT-3.14.2-2",                             \
      "DISCONNECT from a server holds a session expiry interval")                                  \
    X(server_reference_from_client, protocol_error, "", "",                                        \
      "DISCONNECT from a client holds a server reference")                                         \
    X(authentication_not_begun, protocol_error, "", "MQTT-4.12.0-7",                               \
      "AUTH though CONNECT named no authentication method")                                        \
    X(authentication_method_changed, protocol_error, "", "MQTT-4.12.0-5",                          \
      "AUTH names another authentication method than CONNECT, or none")                            \
    X(authentication_out_of_order, protocol_error, "", "MQTT-3.15.2-1",                            \
      "AUTH with a reason code that does not fit the exchange")                                    \
    /* time */                                                                                     \
    X(keep_alive_timeout, keep_alive_timeout, "MQTT-3.1.2-24", "MQTT-3.1.2-22",                    \
      "no packet for one and a half times the keep alive")                                         \
    X(connect_timeout, maximum_connect_time, "", "", "no CONNECT in time")                         \
    X(response_timeout, keep_alive_timeout, "", "", "no CONNACK or PINGRESP in time")

/// A rule of the protocol that a peer broke; `none` where it broke none.
enum class violation : std::uint8_t {
    none,
#define FLEETARIUM_VIOLATION_NAME(name, code, v3_id, v5_id, phrase) name,
    FLEETARIUM_VIOLATIONS(FLEETARIUM_VIOLATION_NAME)
#undef FLEETARIUM_VIOLATION_NAME
};

/// One row of the table of violations.
struct violation_info {
    std::string_view name;    ///< the enumerator
    reason_code code;         ///< for CONNACK or DISCONNECT in MQTT 5
    std::string_view v3_id;   ///< statement of 3.1.1, or ""
    std::string_view v5_id;   ///< statement of 5.0, or ""
    std::string_view phrase;  ///< for logs and reason strings
};

/// The row of `broken`; for `none` the name is "none" and the code success.
const violation_info& describe(violation broken);

}  // namespace fleetarium
