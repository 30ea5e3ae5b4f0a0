#pragma once

#include <fleetarium/broker/subscription.hpp>
#include <fleetarium/codec/packets.hpp>
#include <fleetarium/codec/violation.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/session/message.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace fleetarium::broker {

/// A connection of a broker core: a small number, used again after the connection is gone.
using connection_id = std::uint32_t;
inline constexpr connection_id no_connection = 0xFFFF'FFFF;

/// No session: of a session_index, a small number used again after the session has ended.
inline constexpr session_index no_session = 0xFFFF'FFFF;

/// Why a message did not reach a subscriber, or nobody.
enum class drop_reason : std::uint8_t {
    none,
    no_subscriber,       ///< nobody subscribes to its topic
    queue_full,          ///< the session's queue is at its bound
    offline,             ///< QoS 0 for a session that is not connected
    expired,             ///< its Message Expiry Interval passed before it was sent
    packet_too_large,    ///< over the subscriber's Maximum Packet Size
    session_ended,       ///< the session ended before the message was acknowledged
    not_authorized,      ///< the publisher may not publish to the topic
    topic_name_invalid,  ///< the topic is reserved or has too many levels
    retained_full,       ///< not retained: the store is at its bound; deliveries are made
    memory_ceiling,      ///< the broker's memory is near its ceiling, see memory_ceiling.hpp; with
                         ///< no_session: a PUBLISH not taken on, or, of RETAIN 1, not retained
};

/// "queue_full" and so on.
std::string_view name_of(drop_reason reason);
inline constexpr std::size_t drop_reason_count = 11;

/// One decision of the broker. Views are valid during the call.
struct broker_event {
    enum class kind : std::uint8_t {
        connected,     ///< `flag`: session present; `count`: protocol version
        refused,       ///< closed before it was accepted; `broken` if a rule was, else the
                       ///< CONNECT was answered with `code`; `count` as of connected
        disconnected,  ///< `code`: of DISCONNECT, whoever sent it, or what it would be in
                       ///< 5.0; `broken` if a rule was; `flag`: the network closed it
        session_ended,
        subscribed,        ///< `topic` is the filter; `code` is that of SUBACK; `count` is the
                           ///< Subscription Identifier, 0: none
        unsubscribed,      ///< `topic` is the filter; `code` is that of UNSUBACK
        received,          ///< a PUBLISH was taken on under `identity`; `qos` is its own
        repeated,          ///< a PUBLISH repeated a QoS 2 message under way; `count`: packet id
        routed,            ///< `count` deliveries were made of it
        retained,          ///< stored as the retained message of its topic
        retained_removed,  ///< the retained message of `topic` is gone: `identity` is that of the
                           ///< message that removed it, or, if `why` is expired, its own
        will_published,    ///< precedes `received` of the will
        queued,            ///< a delivery waits for connection or window
        sent,              ///< a delivery was written to the connection; `flag`: DUP
        acknowledged,      ///< a delivery is complete with `code`
        dropped,           ///< a delivery, or with no_session a message, was dropped by `why`;
                           ///< `flag`: a delivery of QoS 1 or 2 that had been sent
    };

    kind what = kind::connected;
    instant at{};
    connection_id connection = no_connection;
    session_index session = no_session;
    std::string_view client_id{};
    std::string_view topic{};
    message_identity identity{};  ///< of the message
    std::uint32_t count = 0;
    enum qos qos = qos::at_most_once;  ///< of the delivery, where there is one
    reason_code code = reason_code::success;
    violation broken = violation::none;
    drop_reason why = drop_reason::none;
    bool flag = false;
    bool known = false;  ///< of sent and dropped: an event told of this delivery before
};

/// Whether an event is about a message; the others are about clients.
constexpr bool is_about_messages(broker_event::kind what) {
    return what >= broker_event::kind::received;
}

/// A client as it is known when a decision about it is due.
struct client_info {
    connection_id connection = no_connection;
    std::string_view client_id;  ///< empty until the broker has assigned one
    std::string_view user_name;  ///< empty if it gave none
    protocol_version version = protocol_version::v5;
    bool vouched = false;  ///< the user name comes from the client's certificate
};

/// The answer to a step of enhanced authentication (MQTT 5 section 4.12).
struct authentication_step {
    enum class outcome : std::uint8_t { succeeded, challenged, failed };
    outcome result = outcome::succeeded;
    /// Data for the peer, with CONNACK or AUTH; empty is none.
    std::string data;
    /// If failed: of CONNACK, or of DISCONNECT for a re-authentication.
    reason_code code = reason_code::not_authorized;
};

/// What an embedder decides and sees. Every member has a default that allows everything (but
/// authentication methods, of which none is known). Called on the core's thread, from inside a call
/// of the core: an implementation must not call back into the core.
class broker_hooks {
public:
    virtual ~broker_hooks() = default;

    /// Whether a client may connect: success, or a failure code of CONNACK (another code becomes
    /// "unspecified error"). In 3.1.1, a code that has no counterpart closes without CONNACK.
    /// Not asked where CONNECT names an authentication method.
    virtual reason_code authenticate(const client_info& client, const connect& request);

    /// A step of an exchange: CONNECT or AUTH with an authentication method. `data` is empty if the
    /// packet had none. To be told apart by the connection: an exchange after CONNACK is a
    /// re-authentication, which the client begins anew with each AUTH 0x19.
    virtual authentication_step authenticate_enhanced(const client_info& client,
                                                      std::string_view method, bytes_view data);

    /// Whether authorize_publish is to be asked about messages at all; if not, every client may
    /// publish. Asked once, when the core is made.
    virtual bool wants_authorization() const { return true; }

    /// Whether a client may publish to the topic; asked for wills too, at CONNECT.
    virtual bool authorize_publish(const client_info& client, const publish& message);

    /// Whether a client may subscribe; `filter` is as it was sent, with `$share/` if so.
    virtual bool authorize_subscribe(const client_info& client, std::string_view filter,
                                     const subscription_options& options);

    /// Whether on_event is to be called at all. Asked once, when the core is made.
    virtual bool wants_events() const { return false; }

    /// Whether events about messages are among them, of which there are several for each message;
    /// without them `identify` is not called either. Asked once, when the core is made, where
    /// events are wanted.
    virtual bool wants_message_events() const { return true; }

    /// The identity of a message just taken on, for all events about it. By default 1, 2, 3 ...
    /// in the order taken on, published now. `publisher` is no_connection for wills and for
    /// messages of the server.
    virtual message_identity identify(connection_id publisher, std::uint64_t next_number,
                                      const publish& message, instant now);

    /// The number in the client id that is assigned to a client without one, "auto-1"; `count` is
    /// the how-manieth it is. On a network it should be one that nobody can guess.
    virtual std::uint64_t number_client_id(std::uint64_t count) { return count; }

    virtual void on_event(const broker_event& event);
};

}  // namespace fleetarium::broker
