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
