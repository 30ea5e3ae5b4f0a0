#include <fleetarium/broker/retained_store.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/core/limits.hpp>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

// A trie whose children are linked in order, beside a hash table of whole topics: the table serves
// messages that replace one another, the trie serves filters. Every leaf holds a message.

namespace fleetarium::broker {

/// Followed by the text of its level, which begins in what would be padding.
struct retained_store::node {
    static constexpr std::size_t text_offset = 30;

    message_ptr message;  // null in nodes that only lead on
    std::uint32_t parent = none;
    std::uint32_t first_child = none;
    std::uint32_t last_child = none;
    std::uint32_t next = none;      // sibling
    std::uint32_t previous = none;  // sibling
    std::uint16_t text_size = 0;

    char* text() { return reinterpret_cast<char*>(this) + text_offset; }
    std::string_view level() { return {text(), text_size}; }
    static std::size_t bytes(std::size_t text_size) {
        return std::max(sizeof(node), text_offset + text_size);
    }
};

struct retained_store::search {
    enum class step_kind : std::uint8_t { literal, plus, hash };
    struct step {
        step_kind kind = step_kind::literal;
        std::string_view level;
        std::uint64_t hash = 0;
    };

    visitor visit = nullptr;
    void* to = nullptr;
    std::size_t depth = 0;
    std::array<step, limits::topic_levels_max> steps{};
};

retained_store::~retained_store() {
    for_each([](const message_ptr& held) { const_cast<message_ptr&>(held) = {}; });
}

message_ptr retained_store::set(message_ptr message) {
    FLEETARIUM_ASSERT(static_cast<bool>(message));
    const std::string_view topic = message->topic();
    const std::uint64_t hash = hash_text(topic, seed_);
    message_bytes_ += message->memory_bytes();
    std::uint32_t number = find_node(hash, topic);
    if (number == none) {
        number = make_path(topic);
        by_topic_.insert(hash, number);
    } else {
        message_bytes_ -= node_at(number).message->memory_bytes();
    }
    return std::exchange(node_at(number).message, std::move(message));
}

message_ptr retained_store::erase(std::string_view topic) {
    const std::uint64_t hash = hash_text(topic, seed_);
    const std::uint32_t number = find_node(hash, topic);
    if (number == none) {
        return {};
    }
    by_topic_.erase(hash, number);
    message_ptr gone = std::exchange(node_at(number).message, {});
    message_bytes_ -= gone->memory_bytes();
    prune(number);
    if (empty()) {
        node_at(root_).~node();
        nodes_.free(std::exchange(root_, none), node::bytes(0));
    }
    return gone;
}

const message_ptr* retained_store::find(std::string_view topic) const {
    const std::uint32_t number = find_node(hash_text(topic, seed_), topic);
    return number == none ? nullptr : &node_at(number).message;
}

std::size_t retained_store::memory_bytes() const {
    return by_topic_.memory_bytes() + edges_.memory_bytes() + nodes_.memory_bytes();
}

void retained_store::walk(std::string_view filter, visitor visit, void* to) const {
    if (!has_wildcard(filter)) {
        if (const message_ptr* found = find(filter)) {
            visit(to, *found);
        }
        return;
    }
    search wanted;
    wanted.visit = visit;
    wanted.to = to;
    level_scanner scanner(filter, seed_);
    while (scanner.next()) {
        FLEETARIUM_ASSERT(wanted.depth < limits::topic_levels_max);
        const std::string_view level = scanner.level();
        search::step& step = wanted.steps[wanted.depth++];
        step.kind = level == "#"   ? search::step_kind::hash
                    : level == "+" ? search::step_kind::plus
                                   : search::step_kind::literal;
        step.level = level;
        step.hash = scanner.hash();
    }
    if (!empty()) {
        walk_from(root_, path_hash(seed_), 0, wanted);
    }
}

// Recursive in the wildcards of the filter, so bounded by limits::topic_levels_max.
void retained_store::walk_from(std::uint32_t number, path_hash path, std::size_t depth,
                               const search& wanted) const {
    for (; depth < wanted.depth && wanted.steps[depth].kind == search::step_kind::literal;
         ++depth) {
        path = path.below(wanted.steps[depth].hash);
        number = child(number, path, wanted.steps[depth].level);
        if (number == none) {
            return;
        }
    }
    const node& here = node_at(number);
    if (depth == wanted.depth) {
        if (here.message) {
            wanted.visit(wanted.to, here.message);
        }
        return;
    }
    const bool hash = wanted.steps[depth].kind == search::step_kind::hash;
    if (hash && depth != 0) {
        walk_subtree(number, wanted.visit, wanted.to);  // `a/#` matches `a` too
        return;
    }
    for (std::uint32_t below = here.first_child; below != none; below = node_at(below).next) {
        const std::string_view level = node_at(below).level();
        // v5/MQTT-4.7.2-1: a wildcard in the first level does not see `$` topics.
        if (depth == 0 && level.starts_with('$')) {
            continue;
        }
        if (hash) {
            walk_subtree(below, wanted.visit, wanted.to);
        } else {
            walk_from(below, path.below(hash_level(level, seed_)), depth + 1, wanted);
        }
    }
}

void retained_store::walk_all(visitor visit, void* to) const {
    if (!empty()) {
        walk_subtree(root_, visit, to);
    }
}

void retained_store::walk_subtree(std::uint32_t top, visitor visit, void* to) const {
    std::uint32_t number = top;
    for (;;) {
        const node* here = &node_at(number);
        if (here->message) {
            visit(to, here->message);
        }
        if (here->first_child != none) {
            number = here->first_child;
            continue;
        }
        while (number != top && here->next == none) {
            number = here->parent;
            here = &node_at(number);
        }
        if (number == top) {
            return;
        }
        number = here->next;
    }
}

retained_store::node& retained_store::node_at(std::uint32_t number) const {
    return *static_cast<node*>(nodes_.at(number));
}

std::uint32_t retained_store::find_node(std::uint64_t hash, std::string_view topic) const {
    return by_topic_.find(hash, [&](std::uint32_t number) {
        return same_text(node_at(number).message->topic(), topic);
    });
}

std::uint32_t retained_store::child(std::uint32_t parent, path_hash path,
                                    std::string_view level) const {
    return edges_.find(path.value(), [&](std::uint32_t number) {
        node& found = node_at(number);
        return found.parent == parent && same_text(found.level(), level);
    });
}

std::uint32_t retained_store::make_node(std::uint32_t parent, std::string_view level) {
    const std::uint32_t number = nodes_.allocate(node::bytes(level.size()));
    auto* made = ::new (nodes_.at(number)) node;
    made->parent = parent;
    made->text_size = static_cast<std::uint16_t>(level.size());
    level.copy(made->text(), level.size());
    return number;
}

std::uint32_t retained_store::make_child(std::uint32_t parent, path_hash path,
                                         std::string_view level) {
    const std::uint32_t made = make_node(parent, level);
    edges_.insert(path.value(), made);
    node& above = node_at(parent);
    node_at(made).previous = above.last_child;
    if (above.last_child == none) {
        above.first_child = made;
    } else {
        node_at(above.last_child).next = made;
    }
    above.last_child = made;
    return made;
}

std::uint32_t retained_store::make_path(std::string_view topic) {
    if (empty()) {
        root_ = make_node(none, {});
    }
    std::uint32_t number = root_;
    path_hash path(seed_);
    std::size_t depth = 0;
    for (level_scanner scanner(topic, seed_); scanner.next();) {
        FLEETARIUM_ASSERT(++depth <= limits::topic_levels_max);
        path = path.below(scanner.hash());
        const std::uint32_t found = child(number, path, scanner.level());
        number = found != none ? found : make_child(number, path, scanner.level());
    }
    return number;
}

void retained_store::prune(std::uint32_t number) {
    // The paths of all nodes on the way, from the root on.
    std::array<std::uint32_t, limits::topic_levels_max + 1> way;
    std::size_t depth = 0;
    for (std::uint32_t above = number; above != root_; above = node_at(above).parent) {
        way[depth++] = above;
    }
    std::array<path_hash, limits::topic_levels_max + 1> paths;
    path_hash path(seed_);
    for (std::size_t at = depth; at-- != 0;) {
        path = path.below(hash_level(node_at(way[at]).level(), seed_));
        paths[at] = path;
    }
    for (std::size_t at = 0; at < depth; ++at) {
        node& gone = node_at(way[at]);
        if (gone.message || gone.first_child != none) {
            return;
        }
        unlink(gone);
        edges_.erase(paths[at].value(), way[at]);
        const std::size_t bytes = node::bytes(gone.text_size);
        gone.~node();
        nodes_.free(way[at], bytes);
    }
}

void retained_store::unlink(const node& gone) {
    if (gone.previous == none) {
        node_at(gone.parent).first_child = gone.next;
    } else {
        node_at(gone.previous).next = gone.next;
    }
    if (gone.next == none) {
        node_at(gone.parent).last_child = gone.previous;
    } else {
        node_at(gone.next).previous = gone.previous;
    }
}

}  // namespace fleetarium::broker
