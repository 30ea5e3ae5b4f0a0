#include <fleetarium/recording/topic_pattern.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace fleetarium::recording {

namespace {

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

bool is_hex(char letter) {
    return is_digit(letter) || (letter >= 'a' && letter <= 'f') || (letter >= 'A' && letter <= 'F');
}

/// UUIDs, MAC addresses, serial numbers: whole words of hexadecimal digits, perhaps in groups.
bool is_identifier(std::string_view word) {
    const auto digits = std::count_if(word.begin(), word.end(), is_digit);
    const auto hex = std::count_if(word.begin(), word.end(), is_hex);
    const auto marks = std::count_if(word.begin(), word.end(),
                                     [](char letter) { return letter == '-' || letter == ':'; });
    return hex >= 8 && digits > 0 && hex > digits &&
           hex + marks == static_cast<std::ptrdiff_t>(word.size());
}

void append_level(text_pattern& out, std::string_view level) {
    if (is_identifier(level)) {
        out.pattern += pattern_slot;
        out.slots.emplace_back(level);
        return;
    }
    for (std::size_t i = 0; i < level.size();) {
        std::size_t end = i;
        while (end < level.size() && is_digit(level[end])) {
            ++end;
        }
        if (level[i] == pattern_slot || level[i] == pattern_client_id) {
            // MQTT allows them, and here they mean something.
            out.pattern += pattern_slot;
            out.slots.emplace_back(level.substr(i++, 1));
        } else if (end == i) {
            out.pattern += level[i++];
        } else {
            out.pattern += pattern_slot;
            out.slots.emplace_back(level.substr(i, end - i));
            i = end;
        }
    }
}

std::string joined(const std::vector<std::string_view>& levels) {
    std::string out;
    for (std::size_t i = 0; i < levels.size(); ++i) {
        out += i == 0 ? "" : "/";
        out += levels[i];
    }
    return out;
}

/// Whether a pattern has that level, and in it a word that is always the same.
bool can_be_name(std::string_view pattern, std::size_t level) {
    const auto levels = topic_levels(pattern);
    return level < levels.size() && !levels[level].empty() &&
           levels[level].find_first_of("+#\x01\x02") == std::string_view::npos;
}

std::string with_slot(std::string_view pattern, std::size_t level) {
    auto levels = topic_levels(pattern);
    levels[level] = std::string_view(&pattern_slot, 1);
    return joined(levels);
}

}  // namespace

std::vector<std::string_view> topic_levels(std::string_view topic) {
    std::vector<std::string_view> out;
    for (;;) {
        const std::size_t slash = topic.find('/');
        out.push_back(topic.substr(0, slash));
        if (slash == std::string_view::npos) {
            return out;
        }
        topic.remove_prefix(slash + 1);
    }
}

text_pattern pattern_of(std::string_view topic, std::string_view client_id) {
    text_pattern out;
    bool first = true;
    for (const std::string_view level : topic_levels(topic)) {
        if (!first) {
            out.pattern += '/';
        }
        first = false;
        if (!client_id.empty() && level == client_id) {
            out.pattern += pattern_client_id;
        } else {
            append_level(out, level);
        }
    }
    return out;
}

bool has_words(std::string_view pattern) {
    return pattern.find_first_not_of("\n/-_:\x01\x02") != std::string_view::npos;
}

std::string readable_pattern(std::string_view pattern) {
    std::string out;
    for (const char letter : pattern) {
        if (letter == pattern_slot) {
            out += "{}";
        } else if (letter == pattern_client_id) {
            out += "{client_id}";
        } else {
            out += letter;
        }
    }
    return out;
}

void pattern_merger::merge() {
    std::size_t depth = 0;
    for (const auto& entry : merged_) {
        depth = std::max(depth, topic_levels(entry.second).size());
    }
    for (std::size_t level = 0; level < depth; ++level) {
        // Ordered, so that what comes out does not hang on hashes.
        std::map<std::string, std::set<std::string>> names;
        for (const auto& entry : merged_) {
            if (can_be_name(entry.second, level)) {
                names[with_slot(entry.second, level)].emplace(topic_levels(entry.second)[level]);
            }
        }
        for (auto& entry : merged_) {
            if (!can_be_name(entry.second, level)) {
                continue;
            }
            const bool at_an_end = level == 0 || level + 1 == topic_levels(entry.second).size();
            std::string wide = with_slot(entry.second, level);
            if (names[wide].size() >= (at_an_end ? names_min_at_ends : names_min)) {
                entry.second = std::move(wide);
            }
        }
    }
}

std::vector<std::string> slots_under(std::string_view topic, std::string_view pattern) {
    std::vector<std::string> out;
    const auto levels = topic_levels(topic);
    const auto wanted = topic_levels(pattern);
    for (std::size_t i = 0; i < levels.size() && i < wanted.size(); ++i) {
        if (wanted[i].size() == 1 && wanted[i][0] == pattern_slot) {
            out.emplace_back(levels[i]);
        } else if (wanted[i].find(pattern_slot) != std::string_view::npos) {
            text_pattern level;
            append_level(level, levels[i]);
            std::move(level.slots.begin(), level.slots.end(), std::back_inserter(out));
        }
    }
    return out;
}

}  // namespace fleetarium::recording
