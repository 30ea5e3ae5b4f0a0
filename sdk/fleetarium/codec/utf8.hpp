#pragma once

#include <fleetarium/codec/violation.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fleetarium::detail {

// Almost every string on the wire is plain ASCII. So each check first runs over whole words and
// gathers whether any byte could break a rule; only then it looks at single characters.

inline constexpr std::uint64_t high_bits = 0x8080808080808080U;
inline constexpr std::uint64_t low_bits = 0x7F7F7F7F7F7F7F7FU;

inline std::uint64_t load_word(const char* at) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

/// Not 0 if one of the eight bytes is 0 or above 0x7F.
struct suspicious_in_string {
    static constexpr std::uint64_t in_word(std::uint64_t word) {
        // An ASCII byte plus 0x7F has its high bit set unless the byte is 0, and never carries.
        return (word | ~(word + low_bits)) & high_bits;
    }
};

/// As above, or a `+` or `#`, which differ in one bit.
struct suspicious_in_topic_name {
    static constexpr std::uint64_t in_word(std::uint64_t word) {
        const std::uint64_t no_wildcard =
            ((word | 0x0808080808080808U) ^ 0x2B2B2B2B2B2B2B2BU) + low_bits;
        return (word | ~((word + low_bits) & no_wildcard)) & high_bits;
    }
};

/// Whether `text` has a byte that `Suspicious` asks about. Linear, eight bytes a step.
template <class Suspicious>
inline bool has_suspicious_byte(std::string_view text) {
    const char* const at = text.data();
    const std::size_t size = text.size();
    if (size >= 8) {
        std::uint64_t found = Suspicious::in_word(load_word(at + size - 8));
        for (std::size_t done = 0; done + 8 < size; done += 8) {
            found |= Suspicious::in_word(load_word(at + done));
        }
        return found != 0;
    }
    if (size >= 4) {
        std::uint32_t first;
        std::uint32_t last;
        std::memcpy(&first, at, sizeof first);
        std::memcpy(&last, at + size - 4, sizeof last);
        return Suspicious::in_word(first | static_cast<std::uint64_t>(last) << 32) != 0;
    }
    if (size == 0) {
        return false;
    }
    // One to three bytes: first, middle and last cover them; the rest of the word is harmless.
    const auto byte = [at](std::size_t index) {
        return std::uint64_t{static_cast<unsigned char>(at[index])};
    };
    return Suspicious::in_word(0x6161616161000000U | byte(0) | byte(size / 2) << 8 |
                               byte(size - 1) << 16) != 0;
}

/// The full check of a string that has a suspicious byte.
violation check_string_slowly(std::string_view text);

/// The full check of a topic name that has a suspicious byte.
violation check_topic_name_slowly(std::string_view text);

/// None, string_not_utf8 or string_has_null.
inline violation check_string(std::string_view text) {
    return has_suspicious_byte<suspicious_in_string>(text) ? check_string_slowly(text)
                                                           : violation::none;
}

/// As check_string, or topic_name_has_wildcard. An empty name passes.
inline violation check_topic_name(std::string_view text) {
    return has_suspicious_byte<suspicious_in_topic_name>(text) ? check_topic_name_slowly(text)
                                                               : violation::none;
}

}  // namespace fleetarium::detail
