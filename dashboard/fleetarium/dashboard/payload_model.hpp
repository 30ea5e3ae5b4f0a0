#pragma once

#include <fleetarium/feed/feed_types.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// A payload as a person reads it: which format it has, its members as a tree, its bytes, and how it
// differs from the one before. Nothing here draws.

namespace fleetarium::dashboard {

enum class payload_format : std::uint8_t { text, json, cbor, sparkplug, hex };
inline constexpr std::size_t payload_format_count = 5;
/// "Sparkplug B".
std::string_view words_of(payload_format format);

/// A member of a tree, in the order in which it is read; what is below it follows.
struct payload_node {
    std::string name{};   ///< of a member; "[3]" of an element; empty at the top
    std::string value{};  ///< of what has nothing below it; else how much that is: "12 members"
    std::string kind{};   ///< "text", "number", "bytes", "Int32"...
    std::uint32_t depth = 0;
    std::uint32_t below = 0;  ///< nodes below it, at any depth
};

struct payload_tree {
    std::vector<payload_node> nodes{};
    bool cut = false;  ///< there are more than nodes_max
};
inline constexpr std::size_t payload_nodes_max = 20'000;
inline constexpr std::uint32_t payload_depth_max = 64;

/// The bytes of a payload_view: those that it has. Empty for base64 that is none.
std::string bytes_of(const feed::payload_view& payload);

/// Trees of a payload; none: it has not this format.
std::optional<payload_tree> json_tree(std::string_view text);
std::optional<payload_tree> cbor_tree(std::string_view bytes);
std::optional<payload_tree> sparkplug_tree(std::string_view bytes);

/// The format it most likely has. `topic` is a hint: Sparkplug's begin with spBv1.0/.
payload_format likely_format(const feed::payload_view& payload, std::string_view topic);
std::optional<payload_tree> tree_of(payload_format format, std::string_view bytes);

/// Sixteen bytes a line: "00000010  48 65 6c 6c 6f ...  Hello...".
std::vector<std::string> hex_lines(std::string_view bytes, std::size_t lines_max);

/// A line or member of a difference.
struct payload_change {
    enum class kind : std::uint8_t { same, changed, added, removed };
    kind what = kind::same;
    std::string name{};  ///< path of a member: "state.celsius"; empty of lines
    std::string before{};
    std::string now{};
};

/// Member by member where both have a tree in the format, else line by line; for hex by lines of
/// its dump. Of long payloads the first `changes_max`.
std::vector<payload_change> difference(payload_format format, std::string_view before,
                                       std::string_view now, std::size_t changes_max = 2'000);

}  // namespace fleetarium::dashboard
