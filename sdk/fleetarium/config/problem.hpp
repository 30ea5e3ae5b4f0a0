#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::config {

/// A mistake in a file of ours: where it is, what was found there and what would be right.
struct problem {
    std::string file{};        ///< or the command line option; empty for what was built in C++
    std::uint32_t line = 0;    ///< from 1; 0 where there is none
    std::uint32_t column = 0;  ///< from 1, in characters; 0 where there is none
    std::string pointer{};     ///< JSON pointer (RFC 6901) to the value, empty for the whole
    std::string found{};
    std::string expected{};
    std::string suggestion{};  ///< the nearest valid name, if one is near

    bool operator==(const problem&) const = default;
};

/// `file:line:column: /pointer: found X, expected Y (did you mean "Z"?)`, without the parts that
/// are not there.
std::string to_string(const problem& item);

/// One problem a line.
std::string to_string(std::span<const problem> list);

/// The candidate that `found` most likely stands for: the one with the fewest letters added,
/// left out, replaced or swapped, if those are few for its length, or of which it is the
/// beginning; else empty.
std::string nearest_name(std::string_view found, std::span<const std::string_view> candidates);

/// `"text"` as JSON writes it, cut to a readable length.
std::string quoted(std::string_view text);

/// `a, b or c`.
std::string joined_with_or(std::span<const std::string_view> words);

/// A token appended to a JSON pointer, escaped as RFC 6901 asks.
std::string pointer_to(std::string_view parent, std::string_view token);
std::string pointer_to(std::string_view parent, std::size_t index);

}  // namespace fleetarium::config
