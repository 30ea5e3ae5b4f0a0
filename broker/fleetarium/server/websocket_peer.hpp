#pragma once

#include <fleetarium/core/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::broker {

struct http_request;

/// The status codes of a WebSocket's end (RFC 6455 section 7.4.1). An application has those from
/// 4000 to 4999 for its own ends.
namespace websocket_code {

inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t going_away = 1001;  ///< the server stops
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t unsupported_data = 1003;
inline constexpr std::uint16_t none = 1005;          ///< the peer gave no code; never sent
inline constexpr std::uint16_t abnormal = 1006;      ///< the connection just ended; never sent
inline constexpr std::uint16_t invalid_data = 1007;  ///< text that is no UTF-8
inline constexpr std::uint16_t policy = 1008;        ///< the peer was silent
inline constexpr std::uint16_t too_big = 1009;       ///< beyond message_bytes_max
inline constexpr std::uint16_t internal_error = 1011;
inline constexpr std::uint16_t try_again_later = 1013;  ///< beyond unsent_bytes_max

}  // namespace websocket_code

enum class websocket_kind : std::uint8_t { text, binary };

struct websocket_message {
    websocket_kind kind = websocket_kind::text;
    std::string payload{};  ///< text is UTF-8
};

/// What peers of a WebSocket may cost.
struct websocket_limits {
    /// A larger message of a peer ends the connection with 1009.
    std::size_t message_bytes_max = std::size_t{64} << 10;
    /// A message to a peer that would make more than this wait ends the connection with 1013.
    std::size_t unsent_bytes_max = std::size_t{16} << 20;
    /// How often a peer is pinged. One that answered neither of two pings with any byte, or took
    /// nothing of what waits for it from one ping to the next, is closed with 1008.
    duration ping_interval = std::chrono::seconds{20};
};

/// What a server wants to know of a peer; each may be empty. Never called from inside a call of
/// the peer, nor once the server is stopped. What they throw ends the connection with 1011.
struct websocket_handlers {
    std::function<void(websocket_message message)> message{};
    /// All that waited is written: bytes_unsent() is 0 again.
    std::function<void()> drained{};
    /// The last of all. `code` is what the peer said, or what ended it here.
    std::function<void(std::uint16_t code, const std::string& reason)> closed{};
};

/// An open WebSocket to a viewer. Holding it keeps nothing open; after the end all calls are in
/// vain.
/// Thread rule: the thread of the HTTP server.
class websocket_peer {
public:
    virtual ~websocket_peer() = default;
    websocket_peer(const websocket_peer&) = delete;
    websocket_peer& operator=(const websocket_peer&) = delete;

    /// From now on these are told, instead of those before. They may hold the peer: they are let
    /// go at the end.
    virtual void handle(websocket_handlers handlers) = 0;

    /// Sends a message, `text` in UTF-8. False: it is not sent, as the connection is at its end, or
    /// is brought to it now because more than unsent_bytes_max would wait.
    virtual bool send_text(std::string_view text) = 0;
    virtual bool send_binary(std::string_view bytes) = 0;

    /// Bytes that wait here until the operating system takes more; it holds some megabytes itself.
    virtual std::size_t bytes_unsent() const = 0;

    /// Bytes of messages of which it is not known yet that they reached the peer's program: those
    /// unsent, those held by operating systems, and those on the way. Pings between the messages
    /// tell. Who sends often looks here first, and sends less, or later, to a peer that is slow.
    virtual std::size_t bytes_unconfirmed() const = 0;

    /// Ends the connection behind what was sent. Of the reason, UTF-8, 123 bytes are told. Throws
    /// std::invalid_argument if the code cannot be sent: it is one of 1000 to 1003, 1007 to 1014
    /// and 3000 to 4999.
    virtual void close(std::uint16_t code = websocket_code::normal,
                       std::string_view reason = {}) = 0;

    virtual bool is_open() const = 0;

    /// What the WebSocket was asked for with: path, parameters, query, headers.
    virtual const http_request& request() const = 0;
    /// The one that was agreed on; empty: none.
    virtual const std::string& subprotocol() const = 0;
    /// "127.0.0.1:51234"
    virtual const std::string& address() const = 0;

protected:
    websocket_peer() = default;
};

/// A path on which the HTTP server opens WebSockets (RFC 6455).
struct websocket_route {
    std::string path{};  ///< as of http_route
    std::string what{};  ///< as of http_route
    /// The server's; of what a client offers, the first that is here is agreed on. A client that
    /// offers others only is refused, one that offers none is let in with none.
    std::vector<std::string> subprotocols{};
    websocket_limits limits{};
    /// Called on the server's thread when one is open; what it throws ends it with 1011.
    std::function<void(std::shared_ptr<websocket_peer>)> opened{};
};

}  // namespace fleetarium::broker
