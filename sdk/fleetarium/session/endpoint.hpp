#pragma once

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/wire_buffer.hpp>
#include <fleetarium/session/frame_reader.hpp>
#include <fleetarium/session/session_state.hpp>
#include <fleetarium/session/topic_alias.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace fleetarium {

/// What one side allows its peer on a connection.
struct connection_limits {
    std::uint16_t receive_maximum = 65'535;
    std::uint16_t topic_alias_maximum = 0;
    std::uint32_t maximum_packet_size = limits::packet_size_max;
    /// Messages of a session in flight to it at once, those that earlier connections left among
    /// them: a bound of the sender's own, where Receive Maximum begins anew with each connection.
    std::uint16_t in_flight_maximum = 65'535;
};

/// A delivery that needs no more packets: acknowledged by the peer, whatever its code says.
struct delivery_acknowledged {
    delivery done;
    reason_code code = reason_code::success;
};

/// A PUBLISH that repeats a QoS 2 message not completed: answered, and not a message.
struct publish_repeated {
    std::uint16_t packet_id = 0;
};

/// What `endpoint::send_next` did.
enum class send_step : std::uint8_t {
    idle,         ///< all deliveries have been sent
    window_full,  ///< the next has to wait for an acknowledgement
    sent,
    resent,
    expired,    ///< taken out: its Message Expiry Interval has passed [v5/MQTT-3.3.2-5]
    too_large,  ///< taken out: over the peer's Maximum Packet Size [v5/MQTT-3.1.2-25]
};

/// One end of one network connection: everything that is the same for client and server.
///
/// It frames what comes in, encodes what goes out, runs both halves of the QoS 1 and QoS 2
/// exchanges against a session_state, and keeps what dies with the connection: topic aliases
/// [v5/MQTT-3.3.2-7], the send quota [v5/MQTT-4.9.0-1], the peer's limits.
/// Part of client_session and server_session; not for direct use.
class endpoint {
public:
    /// Begins a new connection; everything of the last one is forgotten.
    void open(protocol_version version, const connection_limits& own, instant now);

    void set_version(protocol_version version) { version_ = version; }
    void set_own_limits(const connection_limits& own);
    void set_peer_limits(const connection_limits& peer);

    protocol_version version() const { return version_; }
    std::uint16_t peer_topic_alias_maximum() const { return peer_topic_alias_maximum_; }
    std::uint32_t peer_maximum_packet_size() const { return peer_maximum_packet_size_; }
    instant last_received() const { return last_received_; }
    instant last_sent() const { return last_sent_; }
    /// Nothing of QoS 1 or 2 may be sent for the first time until something is acknowledged.
    bool is_window_full(const outbound_flow& flow) const {
        return send_quota_ == 0 || flow.in_flight() >= in_flight_maximum_;
    }

    // Input

    /// See frame_reader::next. A complete packet is noted for keep alive.
    frame_result next_frame(bytes_view& input, frame& out, instant now);

    /// The peer is alive.
    void note_received(instant now) { last_received_ = now; }

    bool is_between_packets() const { return reader_.is_between_packets(); }

    /// Decodes a PUBLISH, puts the topic in for an alias and checks the receive maximum. QoS 2
    /// messages of an earlier connection do not count against it, so a peer is never accused
    /// wrongly; one that resends them may get away with as many more.
    /// Spec: [v5/MQTT-3.3.2-7..12], [v5/MQTT-3.3.4-7], [v5/MQTT-3.3.4-9].
    violation receive_publish(const frame& in, const inbound_flow& flow, publish& out);

    /// Whether a QoS 2 PUBLISH repeats one that is not completed: answer it again with PUBREC,
    /// do not deliver it again [v5/MQTT-4.3.3-10].
    static bool is_repeat(const publish& in, const inbound_flow& flow) {
        return in.qos == qos::exactly_once && flow.contains(in.packet_id);
    }

