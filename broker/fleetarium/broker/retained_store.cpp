#include <fleetarium/broker/retained_store.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/core/limits.hpp>

#include <array>
#include <new>

// A trie whose children are linked in order, beside a hash table of whole topics: the table serves
// messages that replace one another, the trie serves filters. Every leaf holds a message.

namespace fleetarium::broker {

struct retained_store::search {
    enum class step_kind : std::uint8_t { literal, plus, hash };
    struct step {
        step_kind kind = step_kind::literal;
        level_symbol symbol = level_table::none;
    };

    visitor visit = nullptr;
    void* to = nullptr;
    std::size_t depth = 0;
    std::array<step, limits::topic_levels_max> steps{};
};

retained_store::retained_store(std::uint64_t hash_seed)
    : seed_(mix64(hash_seed)), levels_(hash_seed), root_(make_node(none, level_table::none)) {}

retained_store::~retained_store() {
    walk_subtree(
        root_,
        [](void* to, const message_ptr& held) {
            static_cast<void>(to);
            const_cast<message_ptr&>(held) = {};
        },
        nullptr);
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
    return gone;
}

const message_ptr* retained_store::find(std::string_view topic) const {
    const std::uint32_t number = find_node(hash_text(topic, seed_), topic);
    return number == none ? nullptr : &node_at(number).message;
}

std::size_t retained_store::memory_bytes() const {
    return by_topic_.memory_bytes() + levels_.memory_bytes() + edges_.memory_bytes() +
           nodes_.memory_bytes();
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
    std::string_view level;
    bool more = true;
    while (more) {
        more = take_level(filter, level);
        FLEETARIUM_ASSERT(wanted.depth < limits::topic_levels_max);
        search::step& step = wanted.steps[wanted.depth++];
        if (level == "#") {
            step = {search::step_kind::hash, level_table::none};
        } else if (level == "+") {
            step = {search::step_kind::plus, level_table::none};
        } else {
            step = {search::step_kind::literal, levels_.find(level)};
            if (step.symbol == level_table::none) {
                return;  // no topic held has this level anywhere
            }
        }
    }
    walk_from(root_, 0, wanted);
}

// Recursive in the wildcards of the filter, so bounded by limits::topic_levels_max.
void retained_store::walk_from(std::uint32_t number, std::size_t depth,
                               const search& wanted) const {
    while (depth < wanted.depth && wanted.steps[depth].kind == search::step_kind::literal) {
        number = child(number, wanted.steps[depth].symbol);
        if (number == none) {
            return;
        }
        ++depth;
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
        // v5/MQTT-4.7.2-1: a wildcard in the first level does not see `$` topics.
        if (depth == 0 && begins_with_dollar(below)) {
            continue;
        }
        if (hash) {
            walk_subtree(below, wanted.visit, wanted.to);
        } else {
            walk_from(below, depth + 1, wanted);
        }
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

std::uint32_t retained_store::find_node(std::uint64_t hash, std::string_view topic) const {
    return by_topic_.find(
        hash, [&](std::uint32_t number) { return node_at(number).message->topic() == topic; });
}

std::uint64_t retained_store::edge_hash(std::uint32_t parent, level_symbol symbol) const {
    return mix64((std::uint64_t{parent} << 32 | symbol) ^ seed_);
}

std::uint32_t retained_store::child(std::uint32_t parent, level_symbol symbol) const {
    return edges_.find(edge_hash(parent, symbol), [&](std::uint32_t number) {
        const node& found = node_at(number);
        return found.parent == parent && found.symbol == symbol;
    });
}

std::uint32_t retained_store::make_node(std::uint32_t parent, level_symbol symbol) {
    const std::uint32_t number = nodes_.allocate(sizeof(node));
    auto* made = ::new (nodes_.at(number)) node;
    made->parent = parent;
    made->symbol = symbol;
    return number;
}

std::uint32_t retained_store::make_path(std::string_view topic) {
    std::uint32_t number = root_;
    std::string_view level;
    std::size_t depth = 0;
    bool more = true;
    while (more) {
        more = take_level(topic, level);
        FLEETARIUM_ASSERT(++depth <= limits::topic_levels_max);
        number = child_or_new(number, level);
    }
    return number;
}

std::uint32_t retained_store::child_or_new(std::uint32_t parent, std::string_view level) {
    const level_symbol known = levels_.find(level);
    if (known != level_table::none) {
        const std::uint32_t found = child(parent, known);
        if (found != none) {
            return found;
        }
    }
    const level_symbol symbol = levels_.acquire(level);
    const std::uint32_t made = make_node(parent, symbol);
    edges_.insert(edge_hash(parent, symbol), made);
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

void retained_store::prune(std::uint32_t number) {
    while (number != root_) {
        node& gone = node_at(number);
        if (gone.message || gone.first_child != none) {
            return;
        }
        const std::uint32_t parent = gone.parent;
        unlink(gone);
        edges_.erase(edge_hash(parent, gone.symbol), number);
        levels_.release(gone.symbol);
        gone.~node();
        nodes_.free(number, sizeof(node));
        number = parent;
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

bool retained_store::begins_with_dollar(std::uint32_t top_level) const {
    return levels_.text(node_at(top_level).symbol).starts_with('$');
}

}  // namespace fleetarium::broker
