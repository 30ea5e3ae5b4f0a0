#include <fleetarium/broker/wildcard_trie.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/mutant.hpp>

#include <algorithm>
#include <new>
#include <utility>

// The trie holds only filters, so the depth of a walk is bounded by theirs, however many levels a
// topic has. A filter `a/#` is a value of the node `a`, because it matches `a` itself: hash_value.

namespace fleetarium::broker {

namespace {

constexpr std::string_view plus_level = "+";

/// Stands for the hash of `+` on the way to a node.
constexpr std::uint64_t plus_hash = 0x4528'21e6'38d0'1377;

path_hash path_below(path_hash path, const level_scanner& scanner) {
    return path.below(scanner.level() == plus_level ? plus_hash : scanner.hash());
}

}  // namespace

/// Followed by the text of its level, which begins in what would be padding.
struct wildcard_trie::node {
    static constexpr std::size_t text_offset = 22;

    std::uint32_t parent = none;
    std::uint32_t plus = none;        // child by `+`
    std::uint32_t value = none;       // of the filter that ends here
    std::uint32_t hash_value = none;  // of the filter that goes on with `#`
    std::uint32_t children = 0;       // by literal levels
    std::uint16_t text_size = 0;

    char* text() { return reinterpret_cast<char*>(this) + text_offset; }
    std::string_view level() { return {text(), text_size}; }
    static std::size_t bytes(std::size_t text_size) {
        return std::max(sizeof(node), text_offset + text_size);
    }
};

wildcard_trie::node& wildcard_trie::node_at(std::uint32_t number) const {
    return *static_cast<node*>(nodes_.at(number));
}

void wildcard_trie::insert(std::string_view filter, std::uint32_t value) {
    FLEETARIUM_ASSERT(value != none);
    if (size_ == 0) {
        root_ = make_node(none, {});
    }
    std::uint32_t number = root_;
    path_hash path(seed_);
    level_scanner scanner(filter, seed_);
    std::size_t depth = 0;
    for (; scanner.next() && scanner.level() != "#"; ++depth) {
        FLEETARIUM_ASSERT(depth < limits::topic_levels_max);
        path = path_below(path, scanner);
        number = child_or_new(number, path, scanner.level());
    }
    FLEETARIUM_ASSERT(scanner.is_last());
    std::uint32_t& place =
        scanner.level() == "#" ? node_at(number).hash_value : node_at(number).value;
    FLEETARIUM_ASSERT(place == none);
    place = value;
    depth_max_ = std::max(depth_max_, depth);
    ++size_;
}

void wildcard_trie::erase(std::string_view filter) {
    std::array<step, limits::topic_levels_max> way;
    std::size_t depth = 0;
    std::uint32_t number = root_;
    path_hash path(seed_);
    level_scanner scanner(filter, seed_);
    while (scanner.next() && scanner.level() != "#") {
        path = path_below(path, scanner);
        number = scanner.level() == plus_level ? node_at(number).plus
                                               : child(number, path, scanner.level());
        FLEETARIUM_ASSERT(number != none);
        way[depth++] = {number, path};
    }
    std::uint32_t& place =
        scanner.level() == "#" ? node_at(number).hash_value : node_at(number).value;
    FLEETARIUM_ASSERT(place != none);
    place = none;
    prune({way.data(), depth});
    --size_;
    if (size_ == 0) {
        nodes_.free(std::exchange(root_, none), node::bytes(0));
        depth_max_ = 0;
    }
}

void wildcard_trie::read(std::string_view topic, topic_levels& levels) const {
    levels.system_ = topic.starts_with('$');
    levels.ended_ = false;
    levels.count_ = 0;
    path_hash path(seed_);
    level_scanner scanner(topic, seed_);
    while (levels.count_ < depth_max_ && scanner.next()) {
        path = path.below(scanner.hash());
        edges_.prefetch(path.value());
        levels.ended_ = scanner.is_last();
        levels.levels_[levels.count_++] = {scanner.level().data(), scanner.level().size(),
                                           scanner.hash()};
    }
}

void wildcard_trie::match(const topic_levels& levels, std::vector<std::uint32_t>& out) const {
    struct branch {
        std::uint32_t number;
        std::uint32_t depth;
        path_hash path;
    };
    if (size_ == 0) {
        return;
    }
    std::array<branch, limits::topic_levels_max> later;  // each depth leaves at most one
    std::size_t later_count = 0;
    branch now{root_, 0, path_hash(seed_)};
    for (;;) {
        node& here = node_at(now.number);
        // v5/MQTT-4.7.2-1: a wildcard in the first level does not see `$` topics.
        const bool wildcards =
            now.depth != 0 || !levels.system_ || is_on(mutant::wildcard_matches_dollar_topics);
        if (here.hash_value != none && wildcards) {
            out.push_back(here.hash_value);
        }
        if (now.depth == levels.count_) {
            if (here.value != none && levels.ended_) {
                out.push_back(here.value);
            }
        } else {
            if (here.plus != none && wildcards) {
                __builtin_prefetch(&node_at(here.plus));
                later[later_count++] = {here.plus, now.depth + 1, now.path.below(plus_hash)};
            }
            if (here.children != 0) {
                const auto& level = levels.levels_[now.depth];
                const path_hash path = now.path.below(level.hash);
                const std::uint32_t literal = child(now.number, path, {level.text, level.size});
                if (literal != none) {
                    now = {literal, now.depth + 1, path};
                    continue;
                }
            }
        }
        if (later_count == 0) {
            return;
        }
        now = later[--later_count];
    }
}

std::uint32_t wildcard_trie::child(std::uint32_t parent, path_hash path,
                                   std::string_view level) const {
    return edges_.find(path.value(), [&](std::uint32_t number) {
        node& found = node_at(number);
        return found.parent == parent && same_text(found.level(), level);
    });
}

std::uint32_t wildcard_trie::child_or_new(std::uint32_t parent, path_hash path,
                                          std::string_view level) {
    const bool plus = level == plus_level;
    const std::uint32_t found = plus ? node_at(parent).plus : child(parent, path, level);
    if (found != none) {
        return found;
    }
    const std::uint32_t made = make_node(parent, level);
    if (plus) {
        node_at(parent).plus = made;
    } else {
        edges_.insert(path.value(), made);
        ++node_at(parent).children;
    }
    return made;
}

std::uint32_t wildcard_trie::make_node(std::uint32_t parent, std::string_view level) {
    const std::uint32_t number = nodes_.allocate(node::bytes(level.size()));
    auto* made = ::new (nodes_.at(number)) node;
    made->parent = parent;
    made->text_size = static_cast<std::uint16_t>(level.size());
    level.copy(made->text(), level.size());
    return number;
}

void wildcard_trie::prune(std::span<const step> way) {
    for (std::size_t at = way.size(); at-- != 0;) {
        const std::uint32_t number = way[at].number;
        node& gone = node_at(number);
        if (gone.plus != none || gone.value != none || gone.hash_value != none ||
            gone.children != 0) {
            return;
        }
        node& parent = node_at(gone.parent);
        if (parent.plus == number) {
            parent.plus = none;
        } else {
            edges_.erase(way[at].path.value(), number);
            --parent.children;
        }
        nodes_.free(number, node::bytes(gone.text_size));
    }
}

}  // namespace fleetarium::broker
