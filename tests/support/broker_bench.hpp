#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/codec/codec.hpp>
#include <fleetarium/session/client_session.hpp>

#include <support/hex.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// A broker core on a test bench: peers that speak in bytes, a clock that the test turns, no network
// in between. What goes in is handled at once, and so is all that follows from it.
namespace fleetarium::test {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

class broker_bench;

/// One packet that a peer received: its bytes, and what they decode to.
struct received_packet {
    bytes raw;
    fleetarium::frame frame;  // into raw
    packet_type type = packet_type::connect;
    std::string hex() const { return to_hex(raw); }
};

/// The far end of one connection to the broker. Packets it received wait in order.
class peer {
public:
    peer(broker_bench& bench, protocol_version version) : bench_(&bench), version_(version) {}

    /// Sends bytes given in hexadecimal, as one write.
    peer& send_hex(std::string_view hex) { return send_bytes(from_hex(hex)); }
    peer& send_bytes(const bytes& raw);

    /// Encodes a packet and sends it.
    template <class Packet>
    peer& send(const Packet& packet) {
        wire_buffer out;
        if constexpr (std::is_same_v<Packet, connect>) {
            encode(packet, out);
        } else {
            encode(packet, version_, out);
        }
        return send_bytes(to_bytes(out));
    }

    /// The next packet not yet taken; none if there is none.
    std::optional<received_packet> take();
    /// As `take`, in hexadecimal; "" if there is none.
    std::string take_hex() {
        const auto next = take();
        return next ? next->hex() : std::string();
    }
    /// The next packet decoded as a given type; throws if there is none or it is another. Views in
    /// it live until the next take.
    template <class Packet>
    Packet take_as();
    /// The packet taken last, decoded as `take_as` does.
    template <class Packet>
    Packet current_as() const;
    /// The next packet, which has to be a PUBLISH, as "topic=payload q1 dup retain", where q0 and
    /// flags that are 0 are left out; "" if there is none.
    std::string take_publish() {
        return packets_.empty() ? std::string() : text_of(take_as<fleetarium::publish>());
    }
    /// All packets not yet taken, dropped.
    void discard() { packets_.clear(); }
    std::size_t waiting() const { return packets_.size(); }

    /// Whether the broker has closed the connection.
    bool closed() const { return closed_; }
    /// Whether the broker has closed the connection and all it said has been taken.
    bool closed_silently() const { return closed_ && packets_.empty(); }
    /// Whether the broker ended the connection as the version has it, and takes what it said: in
    /// 5.0 DISCONNECT with the code, in 3.1.1 nothing; then a close.
    bool ended_with(reason_code code);
    /// Whether the broker answered CONNECT with that failure, session present 0, and closed. In
    /// 3.1.1 `code` is one of the five that CONNACK has there.
    bool refused_with(reason_code code);
    /// Whether PINGREQ is answered by PINGRESP, and nothing else waits before it.
    bool is_served();
    /// The network fails: the broker sees the connection close without DISCONNECT.
    void cut();

    broker::connection_id id() const { return id_; }
    protocol_version version() const { return version_; }

private:
    friend class broker_bench;
    static std::string text_of(const fleetarium::publish& in);
    void receive(const bytes& raw);

    broker_bench* bench_;
    protocol_version version_;
    broker::connection_id id_ = broker::no_connection;
    bool closed_ = false;
    bytes stream_;
    std::deque<received_packet> packets_;
    received_packet current_;  // owns what take_as returned views into
};

/// What `broker_bench::connect` sends; the defaults make a small valid CONNECT.
struct connect_with {
    std::string client_id = "c";
    protocol_version version = protocol_version::v5;
    bool clean_start = true;
    std::uint16_t keep_alive = 0;
    std::optional<std::uint32_t> session_expiry{};
    std::optional<std::uint16_t> receive_maximum{};
    std::optional<std::uint32_t> maximum_packet_size{};
    std::optional<std::uint16_t> topic_alias_maximum{};
    std::optional<fleetarium::will> will{};
    std::optional<std::string_view> user_name{};
    std::optional<std::string_view> password{};
    std::optional<bool> request_response_information{};
    std::optional<bool> request_problem_information{};
    std::optional<std::string_view> authentication_method{};
    std::optional<std::string_view> authentication_data{};
};

class broker_bench {
public:
    explicit broker_bench(const broker::broker_options& options = {},
                          broker::broker_hooks* hooks = nullptr)
        : core_(options, hooks) {}

