#pragma once

#include <fleetarium/broker/broker_options.hpp>
#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/broker/metrics.hpp>
#include <fleetarium/codec/packets.hpp>
#include <fleetarium/codec/violation.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/stable_storage.hpp>
#include <fleetarium/sim/device_clock.hpp>
#include <fleetarium/sim/event.hpp>
#include <fleetarium/sim/ledger_report.hpp>
#include <fleetarium/sim/ledger_subscriptions.hpp>
#include <fleetarium/sim/ledger_table.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetarium::sim::detail {

/// An auditor in the world: it is told what clients send and receive and what brokers decide, has
/// a simple model of its own of what must follow, and convicts whoever does otherwise.
///
/// Path of a message through it:
///  1. `publish_sent`: a QoS 1 or 2 PUBLISH leaves its publisher; it is open from now on.
///  2. `publish_arrived`: the broker decodes it. First copies come in order; a QoS 2 message once.
///  3. `decided` with received ... routed: in between the broker tells which sessions it gave the
///     message to; the ledger finds out from the subscriptions that it has seen granted, by a
///     matcher of its own, and compares.
///  4. Each QoS 1 or 2 delivery, and each that waits, has an entry until it ends: `sent`, dropped
///     with a reason, `message_received` at the client, acknowledged. What was acknowledged was
///     received; what is received a second time bears DUP; packet ids and windows are kept.
///  5. `publish_acknowledged`: the publisher is told so; then the broker has had the message.
/// What is left at the end has to lie in the broker's queues, message by message (`audit`).
///
/// It believes what it is told happened (bytes and decoded packets), not what should have: neither
/// the broker's router nor the sessions' tables. It changes nothing and draws nothing: traces are
/// the same with and without it.
///
/// Memory: about 180 bytes a session, 40 a subscription, 50 a delivery or publication under way,
/// 24 a flow (bounded by flows_max). Time: a few table look-ups for each message.
/// Thread rule: one thread at a time.
class ledger {
public:
    /// The number of a broker, counted from 0.
    using broker_index = std::uint32_t;
    static constexpr std::size_t violations_kept = 100;
    static constexpr std::size_t flows_max = std::size_t{1} << 24;

    /// Who can be asked at the end of a run.
    struct oracle {
        virtual ~oracle() = default;
        /// Whether nothing is under way on the connection in either direction, and both ends are
        /// there and free to speak.
        virtual bool is_silent(broker_index broker, std::uint32_t connection, host_id host) = 0;
        /// What was due before that instant the broker has had the time to do.
        virtual instant done_until(broker_index broker) = 0;
        /// Calls with (message number, QoS) for each delivery that a session holds.
        virtual void for_each_held(
            broker_index broker, broker::session_index session,
            const std::function<void(std::uint64_t number, enum qos)>& visit) = 0;
        /// How many QoS 2 messages of its client a session has received and not seen released.
        virtual std::size_t unreleased(broker_index broker, broker::session_index session) = 0;
        /// Calls for each fleet's publication or reply of QoS 1 or 2 of which devices have taken
        /// on more messages, by `count`, than they have seen acknowledged, given up, or hold.
        virtual void for_each_lost(
            const std::function<void(std::string_view name, std::uint64_t count)>& visit) = 0;
        virtual broker::broker_metrics metrics_of(broker_index broker) = 0;
        virtual std::string name_of(host_id host) = 0;
    };

    ledger();
    ~ledger();

    void add_broker(broker_index broker, const broker::broker_options& options);

    // Links and connections, at the broker

    /// `observed`: the client tells the ledger what it receives.
    void opened(broker_index broker, std::uint32_t connection, host_id host, bool observed);
    /// Bytes have come.
    void heard(broker_index broker, std::uint32_t connection, bytes_view bytes, instant now);
    /// The broker's end of a link is closed, by whichever side.
    void closed(broker_index broker, std::uint32_t connection);
    void connect_asked(broker_index broker, std::uint32_t connection, const connect& request);
    /// CONNECT is hidden in an exchange of its own: the ledger does not know what it asked for.
    void authenticates_otherwise(broker_index broker, std::uint32_t connection);
    void subscribe_asked(broker_index broker, std::uint32_t connection, std::string_view filter,
                         const subscription_options& options);
    /// The process dies: connections are gone, and without storage everything.
    void crashing(broker_index broker, bool keeps_sessions);
    /// A process goes on with what storage kept: for it, the connections of sessions that had one
    /// when the last process died end now.
    void restarted(broker_index broker, instant now);
    /// A process cannot go on with what storage kept.
    void storage_failed(broker_index broker, std::string what, instant now);

