#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/codec/violation.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/result.hpp>
#include <fleetarium/session/endpoint.hpp>
#include <fleetarium/session/session_state.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace fleetarium {

namespace detail {
struct pending_requests;
}

/// What a client decides for itself; a fleet shares one value among all its devices.
struct client_options {
    /// Time for CONNACK, and for PINGRESP, before the connection counts as dead.
    duration response_timeout = std::chrono::seconds{10};
    /// Unacknowledged and waiting QoS 1 and 2 messages; `publish` fails above it. 1 or more.
    std::uint32_t queue_messages_max = 65'535;
    /// Whether to set topic aliases where the server allows them.
    bool use_topic_aliases = false;
};

/// The peer broke a rule. DISCONNECT has been sent if the version and phase allow it; the
/// connection is to be closed.
struct protocol_violation {
    violation broken = violation::none;
};

/// A message that will not be sent, and why.
struct delivery_dropped {
    enum class reason : std::uint8_t {
        expired,            ///< before it was sent
        too_large,          ///< for the Maximum Packet Size that the server then announced
        session_ended,      ///< in flight when the session ended or the server had lost it; `state`
                            ///< tells whether PUBREC had come, so that the server has the message
        qos_not_supported,  ///< above the Maximum QoS that the server then announced
        retain_not_supported,  ///< the server then announced Retain Available 0
    };
    delivery dropped;
    reason why = reason::expired;
};

/// What became known by the bytes of one packet. Views point into the input or into the session
/// and are valid until the next call of a non-const member.
using client_event =
    std::variant<std::monostate,         // nothing, or nothing for the application
                 connack,                // accepted, or refused by its code
                 publish,                // a message; already answered by its QoS
                 publish_repeated,       // already answered
                 delivery_acknowledged,  // a QoS 1 or 2 message of ours is done
                 suback, unsuback, pingresp,
                 disconnect,  // from the server: the connection is to be closed
                 auth,        // to be answered by `authenticate`, or the end of re-authentication
                 protocol_violation>;

/// The client's side of MQTT 3.1.1 and 5.0, without I/O: bytes, commands and time go in; bytes,
/// events and the next deadline come out.
///
/// Order of calls: `connect` when the transport is open; then `handle_bytes` in a loop until it
/// returns monostate with the input used up, `handle_timeout` when `poll_timeout` is due, verbs at
/// any time; after each, `poll_transmit` as long as it returns bytes, then `should_close`.
/// `handle_closed` when the transport is gone; `connect` again resumes the session if both sides
/// kept it. The object is the session state: it lives as long as the client, not the connection.
/// Thread rule: one thread at a time. The options must outlive the session.
class client_session {
public:
    explicit client_session(const client_options& options);
    client_session(client_session&&) noexcept;
    client_session& operator=(client_session&&) noexcept;
    ~client_session();

    // Getters

    bool is_connected() const { return phase_ == phase::connected; }
    /// A CONNECT is under way or accepted and the connection not closed.
    bool is_open() const { return phase_ != phase::idle; }
    protocol_version version() const { return endpoint_.version(); }
    std::size_t in_flight() const { return state_.outbound.in_flight(); }
    std::size_t queued() const { return state_.outbound.pending(); }
    /// In seconds, as agreed; 0 is off.
    std::uint16_t keep_alive() const { return keep_alive_; }
    const session_state& state() const { return state_; }
    /// Heap memory, this object not counted.
    std::size_t memory_bytes() const;

    // Verbs

    /// Sends CONNECT on a fresh transport. Its fields are read now and not kept, but for those that
    /// the connection's rules need. With clean start, what is in flight is given up at once (see
    /// poll_dropped), and so it is with another client id than that of the session, be it given or
    /// assigned; what waits and was never sent stays, and is sent on the new connection.
    /// Errors: already_connected; invalid_argument (an empty client id without clean start in
    /// 3.1.1 [v3/MQTT-3.1.3-7], a receive maximum or packet size of 0, authentication data without
    /// a method, a string that is too long or not UTF-8); invalid_topic_name (will);
    /// packet_too_large.
    result<void> connect(const fleetarium::connect& request, instant now);

    /// Sends a message, or queues it until connection and window allow. QoS 0 needs a connection.
    /// `number` comes back with delivery_acknowledged. `packet_id`, `dup`, `topic_alias` and
    /// `subscription_identifiers` are ignored.
    /// Errors: invalid_topic_name, invalid_argument (payload too long, a value out of range, a
    /// string that is not UTF-8, a response topic that is no topic name), not_connected (QoS 0),
    /// queue_full, packet_too_large, qos_not_supported, retain_not_supported
    /// [v5/MQTT-3.2.2-11, v5/MQTT-3.2.2-14, v5/MQTT-3.2.2-15].
    result<void> publish(const fleetarium::publish& message, instant now,
                         std::uint64_t number = 0) {
        return publish(message, now, message_identity{number, now});
    }

    /// The same, for a client whose clock is not the one that `identity.published_at` is read from.
    result<void> publish(const fleetarium::publish& message, instant now,
                         const message_identity& identity);

    /// Sends SUBSCRIBE and returns its packet id, which SUBACK repeats. `request.packet_id` is
    /// ignored.
    /// Errors: not_connected, invalid_topic_filter, invalid_argument (no filter, identifier out of
    /// 1..268,435,455, No Local on a shared filter), the server's limits, packet_ids_exhausted,
    /// not_in_this_version, packet_too_large.
    result<std::uint16_t> subscribe(const fleetarium::subscribe& request, instant now);