    /// A transport opened, nothing sent.
    peer& open(protocol_version version = protocol_version::v5) {
        peers_.push_back(std::make_unique<peer>(*this, version));
        peer& made = *peers_.back();
        made.id_ = core_.handle_open(now_);
        by_connection_[made.id_] = &made;
        drain();
        return made;
    }

    /// A connection with CONNECT sent; CONNACK waits to be taken.
    peer& connect(const connect_with& how = {}) {
        peer& made = open(how.version);
        fleetarium::connect request;
        request.version = how.version;
        request.client_id = how.client_id;
        request.clean_start = how.clean_start;
        request.keep_alive = how.keep_alive;
        request.session_expiry_interval = how.session_expiry;
        request.receive_maximum = how.receive_maximum;
        request.maximum_packet_size = how.maximum_packet_size;
        request.topic_alias_maximum = how.topic_alias_maximum;
        request.will = how.will;
        request.user_name = how.user_name;
        if (how.password) {
            request.password = as_bytes_view(*how.password);
        }
        request.request_response_information = how.request_response_information;
        request.request_problem_information = how.request_problem_information;
        request.authentication_method = how.authentication_method;
        if (how.authentication_data) {
            request.authentication_data = as_bytes_view(*how.authentication_data);
        }
        made.send(request);
        return made;
    }

    /// As `connect`, with a CONNACK of success taken; throws if there is none.
    peer& connected(const connect_with& how = {}) {
        peer& made = connect(how);
        if (made.take_as<connack>().code != reason_code::success) {
            throw std::runtime_error("CONNECT was refused");
        }
        return made;
    }

    /// Subscribes and takes the SUBACK.
    void subscribe(peer& by, std::string_view filter, subscription_options options = {},
                   std::optional<std::uint32_t> identifier = {}) {
        const subscription_request one{filter, options};
        fleetarium::subscribe request;
        request.packet_id = ++subscribe_id_;
        request.requests = subscription_requests({&one, 1});
        request.subscription_identifier = identifier;
        by.send(request);
        by.take_as<suback>();
    }
    void subscribe(peer& by, std::string_view filter, enum qos granted) {
        subscribe(by, filter, subscription_options{granted, false, false, retain_handling::send});
    }

    /// Sends a PUBLISH; acknowledgements wait to be taken.
    void publish(peer& by, std::string_view topic, std::string_view payload,
                 enum qos qos = qos::at_most_once, std::uint16_t packet_id = 0,
                 bool retain = false) {
        fleetarium::publish message;
        message.topic = topic;
        message.payload = as_bytes_view(payload);
        message.qos = qos;
        message.packet_id = packet_id;
        message.retain = retain;
        by.send(message);
    }

    /// Turns the clock, stopping at each deadline of the broker on the way.
    void advance(duration by) {
        const instant end = now_ + by;
        while (core_.poll_timeout() <= end) {
            now_ = std::max(now_, core_.poll_timeout());
            core_.handle_timeout(now_);
            drain();
        }
        now_ = end;
    }

    /// Turns the clock past the deadlines on the way, as a driver does that wakes up late.
    void skip(duration by) { now_ += by; }

    instant now() const { return now_; }
    broker::broker_core& core() { return core_; }

    /// Frees the peers whose connection is closed: for tests that make very many. References to
    /// them end here.
    void forget_closed() {
        std::erase_if(peers_, [](const auto& each) { return each->closed(); });
    }