    // Messages, at the broker

    /// A PUBLISH is about to be taken on. `number` has its copy bit set if it was before.
    void publish_arrived(broker_index broker, std::uint32_t connection, const publish& message,
                         std::uint64_t number, instant now);
    /// The broker makes a message itself: a will, or one of its own.
    void publish_made(broker_index broker, const publish& message, std::uint64_t number,
                      instant now);
    void publish_refused(std::uint64_t number);
    /// A repeated QoS 2 PUBLISH that is not taken on again.
    void publish_repeated(broker_index broker, std::uint32_t connection, std::uint64_t number,
                          instant now);
    /// Every decision of a broker.
    void decided(broker_index broker, const broker::broker_event& decision);
    /// What follows, up to `turn_ended`, the broker has been about since then.
    void turn_began(broker_index broker, instant then) { brokers_[broker]->turn_began = then; }
    /// The broker has handled what came and wants nothing more for now.
    void turn_ended(broker_index broker, instant now) {
        brokers_[broker]->turn_began = never;
        if (brokers_[broker]->turn_is_open) {
            judge_turn(*brokers_[broker], now);
        }
    }

    // Clients; `connection` is the broker's number of the present link

    /// Bytes go out.
    void spoke(host_id host, broker_index broker, std::uint32_t connection, instant now);
    /// Looking ahead, some events before bytes go or come by a connection; then for its session.
    void prefetch_connection(broker_index broker, std::uint32_t connection) const;
    void prefetch_session(broker_index broker, std::uint32_t connection) const;
    /// The client has done with the link.
    void left(host_id host, broker_index broker, std::uint32_t connection);
    void publish_sent(host_id host, broker_index broker, std::uint32_t connection,
                      std::uint64_t number, instant now);
    void publish_acknowledged(host_id host, std::uint64_t number, instant now);
    void publish_dropped(std::uint64_t number);
    void message_received(host_id host, broker_index broker, std::uint32_t connection,
                          const publish& message, const message_identity& identity, instant now);
    /// A PUBLISH that no broker says it has sent.
    void unknown_received(host_id host, std::string_view topic, instant now);
    /// A QoS 2 message that came again and was not passed on.
    void message_repeated(host_id host, broker_index broker, std::uint32_t connection,
                          std::uint16_t packet_id, const message_identity& identity, instant now);
    /// The client found fault with what the broker said.
    void fault_found(host_id host, violation broken, instant now);
    /// The client says DISCONNECT.
    void farewell_sent(host_id host, broker_index broker, std::uint32_t connection,
                       const disconnect& farewell);
    void session_told(host_id host, broker_index broker, std::uint32_t connection, bool present,
                      instant now);
    /// The same of another client under the host's client id, which sends no messages.
    void rival_told(host_id host, broker_index broker, std::uint32_t connection, bool present,
                    instant now);
    /// The client forgets what it had received: a message may come to it once more.
    void memory_lost(host_id host, broker_index broker);
    /// Bytes on the host's links may be lost or wrong from now on, by the will of whoever holds
    /// the world: nobody is to blame for what follows on them.
    void disturbed(host_id host);
    /// From now on the host's timers go by another rate, see device_clock.
    void clock_set(host_id host, std::uint64_t rate, instant now);

    // What came of it

    /// All so far, with what only the present state shows. The state of the ledger stays as it is.
    ledger_report report(oracle& knows, instant now);
    std::size_t violation_count() const { return found_; }
    /// Without what only the present state shows: constant time but for the names.
    std::vector<ledger_violation> violations_so_far(oracle& knows) const;
    std::size_t memory_bytes() const;

private:
    using session_index = broker::session_index;

    /// A violation, names not looked up yet.
    struct finding {
        invariant broken;
        instant at;
        std::uint64_t number;
        host_id receiver;
        std::string topic;
        std::string what;
    };

    static ledger_violation named(const finding& found, oracle& knows);

