#pragma once

#include <fleetarium/broker/broker_options.hpp>
#include <fleetarium/broker/filter_list.hpp>
#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/broker/memory_ceiling.hpp>
#include <fleetarium/broker/metrics.hpp>
#include <fleetarium/broker/retained_replays.hpp>
#include <fleetarium/broker/retained_store.hpp>
#include <fleetarium/broker/session_registry.hpp>
#include <fleetarium/broker/slab.hpp>
#include <fleetarium/broker/topic_tree.hpp>
#include <fleetarium/core/timing_wheel.hpp>
#include <fleetarium/session/server_session.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::broker {

struct restored_session;
class session_journal;

/// What goes out of a broker on one connection.
struct broker_output {
    connection_id connection = no_connection;
    wire_buffer bytes;         ///< may be empty
    bool close = false;        ///< after the bytes; then call handle_closed
    bool client_left = false;  ///< it said farewell itself: nobody waits for an end in order
};

/// What holds for one connection alone.
struct connection_manner {
    std::uint32_t maximum_packet_size = limits::packet_size_max;  ///< bytes; if under the broker's
    bool refused = false;                            ///< CONNECT is answered with `refusal`
    reason_code refusal = reason_code::server_busy;  ///< one of CONNACK
};

/// A session in a list of sessions; views are valid until the next call of a non-const member.
struct session_info {
    session_index index = no_session;
    std::string_view client_id;
    connection_id connection = no_connection;
    std::size_t subscriptions = 0;
    std::size_t queued = 0;
    std::size_t in_flight = 0;
};

/// An MQTT 3.1.1 and 5.0 broker without I/O: connections, bytes and time go in; bytes, closes and
/// the next deadline come out.
///
/// Order of calls: `handle_open` for each transport a client opened; `handle_bytes` as they come;
/// `handle_closed` exactly once for each connection, when its transport is gone or after an output
/// said close, which is said once (only then is its number used again); `handle_timeout` when
/// `poll_timeout` is due, which may turn out to be too early to do anything; `handle_congested`
/// and `handle_drained` in turns, where a transport does not take all that it is given. After each
/// of them, and after verbs, `poll_output` until it returns none.
///
/// Path of a PUBLISH: server_session checks the rules of the connection (broker_core.cpp), the
/// router decides who gets it (router.cpp), each receiver's server_session encodes it or its
/// session queues it, the sender gets its acknowledgement.
///
/// Determinism: outputs depend on inputs alone. Thread rule: one thread at a time. The hooks must
/// outlive the core.
class broker_core {
public:
    /// Throws std::invalid_argument if an option is out of its range.
    explicit broker_core(const broker_options& options, broker_hooks* hooks = nullptr);
    ~broker_core();
    broker_core(const broker_core&) = delete;
    broker_core& operator=(const broker_core&) = delete;

    // Input

    /// A client opened a transport. With connections_max reached the connection is made all the
    /// same, and its CONNECT is refused with "server busy".
    connection_id handle_open(instant now) { return handle_open({}, now); }
    connection_id handle_open(const connection_manner& manner, instant now);
    void handle_bytes(connection_id from, bytes_view bytes, instant now);
    void handle_closed(connection_id gone, instant now);
    void handle_timeout(instant now);

    /// The connection's transport is slower than what it is given: from now on its messages, QoS 0
    /// too, wait in the session's queue, whose bounds hold, and nobody else is slowed.
    void handle_congested(connection_id slow, instant now);
    /// The transport has written what it had: what waits goes out.
    void handle_drained(connection_id drained, instant now);

    /// The driver reads nothing from the connection for now, or does again: for reasons of its own,
    /// so that the silence of its client until then is not held against it [v5/MQTT-3.1.2-22].
    void handle_reading(connection_id of, bool reads, instant now);

    /// While true CONNECT is answered with "server busy", known sessions too: whoever came would
    /// only add to what the driver cannot get done.
    void refuse_connects(bool refused) { refuses_connects_ = refused; }

    /// The transport vouches for who the client is, by its certificate: this is its user name,
    /// whatever CONNECT says. Before CONNECT.
    void vouch_for_user(connection_id from, std::string_view user_name);

