#pragma once

#include <fleetarium/broker/handle_table.hpp>
#include <fleetarium/broker/record_arena.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fleetarium::broker {

/// A level of a topic as a number: equal texts are equal symbols.
using level_symbol = std::uint32_t;

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

/// The levels that a trie holds, each text once and counted.
class level_table {
public:
    static constexpr level_symbol none = handle_table::none;

    explicit level_table(std::uint64_t hash_seed) : seed_(hash_seed) {}

    /// The symbol of a level that is held, or `none`.
    level_symbol find(std::string_view level) const;

    /// The symbol of the level, held once more.
    level_symbol acquire(std::string_view level);

    /// Ends one holding; the last ends the symbol.
    void release(level_symbol symbol);

    std::string_view text(level_symbol symbol) const;

    std::size_t size() const { return table_.size(); }
    std::size_t memory_bytes() const { return table_.memory_bytes() + arena_.memory_bytes(); }

private:
    struct record;

    record& at(level_symbol symbol) const;
    level_symbol find(std::uint64_t hash, std::string_view level) const;

    std::uint64_t seed_;
    handle_table table_;
    record_arena arena_;
};

}  // namespace fleetarium::broker