    struct session_model {
        std::uint64_t client = 0;  // hash of the client id
        instant expires_at = never;
        host_id host = 0;
        std::uint32_t connection = broker::no_connection;
        std::uint32_t expiry_interval = 0;
        std::uint32_t subscriptions = ledger_subscriptions::none;  // first of them
        std::array<std::uint32_t, 3> last_published{};  // by QoS: count of the newest first copy
        std::uint16_t receive_maximum = 65'535;
        std::uint16_t publish_maximum = 65'535;
        std::uint16_t open_down = 0;  // PUBLISHes of this connection not acknowledged
        std::uint16_t open_up = 0;
        std::uint16_t subscription_count = 0;
        std::uint32_t epoch = 0;  // of its connection: how-manieth of the broker
        std::uint32_t born = 0;   // the epoch in which the session began
        bool alive : 1 = false;
        bool present : 1 = false;   // was resumed by its connection
        bool observed : 1 = false;  // by a client that tells
        bool is_v3 : 1 = false;
        bool lifetime_known : 1 = false;
        bool had_retain_as_published : 1 = false;
        bool told_anew : 1 = false;   // its client has learnt that it began anew
        bool died : 1 = false;        // its connection, with the broker's process
        bool may_repeat : 1 = false;  // a message may come by several subscriptions
        bool unordered : 1 =
            false;  // by a QoS 0 message that was handed over, or stored and queued
    };

    /// How far the packet that is coming in has got.
    struct frame_progress {
        std::uint32_t left = 0;   // bytes of its body to come
        std::uint8_t header = 0;  // bytes of its fixed header so far; 0: between packets
    };

    struct connection_model {
        instant heard{};        // when the newest packet was whole
        instant spoke = never;  // when its client last sent, from CONNACK on, by its own clock
        std::uint32_t session = broker::no_session;
        host_id host = 0;
        frame_progress frame;
        std::uint16_t keep_alive = 0;  // seconds; 0: none
        std::uint32_t sent = 0;        // PUBLISHes, modulo 2^32
        std::uint32_t received = 0;
        std::uint32_t farewell_expiry = 0;
        reason_code farewell = reason_code::success;
        bool open : 1 = false;
        bool observed : 1 = false;
        bool said_farewell : 1 = false;
        bool farewell_has_expiry : 1 = false;
        bool left : 1 = false;    // its client has done with it
        bool closed : 1 = false;  // the broker's end of it
    };

    struct will_model {
        std::uint64_t topic = 0;    // hash
        std::uint64_t payload = 0;  // hash
        duration delay{};
        instant due = never;  // set when the connection has ended
        enum qos qos = qos::at_most_once;
        bool retain = false;
    };

    /// What a CONNECT asked for, until it is answered.
    struct connect_model {
        std::uint32_t connection = broker::no_connection;
        std::uint64_t client = 0;
        std::uint32_t expiry_interval = 0;
        std::uint16_t receive_maximum = 65'535;
        std::uint16_t publish_maximum = 65'535;
        std::uint16_t keep_alive = 0;
        bool clean_start = false;
        bool is_v3 = false;
        bool known = false;
        bool has_will = false;
        will_model will;
    };

    /// No Message Expiry Interval.
    static constexpr std::uint32_t no_interval = 0xFFFF'FFFF;

    struct delivery_model {
        std::uint64_t number = 0;  // with the delivery's QoS
        instant expires_at = never;
        std::uint32_t session = 0;
        std::uint16_t packet_id = 0;  // of the newest reception
        std::uint16_t due = 0;        // copies: more than one where subscriptions overlap
        std::uint16_t sent = 0;
        std::uint16_t received = 0;
        std::uint32_t epoch = 0;               // of the session, when last sent
        std::uint32_t identifiers = 0;         // of its subscriptions: the sum of their hashes
        std::uint32_t interval = no_interval;  // seconds left when it was last sent
        std::uint8_t broker = 0;
        bool stored : 1 = false;     // it was retained when the subscription was made
        bool unordered : 1 = false;  // handed over by another member
        bool several : 1 = false;    // there was more than one copy: which is which is not known
        bool excused : 1 = false;    // its receiver has lost its memory
        bool shared : 1 = false;     // came by a shared subscription
        bool retain : 1 = false;     // it is to have RETAIN, as published
        bool blurred : 1 = false;    // nobody knows which of several subscriptions it is for

        /// Whether it was routed by subscriptions that are known.
        bool is_plain() const { return !stored && !unordered && !several && !blurred; }
    };

    struct publish_model {
        std::uint64_t number = 0;
        std::uint32_t connection = 0;
        std::uint32_t born = 0;       // of the session that received it
        std::uint16_t packet_id = 0;  // once it has arrived
        std::uint32_t epoch = 0;      // of the session, when last sent
        std::uint8_t broker = 0;
        bool received = false;
        bool counted = false;  // among the session's open_up
    };

    struct retained_model {
        std::uint64_t number = 0;
        std::uint64_t publisher = 0;  // hash of the client id
        instant expires_at = never;
        enum qos qos = qos::at_most_once;
        std::string topic;
    };

