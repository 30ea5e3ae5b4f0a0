#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::broker {

/// What a request has in the place of a route's `{name}`.
struct http_parameter {
    std::string name{};
    std::string value{};  ///< decoded
};

/// "caf%C3%A9" is "café". None: a '%' has no two hexadecimal digits behind it.
std::optional<std::string> percent_decoded(std::string_view text);

/// All of what follows the '?', in its order; see query_value.
std::vector<http_parameter> query_parameters(std::string_view query);

/// The value of the first `name` in what follows the '?' of a target, as HTML forms write it:
/// `name=value` joined by '&', '+' for a space, and percent-encoded. Empty where there is no '='.
/// None: there is no such name.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

/// The path of a route: segments that stand for themselves ("/api/devices"), `{name}` for one
/// that is not empty ("/api/devices/{name}"), and `{name...}` in the last place for all that is
/// left, slashes and all ("/files/{path...}").
///
/// Throws std::invalid_argument with a sentence if it is none.
void check_route_path(std::string_view route);

/// What stands for the names of `route` in `path`, which is as in the request: percent-encoded, so
/// that a value may hold a slash (%2F). None: it does not match.
std::optional<std::vector<http_parameter>> match_route_path(std::string_view route,
                                                            std::string_view path);

/// Of two routes that match the same path, whether `one` is meant rather than `other`: the first
/// segment in which they differ decides, a literal one before `{name}` before `{name...}`.
bool is_closer_route_path(std::string_view one, std::string_view other);

}  // namespace fleetarium::broker