    /// Bytes that came out of the core and wait in transports, of all connections together: they
    /// count for the memory ceiling.
    void note_transport_bytes(std::size_t waiting) {
        memory_.set_outside(waiting);
        memory_.update();
    }

    // Output

    /// Whether poll_output may have something; false is sure.
    bool has_output() const {
        return outputs_begin_ < outputs_.size() ||
               (!held_.empty() && held_.front().position <= durable_);
    }

    /// The next connection that has something to write or is to be closed. Connections come in the
    /// order in which they first had something.
    std::optional<broker_output> poll_output();
    instant poll_timeout() const;

    // Verbs

    /// Publishes a message of the embedder's own; it passes no authorisation and no limits of
    /// clients. Errors: invalid_topic_name, invalid_argument.
    result<void> publish(const fleetarium::publish& message, instant now);

    /// Ends a client's connection with the code; its will is published, as at any end that the
    /// client did not ask for. Errors: not_connected; invalid_argument for a code that a server may
    /// not send in DISCONNECT.
    result<void> disconnect(std::string_view client_id, reason_code code, instant now);

    /// Ends all connections with "server shutting down". Sessions and wills fare as at any other
    /// end of a connection. Connections opened afterwards are served again.
    void shut_down(instant now);

    /// The process has died: all connections are gone, without a farewell and without a will. What
    /// storage would have kept stays if `keeps_sessions`: sessions that outlive a connection, with
    /// their wills to come, and retained messages; else nothing does. Transports are the caller's
    /// to end: no handle_closed is due for those that were open.
    void crash(bool keeps_sessions, instant now);

    // Durable state (session_journal.hpp). Order: `restore_...` of what storage kept, in any order
    // but for the deliveries of a session, which come as they stood in its queue; `keep_journal`;
    // `go_on`; then the first connection.

    /// From now on each change of what outlives the process is told to the journal, which must
    /// outlive the core, and what promises such a change - an acknowledgement, a PUBLISH under a
    /// new packet id, SUBACK, CONNACK - comes out of poll_output only when it is durable. Null ends
    /// that.
    void keep_journal(session_journal* journal);

    /// The journal up to this position is durable. Then `poll_output`.
    void handle_durable(std::uint64_t position);

    // What cannot have been is refused: no_session, false.
    session_index restore_session(restored_session kept);
    bool restore_subscription(session_index owner, std::string_view filter,
                              std::uint32_t identifier, const subscription_options& options);
    bool restore_delivery(session_index to, delivery kept);
    bool restore_identifier(session_index from, std::uint16_t packet_id);
    bool restore_retained(message_ptr kept);

    /// The account of messages made for this core; null: nobody counts.
    memory_account* message_account() { return memory_.messages(); }

    /// Whether a filter, shared or not, is valid and within bounds, which are at most those of the
    /// topic tree.
    static bool is_storable_filter(std::string_view filter,
                                   std::size_t levels_max = limits::topic_levels_max,
                                   std::size_t bytes_max = limits::string_size_max);

    /// Ends the connections of sessions that had one, does what has become due meanwhile.
    void go_on(instant now);

    // Getters

    const broker_options& options() const { return options_; }
    const broker_metrics& metrics() const { return metrics_; }
    std::size_t connection_count() const { return connections_.size(); }
    /// Sessions that have an accepted connection.
    std::size_t connected_count() const { return connected_; }
    std::size_t session_count() const { return sessions_.size(); }
    std::size_t subscription_count() const { return tree_.subscription_count(); }
    const retained_store& retained() const { return retained_; }
    /// Deliveries waiting in sessions, sent or not.
    std::size_t deliveries_waiting() const;

    /// The client of an open connection.
    client_info describe_client(connection_id id) const { return info_of(id); }

    /// All that is kept of sessions, and of subscriptions; valid until the next call of a
    /// non-const member.
    const session_registry& sessions() const { return sessions_; }
    const topic_tree& subscriptions() const { return tree_; }

    /// The session of a client id, if there is one.
    std::optional<session_info> find_session(std::string_view client_id) const;

