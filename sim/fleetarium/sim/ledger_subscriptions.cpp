#include <fleetarium/sim/ledger_subscriptions.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/hash.hpp>

#include <algorithm>
#include <utility>

namespace fleetarium::sim::detail {

ledger_subscriptions::parts ledger_subscriptions::parts_of(std::string_view filter) {
    if (is_shared_filter(filter)) {
        if (const auto shared = parse_shared_filter(filter)) {
            return {shared->filter, static_cast<std::uint32_t>(hash_text(shared->share_name)) | 1u};
        }
    }
    return {filter, 0};
}

std::uint64_t ledger_subscriptions::hash_of(std::string_view text) {
    return hash_text(text, 0x1ed6e5);
}

ledger_subscriptions::shape ledger_subscriptions::shape_of(std::string_view filter) {
    shape made;
    for (;;) {
        const std::size_t end = filter.find('/');
        const std::string_view level = filter.substr(0, end);
        if (level == "#") {
            made.rest = true;
            break;
        }
        made.plus.push_back(level == "+" ? 1 : 0);
        if (end == std::string_view::npos) {
            break;
        }
        filter.remove_prefix(end + 1);
    }
    std::string text(made.plus.begin(), made.plus.end());
    text += made.rest ? 'r' : 'e';
    made.hash = hash_of(text);
    return made;
}

void ledger_subscriptions::note_shape(std::string_view filter) {
    if (!has_wildcard(filter)) {
        return;
    }
    shape made = shape_of(filter);
    const bool known = std::any_of(shapes_.begin(), shapes_.end(),
                                   [&](const shape& each) { return each.hash == made.hash; });
    if (!known) {
        shapes_.push_back(std::move(made));
    }
}

bool ledger_subscriptions::add(std::uint32_t& first_of_session, std::uint32_t session,
                               std::string_view filter, const subscription_options& options,
                               std::uint32_t identifier) {
    const auto [plain, group] = parts_of(filter);
    const std::uint64_t hash = hash_of(plain);
    for (std::uint32_t at = first_of_session; at != none; at = pool_[at].next_of_session) {
        if (pool_[at].filter == hash && pool_[at].group == group) {
            pool_[at].options = options;
            pool_[at].identifier = identifier;
            return false;
        }
    }
    std::uint32_t index = static_cast<std::uint32_t>(pool_.size());
    if (free_.empty()) {
        pool_.emplace_back();
    } else {
        index = free_.back();
        free_.pop_back();
    }
    subscription& made = pool_[index];
    made = {hash,       session, group,
            none,       none,    first_of_session,
            identifier, options, plain.front() == '+' || plain.front() == '#'};
    first_of_session = index;
    const auto [head, is_new] = filters_.insert(hash);
    if (!is_new) {
        made.next_of_filter = *head;
        pool_[*head].previous_of_filter = index;
    }
    *head = index;
    if (is_new) {
        note_shape(plain);
    }
    return true;
}

bool ledger_subscriptions::remove(std::uint32_t& first_of_session, std::uint32_t session,
                                  std::string_view filter) {
    const auto [plain, group] = parts_of(filter);
    const std::uint64_t hash = hash_of(plain);
    for (std::uint32_t* at = &first_of_session; *at != none; at = &pool_[*at].next_of_session) {
        subscription& each = pool_[*at];
        if (each.filter == hash && each.group == group && each.session == session) {
            unlink(*at, *at);
            return true;
        }
    }
    return false;
}

void ledger_subscriptions::remove_all(std::uint32_t& first_of_session) {
    while (first_of_session != none) {
        unlink(first_of_session, first_of_session);
    }
}

/// `link` is what points to the subscription in its session's list.
void ledger_subscriptions::unlink(std::uint32_t& link, std::uint32_t index) {
    subscription& gone = pool_[index];
    link = gone.next_of_session;
    if (gone.next_of_filter != none) {
        pool_[gone.next_of_filter].previous_of_filter = gone.previous_of_filter;
    }
    if (gone.previous_of_filter != none) {
        pool_[gone.previous_of_filter].next_of_filter = gone.next_of_filter;
    } else if (gone.next_of_filter != none) {
        *filters_.find(gone.filter) = gone.next_of_filter;
    } else {
        filters_.erase(gone.filter);
    }
    gone = subscription{};
    free_.push_back(index);
}

void ledger_subscriptions::split(std::string_view topic) {
    levels_.clear();
    for (std::size_t i = 0; i < topic.size(); ++i) {
        if (topic[i] == '/') {
            levels_.push_back(static_cast<std::uint16_t>(i));
        }
    }
    levels_.push_back(static_cast<std::uint16_t>(topic.size()));
}

/// The topic as a filter of that shape would have to read; false if none can match.
bool ledger_subscriptions::project(std::string_view topic, const shape& onto, bool ignore_dollar) {
    const std::size_t wanted = onto.plus.size();
    if (onto.rest ? levels_.size() < wanted : levels_.size() != wanted) {
        return false;
    }
    const bool begins_with_wildcard = wanted == 0 || onto.plus[0] != 0;
    if (topic.front() == '$' && begins_with_wildcard && !ignore_dollar) {
        return false;  // v5/MQTT-4.7.2-1
    }
    projected_.clear();
    std::size_t begin = 0;
    for (std::size_t i = 0; i < wanted; ++i) {
        if (i != 0) {
            projected_ += '/';
        }
        if (onto.plus[i] != 0) {
            projected_ += '+';
        } else {
            projected_ += topic.substr(begin, levels_[i] - begin);
        }
        begin = levels_[i] + std::size_t{1};
    }
    if (onto.rest) {
        projected_ += wanted == 0 ? "#" : "/#";
    }
    return true;
}

bool ledger_subscriptions::is_shielded_from(std::uint32_t first_of_session,
                                            std::string_view topic) {
    if (topic.front() != '$') {
        return false;
    }
    bool found = false;
    split(topic);
    for (const shape& each : shapes_) {
        if (!project(topic, each, true)) {
            continue;
        }
        const std::uint64_t hash = hash_of(projected_);
        for_each_of(first_of_session, [&](const subscription& one) {
            found = found || (one.filter == hash && one.dollar_shielded);
        });
    }
    return found;
}

std::size_t ledger_subscriptions::memory_bytes() const {
    return pool_.capacity() * sizeof(subscription) + free_.capacity() * sizeof(std::uint32_t) +
           filters_.memory_bytes();
}

}  // namespace fleetarium::sim::detail
