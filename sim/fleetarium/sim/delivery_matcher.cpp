#include <fleetarium/sim/delivery_matcher.hpp>

#include <fleetarium/core/hash.hpp>
#include <fleetarium/core/limits.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <utility>

namespace fleetarium::sim::detail {

namespace {

std::uint64_t key_of(std::string_view topic, bytes_view payload) {
    return combine(hash_text(topic), hash_bytes(payload));
}

/// Keys are hashes already.
struct as_it_is {
    using is_avalanching = void;
    std::size_t operator()(std::uint64_t key) const noexcept { return key; }
};

template <class Value>
using table = boost::unordered_flat_map<std::uint64_t, Value, as_it_is>;

}  // namespace

struct delivery_matcher::tables {
    table<equal_messages> messages;  ///< by key
    // What receivers had last of equal messages, in two generations: when the newer one is full,
    // the older one is forgotten.
    table<place> had;
    table<place> had_before;
};

delivery_matcher::delivery_matcher() : tables_(std::make_unique<tables>()) {}
delivery_matcher::~delivery_matcher() = default;

void delivery_matcher::note_published(std::string_view topic, bytes_view payload,
                                      const message_identity& identity) {
    if (records_.size() == limits::matched_messages_max) {
        forget_oldest();
    }
    const std::uint64_t key = key_of(topic, payload);
    const place made = forgotten_ + records_.size();
    records_.push_back({key, identity, nowhere});
    const auto [found, is_new] = tables_->messages.try_emplace(key, equal_messages{made, made});
    if (!is_new) {
        at(found->second.last).next = made;
        found->second.last = made;
    }
}

void delivery_matcher::forget_oldest() {
    const record& oldest = records_.front();
    if (oldest.next == nowhere) {
        tables_->messages.erase(oldest.key);
    } else {
        tables_->messages.find(oldest.key)->second.first = oldest.next;
    }
    records_.pop_front();
    ++forgotten_;
}

std::optional<delivery_matcher::match> delivery_matcher::find(host_id receiver,
                                                              std::string_view topic,
                                                              bytes_view payload, instant since) {
    const std::uint64_t key = key_of(topic, payload);
    const auto found = tables_->messages.find(key);
    if (found == tables_->messages.end()) {
        return std::nullopt;
    }
    const equal_messages& all = found->second;
    const std::uint64_t receiver_key = combine(key, receiver);
    const std::optional<place> had = last_had(receiver_key);
    if (had && *had >= all.last) {
        return match{at(all.last).identity, true};
    }
    const place next = first_to_have(all, had.value_or(nowhere), since);
    note_had(receiver_key, next);
    return match{at(next).identity, false};
}

/// The oldest one not had and not published before `since`; if there is none, the newest.
delivery_matcher::place delivery_matcher::first_to_have(const equal_messages& all, place had,
                                                        instant since) {
    const bool known = had != nowhere && had >= forgotten_;
    place next = known ? at(had).next : all.first;
    while (next != all.last && at(next).identity.published_at < since) {
        next = at(next).next;
    }
    return next;
}

std::optional<delivery_matcher::match> delivery_matcher::find_retained(std::string_view topic,
                                                                       bytes_view payload) const {
    const auto found = tables_->messages.find(key_of(topic, payload));
    if (found == tables_->messages.end()) {
        return std::nullopt;
    }
    message_identity identity = records_[found->second.last - forgotten_].identity;
    identity.published_at = no_latency;
    return match{identity, false};
}

std::optional<delivery_matcher::place> delivery_matcher::last_had(
    std::uint64_t receiver_key) const {
    for (const table<place>* const each : {&tables_->had, &tables_->had_before}) {
        const auto found = each->find(receiver_key);
        if (found != each->end()) {
            return found->second;
        }
    }
    return std::nullopt;
}

void delivery_matcher::note_had(std::uint64_t receiver_key, place had) {
    if (tables_->had.size() >= limits::matched_messages_max) {
        tables_->had_before = std::exchange(tables_->had, {});
    }
    tables_->had.insert_or_assign(receiver_key, had);
}

}  // namespace fleetarium::sim::detail
