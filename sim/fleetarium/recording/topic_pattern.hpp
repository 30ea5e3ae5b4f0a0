#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

/// Which topics are the same but for numbers and names: what tells the kinds of messages in traffic
/// apart.
namespace fleetarium::recording {

/// In patterns, what differs from topic to topic.
inline constexpr char pattern_slot = '\x01';
/// In patterns, the client id of who publishes or subscribes.
inline constexpr char pattern_client_id = '\x02';

/// A text with its numbers and identifiers taken out: digits, UUIDs, hexadecimal words of eight
/// letters and more.
struct text_pattern {
    std::string pattern{};             ///< with slots
    std::vector<std::string> slots{};  ///< what was in each slot, but for client ids
};

/// Level by level. Levels that are the client id, if there is one, become pattern_client_id.
text_pattern pattern_of(std::string_view topic, std::string_view client_id = {});

/// Whether there is more in a pattern than slots and what is between them.
bool has_words(std::string_view pattern);

/// For people: "meters/{}/kwh", "lamps/{client_id}/state".
std::string readable_pattern(std::string_view pattern);

/// Finds levels that are names, such as those of rooms: where many patterns differ in a level
/// alone, that becomes a slot.
class pattern_merger {
public:
    /// So many different names in a level are a list of names.
    static constexpr std::size_t names_min = 8;
    /// In the first and the last level, where kinds of messages are often named.
    static constexpr std::size_t names_min_at_ends = 32;

    void add(const std::string& pattern) { merged_.try_emplace(pattern, pattern); }
    /// When all are added. Linear in levels.
    void merge();
    const std::string& merged(const std::string& pattern) const { return merged_.at(pattern); }

private:
    std::unordered_map<std::string, std::string> merged_;
};

/// The slots of a topic under a pattern that pattern_merger has made wider.
std::vector<std::string> slots_under(std::string_view topic, std::string_view pattern);

std::vector<std::string_view> topic_levels(std::string_view topic);

}  // namespace fleetarium::recording