    /// Calls `visit(const session_info&)` for each session, by index.
    template <class Visitor>
    void for_each_session(Visitor&& visit) const {
        for (session_index i = 0; i < sessions_.slots().end(); ++i) {
            if (sessions_.slots().contains(i)) {
                visit(describe_session(i));
            }
        }
    }

    /// Heap memory of the core, by estimate of its parts; messages in queues not counted.
    std::size_t memory_bytes() const;

    /// The account for options().memory_max, and what is shed. Of a core without a ceiling nothing
    /// is counted.
    const memory_ceiling& memory() const { return memory_; }

    // Looking ahead, for drivers that know what comes next: each asks the processor to fetch what
    // a part of handle_bytes will read, and reads what an earlier one has fetched. Between the
    // steps of one message should lie the work on others. Numbers may be those of nobody.

    void prefetch(connection_id soon) const {
        if (connections_.contains(soon)) {
            connections_.prefetch(soon);
        }
    }
    /// After prefetch.
    void prefetch_session(connection_id soon) const {
        if (connections_.contains(soon) && connections_[soon].session != no_session) {
            sessions_.slots().prefetch(connections_[soon].session);
        }
    }
    void prefetch_topic(std::string_view soon) const { tree_.prefetch(soon); }
    /// After prefetch_topic.
    void prefetch_filter(std::string_view soon) const { tree_.prefetch_filter(soon); }
    /// After prefetch_filter.
    void prefetch_receiver(std::string_view soon) const {
        const session_index receiver = tree_.only_subscriber(soon);
        if (sessions_.slots().contains(receiver)) {
            sessions_.slots().prefetch(receiver);
        }
    }
    /// After prefetch_receiver. Returns the connection, or no_connection.
    connection_id prefetch_receiver_connection(std::string_view soon) const {
        const session_index receiver = tree_.only_subscriber(soon);
        if (!sessions_.slots().contains(receiver)) {
            return no_connection;
        }
        const connection_id to = sessions_[receiver].connection;
        prefetch(to);
        return to;
    }

private:
    struct connection {
        server_session protocol;
        instant armed = never;  // its entry in the wheel
        session_index session = no_session;
        bool listed : 1 = false;                         // in outputs_
        bool dismissed : 1 = false;                      // its close was told
        bool refused : 1 = false;                        // over connections_max
        bool congested : 1 = false;                      // its transport takes nothing more for now
        bool unread : 1 = false;                         // see handle_reading
        bool vouched : 1 = false;                        // user_name is the transport's
        bool accepted : 1 = false;                       // its CONNECT; what came before promises
                                                         // nothing
        bool promises : 1 = false;                       // its output waits for the journal
        bool awaits_turn : 1 = false;                    // has an entry in the wheel for its next
        reason_code refusal = reason_code::server_busy;  // where `refused`
        std::uint32_t maximum_packet_size = limits::packet_size_max;
        std::uint32_t counted_bytes = 0;   // as session::counted_bytes
        std::uint32_t last_held = 0;       // number of its newest held output; 0: none
        std::uint32_t turn_bytes = 0;      // of PUBLISHes since its output was polled; saturates
        std::uint64_t client_id_hash = 0;  // of the session, near what a PUBLISH touches
        std::unique_ptr<std::vector<std::uint8_t>> pending;  // CONNECT while AUTH goes on
        std::unique_ptr<std::string> user_name;
    };

    struct held_output {
        broker_output out;
        std::uint64_t position = 0;  // of the journal, which has to be durable first
        std::uint32_t previous = 0;  // number of the connection's one before; may be gone
    };

    enum class deadline_kind : std::uint8_t { connection, session, retained, sys, turn };
    struct deadline {
        instant time;
        std::uint32_t index;
        deadline_kind kind;
        friend bool operator<(const deadline& a, const deadline& b) {
            return a.time != b.time   ? a.time < b.time
                   : a.kind != b.kind ? a.kind < b.kind
                                      : a.index < b.index;
        }
    };

