#include <fleetarium/server/http_path.hpp>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace fleetarium::broker {

namespace {

int hexadecimal(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    const char lower = static_cast<char>(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Decodes, and leaves a '%' as it is if `strict` does not hold; false if it does.
bool decode_percent(std::string_view text, bool strict, std::string& out) {
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? hexadecimal(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hexadecimal(text[i + 2]) : -1;
        if (high >= 0 && low >= 0) {
            out += static_cast<char>(high * 16 + low);
            i += 2;
        } else if (strict) {
            return false;
        } else {
            out += '%';
        }
    }
    return true;
}

std::string form_decoded(std::string_view text) {
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    std::string out;
    decode_percent(spaced, false, out);
    return out;
}

enum class segment_kind : std::uint8_t { literal, parameter, rest };

struct segment {
    segment_kind kind = segment_kind::literal;
    std::string_view text{};  // of a parameter: its name
};

/// Takes the first segment off `path`, which begins with its slash.
std::string_view take_segment(std::string_view& path) {
    path.remove_prefix(1);
    const std::string_view taken = path.substr(0, path.find('/'));
    path.remove_prefix(taken.size());
    return taken;
}

segment take_route_segment(std::string_view& route) {
    const std::string_view text = take_segment(route);
    if (text.size() < 2 || text.front() != '{' || text.back() != '}') {
        return {segment_kind::literal, text};
    }
    const std::string_view name = text.substr(1, text.size() - 2);
    if (name.ends_with("...")) {
        return {segment_kind::rest, name.substr(0, name.size() - 3)};
    }
    return {segment_kind::parameter, name};
}

bool begins_segment(std::string_view path) { return !path.empty() && path.front() == '/'; }

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string out;
    return decode_percent(text, true, out) ? std::optional(std::move(out)) : std::nullopt;
}

std::vector<http_parameter> query_parameters(std::string_view query) {
    std::vector<http_parameter> out;
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        const std::size_t equals = std::min(pair.find('='), pair.size());
        if (!pair.empty()) {
            out.push_back({form_decoded(pair.substr(0, equals)),
                           form_decoded(pair.substr(std::min(pair.size(), equals + 1)))});
        }
    }
    return out;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
    for (http_parameter& each : query_parameters(query)) {
        if (each.name == name) {
            return std::move(each.value);
        }
    }
    return std::nullopt;
}

void check_route_path(std::string_view route) {
    const auto refuse = [&](const std::string& why) {
        throw std::invalid_argument("the path \"" + std::string(route) + "\" of a route " + why);
    };
    if (!begins_segment(route)) {
        refuse("does not begin with a slash");
    }
    std::vector<std::string_view> names;
    for (std::string_view left = route; begins_segment(left);) {
        const segment each = take_route_segment(left);
        if (each.text.find_first_of("{}?#") != std::string_view::npos) {
            refuse("has one of {}?# where none can be; expected {name} as a whole segment");
        }
        if (each.kind == segment_kind::rest && !left.empty()) {
            refuse("has something behind {" + std::string(each.text) + "...}");
        }
        if (each.kind == segment_kind::literal) {
            continue;
        }
        if (each.text.empty() || std::find(names.begin(), names.end(), each.text) != names.end()) {
            refuse("has a parameter without a name, or two of one name");
        }
        names.push_back(each.text);
    }
}

std::optional<std::vector<http_parameter>> match_route_path(std::string_view route,
                                                            std::string_view path) {
    std::vector<http_parameter> out;
    while (begins_segment(route) && begins_segment(path)) {
        const segment wanted = take_route_segment(route);
        const std::string_view found = wanted.kind == segment_kind::rest
                                           ? std::exchange(path, {}).substr(1)
                                           : take_segment(path);
        std::optional<std::string> value = percent_decoded(found);
        if (!value) {
            return std::nullopt;
        }
        if (wanted.kind == segment_kind::literal) {
            if (*value != wanted.text) {
                return std::nullopt;
            }
        } else if (wanted.kind == segment_kind::parameter && value->empty()) {
            return std::nullopt;
        } else {
            out.push_back({std::string(wanted.text), std::move(*value)});
        }
    }
    if (!route.empty() || !path.empty()) {
        return std::nullopt;
    }
    return out;
}

bool is_closer_route_path(std::string_view one, std::string_view other) {
    while (begins_segment(one) && begins_segment(other)) {
        const segment_kind of_one = take_route_segment(one).kind;
        const segment_kind of_other = take_route_segment(other).kind;
        if (of_one != of_other) {
            return of_one < of_other;
        }
    }
    return false;
}

}  // namespace fleetarium::broker
