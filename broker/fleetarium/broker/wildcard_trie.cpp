#include <fleetarium/broker/wildcard_trie.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/core/limits.hpp>

#include <array>
#include <new>

// The trie holds only filters, so the depth of a walk is bounded by theirs, however many levels a
// topic has. A node stands for the levels on the way to it; a filter `a/#` is a value of the node
// `a`, because it matches `a` itself [v5/MQTT-4.7.1-1]; see `hash_value`.

namespace fleetarium::broker {

namespace {

/// The levels of a topic as symbols, looked up when a walk first gets that far.
class level_reader {
public:
    level_reader(const level_table& table, std::string_view topic) : table_(table), rest_(topic) {}

    bool ends_at(std::size_t depth) const { return ended_ && depth == read_; }

    /// The level below `depth`, which is at most one more than was asked for before.
    level_symbol symbol_at(std::size_t depth) {
        if (depth == read_) {
            std::string_view level;
            ended_ = !take_level(rest_, level);
            symbols_[read_++] = table_.find(level);
        }
        return symbols_[depth];
    }

private:
    const level_table& table_;
    std::string_view rest_;
    bool ended_ = false;
    std::size_t read_ = 0;
    std::array<level_symbol, limits::topic_levels_max> symbols_;
};

}  // namespace

wildcard_trie::wildcard_trie(std::uint64_t hash_seed)
    : seed_(mix64(hash_seed)), levels_(hash_seed), root_(make_node(none, level_table::none)) {}

void wildcard_trie::insert(std::string_view filter, std::uint32_t value) {
    FLEETARIUM_ASSERT(value != none);
    std::uint32_t at = root_;
    std::string_view level;
    std::size_t depth = 0;
    bool more = true;
    while (more) {
        more = take_level(filter, level);
        FLEETARIUM_ASSERT(++depth <= limits::topic_levels_max);
        if (level == "#") {
            FLEETARIUM_ASSERT(!more && node_at(at).hash_value == none);
            node_at(at).hash_value = value;
            ++size_;
            return;
        }
        at = child_or_new(at, level);
    }
    FLEETARIUM_ASSERT(node_at(at).value == none);
    node_at(at).value = value;
    ++size_;
}

void wildcard_trie::erase(std::string_view filter) {
    std::uint32_t at = root_;
    std::string_view level;
    bool more = true;
    bool hash = false;
    while (more) {
        more = take_level(filter, level);
        hash = level == "#";
        if (!hash) {
            at = level == "+" ? node_at(at).plus : child(at, levels_.find(level));
            FLEETARIUM_ASSERT(at != none);
        }
    }
    std::uint32_t& value = hash ? node_at(at).hash_value : node_at(at).value;
    FLEETARIUM_ASSERT(value != none);
    value = none;
    --size_;
    prune(at);
}

void wildcard_trie::match(std::string_view topic, std::vector<std::uint32_t>& out) const {
    if (size_ == 0) {
        return;
    }
    struct branch {
        std::uint32_t at;
        std::uint32_t depth;
    };
    // Each depth leaves at most one branch for later.
    std::array<branch, limits::topic_levels_max> later;
    std::size_t later_count = 0;
    level_reader levels(levels_, topic);
    const bool system = topic.starts_with('$');
    branch now{root_, 0};
    for (;;) {
        const node& here = node_at(now.at);
        // v5/MQTT-4.7.2-1: a wildcard in the first level does not see `$` topics.
        const bool wildcards = now.depth != 0 || !system;
        if (here.hash_value != none && wildcards) {
            out.push_back(here.hash_value);
        }
        std::uint32_t literal = none;
        std::uint32_t plus = none;
        if (levels.ends_at(now.depth)) {
            if (here.value != none) {
                out.push_back(here.value);
            }
        } else {
            plus = wildcards ? here.plus : none;
            if (plus != none) {
                __builtin_prefetch(&node_at(plus));
            }
            if (here.children != 0) {
                literal = child(now.at, levels.symbol_at(now.depth));
            } else if (plus != none) {
                levels.symbol_at(now.depth);
            }
        }
        if (literal != none) {
            if (plus != none) {
                later[later_count++] = {plus, now.depth + 1};
            }
            now = {literal, now.depth + 1};
        } else if (plus != none) {
            now = {plus, now.depth + 1};
        } else if (later_count != 0) {
            now = later[--later_count];
        } else {
            return;
        }
    }
}

std::size_t wildcard_trie::memory_bytes() const {
    return levels_.memory_bytes() + edges_.memory_bytes() + nodes_.memory_bytes();
}

std::uint64_t wildcard_trie::edge_hash(std::uint32_t parent, level_symbol symbol) const {
    return mix64((std::uint64_t{parent} << 32 | symbol) ^ seed_);
}

std::uint32_t wildcard_trie::child(std::uint32_t parent, level_symbol symbol) const {
    if (symbol == level_table::none) {
        return none;
    }
    return edges_.find(edge_hash(parent, symbol), [&](std::uint32_t number) {
        const node& found = node_at(number);
        return found.parent == parent && found.symbol == symbol;
    });
}

std::uint32_t wildcard_trie::child_or_new(std::uint32_t parent, std::string_view level) {
    if (level == "+") {
        std::uint32_t plus = node_at(parent).plus;
        if (plus == none) {
            plus = make_node(parent, level_table::none);
            node_at(parent).plus = plus;
        }
        return plus;
    }
    const std::uint32_t found = child(parent, levels_.find(level));
    if (found != none) {
        return found;
    }
    const level_symbol symbol = levels_.acquire(level);
    const std::uint32_t made = make_node(parent, symbol);
    edges_.insert(edge_hash(parent, symbol), made);
    ++node_at(parent).children;
    return made;
}

std::uint32_t wildcard_trie::make_node(std::uint32_t parent, level_symbol symbol) {
    const std::uint32_t number = nodes_.allocate(sizeof(node));
    ::new (nodes_.at(number)) node{.parent = parent, .symbol = symbol};
    return number;
}

void wildcard_trie::prune(std::uint32_t at) {
    while (at != root_) {
        const node gone = node_at(at);
        if (gone.plus != none || gone.value != none || gone.hash_value != none ||
            gone.children != 0) {
            return;
        }
        if (gone.symbol == level_table::none) {
            node_at(gone.parent).plus = none;
        } else {
            edges_.erase(edge_hash(gone.parent, gone.symbol), at);
            levels_.release(gone.symbol);
            --node_at(gone.parent).children;
        }
        nodes_.free(at, sizeof(node));
        at = gone.parent;
    }
}

}  // namespace fleetarium::broker
