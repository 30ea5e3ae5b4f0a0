#pragma once

#include <fleetarium/server/http_exchange.hpp>

#include <string>
#include <string_view>

/// Requests and answers of HTTP as text.
namespace fleetarium::test {

/// What a connection answers to these bytes.
inline std::string answer_to(const broker::http_service& service, std::string_view text) {
    broker::http_exchange exchange(service);
    exchange.handle_bytes(as_bytes_view(text));
    return exchange.poll_transmit();
}

/// A request of this machine without a body; each header with its line end.
inline std::string request_text(std::string_view method, std::string_view path,
                                std::string_view headers = {}) {
    return std::string(method) + ' ' + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" +
           std::string(headers) + "\r\n";
}

inline std::string get(std::string_view path, std::string_view headers = {}) {
    return request_text("GET", path, headers);
}

/// A request for a WebSocket that is to be granted.
inline std::string upgrade_to(std::string_view path, std::string_view headers = {}) {
    return get(path,
               "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                   std::string(headers));
}

inline std::string status_line(const std::string& answer) {
    return answer.substr(0, answer.find('\r'));
}

inline std::string body_of(const std::string& answer) {
    return answer.substr(answer.find("\r\n\r\n") + 4);
}

inline bool has_header(const std::string& answer, std::string_view line) {
    const std::string wanted = "\r\n" + std::string(line) + "\r\n";
    return answer.find(wanted) < answer.find("\r\n\r\n") + 2;
}

}  // namespace fleetarium::test
