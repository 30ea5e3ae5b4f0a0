#pragma once

#include <fleetarium/broker/handle_table.hpp>
#include <fleetarium/broker/record_arena.hpp>
#include <fleetarium/broker/topic_text.hpp>
#include <fleetarium/session/message.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fleetarium::broker {

/// The retained message of each topic.
///
/// Order of every enumeration: the topics of one level before their descendants, and siblings in
/// the order in which their level first came to hold a message; so a store filled from an
/// enumeration enumerates alike. Nothing depends on a hash, a pointer or the seed.
///
/// Thread rule: one thread at a time.
class retained_store {
public:
    /// `hash_seed` as in topic_tree.
    explicit retained_store(std::uint64_t hash_seed = 0) : seed_(hash_seed) {}
    ~retained_store();
    retained_store(const retained_store&) = delete;
    retained_store& operator=(const retained_store&) = delete;

    /// Stores the message under its topic, in the place of the one there [v5/MQTT-3.3.1-5].
    /// Returns the message replaced, or null. The topic is a valid name of at most
    /// limits::topic_levels_max levels. One look-up if the topic is there, else linear in it.
    message_ptr set(message_ptr message);

    /// Forgets the topic's message and returns it; null if there is none.
    message_ptr erase(std::string_view topic);

    /// The topic's message, or null; valid until the next set or erase. One look-up.
    const message_ptr* find(std::string_view topic) const;

    /// Calls `visit(const message_ptr&)` for each message whose topic matches the plain (not
    /// shared), valid filter; a filter that begins with a wildcard matches no topic that begins
    /// with `$` [v5/MQTT-4.7.2-1]. The visitor must not change the store.
    /// Looks only at branches that the filter's levels lead into.
    template <class Visitor>
    void for_each_match(std::string_view filter, Visitor&& visit) const {
        walk(
            filter,
            [](void* to, const message_ptr& found) {
                (*static_cast<std::remove_reference_t<Visitor>*>(to))(found);
            },
            address_of(visit));
    }

    /// Calls `visit(const message_ptr&)` for every message, `$` topics included.
    template <class Visitor>
    void for_each(Visitor&& visit) const {
        walk_all(
            [](void* to, const message_ptr& found) {
                (*static_cast<std::remove_reference_t<Visitor>*>(to))(found);
            },
            address_of(visit));
    }

    std::size_t size() const { return by_topic_.size(); }
    bool empty() const { return size() == 0; }

    /// Bytes of the messages held, as message::memory_bytes counts them.
    std::size_t message_bytes() const { return message_bytes_; }

    /// Bytes that the store itself holds from the general allocator, without the messages.
    std::size_t memory_bytes() const;

private:
    using visitor = void (*)(void* to, const message_ptr& found);

    static constexpr std::uint32_t none = handle_table::none;

    struct node;

    /// A filter taken apart, with what is to be called for each match.
    struct search;

    template <class Visitor>
    static void* address_of(Visitor& visit) {
        return const_cast<void*>(static_cast<const void*>(std::addressof(visit)));
    }

    node& node_at(std::uint32_t number) const;
    std::uint32_t find_node(std::uint64_t hash, std::string_view topic) const;
    std::uint32_t child(std::uint32_t parent, path_hash path, std::string_view level) const;
    std::uint32_t make_node(std::uint32_t parent, std::string_view level);
    std::uint32_t make_child(std::uint32_t parent, path_hash path, std::string_view level);
    std::uint32_t make_path(std::string_view topic);
    void prune(std::uint32_t number);
    void unlink(const node& gone);
    void walk(std::string_view filter, visitor visit, void* to) const;
    void walk_from(std::uint32_t number, path_hash path, std::size_t depth,
                   const search& wanted) const;
    void walk_all(visitor visit, void* to) const;
    void walk_subtree(std::uint32_t top, visitor visit, void* to) const;

    std::uint64_t seed_;
    std::size_t message_bytes_ = 0;
    handle_table by_topic_;
    handle_table edges_;
    record_arena nodes_;
    std::uint32_t root_ = none;  // none while the store is empty
};

}  // namespace fleetarium::broker
