#pragma once

#include <fleetarium/broker/handle_table.hpp>
#include <fleetarium/broker/record_arena.hpp>
#include <fleetarium/broker/shared_groups.hpp>
#include <fleetarium/broker/subscriber_list.hpp>
#include <fleetarium/broker/subscription.hpp>
#include <fleetarium/broker/wildcard_trie.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::broker {

/// What a topic matches. Keep one and use it again: then matching allocates nothing.
struct match_result {
    /// One span per matching filter with plain subscriptions.
    std::vector<std::span<const subscription>> plain;
    /// One per matching (share name, filter).
    std::vector<shared_group*> shared;
    /// The filters found, in the order of what is above; the tree's own notes.
    std::vector<filter_id> filters;

    void clear() {
        plain.clear();
        shared.clear();
        filters.clear();
    }
    bool empty() const { return plain.empty() && shared.empty(); }
};

/// Who subscribed to what: filters, their subscribers, and the match of a topic against them all.
///
/// Filters without a wildcard lie in one flat hash table keyed by the whole topic, each in one
/// record of 24 bytes and its text, with the subscriber inside while it is the only one: a fleet
/// of a million devices with a command topic each is found by one look-up. Filters with wildcards
/// lie in a trie that holds nothing else, so a match walks few nodes.
///
/// Order of a match: first the filter equal to the topic, then filters with wildcards, in an order
/// that depends on the filters alone; inside a filter as subscriber_list says; shared groups of
/// one filter from the oldest to the newest. Nothing depends on a hash, a pointer or the seed.
///
/// Thread rule: one thread at a time.
class topic_tree {
public:
    /// `hash_seed` as in broker_options.
    explicit topic_tree(std::uint64_t hash_seed = 0);
    ~topic_tree();
    topic_tree(const topic_tree&) = delete;
    topic_tree& operator=(const topic_tree&) = delete;

    struct insertion {
        filter_id filter = no_filter;
        /// The session had this filter already; its options and identifier are now the new ones
        /// and its place in the order is kept [v5/MQTT-3.8.4-3].
        bool replaced = false;
    };

    /// Adds or updates the session's subscription to a plain filter, which is valid, has at most
    /// limits::topic_levels_max levels and does not begin with `$share/`.
    /// Linear in the filter's length.
    insertion insert(std::string_view filter, const subscription& added);

    /// Adds or updates the session's membership in a shared group; both parts as
    /// parse_shared_filter gives them, and the filter within limits::topic_levels_max.
    insertion insert_shared(std::string_view share_name, std::string_view filter,
                            const subscription& added);

    /// Removes the session's subscription or membership under a stored filter; returns whether
    /// there was one. With its last subscriber the filter goes, and its memory is used again.
    bool erase(filter_id filter, session_index session);

    /// The stored filter with exactly these bytes, in the form clients use (`$share/name/filter`
    /// for shared ones); none if nobody is subscribed to it.
    std::optional<filter_id> find(std::string_view filter_as_subscribed) const;

    /// The session's subscription under a stored filter, or null; valid until the next insert or
    /// erase.
    const subscription* find(filter_id filter, session_index session) const;

    /// Text of a stored filter, for shared ones with `$share/` and the name; valid until the
    /// filter's last subscriber goes.
    std::string_view text(filter_id filter) const;

    /// Whether a stored filter is a shared one.
    bool is_shared(filter_id filter) const;

    /// All who have subscribed to a stored filter, shared or not; valid until the next insert or
    /// erase.
    std::span<const subscription> subscribers(filter_id filter) const;

    /// The group of a stored shared filter; valid until its last member goes.
    shared_group& group(filter_id filter) const;

    /// Replaces `out` by what matches the valid topic name. Spans and pointers are valid until the
    /// next insert or erase. A filter that begins with a wildcard does not match a topic that
    /// begins with `$` [v5/MQTT-4.7.2-1].
    void match(std::string_view topic, match_result& out) const;

    /// Asks the processor to fetch what match(topic) reads first; worth it when other work comes
    /// between the two.
    void prefetch(std::string_view topic) const;

    /// Asks for the filter equal to the topic; some work after prefetch(topic).
    void prefetch_filter(std::string_view topic) const;

    /// The session that alone subscribes to the filter equal to the topic, or no_session. By hash:
    /// only a hint, for more prefetching.
    session_index only_subscriber(std::string_view topic) const;

    /// Changes with every insert and erase that returned true: a match kept from before is still
    /// the match while this number is the same.
    std::uint64_t generation() const { return generation_; }

    /// Subscriptions and memberships.
    std::size_t subscription_count() const { return subscriptions_; }

    /// Filters that have a subscriber, shared ones included.
    std::size_t filter_count() const { return filters_; }

    /// Shared groups.
    std::size_t group_count() const { return groups_.size() - free_groups_.size(); }

    /// Bytes held from the general allocator, without the object itself.
    std::size_t memory_bytes() const;

    /// About memory_bytes, rather more than less, in constant time.
    std::size_t memory_estimate() const {
        return arena_.memory_bytes() + by_text_.memory_bytes() + wildcards_.memory_bytes() +
               (lists_.capacity() + groups_.capacity()) * (sizeof(void*) + sizeof(std::uint32_t)) +
               (lists_.size() - free_lists_.size()) * sizeof(subscriber_list) +
               group_count() * sizeof(shared_group) + subscriptions_ * 2 * sizeof(subscription);
    }

private:
    struct record;

    record& at(filter_id filter) const { return *static_cast<record*>(arena_.at(filter)); }
    filter_id find_text(std::uint64_t hash, std::string_view text) const;
    filter_id make_record(std::string_view text);
    void drop_record(filter_id filter);
    filter_id find_or_make_plain(std::string_view filter);
    void drop_if_unused(filter_id plain);
    bool add_to_plain(record& plain, const subscription& added);
    bool erase_from_plain(record& plain, session_index session);
    filter_id find_or_make_group(std::string_view share_name, std::string_view filter);
    void drop_group(filter_id filter);
    void append(filter_id plain, match_result& out) const;

    std::uint64_t seed_;
    std::uint64_t generation_ = 0;
    std::size_t subscriptions_ = 0;
    std::size_t filters_ = 0;
    record_arena arena_;
    handle_table by_text_;
    wildcard_trie wildcards_;
    std::vector<std::unique_ptr<subscriber_list>> lists_;  // of filters with several subscribers
    std::vector<std::uint32_t> free_lists_;
    std::vector<std::unique_ptr<shared_group>> groups_;
    std::vector<std::uint32_t> free_groups_;
};

}  // namespace fleetarium::broker