    /// Hands everything the broker has to say to the peers.
    void drain() {
        while (auto out = core_.poll_output()) {
            const auto found = by_connection_.find(out->connection);
            if (found == by_connection_.end()) {
                continue;
            }
            peer& to = *found->second;
            to.receive(to_bytes(out->bytes));
            if (out->close && !to.closed_) {
                to.closed_ = true;
                by_connection_.erase(found);
                core_.handle_closed(out->connection, now_);
            }
        }
    }

private:
    friend class peer;

    broker::broker_core core_;
    instant now_{};
    std::uint16_t subscribe_id_ = 0;
    std::vector<std::unique_ptr<peer>> peers_;
    std::map<broker::connection_id, peer*> by_connection_;
};

inline peer& peer::send_bytes(const bytes& raw) {
    if (!closed_) {
        bench_->core_.handle_bytes(id_, raw, bench_->now_);
        bench_->drain();
    }
    return *this;
}

inline void peer::cut() {
    if (!closed_) {
        closed_ = true;
        bench_->by_connection_.erase(id_);
        bench_->core_.handle_closed(id_, bench_->now_);
        bench_->drain();
    }
}

inline void peer::receive(const bytes& raw) {
    stream_.insert(stream_.end(), raw.begin(), raw.end());
    for (;;) {
        bytes_view rest = stream_;
        fleetarium::frame in;
        const frame_result result = split_frame(rest, in);
        if (result.broken != violation::none) {
            throw std::runtime_error("the broker sent no MQTT: " + to_hex(stream_));
        }
        if (!result.complete) {
            return;
        }
        received_packet made;
        made.raw.assign(stream_.begin(), stream_.end() - static_cast<std::ptrdiff_t>(rest.size()));
        packets_.push_back(std::move(made));
        stream_.erase(stream_.begin(), stream_.end() - static_cast<std::ptrdiff_t>(rest.size()));
    }
}

inline std::optional<received_packet> peer::take() {
    if (packets_.empty()) {
        return std::nullopt;
    }
    current_ = std::move(packets_.front());
    packets_.pop_front();
    bytes_view rest = current_.raw;
    split_frame(rest, current_.frame);
    current_.type = current_.frame.type();
    return current_;
}

inline std::string peer::text_of(const fleetarium::publish& in) {
    std::string out(in.topic);
    out += '=';
    out += as_text(in.payload);
    out += in.qos == qos::at_most_once ? "" : in.qos == qos::at_least_once ? " q1" : " q2";
    out += in.dup ? " dup" : "";
    out += in.retain ? " retain" : "";
    return out;
}

inline bool peer::ended_with(reason_code code) {
    if (version_ == protocol_version::v5) {
        const auto farewell = take();
        disconnect decoded;
        if (!farewell || farewell->type != packet_type::disconnect ||
            decode(current_.frame, version_, decoded) != violation::none || decoded.code != code) {
            return false;
        }
    }
    return closed_silently();
}

inline bool peer::refused_with(reason_code code) {
    const auto answer = take();
    connack decoded;
    return answer && answer->type == packet_type::connack &&
           decode(current_.frame, version_, decoded) == violation::none && decoded.code == code &&
           !decoded.session_present && closed_silently();
}

inline bool peer::is_served() {
    send(pingreq{});
    return take_hex() == "D0 00";
}

template <class Packet>
Packet peer::take_as() {
    if (!take()) {
        throw std::runtime_error("a packet was expected, none came");
    }
    return current_as<Packet>();
}

template <class Packet>
Packet peer::current_as() const {
    bytes_view rest = current_.raw;
    fleetarium::frame in;
    split_frame(rest, in);
    packet decoded;
    if (decode(in, version_, decoded) != violation::none ||
        !std::holds_alternative<Packet>(decoded)) {
        throw std::runtime_error("another packet was expected than " + to_hex(current_.raw));
    }
    return std::get<Packet>(decoded);
}

}  // namespace fleetarium::test
