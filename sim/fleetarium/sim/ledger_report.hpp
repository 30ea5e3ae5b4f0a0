#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/clock.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim {

/// What must hold in a world, whatever is cut, delayed or restarted in it. Each is judged by the
/// ledger, message by message, from what clients and brokers do; statements are those of MQTT.
enum class invariant : std::uint8_t {
    /// What a broker has acknowledged to a publisher it has taken on, and a client tells no
    /// publisher otherwise. [v5/MQTT-4.3.2-4], [v5/MQTT-4.3.2-5], [v5/MQTT-4.3.3-8]
    responsibility,
    /// A message taken on goes to every session with a matching subscription, at the lower of
    /// both QoS, and to no other. [v5/MQTT-4.5.0-1], [v5/MQTT-3.3.4-2], [v5/MQTT-3.8.4-8]
    routing,
    /// A filter that begins with a wildcard matches no topic that begins with `$`.
    /// [v5/MQTT-4.7.2-1]
    dollar_topics,
    /// Nobody gets its own message by a subscription with No Local. [v5/MQTT-3.8.3-3]
    no_local,
    /// A shared subscription gets a message once, by one of its members: one that is connected, if
    /// any is; and what a member leaves behind when its session ends goes to another one.
    /// [v5/MQTT-4.8.2-3], section 4.8.2 (the rest is this broker's promise, or a SHOULD)
    shared_once,
    /// Each delivery due ends in exactly one of delivered, expired, dropped with a reason, session
    /// ended; until then somebody holds it. So it is with what a client has taken on to publish.
    /// [v5/MQTT-4.3.2-3], [v5/MQTT-4.3.2-5], [v5/MQTT-4.3.3-3]
    conservation,
    /// QoS 0 arrives at most once. [v5/MQTT-4.3.1-1]
    at_most_once,
    /// A QoS 1 message that arrives again is a resend with DUP, of one not acknowledged; a first
    /// copy has no DUP. [v5/MQTT-3.3.1-1], [v5/MQTT-3.3.1-3], [v5/MQTT-4.3.2-2]
    resent_as_duplicate,
    /// QoS 2 is taken on exactly once, on either side. [v5/MQTT-4.3.3-10]
    exactly_once,
    /// First copies arrive in the order of publishing, for each publisher, QoS and receiver.
    /// [v5/MQTT-4.6.0-1], [v5/MQTT-4.6.0-5], [v5/MQTT-4.6.0-6]
    order,
    /// A new subscription gets the retained message of each topic that it matches, the newest one
    /// and no other, with RETAIN, as its Retain Handling says; other messages carry RETAIN if
    /// their publisher set it and the subscription asked for it, and only then.
    /// [v5/MQTT-3.3.1-5] to [v5/MQTT-3.3.1-13]
    retained,
    /// A delivery names the identifiers of the subscriptions that it is for, and no others.
    /// [v5/MQTT-3.3.4-3], [v5/MQTT-3.3.4-4]
    subscription_identifier,
    /// A will is published once and as it was left, when its delay or its session is over, and not
    /// if its client said DISCONNECT 0x00 or came back before. [v5/MQTT-3.1.2-8],
    /// [v5/MQTT-3.1.2-10], [v5/MQTT-3.1.2-15], [v5/MQTT-3.14.4-3]
    will,
    /// Session Present tells whether there was a session to resume; a client that learns that there
    /// was none goes on with nothing of it. [v5/MQTT-3.2.2-2], [v5/MQTT-3.2.2-3],
    /// [v5/MQTT-3.2.2-5]
    session_present,
    /// A session ends with its Session Expiry Interval or a clean start, neither before nor after.
    /// [v5/MQTT-3.1.2-4], [v5/MQTT-3.1.2-23], [v5/MQTT-4.1.0-1], [v5/MQTT-4.1.0-2]
    session_lifetime,
    /// Who connects under a client id that is connected ends the older connection.
    /// [v5/MQTT-3.1.4-3]
    take_over,
    /// A client does not fall silent for longer than its Keep Alive; one that has been silent for
    /// one and a half times that is cut off then, and not before. [v5/MQTT-3.1.2-20],
    /// [v5/MQTT-3.1.2-22]
    keep_alive,
    /// No more QoS 1 and 2 messages are open than the other side's Receive Maximum.
    /// [v5/MQTT-3.3.4-7], [v5/MQTT-3.3.4-9]
    receive_maximum,
    /// A new message takes a packet id that no message under way in that direction has.
    /// [v5/MQTT-2.2.1-3], [v5/MQTT-2.2.1-4]
    packet_id,
    /// Only messages with an expiry interval expire, once it is over, and only if they were never
    /// sent; the others say what is left of it. [v5/MQTT-3.3.2-5], [v5/MQTT-3.3.2-6],
    /// [v5/MQTT-4.3.3-7]
    expiry,
    /// Where a connection is open and silent, nothing is owed: what was in flight has been resent
    /// or released, what waited has been sent, and nobody waits for a PUBREL that will not come.
    /// [v5/MQTT-4.4.0-1], [v5/MQTT-4.3.3-4], [v5/MQTT-4.3.3-5]
    stalled,
    /// No side finds fault with what the other says, but for silence.
    protocol,
    /// The broker's counters are those of the ledger.
    metrics,
};

