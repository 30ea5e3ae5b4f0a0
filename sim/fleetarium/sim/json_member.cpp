#include <fleetarium/sim/json_member.hpp>

#include <algorithm>
#include <cstddef>

namespace fleetarium::sim::detail {

namespace {

void skip_space(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

/// Behind the quotes that begin it; the size without those that end it.
std::size_t string_size(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size() && text[at] != '"') {
        at += text[at] == '\\' ? 2 : 1;
    }
    return std::min(at, text.size());
}

/// Of the value that the text begins with. Nothing is nested on the way: depth is only counted.
std::size_t value_size(std::string_view text) {
    std::size_t depth = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        switch (text[at]) {
            case '"':
                at += 1 + string_size(text.substr(at + 1));
                if (depth == 0) {
                    return std::min(at + 1, text.size());
                }
                break;
            case '{':
            case '[': ++depth; break;
            case '}':
            case ']':
                if (depth <= 1) {
                    return at + depth;
                }
                --depth;
                break;
            case ',':
            case ' ':
            case '\t':
            case '\r':
            case '\n':
                if (depth == 0) {
                    return at;
                }
                break;
            default: break;
        }
    }
    return text.size();
}

std::string_view find_member(std::string_view text, std::string_view name) {
    skip_space(text);
    if (!text.starts_with('{')) {
        return {};
    }
    text.remove_prefix(1);
    for (;;) {
        skip_space(text);
        if (!text.starts_with('"')) {
            return {};
        }
        text.remove_prefix(1);
        const std::string_view found = text.substr(0, string_size(text));
        text.remove_prefix(std::min(found.size() + 1, text.size()));
        skip_space(text);
        if (!text.starts_with(':')) {
            return {};
        }
        text.remove_prefix(1);
        skip_space(text);
        const std::string_view value = text.substr(0, value_size(text));
        if (found == name) {
            return value;
        }
        text.remove_prefix(value.size());
        skip_space(text);
        if (!text.starts_with(',')) {
            return {};
        }
        text.remove_prefix(1);
    }
}

}  // namespace

std::string_view find_json_member(std::string_view json, std::string_view path) {
    while (!path.empty()) {
        const std::string_view name = path.substr(0, path.find('.'));
        json = find_member(json, name);
        path.remove_prefix(std::min(name.size() + 1, path.size()));
    }
    return json == "null" ? std::string_view() : json;
}

}  // namespace fleetarium::sim::detail
