#include <fleetarium/net/websocket_upgrade.hpp>

#include <fleetarium/net/websocket_errors.hpp>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include <algorithm>
#include <utility>

namespace fleetarium::net {

namespace {

namespace http = boost::beast::http;

constexpr std::size_t header_bytes_max = 8 * 1024;
constexpr std::string_view header_end = "\r\n\r\n";

/// Tells what a peer speaks that does not speak HTTP, from its first byte.
boost::system::error_code check_first_byte(std::uint8_t first) {
    constexpr std::uint8_t mqtt_connect = 0x10;
    constexpr std::uint8_t tls_handshake = 22;
    if (first == mqtt_connect) {
        return websocket_error::mqtt_without_websocket;
    }
    if (first == tls_handshake) {
        return websocket_error::tls_instead;
    }
    if (first < 'A' || first > 'Z') {
        return websocket_error::not_http;
    }
    return {};
}

/// A control character that no header holds.
bool is_control(std::uint8_t byte) {
    return byte < 0x20 && byte != '\r' && byte != '\n' && byte != '\t';
}

websocket_upgrade::verdict refuse(websocket_error why, std::string_view status,
                                  std::string_view headers, const std::string& text) {
    websocket_upgrade::verdict made;
    made.refused = why;
    made.answer.append("HTTP/1.1 ").append(status).append("\r\n");
    made.answer.append("Connection: close\r\n").append(headers);
    made.answer.append("Content-Type: text/plain; charset=utf-8\r\nContent-Length: ");
    made.answer.append(std::to_string(text.size())).append("\r\n\r\n").append(text);
    return made;
}

/// Whether "mqtt" is among the subprotocols, which may stand in one field or in several.
bool offers_mqtt(const websocket_upgrade::request_type& request) {
    const auto fields = request.equal_range(http::field::sec_websocket_protocol);
    return std::any_of(fields.first, fields.second, [](const auto& field) {
        const http::token_list offered(field.value());
        return std::any_of(offered.begin(), offered.end(),
                           [](const auto& one) { return one == "mqtt"; });
    });
}

std::string_view path_of(const websocket_upgrade::request_type& request) {
    const std::string_view target(request.target().data(), request.target().size());
    return target.substr(0, target.find('?'));
}

}  // namespace

std::optional<websocket_upgrade::verdict> websocket_upgrade::read(bytes_view bytes) {
    if (bytes.empty()) {
        return std::nullopt;
    }
    if (text_.empty()) {
        if (const auto error = check_first_byte(bytes[0])) {
            verdict made;
            made.refused = error;
            return made;
        }
    }
    const std::size_t searched = text_.size() < 3 ? 0 : text_.size() - 3;
    text_ += as_text(bytes);
    const std::size_t end = text_.find(header_end, searched);
    if (end <= header_bytes_max) {
        return judge(end + header_end.size());
    }
    if (std::any_of(bytes.begin(), bytes.end(), is_control)) {
        return judge(text_.size());  // no header ever ends well that has this in it
    }
    if (text_.size() > header_bytes_max) {
        return refuse(websocket_error::header_too_large, "431 Request Header Fields Too Large", "",
                      "The header of this request is too large; expected 8192 bytes at most.\n");
    }
    return std::nullopt;
}

websocket_upgrade::verdict websocket_upgrade::judge(std::size_t header_size) {
    const std::string speaks =
        "This is MQTT over WebSocket at the path " + path_ + "; connect with an MQTT client";
    http::request_parser<http::empty_body> parser;
    parser.header_limit(header_bytes_max + 4);
    // A body is not read: it would be taken for frames if the request were accepted.
    boost::system::error_code error;
    parser.put(boost::asio::const_buffer(text_.data(), header_size), error);
    if (error || !parser.is_header_done() || parser.content_length_remaining().value_or(0) != 0 ||
        parser.chunked()) {
        return refuse(websocket_error::bad_request, "400 Bad Request", "",
                      "This is no request that can be understood. " + speaks + ".\n");
    }
    verdict made;
    made.request = parser.release();
    made.rest = text_.substr(header_size);
    if (path_of(made.request) != path_) {
        return refuse(websocket_error::wrong_path, "404 Not Found", "",
                      "There is nothing at this path. " + speaks + ".\n");
    }
    for (const auto& field : made.request) {
        const std::string_view origin(field.value().data(), field.value().size());
        if (field.name() == http::field::origin && may_ask_ && !may_ask_(origin)) {
            return refuse(websocket_error::wrong_origin, "403 Forbidden", "",
                          "Web pages of this origin may not connect here.\n");
        }
    }
    if (!boost::beast::websocket::is_upgrade(made.request) ||
        made.request[http::field::sec_websocket_version] != "13") {
        return refuse(websocket_error::not_an_upgrade, "426 Upgrade Required",
                      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                      "Sec-WebSocket-Protocol: mqtt\r\n",
                      speaks + ".\n");
    }
    if (!offers_mqtt(made.request)) {
        return refuse(websocket_error::no_subprotocol, "400 Bad Request", "",
                      "The request does not offer the WebSocket subprotocol \"mqtt\" "
                      "(Sec-WebSocket-Protocol: mqtt), as MQTT 3.1.1 and 5.0 demand.\n");
    }
    return made;
}

}  // namespace fleetarium::net
