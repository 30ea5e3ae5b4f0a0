#include <fleetarium/broker/topic_tree.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/core/limits.hpp>
#include <fleetarium/core/prefetch.hpp>

#include <new>

// Each filter has a record; the record of a plain filter is also the place where the shared groups
// of that filter hang, so that a match finds both at once. Such a record exists while it has a
// subscriber or a group.

namespace fleetarium::broker {

namespace {

constexpr std::string_view share_prefix = "$share/";

enum class filter_kind : std::uint8_t { exact, wildcard, shared };

/// A place for one more object, the one that was free last if there is one.
template <class Object>
std::uint32_t take_number(std::vector<std::unique_ptr<Object>>& objects,
                          std::vector<std::uint32_t>& free) {
    if (free.empty()) {
        objects.emplace_back();
        return static_cast<std::uint32_t>(objects.size() - 1);
    }
    const std::uint32_t number = free.back();
    free.pop_back();
    return number;
}

template <class Object>
void give_back_number(std::vector<std::unique_ptr<Object>>& objects,
                      std::vector<std::uint32_t>& free, std::uint32_t number) {
    objects[number].reset();
    free.push_back(number);
    if (free.size() == objects.size()) {
        objects = std::vector<std::unique_ptr<Object>>();  // `= {}` would keep the capacity
        free = std::vector<std::uint32_t>();
    }
}

}  // namespace

/// Followed by the text. What the last words mean depends on the kind and the count.
struct topic_tree::record {
    struct several {
        std::uint32_t list;  // in lists_
    };
    struct membership {
        std::uint32_t group;  // in groups_
        filter_id plain;      // the record of the filter without the share name
        filter_id previous;   // group of the same plain filter; of the oldest: the newest
    };

    std::uint16_t text_size = 0;
    filter_kind kind = filter_kind::exact;
    filter_id next_group = no_filter;  // of a plain filter the oldest group, of a group the next
    std::uint32_t count = 0;           // plain subscribers
    union {
        subscription one = {};  // plain, count 1
        several many;           // plain, count above 1
        membership shared;      // shared
    };

