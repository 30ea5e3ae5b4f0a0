#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#if FLEETARIUM_MUTANTS
#include <atomic>
#endif

namespace fleetarium {

/// Bugs that real brokers and clients have had, built in on purpose: an oracle is only as good as
/// the bugs it catches. A build with FLEETARIUM_MUTANTS=1 can switch on one at a time; in any other
/// build `is_on` is constantly false and nothing of them is left. `mutants` tells what each does.
enum class mutant : std::uint8_t {
    none,

    // Broker, receiving
    resent_qos2_delivered_twice,
    qos2_id_forgotten_after_pubrec,
    qos2_ids_forgotten_on_disconnect,
    dup_publish_discarded,
    pubrel_of_unknown_id_not_answered,
    split_publish_acknowledged_and_lost,

    // Broker, sending
    dup_missing_on_resend,
    dup_set_on_first_sending,
    publish_not_resent,
    pubrel_not_resent,
    pubrel_never_sent,
    publish_resent_after_pubrec,
    expiry_cuts_exchange,
    expired_message_delivered,
    expiry_not_counted_down,
    qos0_sent_twice,
    qos1_done_when_sent,
    packet_id_reused_in_flight,
    queue_order_lost_on_resume,
    receive_maximum_ignored,
    maximum_packet_size_ignored,
    topic_alias_maximum_ignored,

    // Broker, queues
    offline_messages_not_queued,
    message_lost_when_window_full,
    full_queue_drops_in_silence,

    // Broker, subscriptions
    subscription_effective_late,
    unsubscribe_without_effect,
    wildcard_matches_dollar_topics,
    no_local_ignored,
    delivery_qos_not_capped,
    overlap_delivers_lower_qos,
    subscription_identifier_lost,
    retain_as_published_ignored,

    // Broker, retained messages
    retained_dropped_above_qos0,
    retained_not_replaced,
    retained_not_cleared,
    retained_sent_without_flag,
    retain_handling_ignored,

    // Broker, wills
    will_published_after_reconnect,
    will_delay_ignored,
    will_published_on_clean_disconnect,
    will_lost_on_take_over,
    will_lost_on_keep_alive_timeout,
    will_lost_when_session_ends,
    will_not_retained,

    // Broker, shared subscriptions
    shared_sent_to_two_members,
    shared_given_to_absent_member,
    shared_lost_with_its_member,

    // Broker, sessions
    session_present_missing,
    session_expiry_in_milliseconds,
    session_kept_after_expiry,
    clean_start_keeps_session,
    take_over_leaves_old_connection,
    keep_alive_without_grace,
    keep_alive_not_enforced,

