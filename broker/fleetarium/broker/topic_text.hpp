#pragma once

#include <fleetarium/core/hash.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

// What the tries have in common: levels of a topic, compared and hashed.

namespace fleetarium::broker {

/// Takes a topic apart, level by level, and hashes each level on the way: eight bytes at a time,
/// because every publication pays for this.
class level_scanner {
public:
    level_scanner(std::string_view topic, std::uint64_t seed)
        : begin_(topic.data()), at_(begin_), end_(begin_ + topic.size()), seed_(seed) {}

    /// Reads the next level; false after the last. A topic has one level more than separators.
    bool next() {
        if (ended_) {
            return false;
        }
        const char* at = at_;
        std::uint64_t hash = seed_;
        std::uint64_t word;
        std::uint64_t separators;
        while (end_ - at >= 8) {
            word = detail::load_little_endian<std::uint64_t>(at);
            separators = separators_in(word);
            if (separators != 0) {
                finish(at, static_cast<std::size_t>(std::countr_zero(separators)) / 8, word, hash);
                return true;
            }
            hash = mix(hash, word);
            at += 8;
        }
        word = last_word(at);
        separators = separators_in(word);
        ended_ = separators == 0;
        finish(at,
               ended_ ? static_cast<std::size_t>(end_ - at)
                      : static_cast<std::size_t>(std::countr_zero(separators)) / 8,
               word, hash);
        return true;
    }

    std::string_view level() const { return level_; }
    std::uint64_t hash() const { return hash_; }

    /// Whether the level read is the last.
    bool is_last() const { return ended_; }

private:
    /// The lowest bit set marks the first `/`: what is borrowed spoils higher bytes only.
    static std::uint64_t separators_in(std::uint64_t word) {
        constexpr std::uint64_t ones = 0x0101'0101'0101'0101;
        const std::uint64_t others = word ^ (ones * '/');
        return (others - ones) & ~others & (ones << 7);
    }

    static std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
        return detail::multiply_fold(hash ^ word ^ detail::hash_secret[0],
                                     hash ^ detail::hash_secret[1]);
    }

    /// Ends the level with the first `size` bytes of `word`, fewer than eight.
    void finish(const char* at, std::size_t size, std::uint64_t word, std::uint64_t hash) {
        word &= (std::uint64_t{1} << (size * 8)) - 1;
        hash_ = mix(hash, word | (std::uint64_t{size} + 1) << 56);
        level_ = {at_, static_cast<std::size_t>(at - at_) + size};
        at_ = at + size + (ended_ ? 0 : 1);
    }

    /// The fewer than eight bytes from `at` to the end, and zeros.
    std::uint64_t last_word(const char* at) const {
        const auto left = static_cast<std::size_t>(end_ - at);
        if (left == 0) {
            return 0;
        }
        if (end_ - begin_ >= 8) {
            return detail::load_little_endian<std::uint64_t>(end_ - 8) >> ((8 - left) * 8);
        }
        std::uint64_t word = 0;
        for (std::size_t byte = left; byte-- != 0;) {
            word = word << 8 | static_cast<std::uint8_t>(at[byte]);
        }
        return word;
    }

    const char* begin_;
    const char* at_;
    const char* end_;
    std::uint64_t seed_;
    std::uint64_t hash_ = 0;
    std::string_view level_;
    bool ended_ = false;
};

/// The hash that level_scanner gives a level; `level` contains no separator.
inline std::uint64_t hash_level(std::string_view level, std::uint64_t seed) {
    level_scanner scanner(level, seed);
    scanner.next();
    return scanner.hash();
}

/// Whether two texts are the same bytes; without a call, since topics are short and compared by
/// the million.
inline bool same_text(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) {
        return false;
    }
    const auto differ = [&]<class Word>(Word, std::size_t at) {
        Word x;
        Word y;
        std::memcpy(&x, a.data() + at, sizeof(Word));
        std::memcpy(&y, b.data() + at, sizeof(Word));
        return x != y;
    };
    const std::size_t size = a.size();
    if (size >= 8) {
        for (std::size_t at = 0; at + 8 < size; at += 8) {
            if (differ(std::uint64_t{}, at)) {
                return false;
            }
        }
        return !differ(std::uint64_t{}, size - 8);
    }
    if (size >= 4) {
        return !differ(std::uint32_t{}, 0) && !differ(std::uint32_t{}, size - 4);
    }
    return size == 0 || (a[0] == b[0] && a[size / 2] == b[size / 2] && a[size - 1] == b[size - 1]);
}

/// The hash of the way from the root of a trie to a node.
///
/// It depends on the levels alone and not on the nodes, so that what a walk will look up is known,
/// and can be fetched, before the walk.
class path_hash {
public:
    path_hash() = default;
    explicit path_hash(std::uint64_t seed) : value_(mix64(seed)) {}

    /// The way to a child, by the hash of its level.
    path_hash below(std::uint64_t level_hash) const {
        path_hash child = *this;
        child.value_ = (std::rotl(value_, 32) ^ level_hash) * 0x9e37'79b9'7f4a'7c15;
        return child;
    }

    std::uint64_t value() const { return value_; }

private:
    std::uint64_t value_;
};

}  // namespace fleetarium::broker