    char* text() { return reinterpret_cast<char*>(this + 1); }
};

topic_tree::topic_tree(std::uint64_t hash_seed) : seed_(hash_seed), wildcards_(hash_seed) {
    static_assert(sizeof(record) == 24);
}

topic_tree::~topic_tree() = default;

topic_tree::insertion topic_tree::insert(std::string_view filter, const subscription& added) {
    FLEETARIUM_ASSERT(!is_shared_filter(filter));
    const filter_id plain = find_or_make_plain(filter);
    const bool replaced = add_to_plain(at(plain), added);
    subscriptions_ += replaced ? 0 : 1;
    ++generation_;
    return {plain, replaced};
}

topic_tree::insertion topic_tree::insert_shared(std::string_view share_name,
                                                std::string_view filter,
                                                const subscription& added) {
    const filter_id shared = find_or_make_group(share_name, filter);
    const bool replaced = group(shared).insert(added);
    subscriptions_ += replaced ? 0 : 1;
    ++generation_;
    return {shared, replaced};
}

bool topic_tree::erase(filter_id filter, session_index session) {
    record& stored = at(filter);
    const bool shared = stored.kind == filter_kind::shared;
    if (!(shared ? group(filter).erase(session) : erase_from_plain(stored, session))) {
        return false;
    }
    --subscriptions_;
    ++generation_;
    if (!shared) {
        filters_ -= stored.count == 0 ? 1 : 0;
        drop_if_unused(filter);
    } else if (group(filter).members().empty()) {
        drop_group(filter);
    }
    return true;
}

std::optional<filter_id> topic_tree::find(std::string_view filter_as_subscribed) const {
    const filter_id found = find_text(hash_text(filter_as_subscribed, seed_), filter_as_subscribed);
    if (found == no_filter || subscribers(found).empty()) {
        return std::nullopt;
    }
    return found;
}

const subscription* topic_tree::find(filter_id filter, session_index session) const {
    const record& stored = at(filter);
    const subscriber_list* list = nullptr;
    if (stored.kind == filter_kind::shared) {
        list = &group(filter).members_;
    } else if (stored.count > 1) {
        list = lists_[stored.many.list].get();
    } else {
        return stored.count == 1 && stored.one.session == session ? &stored.one : nullptr;
    }
    const std::size_t position = list->find(session);
    return position == subscriber_list::none ? nullptr : &list->view()[position];
}

std::string_view topic_tree::text(filter_id filter) const {
    record& stored = at(filter);
    return {stored.text(), stored.text_size};
}

bool topic_tree::is_shared(filter_id filter) const {
    return at(filter).kind == filter_kind::shared;
}

std::span<const subscription> topic_tree::subscribers(filter_id filter) const {
    const record& stored = at(filter);
    if (stored.kind == filter_kind::shared) {
        return group(filter).members();
    }
    if (stored.count > 1) {
        return lists_[stored.many.list]->view();
    }
    return {&stored.one, stored.count};
}

shared_group& topic_tree::group(filter_id filter) const {
    const record& stored = at(filter);
    FLEETARIUM_ASSERT(stored.kind == filter_kind::shared);
    return *groups_[stored.shared.group];
}

void topic_tree::match(std::string_view topic, match_result& out) const {
    out.clear();
    // First everything whose place is known is asked for, so that the fetches go on at once.
    const std::uint64_t hash = hash_text(topic, seed_);
    by_text_.prefetch(hash);
    wildcard_trie::topic_levels levels;
    if (!wildcards_.empty()) {
        wildcards_.read(topic, levels);
    }
    const filter_id exact = find_text(hash, topic);
    // A topic may read like a stored shared filter, which it does not match for that.
    if (exact != no_filter && at(exact).kind == filter_kind::exact) {
        out.filters.push_back(exact);
        append(exact, out);
    }
    if (wildcards_.empty()) {
        return;
    }
    const std::size_t first = out.filters.size();
    wildcards_.match(levels, out.filters);
    const auto found = std::span(out.filters).subspan(first);
    for (const filter_id filter : found) {
        fleetarium::prefetch(&at(filter));
    }
    for (const filter_id filter : found) {
        append(filter, out);
    }
}

void topic_tree::prefetch(std::string_view topic) const {
    by_text_.prefetch(hash_text(topic, seed_));
}

void topic_tree::prefetch_filter(std::string_view topic) const {
    by_text_.find(hash_text(topic, seed_), [&](filter_id found) {
        fleetarium::prefetch(&at(found));
        return true;
    });
}

session_index topic_tree::only_subscriber(std::string_view topic) const {
    const filter_id found = by_text_.find(hash_text(topic, seed_), [](filter_id) { return true; });
    return found != no_filter && at(found).kind == filter_kind::exact && at(found).count == 1
               ? at(found).one.session
               : 0xFFFF'FFFF;
}

std::size_t topic_tree::memory_bytes() const {
    std::size_t total =
        arena_.memory_bytes() + by_text_.memory_bytes() + wildcards_.memory_bytes() +
        lists_.capacity() * sizeof(lists_[0]) + free_lists_.capacity() * sizeof(free_lists_[0]) +
        groups_.capacity() * sizeof(groups_[0]) + free_groups_.capacity() * sizeof(free_groups_[0]);
    for (const auto& list : lists_) {
        total += list == nullptr ? 0 : sizeof(*list) + list->memory_bytes();
    }
    for (const auto& held : groups_) {
        total += held == nullptr ? 0 : sizeof(*held) + held->members_.memory_bytes();
    }
    return total;
}

void topic_tree::append(filter_id plain, match_result& out) const {
    const record& stored = at(plain);
    if (stored.count == 1) {
        out.plain.emplace_back(&stored.one, 1);
    } else if (stored.count > 1) {
        out.plain.push_back(lists_[stored.many.list]->view());
    }
    for (filter_id shared = stored.next_group; shared != no_filter;
         shared = at(shared).next_group) {
        out.shared.push_back(groups_[at(shared).shared.group].get());
    }
}

filter_id topic_tree::find_text(std::uint64_t hash, std::string_view text_wanted) const {
    return by_text_.find(hash,
                         [&](filter_id filter) { return same_text(text(filter), text_wanted); });
}

filter_id topic_tree::make_record(std::string_view text_held) {
    FLEETARIUM_ASSERT(text_held.size() <= limits::string_size_max);
    const filter_id filter = arena_.allocate(sizeof(record) + text_held.size());
    auto* made = ::new (arena_.at(filter)) record;
    made->text_size = static_cast<std::uint16_t>(text_held.size());
    text_held.copy(made->text(), text_held.size());
    by_text_.insert(hash_text(text_held, seed_), filter);
    return filter;
}

void topic_tree::drop_record(filter_id filter) {
    by_text_.erase(hash_text(text(filter), seed_), filter);
    arena_.free(filter, sizeof(record) + at(filter).text_size);
}

filter_id topic_tree::find_or_make_plain(std::string_view filter) {
    filter_id plain = find_text(hash_text(filter, seed_), filter);
    if (plain != no_filter) {
        return plain;
    }
    plain = make_record(filter);
    if (has_wildcard(filter)) {
        at(plain).kind = filter_kind::wildcard;
        wildcards_.insert(filter, plain);
    }
    return plain;
}

void topic_tree::drop_if_unused(filter_id plain) {
    record& stored = at(plain);
    if (stored.count != 0 || stored.next_group != no_filter) {
        return;
    }
    if (stored.kind == filter_kind::wildcard) {
        wildcards_.erase(text(plain));
    }
    drop_record(plain);
}

bool topic_tree::add_to_plain(record& plain, const subscription& added) {
    if (plain.count == 0) {
        plain.one = added;
        plain.count = 1;
        ++filters_;
        return false;
    }
    if (plain.count == 1) {
        if (plain.one.session == added.session) {
            plain.one = added;
            return true;
        }
        const std::uint32_t number = take_number(lists_, free_lists_);
        lists_[number] = std::make_unique<subscriber_list>();
        lists_[number]->insert(plain.one);
        plain.many = {number};
    }
    if (lists_[plain.many.list]->insert(added)) {
        return true;
    }
    ++plain.count;
    return false;
}

bool topic_tree::erase_from_plain(record& plain, session_index session) {
    if (plain.count < 2) {
        if (plain.count == 0 || plain.one.session != session) {
            return false;
        }
        plain.count = 0;
        return true;
    }
    const std::uint32_t number = plain.many.list;
    if (lists_[number]->erase(session).at == subscriber_list::none) {
        return false;
    }
    --plain.count;
    if (plain.count == 1) {
        plain.one = lists_[number]->view().front();
        give_back_number(lists_, free_lists_, number);
    }
    return true;
}

filter_id topic_tree::find_or_make_group(std::string_view share_name, std::string_view filter) {
    std::string text_wanted(share_prefix);
    text_wanted.append(share_name).append("/").append(filter);
    const filter_id found = find_text(hash_text(text_wanted, seed_), text_wanted);
    if (found != no_filter) {
        return found;
    }
    const filter_id plain = find_or_make_plain(filter);
    const filter_id made = make_record(text_wanted);
    const std::uint32_t number = take_number(groups_, free_groups_);
    groups_[number] = std::make_unique<shared_group>(made);
    ++filters_;
    at(made).kind = filter_kind::shared;
    // The oldest group's `previous` is the newest, so the end of the chain needs no search.
    const filter_id oldest = at(plain).next_group;
    if (oldest == no_filter) {
        at(plain).next_group = made;
        at(made).shared = {number, plain, made};
    } else {
        const filter_id newest = at(oldest).shared.previous;
        at(newest).next_group = made;
        at(made).shared = {number, plain, newest};
        at(oldest).shared.previous = made;
    }
    return made;
}

void topic_tree::drop_group(filter_id filter) {
    const record::membership gone = at(filter).shared;
    const filter_id next = at(filter).next_group;
    record& plain = at(gone.plain);
    if (plain.next_group == filter) {
        plain.next_group = next;
    } else {
        at(gone.previous).next_group = next;
    }
    if (next != no_filter) {
        at(next).shared.previous = gone.previous;
    } else if (plain.next_group != no_filter) {
        at(plain.next_group).shared.previous = gone.previous;
    }
    give_back_number(groups_, free_groups_, gone.group);
    --filters_;
    drop_record(filter);
    drop_if_unused(gone.plain);
}

}  // namespace fleetarium::broker
