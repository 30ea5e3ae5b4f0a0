#pragma once

#include <fleetarium/broker/broker_options.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/net/tls_context.hpp>
#include <fleetarium/net/url.hpp>
#include <fleetarium/server/http_exchange.hpp>
#include <fleetarium/storage/sync_mode.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::broker {

/// One address to listen on, and what holds for those who come that way.
struct listener_options {
    net::url url{};
    net::tls_options tls{};                              ///< for mqtts and wss
    bool subject_as_user_name = false;                   ///< the client certificate's Common Name
    std::optional<bool> allow_anonymous{};               ///< none: as the server's
    std::size_t connections_max = 4'000'000;             ///< above it: "server busy"
    std::optional<std::uint32_t> maximum_packet_size{};  ///< bytes; none: as the broker's

    // Bounds that 0 leaves out. An address is an IPv4 address, or the first 64 bits of an IPv6 one.
    /// Connections a second, and as many at once; above it "connection rate exceeded".
    std::uint32_t connection_rate_max = 0;
    std::uint32_t address_connection_rate_max = 0;  ///< likewise, of one address
    std::size_t address_connections_max = 0;        ///< of one address; above it "quota exceeded"

    /// Origins of the web pages that may connect, such as "https://example.org"; "*": all. Empty:
    /// those of this machine where the URL names it (127.0.0.1 and the like), else all. Programs
    /// that are no browsers send no origin, and are not concerned. For ws and wss.
    std::vector<std::string> origins{};
};

enum class log_level : std::uint8_t { debug, info, warning, error };

/// One line for a person: what happened, to whom, why. Called from the server's threads, one at a
/// time.
using log_sink = std::function<void(log_level, std::string_view)>;

/// What a program adds to a server's HTTP, beside /metrics and /health.
struct http_additions {
    std::vector<http_route> routes{};
    std::vector<websocket_route> websockets{};
    /// Called on the HTTP server's thread, twenty times a second; empty: nothing is.
    std::function<void()> poll{};
};

/// Where durable sessions and retained messages are kept.
struct persistence_options {
    std::string file{};  ///< empty: they end with the process
    storage::sync_mode sync = storage::sync_mode::full;
    /// Bytes of changes that may wait for the disk before nothing more is read from clients that
    /// make changes; silence is not held against them meanwhile. All others are served.
    std::size_t backlog_max = std::size_t{64} << 20;
};

/// Everything about a server that can be chosen.
struct server_options {
    broker_options broker{};
    std::vector<listener_options> listeners{};  ///< none: pipes only
    /// Threads that read, write, encrypt and frame; the core is one, and taken in turns.
    unsigned threads = 1;
    bool allow_anonymous = true;  ///< let clients without a user name in
    std::string password_file{};  ///< see password_file.hpp; empty: none
    std::string access_file{};    ///< see access_file.hpp; empty: all is allowed
    persistence_options persistence{};
    /// Passwords that are checked or wait for it, a quarter of one address; above it "server
    /// busy". 1 or more.
    std::size_t password_checks_max = 256;
    /// Bytes that may wait for a slow client's socket before its messages wait in its session's
    /// queue, where the queue's bounds hold; then nothing more is read from it either. 1024 or
    /// more. Where broker.output_bytes_per_turn_max is 0, that is 16 times as much.
    std::size_t output_bytes_max = std::size_t{1} << 20;
    /// How long `stop` waits for farewells to be written; whoever is slower is cut off.
    duration stop_timeout = std::chrono::seconds{2};
    std::string http_address{};  ///< HOST:PORT of /metrics and /health; empty: none
    /// What HTTP clients have to show as a bearer token; needed where the address is not loopback.
    std::string http_token{};
    http_additions http_more{};
    log_sink log{};  ///< empty: no log
};

}  // namespace fleetarium::broker