    struct made_delivery {
        session_index session;
        enum qos qos;
        friend auto operator<=>(const made_delivery&, const made_delivery&) = default;
    };
    struct retained_delivery {
        session_index session;
        enum qos qos;
        std::uint64_t number;
        friend auto operator<=>(const retained_delivery&, const retained_delivery&) = default;
    };
    /// What a subscription that matches wants said in the delivery.
    struct wanted_mark {
        session_index session;
        enum qos qos;
        std::uint32_t identifier;  // 0: none
        bool retain;
        bool shared;
    };
    /// A delivery that a member of a group has left behind.
    struct orphan {
        session_index session;
        std::uint64_t number;  // of the message
    };
    struct shared_candidate {
        std::uint64_t filter;
        std::uint32_t group;
        made_delivery to;
    };

    struct broker_model {
        explicit broker_model(const broker::broker_options& with) : options(with) {}

        broker::broker_options options;
        broker_index index = 0;
        stable_storage<session_model> sessions;
        std::uint32_t sessions_end = 0;
        stable_storage<connection_model> connections;
        std::uint32_t connections_end = 0;
        ledger_table<std::uint32_t> by_client;  // hash of the client id to its session
        ledger_table<will_model> wills;         // by hash of the client id
        ledger_table<retained_model> retained;  // by hash of the topic
        ledger_subscriptions subscriptions;
        connect_model asked;  // the CONNECT in hand
        bool crashing = false;
        std::uint32_t epochs = 0;  // connections accepted

        // The SUBSCRIBE in hand
        std::uint64_t asked_filter = 0;
        subscription_options asked_options;

        // The message being routed
        bool routing = false;
        std::uint64_t routed_number = 0;
        bool message_retains = false;
        bool message_is_empty = false;
        instant message_expires_at = never;
        std::vector<made_delivery> made;

        // The turn
        bool turn_is_open = false;
        instant turn_began = never;  // if that was not now
        std::vector<retained_delivery> retained_due;
        std::vector<retained_delivery> retained_made;
        std::vector<session_index> retained_excused;  // too much to look through
        std::vector<std::uint64_t> handed_over;       // messages that members left behind
        std::vector<orphan> orphans;                  // of them, those that nobody has got yet
        std::vector<std::uint32_t> taken_over;        // connections that are to be closed

        // The will in hand, between `will_published` and the message
        bool will_in_hand = false;
        host_id will_of = 0;
        will_model published_will;

        broker::broker_metrics counted;
    };

    // ledger_publishing.cpp
    void end_publish(publish_model& ending);

    // ledger_deliveries.cpp
    delivery_model* delivery_of(broker_model& at, const broker::broker_event& decision,
                                std::string_view complaint);
    void note_delivery(broker_model& at, const broker::broker_event& decision, std::uint16_t sent);
    void note_sent(broker_model& at, const broker::broker_event& decision);
    void note_dropped(broker_model& at, const broker::broker_event& decision);
    void note_dropped_known(broker_model& at, const broker::broker_event& decision);
    void note_acknowledged(broker_model& at, const broker::broker_event& decision);
    void open_window(session_model& to, delivery_model& sent, std::string_view topic, instant now);
    void end_copy(broker_model& at, delivery_model& ending, bool received);

    // ledger_receiving.cpp
    void judge_reception(broker_model& at, session_model& to, connection_model& by, host_id host,
                         const publish& message, const message_identity& identity, instant now);
    void judge_flow(const broker_model& at, const session_model& to, const publish& message,
                    std::uint64_t number, host_id host, instant now);
    void judge_marks(const session_model& to, const delivery_model& known, const publish& message,
                     host_id host, instant now);
    void judge_repeat(delivery_model& known, const publish& message, host_id host, instant now);
    void judge_first(const session_model& to, const delivery_model& known, const publish& message,
                     host_id host, instant now);
    void take_packet_id(broker_model& at, delivery_model& known, std::uint16_t packet_id,
                        host_id host, std::string_view topic, instant now);

