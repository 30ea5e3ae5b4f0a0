#pragma once

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/session/client_session.hpp>

#include <support/hex.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// A client session on a test bench: the test plays the server in bytes and turns the clock.
namespace fleetarium::test {

using namespace std::chrono_literals;

/// A message as the client's application got it.
struct client_message {
    std::string topic;
    std::string payload;
    enum qos qos = qos::at_most_once;
    bool retain = false;
};

class client_bench {
public:
    explicit client_bench(protocol_version version = protocol_version::v5,
                          const client_options& options = {})
        : version_(version), options_(options), session_(options_) {}

    client_bench(const client_bench&) = delete;
    client_bench& operator=(const client_bench&) = delete;

    client_session& session() { return session_; }
    protocol_version version() const { return version_; }
    bool is_v5() const { return version_ == protocol_version::v5; }
    instant now() const { return now_; }

    /// A CONNECT of a session that outlives its connection, in the bench's version.
    connect usual() const {
        connect request;
        request.version = version_;
        request.client_id = "c";
        request.clean_start = false;
        if (is_v5()) {
            request.session_expiry_interval = 1'000;
        }
        return request;
    }

    /// A transport opened and CONNECT sent, which is dropped.
    client_bench& open() { return open(usual()); }
    client_bench& open(const connect& request) {
        require(session_.connect(request, now_));
        take_all();
        return *this;
    }

    /// As `open`, with CONNACK received: success, without properties or Session Present.
    client_bench& connected() { return connected(usual()); }
    client_bench& connected(const connect& request) {
        return connected(request, is_v5() ? "20 03 00 00 00" : "20 02 00 00");
    }
    client_bench& connected(const connect& request, std::string_view connack_hex) {
        open(request);
        receive(connack_hex);
        if (!session_.is_connected()) {
            throw std::runtime_error("the client did not take the CONNACK");
        }
        return *this;
    }
    /// The connection breaks and another one is accepted; what the client sends on it waits.
    client_bench& reconnected(bool session_present = true) {
        cut();
        return connected(usual(), is_v5() ? (session_present ? "20 03 01 00 00" : "20 03 00 00 00")
                                          : (session_present ? "20 02 01 00" : "20 02 00 00"));
    }

    /// The server sends these bytes, in one piece.
    client_bench& receive(std::string_view hex) { return receive(from_hex(hex)); }
    client_bench& receive(const bytes& raw) {
        input_.push_back(raw);  // events view it
        for (bytes_view rest = input_.back(); !rest.empty();) {
            note(session_.handle_bytes(rest, now_));
        }
        return *this;
    }
    /// One or the other by version.
    client_bench& receive(std::string_view v3_hex, std::string_view v5_hex) {
        return receive(is_v5() ? v5_hex : v3_hex);
    }

    /// The network fails.
    client_bench& cut() {
        session_.poll_transmit();
        sent_.clear();
        session_.handle_closed(now_);
        return *this;
    }

    /// Turns the clock, stopping at each deadline on the way.
    client_bench& advance(duration by) {
        const instant end = now_ + by;
        while (session_.poll_timeout() <= end) {
            now_ = std::max(now_, session_.poll_timeout());
            note(session_.handle_timeout(now_));
        }
        now_ = end;
        return *this;
    }

    /// The next packet that the client sent, in hexadecimal; "" if there is none.
    std::string take() {
        collect();
        if (sent_.empty()) {
            return {};
        }
        std::string first = std::move(sent_.front());
        sent_.pop_front();
        return first;
    }
    std::vector<std::string> take_all() {
        collect();
        std::vector<std::string> all(sent_.begin(), sent_.end());
        sent_.clear();
        return all;
    }

    result<void> publish(std::string_view topic, std::string_view payload,
                         enum qos qos = qos::at_most_once, bool retain = false) {
        fleetarium::publish out;
        out.topic = topic;
        out.payload = as_bytes_view(payload);
        out.qos = qos;
        out.retain = retain;
        return session_.publish(out, now_);
    }
    result<std::uint16_t> subscribe(std::string_view filter, subscription_options options = {},
                                    std::optional<std::uint32_t> identifier = {}) {
        const subscription_request one{filter, options};
        fleetarium::subscribe out;
        out.requests = subscription_requests({&one, 1});
        out.subscription_identifier = identifier;
        return session_.subscribe(out, now_);
    }
    result<std::uint16_t> unsubscribe(std::string_view filter) {
        fleetarium::unsubscribe out;
        out.filters = topic_filters({&filter, 1});
        return session_.unsubscribe(out, now_);
    }

    /// Whether the client has given up the connection: in 5.0 with a DISCONNECT of that code and
    /// nothing else, in 3.1.1 without a byte.
    bool ended_with(reason_code code) {
        const std::string farewell = take();
        if (!is_v5()) {
            return farewell.empty() && session_.should_close();
        }
        const bytes raw = from_hex(farewell);
        return raw.size() == 3 && raw[0] == 0xE0 && raw[2] == static_cast<std::uint8_t>(code) &&
               take().empty() && session_.should_close();
    }
    /// The same, without a byte in either version.
    bool closed_silently() { return take().empty() && session_.should_close(); }

    // What became known
    std::vector<client_message> messages;
    std::vector<violation> violations;
    std::vector<reason_code> acknowledged;  // code of each message of ours that is done
    std::vector<client_event> answers;      // connack, suback, unsuback, disconnect, auth
    std::size_t repeats = 0;

    /// The last answer of a type; null if there was none.
    template <class Packet>
    const Packet* last() const {
        for (auto at = answers.rbegin(); at != answers.rend(); ++at) {
            if (const auto* found = std::get_if<Packet>(&*at)) {
                return found;
            }
        }
        return nullptr;
    }

private:
    static void require(const result<void>& done) {
        if (!done) {
            throw std::runtime_error("refused: " + done.error().message());
        }
    }

    void note(client_event event) {
        if (const auto* message = std::get_if<fleetarium::publish>(&event)) {
            messages.push_back({std::string(message->topic), std::string(as_text(message->payload)),
                                message->qos, message->retain});
        } else if (std::holds_alternative<publish_repeated>(event)) {
            ++repeats;
        } else if (const auto* done = std::get_if<delivery_acknowledged>(&event)) {
            acknowledged.push_back(done->code);
        } else if (const auto* broken = std::get_if<protocol_violation>(&event)) {
            violations.push_back(broken->broken);
        } else if (!std::holds_alternative<std::monostate>(event)) {
            answers.push_back(std::move(event));
        }
    }

    void collect() {
        const bytes raw = to_bytes(session_.poll_transmit());
        for (bytes_view rest = raw; !rest.empty();) {
            const bytes_view before = rest;
            frame one;
            if (!split_frame(rest, one).complete) {
                throw std::runtime_error("no whole packet was sent: " + to_hex(before));
            }
            sent_.push_back(to_hex(before.first(before.size() - rest.size())));
        }
    }

    protocol_version version_;
    client_options options_;
    client_session session_;
    instant now_{};
    std::deque<bytes> input_;
    std::deque<std::string> sent_;
};

}  // namespace fleetarium::test