    /// As subscribe.
    result<std::uint16_t> unsubscribe(const fleetarium::unsubscribe& request, instant now);

    /// The next packet id taken is the one behind `last`. For a client that resumes a session of
    /// which it has lost its part: a server that still holds a QoS 2 id of that would take a new
    /// message under the same id for a repeated one, and drop it [v5/MQTT-4.3.3-10].
    void continue_packet_ids_behind(std::uint16_t last) {
        state_.outbound.continue_packet_ids_behind(last);
    }

    /// Sends PINGREQ. Errors: not_connected.
    result<void> ping(instant now);

    /// Continues an authentication that `connect` began, or, with code re_authenticate, begins
    /// another one (MQTT 5 section 4.12). The method is that of CONNECT.
    /// Errors: not_connected, invalid_argument (no or another method, a code that does not fit),
    /// not_in_this_version, packet_too_large.
    result<void> authenticate(const auth& exchange, instant now);

    /// Sends DISCONNECT, after which nothing more is sent [v5/MQTT-3.14.4-1]; then should_close.
    /// Errors: not_connected, invalid_argument (a code for servers only, a server reference, a
    /// session expiry where CONNECT had none).
    result<void> disconnect(const fleetarium::disconnect& farewell, instant now);

    // Input

    /// Consumes the bytes of at most one packet and says what they mean.
    client_event handle_bytes(bytes_view& input, instant now);

    /// The deadline of `poll_timeout` has come: sends PINGREQ, or gives the connection up and
    /// returns protocol_violation{response_timeout}.
    client_event handle_timeout(instant now);

    /// The transport is closed, by whichever side. Messages in flight wait for the next connection
    /// if the session outlives this one or CONNECT was not answered; else they are given up.
    /// Messages never sent wait in any case.
    void handle_closed(instant now);

    /// The machine has lost its memory, after handle_closed: forgets the session, and gives up what
    /// was in flight or waited (poll_dropped, session_ended).
    void lose_memory();

    // Output

    /// Adds the identity of each PUBLISH sent, resends too, to `log`; null ends that. The log must
    /// outlive the session or the next call.
    void log_sent_to(std::vector<message_identity>* log) { endpoint_.log_sent_to(log); }

    bool has_output() const { return endpoint_.has_output(); }
    wire_buffer poll_transmit() { return endpoint_.take_output(); }
    instant poll_timeout() const;
    /// The transport is to be closed once all output is written.
    bool should_close() const { return phase_ == phase::closing; }
    /// Messages given up since the last call.
    std::vector<delivery_dropped> poll_dropped();

private:
    enum class phase : std::uint8_t { idle, connecting, connected, closing };

    static std::uint32_t hash_of(std::string_view client_id);
    client_event fail(violation broken, instant now);
    client_event handle_frame(const frame& in, instant now);
    client_event handle_connack(const frame& in, instant now);
    client_event handle_publish(const frame& in, instant now);
    client_event handle_delivery_acknowledgement(const frame& in, instant now);
    template <class Answer>
    client_event handle_request_answer(const frame& in, instant now);
    client_event handle_disconnect(const frame& in, instant now);
    client_event handle_auth(const frame& in, instant now);

    boost::system::error_code check_against_server(const fleetarium::publish& message) const;
    boost::system::error_code check_against_server(const fleetarium::subscribe& request) const;
    result<void> publish_at_most_once(const fleetarium::publish& message, instant now,
                                      const message_identity& identity);
    std::uint16_t take_packet_id();
    void expect_answer(std::uint16_t packet_id, packet_type type, std::uint32_t codes);
    std::span<const std::uint16_t> requested_ids() const;
    void send_deliveries(instant now);
    void drop_what_the_server_refuses();
    void drop(delivery dropped, delivery_dropped::reason why);
    void discard_in_flight();

    const client_options* options_;
    endpoint endpoint_;
    session_state state_;
    std::unique_ptr<detail::pending_requests> requests_;  // SUBSCRIBE and UNSUBSCRIBE not answered
    std::unique_ptr<std::vector<delivery_dropped>> dropped_;
    std::unique_ptr<std::string> authentication_method_;  // of CONNECT
    instant awaiting_since_ = never;                      // CONNACK or PINGRESP is owed since then
    std::uint32_t client_id_hash_ = 0;                    // whose session this is [v5/MQTT-3.1.3-2]
    std::uint16_t keep_alive_ = 0;
    phase phase_ : 3 = phase::idle;
    qos server_maximum_qos_ : 2 = qos::exactly_once;
    bool server_retain_available_ : 1 = true;
    bool server_wildcards_available_ : 1 = true;
    bool server_shared_available_ : 1 = true;
    bool server_identifiers_available_ : 1 = true;
    bool session_outlives_connection_ : 1 = false;
    bool session_exists_ : 1 = false;  // a connection has left, or may have, state on both sides
    bool accepted_ : 1 = false;        // CONNACK with success came on this connection
    bool refused_ : 1 = false;         // CONNACK with another code did
    bool clean_start_requested_ : 1 = false;
    bool connect_expiry_was_zero_ : 1 = true;  // or CONNECT had none
    bool re_authenticates_ : 1 = false;
};

}  // namespace fleetarium