    // broker_core.cpp: connections and time
    void start(instant now);
    void drop_held_qos_0(session_index index, instant now);
    void handle_event(connection_id from, server_event& event, instant now);
    void list_output(connection_id id, bool promises = true);
    void arm_connection(connection_id id, instant now);
    void arm_session(session_index index, instant now);
    void arm_retained(instant now);
    void arm(instant& armed, instant due, deadline_kind kind, std::uint32_t index, instant now);
    void fire(const deadline& due, instant now);
    void expire_retained(instant now);
    client_info info_of(connection_id id) const;
    session_info describe_session(session_index index) const;
    void emit(const broker_event& event) {
        if (is_about_messages(event.what) ? observes_messages_ : observed_) {
            hooks_->on_event(event);
        }
    }

    // broker_connect.cpp: from CONNECT to the end of a session
    struct refusal {
        reason_code code = reason_code::success;
        std::string_view phrase{};  // for the Reason String; empty is none
    };
    void handle_connect(connection_id from, const connect& request, instant now);
    void handle_auth(connection_id from, const auth& exchange, instant now);
    void resume_connect(connection_id from, const auth& exchange, instant now);
    void continue_connect(connection_id from, const connect& request,
                          const authentication_step& step, instant now);
    void accept_connect(connection_id from, const connect& request, std::string_view client_id,
                        std::string_view authentication_data, instant now);
    refusal check_connect(const connect& request) const;
    void refuse_connect(connection_id from, const connect& request, const refusal& refused,
                        instant now);
    void note_refused(connection_id from, std::string_view client_id, reason_code code,
                      violation broken, instant now);
    connack make_connack(const connection& source, const connect& request,
                         std::uint32_t expiry_interval) const;
    connection_limits limits_for(const connection& source, const connect& request) const;
    std::uint32_t packet_size_maximum(const connection& source) const;
    std::uint32_t expiry_interval_for(const connect& request) const;
    std::unique_ptr<stored_will> make_will(const connect& request, std::string_view client_id,
                                           instant now);
    void take_over(session_index index, instant now);
    void handle_disconnect(connection_id from, const fleetarium::disconnect& farewell, instant now);
    void end_connection(connection_id id, reason_code code, instant now);
    void fail(connection_id id, violation broken, instant now);
    void detach(connection_id id, reason_code code, violation broken, instant now);
    void set_out_of_connection(session_index index, instant now);
    void settle_session(session_index index, instant now);
    void end_session(session_index index, instant now);
    void publish_will(session_index index, instant now);
    std::string make_client_id();

    // broker_subscribe.cpp
    void handle_subscribe(connection_id from, const subscribe& request, instant now);
    void handle_unsubscribe(connection_id from, const unsubscribe& request, instant now);
    violation check_against_features(connection_id from, const subscribe& request) const;
    reason_code subscribe_one(connection_id from, const subscription_request& one,
                              std::uint32_t identifier, bool& is_new);
    bool insert_subscription(std::string_view filter, const subscription& added);

    // broker_turns.cpp
    void begin_turn();
    bool has_turns() const { return options_.output_bytes_per_turn_max != 0; }
    bool is_full(const connection& receiver) const;
    bool must_wait(session_index to) const;
    static void note_sent(connection& receiver, std::size_t bytes);
    void await_turn(connection_id id, instant now, duration delay = {});
    void take_turn(connection_id id, instant now);
    void send_retained(const subscription_request& one, const subscription& by, instant now);
    void send_kept(const message_ptr& kept, const subscription& by, instant now);
    void replay_retained(session_index to, instant now);
    void await_turn_if_due(session_index to, instant now);
    void find_retained_again(retained_replays::replay& left);
    void send_next_kept(retained_replays::replay& left, session_index to, instant now);
    void end_replay(session_index of, instant now);

