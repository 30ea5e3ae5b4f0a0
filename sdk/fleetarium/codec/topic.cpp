#include <fleetarium/codec/topic.hpp>

#include <fleetarium/codec/utf8.hpp>
#include <fleetarium/core/limits.hpp>

#include <algorithm>

namespace fleetarium {

namespace {

constexpr std::string_view share_prefix = "$share/";

/// The levels of a topic, one at a time; a topic has one level more than separators.
class level_cursor {
public:
    explicit level_cursor(std::string_view text) : rest_(text) { find_end(); }

    std::string_view level() const { return rest_.substr(0, end_); }
    bool is_last() const { return end_ == rest_.size(); }

    void advance() {
        rest_.remove_prefix(end_ + 1);
        find_end();
    }

private:
    void find_end() { end_ = std::min(rest_.find('/'), rest_.size()); }

    std::string_view rest_;
    std::size_t end_ = 0;
};

}  // namespace

bool is_valid_string(std::string_view text) {
    return detail::check_string(text) == violation::none;
}

bool is_valid_topic_name(std::string_view name) {
    return !name.empty() && name.size() <= limits::string_size_max &&
           detail::check_topic_name(name) == violation::none;
}

bool is_valid_topic_filter(std::string_view filter) {
    if (filter.empty() || filter.size() > limits::string_size_max || !is_valid_string(filter)) {
        return false;
    }
    for (level_cursor at(filter);; at.advance()) {
        // A wildcard fills its level alone, and `#` is the last level: v3/MQTT-4.7.1-2,
        // v3/MQTT-4.7.1-3, v5/MQTT-4.7.1-1, v5/MQTT-4.7.1-2.
        if (at.level().size() > 1 && has_wildcard(at.level())) {
            return false;
        }
        if (at.is_last()) {
            return true;
        }
        if (at.level() == "#") {
            return false;
        }
    }
}

bool has_wildcard(std::string_view filter) {
    return filter.find_first_of("+#") != std::string_view::npos;
}

bool is_shared_filter(std::string_view filter) { return filter.starts_with(share_prefix); }

std::optional<shared_filter> parse_shared_filter(std::string_view filter) {
    if (!is_shared_filter(filter) || filter.size() > limits::string_size_max) {
        return std::nullopt;
    }
    filter.remove_prefix(share_prefix.size());
    const std::size_t separator = filter.find('/');
    if (separator == std::string_view::npos) {
        return std::nullopt;
    }
    const shared_filter parts{filter.substr(0, separator), filter.substr(separator + 1)};
    if (!is_valid_topic_name(parts.share_name) || !is_valid_topic_filter(parts.filter)) {
        return std::nullopt;
    }
    return parts;
}

bool topic_matches(std::string_view filter, std::string_view name) {
    if (name.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) {
        return false;  // v5/MQTT-4.7.2-1, v3/MQTT-4.7.2-1
    }
    level_cursor wanted(filter);
    level_cursor given(name);
    while (wanted.level() != "#") {
        if (wanted.level() != "+" && wanted.level() != given.level()) {
            return false;
        }
        if (given.is_last()) {
            if (wanted.is_last()) {
                return true;
            }
            // `a/#` matches `a` too: the wildcard stands for the parent level as well.
            wanted.advance();
            return wanted.level() == "#";
        }
        if (wanted.is_last()) {
            return false;
        }
        wanted.advance();
        given.advance();
    }
    return true;
}

std::size_t topic_level_count(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count(text, '/')) + 1;
}

}  // namespace fleetarium