inline constexpr std::size_t invariant_count = 23;

/// "routing" and so on.
std::string_view name_of(invariant which);

/// The ids of the statements that an invariant stands for, "v5/MQTT-4.5.0-1 ..."; may be empty.
std::string_view statements_of(invariant which);

/// An invariant that did not hold, once.
struct ledger_violation {
    invariant broken = invariant::conservation;
    instant at{};
    std::string publisher{};    ///< who made the message, "sensors[17]"; empty: no message
    std::string receiver{};     ///< the client or broker concerned
    std::uint64_t message = 0;  ///< the publisher's count of its messages; 0: no message
    std::string topic{};        ///< where it is known
    enum qos qos = qos::at_most_once;
    std::string what{};  ///< a short sentence
};

/// How far an invariant can be judged at a broker of which only the clients' side is seen.
enum class judgement : std::uint8_t { whole, in_part, none };
struct outside_judgement {
    judgement how = judgement::whole;
    std::string_view note{};  ///< what is missing
};
outside_judgement judged_outside(invariant which);

/// What was audited of a broker outside of the world.
struct outside_audit {
    std::string broker{};
    std::string identity{};        ///< what carries it: "user property", "payload"
    std::uint64_t messages = 0;    ///< published to it, copies not counted
    std::uint64_t receptions = 0;  ///< of messages of this run
    std::uint64_t strangers = 0;   ///< receptions of other messages, of which little is judged
    std::uint64_t lost = 0;        ///< deliveries of acknowledged messages that never came
    std::uint64_t waiting = 0;     ///< deliveries due to sessions whose client was away at the end
    /// Deliveries not judged, for the broker may have had to drop them: more waited for a session
    /// than audit_options::queue_limit.
    std::uint64_t beyond_queue = 0;
    std::uint64_t devices_not_seen = 0;  ///< whose protocol version has no place for identities
    /// Whether the run ended in silence, so that what has not come by then is lost.
    bool complete = false;
    std::array<std::uint64_t, invariant_count> by_invariant{};  ///< violations
};

/// What the ledger has to say of a run.
struct ledger_report {
    bool enabled = false;
    /// The first ones, in the order in which they came to light.
    std::vector<ledger_violation> violations{};
    std::array<std::uint64_t, invariant_count> by_invariant{};  ///< all of them

    std::uint64_t messages = 0;    ///< taken on by brokers, whose routing was judged
    std::uint64_t deliveries = 0;  ///< made by brokers
    std::uint64_t receptions = 0;  ///< judged at clients
    std::uint64_t under_way = 0;   ///< QoS 1 and 2 deliveries not complete
    std::uint64_t flows = 0;       ///< pairs of a publication and a subscriber whose order is kept
    std::uint64_t flows_not_kept = 0;  ///< receptions of pairs beyond the bound: order not judged
    /// Subscriptions to wildcards whose retained messages were too many to be looked through.
    std::uint64_t retained_not_judged = 0;
    std::vector<outside_audit> audits{};  ///< of brokers outside of the world

    std::uint64_t violation_count() const;
};

/// "at 12.5 s: exactly_once: sensors[3]'s message 17 ..., received by dashboard[0]: ...".
std::string to_string(const ledger_violation& one);

}  // namespace fleetarium::sim
