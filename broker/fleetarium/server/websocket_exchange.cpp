#include <fleetarium/server/websocket_exchange.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/net/beast_carrier.hpp>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <algorithm>
#include <deque>
#include <stdexcept>
#include <utility>

namespace fleetarium::broker {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

bool may_be_sent(std::uint16_t code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

/// What fits into a close frame, without half a character at its end.
std::string_view cut_reason(std::string_view reason) {
    constexpr std::size_t size_max = 123;
    if (reason.size() <= size_max) {
        return reason;
    }
    std::size_t size = size_max;
    while (size > 0 && (static_cast<unsigned char>(reason[size]) & 0xc0U) == 0x80U) {
        --size;
    }
    return reason.substr(0, size);
}

/// The code that Beast has told the peer.
std::uint16_t code_of(boost::system::error_code error) {
    if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow) {
        return websocket_code::too_big;
    }
    return error == websocket::error::bad_frame_payload ? websocket_code::invalid_data
                                                        : websocket_code::protocol_error;
}

}  // namespace

/// Beast runs within `handle_bytes` and comes to rest there, see beast_carrier.
class websocket_exchange::implementation {
public:
    implementation(asio::execution_context& context, std::string_view key,
                   const std::string& subprotocol, const websocket_limits& limits)
        : link_(context), websocket_(link_) {
        websocket_.auto_fragment(false);
        websocket_.read_message_max(limits.message_bytes_max);
        websocket_.set_option(
            websocket::stream_base::decorator([&](websocket::response_type& answer) {
                answer.set(http::field::server, "fleetarium");
                if (!subprotocol.empty()) {
                    answer.set(http::field::sec_websocket_protocol, subprotocol);
                }
            }));
        // The parts of the request that the answer depends on; all else is judged already.
        http::request<http::empty_body> request(http::verb::get, "/", 11);
        request.set(http::field::host, "localhost");
        request.set(http::field::connection, "Upgrade");
        request.set(http::field::upgrade, "websocket");
        request.set(http::field::sec_websocket_version, "13");
        request.set(http::field::sec_websocket_key, {key.data(), key.size()});
        boost::system::error_code error;
        websocket_.accept(request, error);
        FLEETARIUM_ASSERT(!error);
        websocket_.set_option(websocket::stream_base::decorator([](websocket::response_type&) {}));
        websocket_.control_callback(
            [this](websocket::frame_type kind, boost::beast::string_view payload) {
                if (kind == websocket::frame_type::pong) {
                    pong_ = std::string(payload.data(), payload.size());
                }
            });
        read_on();
    }

    void handle_bytes(bytes_view bytes) {
        if (is_over_) {
            return;
        }
        link_.give_input(bytes);
        link_.run();
        link_.take_input();
    }

    void send(websocket_kind kind, std::string_view payload) {
        if (is_over_) {
            return;
        }
        boost::system::error_code ignored;  // memory takes all
        websocket_.binary(kind == websocket_kind::binary);
        websocket_.write(asio::const_buffer(payload.data(), payload.size()), ignored);
    }

    void send_ping(std::string_view payload) {
        if (!is_over_) {
            boost::system::error_code ignored;
            websocket_.ping({payload.data(), payload.size()}, ignored);
        }
    }

    void close(std::uint16_t code, std::string_view reason) {
        if (!may_be_sent(code)) {
            throw std::invalid_argument("a WebSocket cannot be closed with the code " +
                                        std::to_string(code));
        }
        if (is_over_) {
            return;
        }
        reason = cut_reason(reason);
        end(code, std::string(reason));
        websocket_.async_close({static_cast<websocket::close_code>(code),
                                boost::beast::string_view(reason.data(), reason.size())},
                               [](boost::system::error_code) {});
        link_.run();
    }

    wire_buffer poll_transmit() { return link_.take_output(); }

    std::optional<websocket_message> poll_message() {
        if (messages_.empty()) {
            return std::nullopt;
        }
        std::optional<websocket_message> first(std::move(messages_.front()));
        messages_.pop_front();
        return first;
    }

    std::optional<std::string> poll_pong() { return std::exchange(pong_, std::nullopt); }

    bool is_over() const { return is_over_; }
    std::uint16_t close_code() const { return code_; }
    const std::string& close_reason() const { return reason_; }

private:
    void read_on() {
        websocket_.async_read(
            buffer_, [this](boost::system::error_code error, std::size_t) { finish_read(error); });
    }

    void finish_read(boost::system::error_code error) {
        if (is_over_) {
            return;
        }
        if (error == websocket::error::closed) {
            const auto& said = websocket_.reason();
            end(said.code == websocket::close_code::none ? websocket_code::none
                                                         : static_cast<std::uint16_t>(said.code),
                std::string(said.reason.data(), said.reason.size()));
        } else if (error) {
            end(code_of(error), error.message());
        } else {
            const auto bytes = buffer_.cdata();
            messages_.push_back(
                {websocket_.got_text() ? websocket_kind::text : websocket_kind::binary,
                 std::string(static_cast<const char*>(bytes.data()), bytes.size())});
            buffer_.consume(bytes.size());
            read_on();
        }
    }

    void end(std::uint16_t code, std::string reason) {
        is_over_ = true;
        code_ = code;
        reason_ = std::move(reason);
    }

    net::beast_link link_;
    websocket::stream<net::beast_carrier, false> websocket_;
    boost::beast::flat_buffer buffer_;  // the message that is being read
    std::deque<websocket_message> messages_;
    std::optional<std::string> pong_;
    std::string reason_;
    std::uint16_t code_ = websocket_code::abnormal;
    bool is_over_ = false;
};

websocket_exchange::websocket_exchange(asio::execution_context& context, std::string_view key,
                                       const std::string& subprotocol,
                                       const websocket_limits& limits)
    : implementation_(std::make_unique<implementation>(context, key, subprotocol, limits)) {}
websocket_exchange::~websocket_exchange() = default;

void websocket_exchange::handle_bytes(bytes_view bytes) { implementation_->handle_bytes(bytes); }
void websocket_exchange::send(websocket_kind kind, std::string_view payload) {
    implementation_->send(kind, payload);
}
void websocket_exchange::send_ping(std::string_view payload) {
    implementation_->send_ping(payload);
}
void websocket_exchange::close(std::uint16_t code, std::string_view reason) {
    implementation_->close(code, reason);
}
wire_buffer websocket_exchange::poll_transmit() { return implementation_->poll_transmit(); }
std::optional<websocket_message> websocket_exchange::poll_message() {
    return implementation_->poll_message();
}
std::optional<std::string> websocket_exchange::poll_pong() { return implementation_->poll_pong(); }
bool websocket_exchange::is_over() const { return implementation_->is_over(); }
std::uint16_t websocket_exchange::close_code() const { return implementation_->close_code(); }
const std::string& websocket_exchange::close_reason() const {
    return implementation_->close_reason();
}

}  // namespace fleetarium::broker
