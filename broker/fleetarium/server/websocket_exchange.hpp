#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/wire_buffer.hpp>
#include <fleetarium/server/websocket_peer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace boost::asio {
class execution_context;
}

namespace fleetarium::broker {

/// The server's side of one WebSocket (RFC 6455, by Boost.Beast) without I/O: bytes go in, bytes
/// and messages come out. Nothing is compressed.
///
/// It begins with the answer to the request. Order of calls: after each call write what
/// `poll_transmit` gives; after `handle_bytes` take the messages, and if it `is_over` write the
/// rest and close. A peer that breaks a rule is told the code that the RFC has for it.
/// Thread rule: one thread at a time.
class websocket_exchange {
public:
    /// `key` is the request's Sec-WebSocket-Key, `subprotocol` what was agreed on; empty: none.
    /// The context is only named, nothing is run on it; it outlives the exchange.
    websocket_exchange(boost::asio::execution_context& context, std::string_view key,
                       const std::string& subprotocol, const websocket_limits& limits);
    ~websocket_exchange();
    websocket_exchange(const websocket_exchange&) = delete;
    websocket_exchange& operator=(const websocket_exchange&) = delete;

    /// Once it is over bytes are not looked at any more.
    void handle_bytes(bytes_view bytes);

    /// In vain once it is over, as those that follow.
    void send(websocket_kind kind, std::string_view payload);
    /// The peer gives the payload back in a pong; at most 125 bytes.
    void send_ping(std::string_view payload);
    /// Says farewell; the peer's is not waited for. See websocket_peer::close.
    void close(std::uint16_t code, std::string_view reason);

    wire_buffer poll_transmit();
    std::optional<websocket_message> poll_message();
    /// The payload of the last pong that came since the last call.
    std::optional<std::string> poll_pong();

    /// By a close of either side, or by what the peer did wrong.
    bool is_over() const;
    /// Once it is over: what the peer said, or what ended it here.
    std::uint16_t close_code() const;
    const std::string& close_reason() const;

private:
    class implementation;
    std::unique_ptr<implementation> implementation_;
};

}  // namespace fleetarium::broker