    /// Answers a PUBLISH by its QoS [v5/MQTT-3.3.4-1] once this side has taken responsibility or
    /// refused it. In 3.1.1 codes do not exist and a refusal looks like an acceptance.
    void acknowledge(enum qos qos, std::uint16_t packet_id, reason_code code, inbound_flow& flow,
                     instant now);

    violation receive_pubrel(const frame& in, inbound_flow& flow, instant now);

    /// PUBACK, PUBREC or PUBCOMP. If that ends a delivery it is in `done`.
    violation receive_acknowledgement(const frame& in, outbound_flow& flow, instant now,
                                      std::optional<delivery_acknowledged>& done);

    // Output

    /// Encodes within the peer's Maximum Packet Size; false, and nothing is sent, if that is not
    /// possible.
    template <class Packet>
    bool send(const Packet& out, instant now) {
        return noted_if_sent(encode(out, version_, output_, peer_maximum_packet_size_), now);
    }

    /// CONNECT says its own version. False, and nothing is sent, if it is too large for any packet.
    bool send_connect(const connect& out) { return encode(out, output_); }

    /// Whether a message can be sent within the peer's Maximum Packet Size, without an alias.
    bool fits(const delivery& out, instant now) const;

    /// Sends a QoS 0 message at once; false if it is over the peer's Maximum Packet Size.
    /// `out.topic_alias` is chosen here.
    bool send_qos_0(encoded_publish out, const message_identity& identity, instant now);

    /// From now on each PUBLISH encoded, resends too, adds its message's identity to `log`; null
    /// ends that. The log must outlive the endpoint or the next call.
    void log_sent_to(std::vector<message_identity>* log) { sent_log_ = log; }

    /// Sends the next delivery of `flow`, if there is one and the window is open; a PUBREL that is
    /// owed passes by a closed window [v5/MQTT-3.3.4-8]. `affected` is the delivery sent or taken
    /// out, unchanged where there is none. `also_used` are packet ids in use besides those of the
    /// flow.
    send_step send_next(outbound_flow& flow, std::span<const std::uint16_t> also_used, instant now,
                        delivery& affected);

    bool has_output() const { return !output_.empty(); }
    wire_buffer take_output() { return std::move(output_); }

    /// Nothing more is read or written; buffers and aliases are freed.
    void close();

    /// Frees an incomplete packet; nothing is to be read after it.
    void forget_input() noexcept { reader_.reset(); }

    /// The views that the last frame gave are no longer needed: its copy is freed if there was one.
    void release_frame() noexcept { reader_.release(); }

    std::size_t memory_bytes() const;

private:
    bool noted_if_sent(bool sent, instant now) {
        last_sent_ = sent ? now : last_sent_;
        return sent;
    }
    violation resolve_alias(publish& in);
    void complete_inbound();
    void restore_quota(const delivery& done);
    send_step release_or_wait(outbound_flow& flow, instant now, delivery& affected);
    void send_pubrel(const delivery& owed, instant now);
    bool send_delivery(const delivery& out, std::uint16_t packet_id, bool dup, instant now);
    template <class Acknowledgement>
    void send_acknowledgement(std::uint16_t packet_id, reason_code code, instant now);
    bool encode_with_alias(encoded_publish& out);

    wire_buffer output_;
    frame_reader reader_;
    std::unique_ptr<topic_aliases> aliases_;
    std::vector<message_identity>* sent_log_ = nullptr;
    instant last_received_{};
    instant last_sent_{};
    std::uint32_t own_maximum_packet_size_ = limits::packet_size_max;
    std::uint32_t peer_maximum_packet_size_ = limits::packet_size_max;
    std::uint16_t own_receive_maximum_ = 65'535;
    std::uint16_t own_topic_alias_maximum_ = 0;
    std::uint16_t peer_receive_maximum_ = 65'535;
    std::uint16_t peer_topic_alias_maximum_ = 0;
    std::uint16_t send_quota_ = 65'535;
    std::uint16_t in_flight_maximum_ = 65'535;
    std::uint16_t open_inbound_ = 0;  // QoS 1 and 2 PUBLISHes of this connection not completed
    protocol_version version_ = protocol_version::v5;
};

}  // namespace fleetarium
