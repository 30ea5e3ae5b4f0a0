#pragma once

#include <fleetarium/broker/handle_table.hpp>
#include <fleetarium/broker/record_arena.hpp>
#include <fleetarium/broker/topic_text.hpp>
#include <fleetarium/core/limits.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace fleetarium::broker {

/// Topic filters with wildcards, each with a number of its user's.
///
/// A flat trie: literal edges lie in one hash table keyed by the levels on the way, the child by
/// `+` and the filter that ends in `#` lie in the node, and so does the text of its level. Nodes
/// without use give their memory back. Thread rule: one thread at a time.
class wildcard_trie {
public:
    static constexpr std::uint32_t none = 0xffff'ffff;

    explicit wildcard_trie(std::uint64_t hash_seed) : seed_(hash_seed) {}
    wildcard_trie(const wildcard_trie&) = delete;
    wildcard_trie& operator=(const wildcard_trie&) = delete;

    /// Adds a valid filter that is not present, of at most limits::topic_levels_max levels.
    void insert(std::string_view filter, std::uint32_t value);

    /// Removes a filter that is present.
    void erase(std::string_view filter);

    /// A topic name taken apart, as far down as the trie goes.
    class topic_levels {
        friend class wildcard_trie;

        struct level {
            const char* text;
            std::size_t size;
            std::uint64_t hash;
        };
        bool system_ = false;  // begins with `$`
        bool ended_ = false;   // no level follows those here
        std::size_t count_ = 0;
        std::array<level, limits::topic_levels_max> levels_;
    };

    /// Takes the topic apart and asks the processor to fetch what match(levels) will read. The
    /// topic must outlive the levels, and the trie stay as it is.
    void read(std::string_view topic, topic_levels& levels) const;

    /// Appends the values of the filters that match the topic name. Order: where two filters part,
    /// `#` comes before a literal level, and that before `+`. Allocates only if `out` must grow.
    void match(const topic_levels& levels, std::vector<std::uint32_t>& out) const;

    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    std::size_t memory_bytes() const { return edges_.memory_bytes() + nodes_.memory_bytes(); }

private:
    struct node;
    struct step {
        std::uint32_t number;
        path_hash path;
    };

    node& node_at(std::uint32_t number) const;
    std::uint32_t child(std::uint32_t parent, path_hash path, std::string_view level) const;
    std::uint32_t child_or_new(std::uint32_t parent, path_hash path, std::string_view level);
    std::uint32_t make_node(std::uint32_t parent, std::string_view level);
    void prune(std::span<const step> way);

    std::uint64_t seed_;
    std::size_t size_ = 0;
    std::size_t depth_max_ = 0;  // of the nodes there were since the trie was empty
    handle_table edges_;
    record_arena nodes_;
    std::uint32_t root_ = none;  // none while the trie is empty
};

}  // namespace fleetarium::broker
