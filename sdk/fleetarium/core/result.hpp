#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

#include <type_traits>

namespace fleetarium {

/// What a caller asked for and could not have. The object called is unchanged.
enum class error {
    invalid_topic_name = 1,  ///< empty, has a wildcard or U+0000, or is not UTF-8
    invalid_topic_filter,    ///< breaks the rules of MQTT 5 section 4.7
    invalid_argument,        ///< a value outside its range
    not_connected,           ///< the verb needs an accepted connection
    already_connected,       ///< `connect` on a connection that is open
    packet_too_large,        ///< the peer's Maximum Packet Size forbids it
    qos_not_supported,       ///< above the server's Maximum QoS
    retain_not_supported,    ///< the server said Retain Available 0
    wildcard_subscriptions_not_supported,
    shared_subscriptions_not_supported,
    subscription_identifiers_not_supported,
    packet_ids_exhausted,  ///< all 65,535 packet identifiers are in use
    queue_full,            ///< the bound on messages not yet acknowledged is reached
    not_in_this_version,   ///< MQTT 3.1.1 has no such packet or property

    // What became of an operation of a client (client/client.hpp).
    timed_out,              ///< the operation's time limit, or the server's time to answer, passed
    connection_lost,        ///< the server closed the connection without a word
    session_lost,           ///< in flight when the server lost the session: delivered or not
    message_expired,        ///< its Message Expiry Interval passed before it was sent
    subscription_ended,     ///< unsubscribed; what had come before was received
    no_responder,           ///< nobody subscribes to the topic of the request
    authentication_failed,  ///< the authenticator did not accept what the server said
};

/// The category "fleetarium" of `make_error_code(error)`.
const boost::system::error_category& error_category() noexcept;

inline boost::system::error_code make_error_code(error value) noexcept {
    return {static_cast<int>(value), error_category()};
}

/// A value, or the reason why there is none. A subset of std::expected.
template <class T>
using result = boost::system::result<T>;

}  // namespace fleetarium

template <>
struct boost::system::is_error_code_enum<fleetarium::error> : std::true_type {};