    // router.cpp: from one message to its deliveries
    struct outgoing;
    void handle_publish(connection_id from, const fleetarium::publish& message, instant now);
    reason_code check_topic(std::string_view topic, drop_reason& why) const;
    reason_code check_publish(connection_id from, const fleetarium::publish& message,
                              drop_reason& why);
    std::uint32_t take_on(const fleetarium::publish& message, session_index publisher,
                          connection_id from, instant now);
    void retain(outgoing& out, instant now);
    void remove_retained(std::string_view topic, const message_identity& by, drop_reason why,
                         instant now);
    std::uint32_t deliver_to_all(outgoing& out, instant now);
    std::uint32_t deliver_merged(outgoing& out, instant now);
    void deliver_by(outgoing& out, const subscription& by, instant now);
    bool deliver_shared(outgoing& out, shared_group& group, session_index except, instant now);
    unsigned place_of_group(const shared_group& group, session_index member) const;
    void deliver(outgoing& out, session_index to, enum qos granted, bool retain,
                 std::span<const std::uint32_t> identifiers, const shared_group* by, instant now);
    void enqueue(session_index to, delivery added, instant now);
    bool make_room(session_index to, const delivery& added, instant now);
    bool drop_oldest(session_index to, drop_reason why, instant now);
    void send_deliveries(session_index to, instant now);
    void report_drop(const message_identity& identity, std::string_view topic, enum qos qos,
                     session_index to, drop_reason why, instant now, bool known = false,
                     bool was_sent = false);
    void hand_over_shared(session_index from, instant now);

    // broker_durability.cpp
    void note_identifier(session_index from, std::uint16_t packet_id);
    void hold_output(broker_output out, bool after_commit);
    std::optional<broker_output> poll_held_output();
    void forget_held_outputs(const connection& gone);
    /// Whom the journal is told of.
    session_journal* journal_of(session_index index) const {
        return journal_ == nullptr || sessions_[index].expiry_interval == 0 ? nullptr : journal_;
    }

    // sys_topics.cpp
    void publish_sys_topics(instant now);

    // broker_memory.cpp: the memory ceiling
    void count_connection(connection_id id);
    void count_session(session_index index);
    void count_tables();
    void settle_memory(connection_id after, instant now);
    bool refuse_publish_for_memory(connection_id from, const fleetarium::publish& message,
                                   instant now);
    void shed_queues(instant now);
    bool shed_oldest(session_index from, instant now);

    broker_options options_;
    broker_hooks* hooks_;
    bool observed_;
    bool observes_messages_;
    bool asks_;  // the hooks who may publish
    broker_metrics metrics_;
    memory_ceiling memory_;  // before all that holds messages, whose account it has
    topic_tree tree_;
    retained_store retained_;
    struct sooner {
        bool operator()(const message_ptr& a, const message_ptr& b) const {
            return a->expires_at() != b->expires_at() ? a->expires_at() < b->expires_at()
                                                      : a->topic() < b->topic();
        }
    };
    std::set<message_ptr, sooner> expiring_retained_;  // those of retained_ that expire
    instant retained_armed_ = never;                   // their entry in the wheel
    retained_replays replays_;
    std::int64_t turn_left_ = 0;  // of what this turn may cost, see broker_turns.cpp
    instant last_turn_{};         // that somebody awaits
    bool refuses_connects_ = false;
    session_registry sessions_;
    slab<connection> connections_;
    std::size_t connected_ = 0;
    timing_wheel<deadline> deadlines_;
    std::vector<connection_id> outputs_;
    std::size_t outputs_begin_ = 0;
    session_journal* journal_ = nullptr;
    std::uint64_t durable_ = 0;  // position of the journal
    std::deque<held_output> held_;
    std::size_t held_bytes_ = 0;
    bool promises_all_ = false;  // QoS 0 too, for now
    std::uint32_t first_held_ = 1;  // number of the first of held_; numbers are odd, and wrap
    std::vector<session_index> cut_off_;  // restored, and connected when the process died
    std::uint64_t messages_taken_on_ = 0;
    std::uint64_t client_ids_made_ = 0;
    std::optional<instant> started_;
    match_result match_;
    struct merged_delivery {
        session_index session;
        std::uint32_t order;
        const subscription* by;
    };
    std::vector<merged_delivery> merged_;
    std::vector<std::uint32_t> identifiers_;
    std::vector<reason_code> codes_;
    std::vector<char> new_subscriptions_;
    instant next_shedding_{};  // of queues, see shed_queues
};

}  // namespace fleetarium::broker
