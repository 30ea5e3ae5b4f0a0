#pragma once

#include <fleetarium/core/hash.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

// What the tries have in common: levels of a topic, compared and hashed.

namespace fleetarium::broker {

/// Takes the first level off `rest` and says whether another follows.
inline bool take_level(std::string_view& rest, std::string_view& level) {
    const std::size_t end = rest.find('/');
    level = rest.substr(0, end);
    if (end == std::string_view::npos) {
        return false;
    }
    rest.remove_prefix(end + 1);
    return true;
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
