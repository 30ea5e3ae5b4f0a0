#pragma once

#include <fleetarium/core/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace fleetarium::net {

enum class scheme : std::uint8_t { mqtt, mqtts, ws, wss, unix_socket };

/// Where a broker listens or is to be found:
/// `mqtt://HOST[:PORT]`, `mqtts://`, `ws://HOST[:PORT][/PATH]`, `wss://`, `unix:///PATH`.
/// An IPv6 address stands in brackets. To listen on every address, HOST may be empty, `0.0.0.0`
/// or `[::]`; port 0 takes a free one.
struct url {
    enum scheme scheme = scheme::mqtt;
    std::string host{};      ///< without brackets; empty for unix
    std::uint16_t port = 0;  ///< 1883, 8883, 80 and 443 where the text had none
    std::string path{};      ///< of the WebSocket (default "/mqtt"), or of the Unix socket

    bool is_tls() const { return scheme == scheme::mqtts || scheme == scheme::wss; }
    bool is_websocket() const { return scheme == scheme::ws || scheme == scheme::wss; }
    bool operator==(const url&) const = default;
};

/// Errors: a sentence that says what was found and what was expected.
struct url_or_problem {
    url value{};
    std::string problem{};  ///< empty if the text is a URL
};
url_or_problem parse_url(std::string_view text);

/// The text that reads back as `printed`.
std::string to_string(const url& printed);

}  // namespace fleetarium::net
