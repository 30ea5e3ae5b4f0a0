#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/net/byte_stream.hpp>
#include <fleetarium/net/deadline.hpp>
#include <fleetarium/server/http_exchange.hpp>
#include <fleetarium/server/websocket_exchange.hpp>
#include <fleetarium/server/websocket_peer.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace boost::asio {
class io_context;
}

namespace fleetarium::broker {

/// A WebSocket on the stream of an HTTP connection, whose owner hands its events over.
///
/// Whoever holds the peer may outlive the stream: `handle_closed` or `abort` parts them.
/// Thread rule: the thread of the stream.
class websocket_connection final : public websocket_peer,
                                   public std::enable_shared_from_this<websocket_connection> {
public:
    using log_function = std::function<void(const std::string&)>;

    /// `stream` is open and has been started; `log` takes a line for a person.
    websocket_connection(boost::asio::io_context& context, net::byte_stream& stream,
                         http_upgrade upgrade, log_function log);

    /// Answers the request and tells the route.
    void start();

    /// Events of the stream.
    void handle_bytes(bytes_view bytes);
    void handle_drained();
    void handle_closed();

    /// Says 1001 as far as the peer takes it at once. No handler is called any more.
    void abort() noexcept;

    void handle(websocket_handlers handlers) override;
    bool send_text(std::string_view text) override;
    bool send_binary(std::string_view bytes) override;
    std::size_t bytes_unsent() const override;
    std::size_t bytes_unconfirmed() const override;
    void close(std::uint16_t code, std::string_view reason) override;
    bool is_open() const override;
    const http_request& request() const override { return request_; }
    const std::string& subprotocol() const override { return subprotocol_; }
    const std::string& address() const override { return address_; }

private:
    bool send(websocket_kind kind, std::string_view payload);
    void transmit();
    void send_mark();
    void take_pong();
    void tell_messages();
    void end_if_over();
    void wait_for_ping();
    void check_life();
    void part() noexcept;
    template <class Call>
    void tell(Call call);

    boost::asio::io_context& context_;
    net::byte_stream* stream_;  // none after the end
    std::unique_ptr<websocket_exchange> exchange_;
    const websocket_route& route_;
    const http_request request_;
    const std::string subprotocol_;
    const std::string address_;
    const std::string rest_;  // what came behind the request
    log_function log_;
    std::shared_ptr<const websocket_handlers> handlers_;  // none after the end
    net::deadline ping_;
    /// A ping that is not answered: what was sent before it has not reached the peer for sure.
    struct mark {
        std::uint64_t number;
        std::uint64_t bytes_sent;
    };
    std::deque<mark> marks_;
    std::uint64_t last_mark_ = 0;
    std::uint64_t bytes_sent_ = 0;  // of messages, with their frames
    std::uint64_t bytes_confirmed_ = 0;
    std::uint64_t bytes_written_ = 0;
    std::uint64_t bytes_taken_ = 0;        // of them, when the last ping went out
    std::size_t bytes_unsent_before_ = 0;  // then, too
    unsigned pings_unanswered_ = 0;        // by any byte
    bool had_backlog_ = false;
    bool leaving_ = false;  // the stream is being closed
};

}  // namespace fleetarium::broker