    // Client
    client_delivers_repeated_qos2,
    client_does_not_answer_repeated_qos2,
    client_forgets_received_ids,
    client_discards_dup,
    client_loses_split_publish,
    client_dup_missing_on_resend,
    client_new_id_on_resend,
    client_publish_not_resent,
    client_pubrel_not_resent,
    client_pubrel_never_sent,
    client_qos1_done_when_sent,
    client_keeps_state_of_lost_session,
    client_receive_maximum_ignored,
    client_maximum_packet_size_ignored,
    client_full_queue_drops_in_silence,
    client_pings_late,
};

enum class mutant_side : std::uint8_t { broker, client };

/// What a mutant is and what it breaks.
struct mutant_description {
    mutant which = mutant::none;
    std::string_view name;
    mutant_side side = mutant_side::broker;
    std::string_view bug;        ///< one sentence
    std::string_view invariant;  ///< of the ledger, that is to catch it; several with spaces
    std::string_view statement;  ///< of MQTT, that it breaks; empty where only the text says so
};

/// All of them, in the order of the enumeration, without `none`.
inline constexpr mutant_description mutants[] = {
    {mutant::resent_qos2_delivered_twice, "resent_qos2_delivered_twice", mutant_side::broker,
     "A QoS 2 PUBLISH that is sent again before its PUBREL is delivered again.", "exactly_once",
     "v5/MQTT-4.3.3-10"},
    {mutant::qos2_id_forgotten_after_pubrec, "qos2_id_forgotten_after_pubrec", mutant_side::broker,
     "PUBREC is sent, but the packet id is not kept.", "exactly_once receive_maximum",
     "v5/MQTT-4.3.3-10"},
    {mutant::qos2_ids_forgotten_on_disconnect, "qos2_ids_forgotten_on_disconnect",
     mutant_side::broker,
     "The ids of QoS 2 messages not completed are forgotten with the connection.", "exactly_once",
     "v5/MQTT-4.3.3-10"},
    {mutant::dup_publish_discarded, "dup_publish_discarded", mutant_side::broker,
     "A QoS 1 PUBLISH with DUP counts as known: it is acknowledged and not delivered.",
     "responsibility", "v5/MQTT-4.3.2-5"},
    {mutant::pubrel_of_unknown_id_not_answered, "pubrel_of_unknown_id_not_answered",
     mutant_side::broker, "A PUBREL sent again after its exchange was completed gets no PUBCOMP.",
     "stalled", "v5/MQTT-4.3.3-11"},
    {mutant::split_publish_acknowledged_and_lost, "split_publish_acknowledged_and_lost",
     mutant_side::broker, "A PUBLISH that comes in more than one piece is acknowledged and lost.",
     "responsibility exactly_once", "v5/MQTT-4.5.0-1"},

    {mutant::dup_missing_on_resend, "dup_missing_on_resend", mutant_side::broker,
     "A PUBLISH is sent again without DUP.", "resent_as_duplicate", "v5/MQTT-3.3.1-1"},
    {mutant::dup_set_on_first_sending, "dup_set_on_first_sending", mutant_side::broker,
     "A QoS 1 or 2 PUBLISH has DUP when it is sent for the first time.", "resent_as_duplicate",
     "v5/MQTT-4.3.2-2"},
    {mutant::publish_not_resent, "publish_not_resent", mutant_side::broker,
     "A PUBLISH not acknowledged is not sent again when the session is resumed.", "stalled",
     "v5/MQTT-4.4.0-1"},
    {mutant::pubrel_not_resent, "pubrel_not_resent", mutant_side::broker,
     "A PUBREL not acknowledged is not sent again when the session is resumed.", "stalled",
     "v5/MQTT-4.4.0-1"},
    {mutant::pubrel_never_sent, "pubrel_never_sent", mutant_side::broker,
     "A QoS 2 delivery counts as completed at PUBREC, and PUBREL is not sent.",
     "stalled receive_maximum", "v5/MQTT-4.3.3-4"},
    {mutant::publish_resent_after_pubrec, "publish_resent_after_pubrec", mutant_side::broker,
     "A resumed session sends PUBLISH again where PUBREL is due.", "exactly_once",
     "v5/MQTT-4.3.3-6"},
    {mutant::expiry_cuts_exchange, "expiry_cuts_exchange", mutant_side::broker,
     "A message that expires after its PUBREC is dropped, and its PUBREL with it.", "expiry",
     "v5/MQTT-4.3.3-7"},
    {mutant::expired_message_delivered, "expired_message_delivered", mutant_side::broker,
     "A message that expired in a queue is delivered all the same.", "expiry", "v5/MQTT-3.3.2-5"},
    {mutant::expiry_not_counted_down, "expiry_not_counted_down", mutant_side::broker,
     "The Message Expiry Interval goes out as it came, whatever time has passed.", "expiry",
     "v5/MQTT-3.3.2-6"},
    {mutant::qos0_sent_twice, "qos0_sent_twice", mutant_side::broker,
     "A QoS 0 message goes out twice.", "at_most_once", "v5/MQTT-4.3.1-1"},
    {mutant::qos1_done_when_sent, "qos1_done_when_sent", mutant_side::broker,
     "A QoS 1 delivery counts as completed when it is written, without PUBACK.",
     "conservation receive_maximum", "v5/MQTT-4.3.2-3"},
    {mutant::packet_id_reused_in_flight, "packet_id_reused_in_flight", mutant_side::broker,
     "The packet id is the number of messages in flight plus one, whether it is in use or not.",
     "packet_id conservation", "v5/MQTT-2.2.1-4"},
    {mutant::queue_order_lost_on_resume, "queue_order_lost_on_resume", mutant_side::broker,
     "A resumed session sends the oldest message of its queue last.", "order", "v5/MQTT-4.6.0-6"},
    {mutant::receive_maximum_ignored, "receive_maximum_ignored", mutant_side::broker,
     "More messages are in flight than the client's Receive Maximum.", "receive_maximum",
     "v5/MQTT-3.3.4-9"},
    {mutant::maximum_packet_size_ignored, "maximum_packet_size_ignored", mutant_side::broker,
     "Packets go out that are over the client's Maximum Packet Size.", "protocol",
     "v5/MQTT-3.1.2-24"},
    {mutant::topic_alias_maximum_ignored, "topic_alias_maximum_ignored", mutant_side::broker,
     "Topic aliases are used towards clients that allow none or fewer.", "protocol",
     "v5/MQTT-3.1.2-26"},

    {mutant::offline_messages_not_queued, "offline_messages_not_queued", mutant_side::broker,
     "QoS 1 and 2 messages for a session without a connection are not kept.", "routing",
     "v5/MQTT-4.5.0-1"},
    {mutant::message_lost_when_window_full, "message_lost_when_window_full", mutant_side::broker,
     "A message is lost, already acknowledged, where the receiver's window is full.", "routing",
     "v5/MQTT-4.5.0-1"},
    {mutant::full_queue_drops_in_silence, "full_queue_drops_in_silence", mutant_side::broker,
     "A queue at its bound drops the newest message, and nobody is told.", "routing", ""},

    {mutant::subscription_effective_late, "subscription_effective_late", mutant_side::broker,
     "A subscription takes effect with the next packet of its client, not with SUBACK.", "routing",
     "v5/MQTT-4.5.0-1"},
    {mutant::unsubscribe_without_effect, "unsubscribe_without_effect", mutant_side::broker,
     "UNSUBACK says success, and messages go on coming.", "routing", "v5/MQTT-3.10.4-2"},
    {mutant::wildcard_matches_dollar_topics, "wildcard_matches_dollar_topics", mutant_side::broker,
     "Filters that begin with + or # match topics that begin with $.", "dollar_topics",
     "v5/MQTT-4.7.2-1"},
    {mutant::no_local_ignored, "no_local_ignored", mutant_side::broker,
     "A client gets its own messages in spite of No Local.", "no_local", "v5/MQTT-3.8.3-3"},
    {mutant::delivery_qos_not_capped, "delivery_qos_not_capped", mutant_side::broker,
     "Deliveries have the QoS of the publisher, above that of the subscription.", "routing",
     "v5/MQTT-3.8.4-8"},
    {mutant::overlap_delivers_lower_qos, "overlap_delivers_lower_qos", mutant_side::broker,
     "Of overlapping subscriptions the last found gives the QoS, not the highest.", "routing",
     "v5/MQTT-3.3.4-2"},
    {mutant::subscription_identifier_lost, "subscription_identifier_lost", mutant_side::broker,
     "Deliveries lack the Subscription Identifier.", "subscription_identifier", "v5/MQTT-3.3.4-3"},
    {mutant::retain_as_published_ignored, "retain_as_published_ignored", mutant_side::broker,
     "Forwarded messages have RETAIN 0 in spite of Retain As Published.", "retained",
     "v5/MQTT-3.3.1-13"},

    {mutant::retained_dropped_above_qos0, "retained_dropped_above_qos0", mutant_side::broker,
     "Only QoS 0 messages are retained.", "retained", "v5/MQTT-3.3.1-5"},
    {mutant::retained_not_replaced, "retained_not_replaced", mutant_side::broker,
     "The first message retained on a topic stays for ever.", "retained", "v5/MQTT-3.3.1-5"},
    {mutant::retained_not_cleared, "retained_not_cleared", mutant_side::broker,
     "An empty retained message does not clear its topic.", "retained", "v5/MQTT-3.3.1-6"},
    {mutant::retained_sent_without_flag, "retained_sent_without_flag", mutant_side::broker,
     "Retained messages come with RETAIN 0 at SUBSCRIBE.", "retained", "v5/MQTT-3.3.1-9"},
    {mutant::retain_handling_ignored, "retain_handling_ignored", mutant_side::broker,
     "Retained messages come at SUBSCRIBE, whatever Retain Handling says.", "retained",
     "v5/MQTT-3.3.1-11"},

    {mutant::will_published_after_reconnect, "will_published_after_reconnect", mutant_side::broker,
     "A will is published although its client came back within the delay.", "will",
     "v5/MQTT-3.1.3-9"},
    {mutant::will_delay_ignored, "will_delay_ignored", mutant_side::broker,
     "A will is published at once, whatever its delay.", "will", "v5/MQTT-3.1.2-8"},
    {mutant::will_published_on_clean_disconnect, "will_published_on_clean_disconnect",
     mutant_side::broker, "A will is published after DISCONNECT with code 0.", "will",
     "v5/MQTT-3.14.4-3"},
    {mutant::will_lost_on_take_over, "will_lost_on_take_over", mutant_side::broker,
     "A connection that another takes over ends without its will.", "will", "v5/MQTT-3.1.2-8"},
    {mutant::will_lost_on_keep_alive_timeout, "will_lost_on_keep_alive_timeout",
     mutant_side::broker, "A connection that keep alive ends has no will.", "will",
     "v5/MQTT-3.1.2-8"},
    {mutant::will_lost_when_session_ends, "will_lost_when_session_ends", mutant_side::broker,
     "A session that ends before the delay of its will takes the will along.", "will",
     "v5/MQTT-3.1.2-8"},
    {mutant::will_not_retained, "will_not_retained", mutant_side::broker,
     "A will with Will Retain is not retained.", "will", "v5/MQTT-3.1.2-15"},

    {mutant::shared_sent_to_two_members, "shared_sent_to_two_members", mutant_side::broker,
     "Two members of a group get the same message.", "shared_once", ""},
    {mutant::shared_given_to_absent_member, "shared_given_to_absent_member", mutant_side::broker,
     "The turn in a group goes to members without a connection while others have one.",
     "shared_once", ""},
    {mutant::shared_lost_with_its_member, "shared_lost_with_its_member", mutant_side::broker,
     "What waits for a member whose session ends is lost to the group.", "shared_once", ""},

    {mutant::session_present_missing, "session_present_missing", mutant_side::broker,
     "CONNACK says Session Present 0 although the session was resumed.", "session_present",
     "v5/MQTT-3.2.2-3"},
    {mutant::session_expiry_in_milliseconds, "session_expiry_in_milliseconds", mutant_side::broker,
     "The Session Expiry Interval is taken for milliseconds.", "session_lifetime",
     "v5/MQTT-3.1.2-23"},
    {mutant::session_kept_after_expiry, "session_kept_after_expiry", mutant_side::broker,
     "Sessions never expire.", "session_lifetime", "v5/MQTT-4.1.0-2"},
    {mutant::clean_start_keeps_session, "clean_start_keeps_session", mutant_side::broker,
     "Clean Start answers Session Present 0, and the old session goes on.",
     "session_lifetime session_present", "v5/MQTT-3.1.2-4"},
    {mutant::take_over_leaves_old_connection, "take_over_leaves_old_connection",
     mutant_side::broker, "The connection that another takes over is not closed.", "take_over",
     "v5/MQTT-3.1.4-3"},
    {mutant::keep_alive_without_grace, "keep_alive_without_grace", mutant_side::broker,
     "A client is cut off after its keep alive, not after one and a half times that.", "keep_alive",
     "v5/MQTT-3.1.2-22"},
    {mutant::keep_alive_not_enforced, "keep_alive_not_enforced", mutant_side::broker,
     "A client that has fallen silent stays connected.", "keep_alive", "v5/MQTT-3.1.2-22"},

    {mutant::client_delivers_repeated_qos2, "client_delivers_repeated_qos2", mutant_side::client,
     "A QoS 2 PUBLISH that is sent again before its PUBREL reaches the application again.",
     "exactly_once", "v5/MQTT-4.3.3-10"},
    {mutant::client_does_not_answer_repeated_qos2, "client_does_not_answer_repeated_qos2",
     mutant_side::client, "A QoS 2 PUBLISH that is sent again gets no PUBREC.", "stalled",
     "v5/MQTT-4.3.3-10"},
    {mutant::client_forgets_received_ids, "client_forgets_received_ids", mutant_side::client,
     "The ids of QoS 2 messages received are forgotten with the connection.", "exactly_once",
     "v5/MQTT-4.3.3-10"},
    {mutant::client_discards_dup, "client_discards_dup", mutant_side::client,
     "A QoS 1 PUBLISH with DUP counts as known: it is acknowledged and dropped.", "conservation",
     "v5/MQTT-4.3.2-5"},
    {mutant::client_loses_split_publish, "client_loses_split_publish", mutant_side::client,
     "A PUBLISH that comes in more than one piece is acknowledged and lost.", "conservation",
     "v5/MQTT-4.3.2-4"},
    {mutant::client_dup_missing_on_resend, "client_dup_missing_on_resend", mutant_side::client,
     "A PUBLISH is sent again without DUP.", "resent_as_duplicate", "v5/MQTT-3.3.1-1"},
    {mutant::client_new_id_on_resend, "client_new_id_on_resend", mutant_side::client,
     "A PUBLISH is sent again under a new packet id.", "exactly_once", "v5/MQTT-4.4.0-1"},
    {mutant::client_publish_not_resent, "client_publish_not_resent", mutant_side::client,
     "A PUBLISH not acknowledged is not sent again when the session is resumed.", "stalled",
     "v5/MQTT-4.4.0-1"},
    {mutant::client_pubrel_not_resent, "client_pubrel_not_resent", mutant_side::client,
     "A PUBREL not acknowledged is not sent again when the session is resumed.", "stalled",
     "v5/MQTT-4.4.0-1"},
    {mutant::client_pubrel_never_sent, "client_pubrel_never_sent", mutant_side::client,
     "A QoS 2 message counts as completed at PUBREC, and PUBREL is not sent.",
     "stalled receive_maximum", "v5/MQTT-4.3.3-4"},
    {mutant::client_qos1_done_when_sent, "client_qos1_done_when_sent", mutant_side::client,
     "A QoS 1 message counts as completed when it is written, without PUBACK.",
     "conservation receive_maximum", "v5/MQTT-4.3.2-3"},
    {mutant::client_keeps_state_of_lost_session, "client_keeps_state_of_lost_session",
     mutant_side::client,
     "After Session Present 0 the client goes on with what the old session had in flight.",
     "session_present", "v5/MQTT-3.2.2-5"},
    {mutant::client_receive_maximum_ignored, "client_receive_maximum_ignored", mutant_side::client,
     "More messages are in flight than the server's Receive Maximum.", "receive_maximum",
     "v5/MQTT-3.3.4-7"},
    {mutant::client_maximum_packet_size_ignored, "client_maximum_packet_size_ignored",
     mutant_side::client, "Packets go out that are over the server's Maximum Packet Size.",
     "protocol", "v5/MQTT-3.2.2-15"},
    {mutant::client_full_queue_drops_in_silence, "client_full_queue_drops_in_silence",
     mutant_side::client, "A queue at its bound takes a message on and drops it.", "conservation",
     ""},
    {mutant::client_pings_late, "client_pings_late", mutant_side::client,
     "PINGREQ is sent after twice the keep alive.", "keep_alive", "v5/MQTT-3.1.2-20"},
};

/// "pubrel_not_resent"; "none" for none.
constexpr std::string_view name_of(mutant which) {
    return which == mutant::none ? "none" : mutants[static_cast<std::size_t>(which) - 1].name;
}

constexpr mutant_side side_of(mutant which) {
    return mutants[static_cast<std::size_t>(which) - 1].side;
}

/// Whether an invariant is among those that are to catch a mutant.
constexpr bool is_convicted_by(const mutant_description& one, std::string_view invariant) {
    for (std::string_view rest = one.invariant; !rest.empty();) {
        const std::size_t end = rest.find(' ');
        if (rest.substr(0, end) == invariant) {
            return true;
        }
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return false;
}

/// The mutant of a name; none if there is no such.
constexpr mutant find_mutant(std::string_view name) {
    for (const mutant_description& one : mutants) {
        if (one.name == name) {
            return one.which;
        }
    }
    return mutant::none;
}

#if FLEETARIUM_MUTANTS

namespace detail {
inline std::atomic<mutant> mutant_on = mutant::none;
}

/// Makes every broker and client of the process have this bug and no other. To be called while no
/// other thread drives one: a run is not the run of its seed if the bug changes on the way.
inline void switch_on(mutant which) { detail::mutant_on.store(which, std::memory_order_relaxed); }

inline bool is_on(mutant which) {
    return detail::mutant_on.load(std::memory_order_relaxed) == which;
}

#else

constexpr bool is_on(mutant) { return false; }

#endif

}  // namespace fleetarium
