#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Who may use the HTTP server, told from the headers of a request.
namespace fleetarium::broker {

/// "localhost", "127.x.x.x" or "[::1]", with any port.
bool is_loopback_host(std::string_view host);

/// "https://example.org:8443" is a page of "example.org:8443"; "null" is one of nobody.
std::string_view host_of_origin(std::string_view origin);

/// Whether a page of `origin` came from `host`, the Host of the request: the same name, whatever
/// its case, and the same port.
bool is_origin_of_host(std::string_view origin, std::string_view host);

/// Whether `Authorization` says "Bearer " and this token. How long it takes tells nothing of the
/// token.
bool has_token(std::string_view authorization, std::string_view token);

/// The parts of a header that is a list, without the spaces around them.
std::vector<std::string_view> split_list(std::string_view header);

/// What stands before the token where it comes as a WebSocket subprotocol: a browser lets a page
/// say nothing else of its own when it opens a WebSocket.
inline constexpr std::string_view token_subprotocol = "bearer.";

/// Whether one of these is `bearer.` and the token: as it is, or in base64url without padding
/// (RFC 4648 section 5), which any text can be written in. Time as with `has_token`.
bool has_token_subprotocol(const std::vector<std::string_view>& offered, std::string_view token);

/// Base64url without padding.
std::string base64url(std::string_view bytes);

}  // namespace fleetarium::broker
