#pragma once

#include <fleetarium/broker/handle_table.hpp>
#include <fleetarium/broker/level_table.hpp>
#include <fleetarium/broker/record_arena.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace fleetarium::broker {

/// Topic filters with wildcards, each with a number of its user's.
///
/// A flat trie: levels are symbols of one table, literal edges lie in one hash table of
/// (node, symbol), the child by `+` and the filter that ends in `#` lie in the node. Nodes without
/// use are recycled. Thread rule: one thread at a time.
class wildcard_trie {
public:
    static constexpr std::uint32_t none = 0xffff'ffff;

    explicit wildcard_trie(std::uint64_t hash_seed);
    wildcard_trie(const wildcard_trie&) = delete;
    wildcard_trie& operator=(const wildcard_trie&) = delete;

    /// Adds a valid filter that is not present, of at most limits::topic_levels_max levels.
    void insert(std::string_view filter, std::uint32_t value);

    /// Removes a filter that is present.
    void erase(std::string_view filter);

    /// Appends the values of the filters that match the topic name. Order: where two filters part,
    /// `#` comes before a literal level, and that before `+`. Allocates only if `out` must grow.
    void match(std::string_view topic, std::vector<std::uint32_t>& out) const;

    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    std::size_t memory_bytes() const;

private:
    struct node {
        std::uint32_t parent = none;
        level_symbol symbol = none;       // of the edge from the parent; none for `+`
        std::uint32_t plus = none;        // child by `+`
        std::uint32_t value = none;       // of the filter that ends here
        std::uint32_t hash_value = none;  // of the filter that goes on with `#`
        std::uint32_t children = 0;       // by literal levels
    };

    std::uint64_t edge_hash(std::uint32_t parent, level_symbol symbol) const;
    node& node_at(std::uint32_t number) const { return *static_cast<node*>(nodes_.at(number)); }
    std::uint32_t child(std::uint32_t parent, level_symbol symbol) const;
    std::uint32_t child_or_new(std::uint32_t parent, std::string_view level);
    std::uint32_t make_node(std::uint32_t parent, level_symbol symbol);
    void prune(std::uint32_t at);

    std::uint64_t seed_;
    std::size_t size_ = 0;
    level_table levels_;
    handle_table edges_;
    record_arena nodes_;
    std::uint32_t root_;
};

}  // namespace fleetarium::broker
