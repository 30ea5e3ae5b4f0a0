#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/codec/violation.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/session/client_session.hpp>
#include <fleetarium/session/endpoint.hpp>
#include <fleetarium/session/session_state.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

namespace fleetarium {

/// PUBREC came for a delivery of QoS 2, and PUBREL was written: it is never to be sent again.
struct delivery_received {
    std::uint16_t packet_id = 0;
};

/// PUBREL came for a PUBLISH of QoS 2, and PUBCOMP was written: its packet id is free again.
struct publish_released {
    std::uint16_t packet_id = 0;
};

/// What the bytes of one packet from a client mean to the server. Views point into the input or
/// into the session and are valid until the next call of a non-const member.
using server_event =
    std::variant<std::monostate,         // nothing, or nothing for the application
                 connect,                // answer with `accept`, `refuse` or `challenge`
                 publish,                // fresh; answer with `acknowledge` if its QoS is not 0
                 publish_repeated,       // already answered
                 publish_released,       // already answered; only if told to tell_progress
                 delivery_received,      // already answered; only if told to tell_progress
                 delivery_acknowledged,  // call `send_next` again: the window may be open
                 subscribe,              // answer with `send(suback)`
                 unsubscribe,            // answer with `send(unsuback)`
                 auth,                   // answer with `challenge`, `accept` or `refuse`, or, after
                                         // CONNACK, `challenge` or
                                         // `finish_re_authentication`
                 disconnect,             // the client's farewell: the connection is to be closed
                 protocol_violation>;    // answered as the version and phase allow; close

/// The server's side of one connection of MQTT 3.1.1 and 5.0, without I/O. The mirror of
/// client_session: it knows the rules of the connection; what a server decides (who may connect,
/// what a subscription gets) is left to its owner, which answers the events.
///
/// Order of calls: as client_session. CONNECT and AUTH are to be answered before the next bytes are
/// handed in. The session_state given to `accept` must live until the connection is closed or
/// `detach` is called.
/// Thread rule: one thread at a time.
class server_session {
public:
    /// A connection just opened by a client. `own` bounds what it may send before it is accepted;
    /// CONNECT is due within `connect_timeout`.
    /// `window_max` bounds the messages in flight to it, beside its Receive Maximum.
    void open(const connection_limits& own, std::uint16_t window_max, duration connect_timeout,
              instant now);

    /// After `open`: each step of a QoS 2 exchange is an event, for owners that keep sessions where
    /// they outlive the process.
    void tell_progress() { tells_progress_ = true; }

    /// After `open`: no alias stands for a topic towards this client, whatever it allows.
    void use_no_topic_aliases() { uses_topic_aliases_ = false; }

    // Getters

    bool is_accepted() const { return phase_ == phase::connected; }
    bool is_closing() const { return phase_ == phase::closing || phase_ == phase::left; }
    protocol_version version() const { return endpoint_.version(); }
    /// See endpoint.
    bool is_window_full() const {
        return state_ != nullptr && endpoint_.is_window_full(state_->outbound);
    }
    /// Whether nothing of a packet has come that is not complete.
    bool is_between_packets() const { return endpoint_.is_between_packets(); }
    /// Whether CONNECT named an authentication method.
    bool authenticates() const { return authentication_method_ != nullptr; }
    /// Whether Reason Strings and User Properties may go into any packet [v5/MQTT-3.1.2-29].
    bool sends_problem_information() const { return problem_information_; }
    std::size_t memory_bytes() const { return endpoint_.memory_bytes(); }

    // Verbs

    /// Answers CONNECT or the last AUTH: sends CONNACK with success. `own` are the limits that it
    /// announces; `keep_alive` in seconds is the one in force; in-flight deliveries of `state` are
    /// resent by the following calls of `send_next`. False, and nothing is accepted, if CONNACK is
    /// over the client's Maximum Packet Size.
    bool accept(const connack& answer, const connection_limits& own, std::uint16_t keep_alive,
                session_state& state, instant now);

    /// Answers CONNECT or the last AUTH with a failure; in 3.1.1 a code that has no counterpart
    /// sends nothing [v3/MQTT-3.2.2-6]. The connection is to be closed.
    void refuse(const connack& answer, instant now);

    /// Sends AUTH with "continue authentication" (MQTT 5 section 4.12).
    void challenge(const auth& exchange, instant now);

    /// Ends a re-authentication with AUTH "success".
    void finish_re_authentication(const auth& exchange, instant now);

    /// Answers a PUBLISH event of QoS 1 or 2.
    void acknowledge(const publish& answered, reason_code code, instant now) {
        endpoint_.acknowledge(answered.qos, answered.packet_id, code, state_->inbound, now);
    }

    /// Sends a SUBACK or UNSUBACK; false if it is over the client's Maximum Packet Size.
    template <class Packet>
    bool send(const Packet& out, instant now) {
        return endpoint_.send(out, now);
    }

    /// See endpoint. Only while is_accepted().
    bool send_qos_0(const encoded_publish& out, instant now) {
        return endpoint_.send_qos_0(out, {}, now);
    }
    send_step send_next(instant now, delivery& affected) {
        return endpoint_.send_next(state_->outbound, {}, now, affected);
    }

    /// Ends the connection: DISCONNECT with the code in MQTT 5, after CONNACK only
    /// [v5/MQTT-3.14.0-1]; nothing in 3.1.1. The connection is to be closed.
    void disconnect(const fleetarium::disconnect& farewell, instant now);

    /// As `disconnect`, for a rule that the client broke.
    void fail(violation broken, instant now);

    // Input

    server_event handle_bytes(bytes_view& input, instant now);

    /// The deadline has come: keep alive [v5/MQTT-3.1.2-22] or no CONNECT in time.
    server_event handle_timeout(instant now);

    /// The client was not listened to until now: it is as if something had come from it.
    void forgive_silence(instant now) { endpoint_.note_received(now); }

    /// What has come of a packet that is not complete is not needed any more.
    void forget_input() { endpoint_.forget_input(); }

    /// The transport is closed, or the session_state goes to another connection.
    void detach();

    // Output

    bool has_output() const { return endpoint_.has_output(); }
    wire_buffer poll_transmit() { return endpoint_.take_output(); }
    instant poll_timeout() const;
    bool should_close() const { return is_closing(); }
    /// The client said farewell itself: it waits for nothing more.
    bool has_client_left() const { return phase_ == phase::left; }

private:
    enum class phase : std::uint8_t { idle, opened, connecting, connected, closing, left };

    server_event handle_connect(const frame& in, instant now);
    server_event handle_accepted(const frame& in, instant now);
    server_event handle_publish(const frame& in, instant now);
    server_event handle_disconnect(const frame& in, instant now);
    server_event handle_auth(const frame& in, instant now);
    server_event failed(violation broken, instant now);
    template <class Packet>
    server_event decoded_or_failed(const frame& in, instant now);
    server_event nothing_or_failed(violation broken, instant now);

    endpoint endpoint_;
    session_state* state_ = nullptr;
    std::unique_ptr<std::string> authentication_method_;
    duration connect_timeout_{};
    std::uint16_t window_max_ = 65'535;
    std::uint16_t keep_alive_ = 0;
    phase phase_ = phase::idle;
    bool problem_information_ : 1 = true;
    bool re_authenticates_ : 1 = false;
    bool session_expiry_was_zero_ : 1 = true;
    bool uses_topic_aliases_ : 1 = true;
    bool tells_progress_ : 1 = false;
};

}  // namespace fleetarium
