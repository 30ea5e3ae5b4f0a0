#pragma once

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/session/client_session.hpp>
#include <fleetarium/session/server_session.hpp>

#include <support/hex.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

// A client session and a server session back to back: no broker in between, no network but a delay,
// a clock that the test turns, and cuts at any byte.
namespace fleetarium::test {

using namespace std::chrono_literals;

/// How the two ends of a pair are set up. The defaults make sessions that outlive connections.
struct pair_options {
    protocol_version version = protocol_version::v5;
    bool clean_start = false;
    std::uint32_t session_expiry = 3'600;  ///< seconds; 0 is sent as none
    std::uint16_t keep_alive = 0;
    duration latency{};
    std::uint16_t client_receive_maximum = 65'535;
    std::uint16_t server_receive_maximum = 65'535;
    std::uint32_t client_packet_size_max = limits::packet_size_max;
    std::uint32_t server_packet_size_max = limits::packet_size_max;
    std::uint16_t client_topic_alias_maximum = 0;
    std::uint16_t server_topic_alias_maximum = 0;
    std::uint16_t server_window_max = 65'535;
    client_options client = {};
};

enum class side : std::uint8_t { client, server };

/// A message as it was handed to the application of one side.
struct received_message {
    std::string topic;
    std::string payload;
    enum qos qos = qos::at_most_once;
    bool dup = false;
    bool retain = false;
    std::uint16_t packet_id = 0;

    bool operator==(const received_message&) const = default;
};

inline received_message record_of(const publish& in) {
    return {std::string(in.topic), std::string(as_text(in.payload)), in.qos, in.dup, in.retain,
            in.packet_id};
}

class session_pair {
public:
    explicit session_pair(const pair_options& how = {}) : how_(how), client_(how_.client) {}

    session_pair(const session_pair&) = delete;
    session_pair& operator=(const session_pair&) = delete;

    client_session& client() { return client_; }
    server_session& server() { return server_; }
    session_state& server_state() { return server_state_; }
    instant now() const { return now_; }
    bool is_open() const { return open_; }
    pair_options& how() { return how_; }

