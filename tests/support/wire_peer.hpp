#pragma once

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/net/byte_stream.hpp>
#include <fleetarium/net/connector.hpp>
#include <fleetarium/server/server.hpp>

#include <support/hex.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A client that speaks in packets over a real stream and waits with a deadline: for tests of what a
// server does with peers, well-behaved or not.
namespace fleetarium::test {

class wire_peer final : public net::byte_stream::events {
public:
    /// Over a pipe to a server of this process.
    explicit wire_peer(broker::server& to, protocol_version version = protocol_version::v5)
        : version_(version), stream_(to.open_pipe(context_.get_executor())) {
        stream_->start(*this);
    }

    /// Over the network.
    explicit wire_peer(const net::url& to, protocol_version version = protocol_version::v5,
                       const net::tls_context& tls = {})
        : version_(version) {
        const auto attempt = net::connect_stream(
            context_, to, tls,
            [this](boost::system::error_code why, std::unique_ptr<net::byte_stream> stream) {
                failure_ = why;
                connected_or_failed_ = true;
                stream_ = std::move(stream);
            });
        run_until([this] { return connected_or_failed_; }, "a connection");
        if (!stream_) {
            throw std::runtime_error("no connection: " + failure_.message());
        }
        stream_->start(*this);
    }

    ~wire_peer() {
        if (stream_) {
            stream_->abort();
        }
    }
    wire_peer(const wire_peer&) = delete;
    wire_peer& operator=(const wire_peer&) = delete;

    template <class Packet>
    wire_peer& send(const Packet& packet) {
        wire_buffer out;
        if constexpr (std::is_same_v<Packet, fleetarium::connect>) {
            encode(packet, out);
        } else {
            encode(packet, version_, out);
        }
        stream_->write(std::move(out));
        return *this;
    }
    wire_peer& send_bytes(bytes_view raw) {
        wire_buffer out;
        out.append(raw);
        stream_->write(std::move(out));
        return *this;
    }
    wire_peer& send_hex(std::string_view hex) { return send_bytes(from_hex(hex)); }

    /// CONNECT, and the CONNACK that came.
    reason_code connect(std::string_view client_id, bool clean_start = true,
                        std::optional<std::string_view> user_name = {},
                        std::optional<std::string_view> password = {}) {
        fleetarium::connect request;
        request.version = version_;
        request.client_id = client_id;
        request.clean_start = clean_start;
        if (!clean_start && version_ == protocol_version::v5) {
            request.session_expiry_interval = 600;
        }
        request.user_name = user_name;
        if (password) {
            request.password = as_bytes_view(*password);
        }
        send(request);
        const auto answer = take<connack>();
        session_present = answer.session_present;
        return answer.code;
    }

    void subscribe(std::string_view filter, enum qos granted = qos::at_most_once) {
        const subscription_request one{
            filter, subscription_options{granted, false, false, retain_handling::send}};
        fleetarium::subscribe request;
        request.packet_id = 1;
        request.requests = subscription_requests({&one, 1});
        send(request);
        take<suback>();
    }

    void publish(std::string_view topic, std::string_view payload, enum qos qos = qos::at_most_once,
                 std::uint16_t packet_id = 0, bool retain = false) {
        fleetarium::publish message;
        message.topic = topic;
        message.payload = as_bytes_view(payload);
        message.qos = qos;
        message.packet_id = packet_id;
        message.retain = retain;
        send(message);
    }

    /// The next packet, of this type; views in it are valid until the next take.
    template <class Packet>
    Packet take() {
        std::size_t size = 0;
        run_until([&] { return (size = whole_packet()) != 0 || closed_; }, "a packet");
        if (size == 0) {
            throw std::runtime_error("a packet was expected, the stream was closed: " +
                                     closed_why_.message());
        }
        current_.assign(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(size));
        received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(size));
        bytes_view rest = current_;
        frame in;
        split_frame(rest, in);
        packet decoded;
        if (decode(in, version_, decoded) != violation::none ||
            !std::holds_alternative<Packet>(decoded)) {
            throw std::runtime_error("another packet was expected than " + to_hex(current_));
        }
        return std::get<Packet>(decoded);
    }

    /// "topic=payload" of the next packet, a PUBLISH.
    std::string take_publish() {
        const auto in = take<fleetarium::publish>();
        return std::string(in.topic) + "=" + std::string(as_text(in.payload));
    }

    /// Whether the server closes, sooner or later but before the deadline.
    bool is_closed_by_server() {
        run_until([this] { return closed_; }, "the end of the stream");
        return true;
    }
    bool has_been_closed() {
        context_.restart();
        context_.poll();
        return closed_;
    }
    /// Bytes that came and are not taken, as they are.
    const std::vector<std::uint8_t>& received() const { return received_; }

    /// Runs this peer's events until the condition holds; throws when nothing has come for ten
    /// seconds.
    template <class Condition>
    void run_until(Condition&& holds, const char* what) {
        for (int idle_turns = 0; !holds();) {
            heard_ = false;
            context_.restart();
            idle_turns += context_.run_one_for(std::chrono::milliseconds{100}) == 0;
            idle_turns = heard_ ? 0 : idle_turns;
            if (idle_turns > 100) {
                throw std::runtime_error(std::string("waited in vain for ") + what);
            }
        }
    }

    net::byte_stream& stream() { return *stream_; }
    bool session_present = false;

    void on_bytes(bytes_view arrived) override {
        heard_ = true;
        received_.insert(received_.end(), arrived.begin(), arrived.end());
    }
    void on_drained() override { heard_ = true; }
    void on_closed(boost::system::error_code why) override {
        heard_ = true;
        closed_ = true;
        closed_why_ = why;
    }

private:
    std::size_t whole_packet() const {
        bytes_view rest = received_;
        frame in;
        const frame_result cut = split_frame(rest, in);
        if (cut.broken != violation::none) {
            throw std::runtime_error("no MQTT came: " + to_hex(received_));
        }
        return cut.complete ? received_.size() - rest.size() : 0;
    }

    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
        context_.get_executor()};  // a pipe's end waits without any
    protocol_version version_;
    std::unique_ptr<net::byte_stream> stream_;
    std::vector<std::uint8_t> received_;
    std::vector<std::uint8_t> current_;
    boost::system::error_code failure_;
    boost::system::error_code closed_why_;
    bool heard_ = false;
    bool connected_or_failed_ = false;
    bool closed_ = false;
};

}  // namespace fleetarium::test