    // ledger_routing.cpp
    void note_received(broker_model& at, const broker::broker_event& decision);
    void judge_plain(broker_model& at, const broker::broker_event& decision);
    void judge_routing(broker_model& at, const broker::broker_event& decision);
    void explain_routing(broker_model& at, const broker::broker_event& decision);
    void judge_shared(broker_model& at, const broker::broker_event& decision);
    void judge_group(broker_model& at, const broker::broker_event& decision,
                     std::span<const shared_candidate> group, std::span<const made_delivery> extra);
    void mark_deliveries(broker_model& at, const broker::broker_event& decision);
    void expect_heir(broker_model& at, const broker::broker_event& decision);
    void find_due(broker_model& at, const broker::broker_event& decision);
    void keep_retained(broker_model& at, const broker::broker_event& decision);
    void note_subscribed(broker_model& at, const broker::broker_event& decision);
    void note_unsubscribed(broker_model& at, const broker::broker_event& decision);
    void expect_retained(broker_model& at, const session_model& to, session_index session,
                         std::string_view filter, const subscription_options& options, instant now);
    void judge_turn(broker_model& at, instant now);

    // ledger_sessions.cpp
    void note_connected(broker_model& at, const broker::broker_event& decision);
    void note_disconnected(broker_model& at, const broker::broker_event& decision);
    void note_session_ended(broker_model& at, const broker::broker_event& decision);
    void note_will(broker_model& at, const broker::broker_event& decision);
    void judge_will(broker_model& at, const publish& message, std::uint64_t number, instant now);
    bool session_end_is_due(const broker_model& at, const session_model& of, instant now) const;

    // ledger_liveness.cpp
    static bool is_cut_off_late(const connection_model& by, instant now);
    void judge_cut_off(const broker_model& at, const connection_model& by, host_id host,
                       instant now);
    void judge_closed(broker_model& at, instant now);

    // ledger_audit.cpp
    void audit_session(broker_model& at, session_index which, oracle& knows, instant now,
                       ledger_table<std::uint32_t>& open, ledger_table<std::uint16_t>& held,
                       std::vector<finding>& found);
    void audit(oracle& knows, instant now, std::vector<finding>& found);
    void audit_metrics(oracle& knows, instant now, std::vector<finding>& found);

    /// Whether a count comes after another one, in a ring of 24 bits.
    static bool is_ahead(std::uint32_t count, std::uint32_t last) {
        const std::uint32_t distance = (count - last) & message_number::count_mask;
        return distance != 0 && distance <= message_number::count_mask / 2;
    }
    static constexpr std::uint64_t side_down = 1;
    static constexpr std::uint64_t side_up = 2;

    session_model& session_of(broker_model& at, session_index index);
    session_model* find_session(broker_model& at, session_index index);
    connection_model& connection_of(broker_model& at, std::uint32_t index);
    static void prefetch_session(const broker_model& at, const connection_model& of);
    /// The session of a client's present connection, if the broker holds it to be that, too.
    session_model* present_session(broker_model& at, std::uint32_t connection, host_id host);
    static std::uint64_t delivery_key(const broker_model& at, session_index session,
                                      std::uint64_t number);
    static std::uint64_t flow_key(const broker_model& at, const session_model& to, enum qos qos,
                                  std::uint64_t number);
    static std::uint64_t packet_key(std::uint64_t side, std::uint64_t owner,
                                    std::uint16_t packet_id);
    bool is_disturbed(host_id host);
    /// What the time is by the clock that the host's timers are set by.
    instant own_time(host_id host, instant now);
    bool is_silent_too_long(const connection_model& by, host_id host, instant now);
    void convict(invariant broken, instant at, std::uint64_t number, host_id receiver,
                 std::string_view topic, std::string what);

    std::vector<std::unique_ptr<broker_model>> brokers_;
    ledger_table<delivery_model> deliveries_;  // by session and number with the delivery's QoS
    ledger_table<publish_model> publishes_;    // by number
    ledger_table<std::uint64_t> packets_;      // by side, owner and packet id: the number
    ledger_table<std::uint32_t> flows_;        // by source, publisher, session, QoS: last count
    ledger_table<bool> copies_;                // QoS 1 messages taken on twice, by number
    ledger_table<bool> disturbed_;             // by host
    ledger_table<device_clock> clocks_;        // by host, of those that were not always right
    std::vector<std::uint8_t> qos_of_source_;  // bits: which QoS a client's messages had so far

    std::vector<finding> findings_;
    std::array<std::uint64_t, invariant_count> by_invariant_{};
    std::size_t found_ = 0;
    std::uint64_t messages_ = 0;
    std::uint64_t made_ = 0;
    std::uint64_t receptions_ = 0;
    std::uint64_t flows_not_kept_ = 0;
    std::uint64_t retained_not_judged_ = 0;
    std::uint64_t retained_looked_at_ = 0;

    // Scratch memory
    std::vector<made_delivery> due_;
    std::vector<wanted_mark> marks_;
    std::vector<shared_candidate> shared_;
};

}  // namespace fleetarium::sim::detail