    /// Opens a transport and sends CONNECT; nothing is carried yet.
    void connect() {
        connection_limits before;
        before.maximum_packet_size = how_.server_packet_size_max;
        server_.open(before, how_.server_window_max, 10s, now_);
        fleetarium::connect request;
        request.version = how_.version;
        request.client_id = "c";
        request.clean_start = how_.clean_start;
        request.keep_alive = how_.keep_alive;
        if (how_.version == protocol_version::v5) {
            if (how_.session_expiry != 0) {
                request.session_expiry_interval = how_.session_expiry;
            }
            request.receive_maximum = unless(how_.client_receive_maximum, 65'535);
            request.maximum_packet_size =
                unless(how_.client_packet_size_max, limits::packet_size_max);
            request.topic_alias_maximum = unless(how_.client_topic_alias_maximum, 0);
        }
        if (!client_.connect(request, now_)) {
            throw std::runtime_error("connect was refused by the client session");
        }
        open_ = true;
        collect();
    }

    /// A new connection, carried until nothing is under way.
    void reconnect() {
        connect();
        drive();
    }

    /// Carries bytes, the clock going on by the latency, until nothing is under way. Deadlines do
    /// not fire.
    void drive() {
        collect();
        while (carry_next(never)) {
        }
    }

    /// Turns the clock, stopping at each arrival and deadline on the way.
    void advance(duration by) {
        const instant end = now_ + by;
        collect();
        for (;;) {
            if (carry_next(end)) {
                continue;
            }
            const instant deadline =
                open_ ? std::min(client_.poll_timeout(), server_.poll_timeout()) : never;
            if (deadline > end) {
                break;
            }
            now_ = std::max(now_, deadline);
            handle(client_.handle_timeout(now_));
            server_event event = server_.handle_timeout(now_);
            handle(event);
            collect();
        }
        now_ = end;
    }

    /// The connection breaks; what is under way is lost.
    void cut() {
        collect();
        under_way_.clear();
        close();
    }

    /// The connection breaks as soon as `count` more bytes of `from` have arrived; what the other
    /// side has under way then is lost, too.
    void cut_after(side from, std::size_t count) { cut_after_ = {from, count}; }
    /// Whether that has happened; forgets it if it has not.
    bool was_cut() {
        const bool happened = open_ ? false : !cut_after_.has_value();
        cut_after_.reset();
        return happened;
    }

    /// The server's application sends a message to the client.
    void server_publish(std::string_view topic, std::string_view payload, enum qos qos,
                        const message_origin& origin = {}) {
        publish in;
        in.topic = topic;
        in.payload = as_bytes_view(payload);
        in.qos = qos;
        delivery added;
        added.message = message::make(in, origin);
        added.qos = qos;
        server_state_.outbound.push(std::move(added));
        send_server_deliveries();
        collect();
    }

    result<void> client_publish(std::string_view topic, std::string_view payload, enum qos qos,
                                std::uint64_t number = 0) {
        publish out;
        out.topic = topic;
        out.payload = as_bytes_view(payload);
        out.qos = qos;
        const auto done = client_.publish(out, now_, number);
        collect();
        return done;
    }

    /// Every packet that a side sent, in hexadecimal, first to last, all connections; also those
    /// that were cut off.
    const std::vector<std::string>& sent(side by) const {
        return by == side::client ? client_sent_ : server_sent_;
    }
    /// The packets of `sent` of one type, by the first four bits.
    std::vector<std::string> sent(side by, packet_type type) const {
        std::vector<std::string> found;
        for (const std::string& one : sent(by)) {
            if (from_hex(one)[0] >> 4 == static_cast<int>(type)) {
                found.push_back(one);
            }
        }
        return found;
    }
    void forget_sent() {
        client_sent_.clear();
        server_sent_.clear();
    }
    std::size_t bytes_arrived(side from) const { return arrived_[static_cast<std::size_t>(from)]; }

    // What the applications learned
    std::vector<received_message> at_server;
    std::vector<received_message> at_client;
    std::vector<std::uint64_t> client_acknowledged;  // numbers
    std::vector<std::string> server_acknowledged;    // payloads
    std::vector<violation> client_violations;
    std::vector<violation> server_violations;
    std::size_t repeats = 0;  // PUBLISHes that either side knew already
    std::optional<connack> last_connack;
    std::optional<reason_code> server_saw_disconnect;
    std::optional<reason_code> client_saw_disconnect;

    /// What the server answers a PUBLISH with.
    reason_code publish_answer = reason_code::success;

private:
    struct piece {
        instant at;
        side from;
        bytes content;
    };
    struct cut_point {
        side from;
        std::size_t count;
    };

    template <class Number>
    static std::optional<Number> unless(Number value, std::type_identity_t<Number> usual) {
        return value == usual ? std::nullopt : std::optional(value);
    }

    /// Puts what both sides have to say under way.
    void collect() {
        if (!open_) {
            return;
        }
        put_under_way(side::client, client_.poll_transmit());
        put_under_way(side::server, server_.poll_transmit());
    }

    void put_under_way(side from, const wire_buffer& output) {
        if (output.empty()) {
            return;
        }
        const bytes content = to_bytes(output);
        auto& log = from == side::client ? client_sent_ : server_sent_;
        for (bytes_view rest = content; !rest.empty();) {
            const bytes_view before = rest;
            frame one;
            if (!split_frame(rest, one).complete) {
                throw std::runtime_error("no whole packet was sent: " + to_hex(before));
            }
            log.push_back(to_hex(before.first(before.size() - rest.size())));
        }
        under_way_.push_back({now_ + how_.latency, from, content});
    }

    bool carry_next(instant until) {
        if (under_way_.empty() || under_way_.front().at > until) {
            close_if_asked();
            return false;
        }
        piece next = std::move(under_way_.front());
        under_way_.pop_front();
        now_ = std::max(now_, next.at);
        bool cut_here = false;
        if (cut_after_ && cut_after_->from == next.from) {
            cut_here = next.content.size() >= cut_after_->count;
            next.content.resize(std::min(next.content.size(), cut_after_->count));
            cut_after_->count -= next.content.size();
        }
        arrived_[static_cast<std::size_t>(next.from)] += next.content.size();
        if (next.from == side::client) {
            server_receives(next.content);
        } else {
            client_receives(next.content);
        }
        if (cut_here) {
            cut_after_.reset();
            cut();
            return false;
        }
        collect();
        return true;
    }

    /// A side that is done closes the transport when what it sent has arrived.
    void close_if_asked() {
        if (open_ && under_way_.empty() && (client_.should_close() || server_.should_close())) {
            close();
        }
    }

    void close() {
        if (!open_) {
            return;
        }
        open_ = false;
        client_.poll_transmit();
        client_.handle_closed(now_);
        server_.detach();
        server_state_.outbound.rewind();
        if (session_exists_ && !server_keeps_session_) {
            server_state_.clear();
            session_exists_ = false;
        }
    }

    void client_receives(const bytes& content) {
        for (bytes_view input = content; !input.empty();) {
            handle(client_.handle_bytes(input, now_));
        }
    }

    void handle(const client_event& event) {
        if (const auto* message = std::get_if<publish>(&event)) {
            at_client.push_back(record_of(*message));
        } else if (std::holds_alternative<publish_repeated>(event)) {
            ++repeats;
        } else if (const auto* done = std::get_if<delivery_acknowledged>(&event)) {
            client_acknowledged.push_back(done->done.message->identity().number);
        } else if (const auto* broken = std::get_if<protocol_violation>(&event)) {
            client_violations.push_back(broken->broken);
        } else if (const auto* farewell = std::get_if<disconnect>(&event)) {
            client_saw_disconnect = farewell->code;
        } else if (const auto* answer = std::get_if<connack>(&event)) {
            last_connack = *answer;
        }
    }

    void server_receives(const bytes& content) {
        for (bytes_view input = content; !input.empty();) {
            server_event event = server_.handle_bytes(input, now_);
            handle(event);
        }
    }

    void handle(server_event& event) {
        if (const auto* request = std::get_if<fleetarium::connect>(&event)) {
            accept(*request);
        } else if (const auto* message = std::get_if<publish>(&event)) {
            at_server.push_back(record_of(*message));
            if (message->qos != qos::at_most_once) {
                server_.acknowledge(*message, publish_answer, now_);
            }
        } else if (std::holds_alternative<publish_repeated>(event)) {
            ++repeats;
        } else if (const auto* done = std::get_if<delivery_acknowledged>(&event)) {
            server_acknowledged.emplace_back(as_text(done->done.message->payload()));
            send_server_deliveries();
        } else if (const auto* wanted = std::get_if<subscribe>(&event)) {
            answer<suback>(wanted->packet_id, wanted->requests);
        } else if (const auto* unwanted = std::get_if<unsubscribe>(&event)) {
            answer<unsuback>(unwanted->packet_id, unwanted->filters);
        } else if (const auto* farewell = std::get_if<disconnect>(&event)) {
            server_saw_disconnect = farewell->code;
            if (farewell->session_expiry_interval) {
                server_keeps_session_ = *farewell->session_expiry_interval != 0;
            }
        } else if (const auto* broken = std::get_if<protocol_violation>(&event)) {
            server_violations.push_back(broken->broken);
        }
    }

    void accept(const fleetarium::connect& request) {
        if (request.clean_start) {
            server_state_.clear();
            session_exists_ = false;
        }
        connack answer;
        answer.session_present = session_exists_;
        connection_limits own;
        if (request.version == protocol_version::v5) {
            answer.receive_maximum = unless(how_.server_receive_maximum, 65'535);
            answer.maximum_packet_size =
                unless(how_.server_packet_size_max, limits::packet_size_max);
            answer.topic_alias_maximum = unless(how_.server_topic_alias_maximum, 0);
            own.receive_maximum = how_.server_receive_maximum;
            own.maximum_packet_size = how_.server_packet_size_max;
            own.topic_alias_maximum = how_.server_topic_alias_maximum;
        }
        session_exists_ = true;
        server_keeps_session_ = request.version == protocol_version::v5
                                    ? request.session_expiry_interval.value_or(0) != 0
                                    : !request.clean_start;
        if (server_.accept(answer, own, request.keep_alive, server_state_, now_)) {
            send_server_deliveries();
        }
    }

    template <class Answer, class List>
    void answer(std::uint16_t packet_id, const List& list) {
        std::vector<reason_code> codes;
        list.for_each([&](const auto&) { codes.push_back(reason_code::success); });
        Answer out;
        out.packet_id = packet_id;
        out.codes = codes;
        server_.send(out, now_);
    }

    void send_server_deliveries() {
        if (!server_.is_accepted()) {
            return;
        }
        delivery affected;
        for (;;) {
            const send_step step = server_.send_next(now_, affected);
            if (step == send_step::idle || step == send_step::window_full) {
                return;
            }
        }
    }

    pair_options how_;
    instant now_{};
    client_session client_;
    session_state server_state_;  // outlives server_
    server_session server_;
    std::deque<piece> under_way_;
    std::optional<cut_point> cut_after_;
    std::vector<std::string> client_sent_;
    std::vector<std::string> server_sent_;
    std::size_t arrived_[2] = {0, 0};
    bool open_ = false;
    bool session_exists_ = false;
    bool server_keeps_session_ = false;
};

}  // namespace fleetarium::test
