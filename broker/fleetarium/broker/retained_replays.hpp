#pragma once

#include <fleetarium/broker/session_registry.hpp>
#include <fleetarium/broker/topic_tree.hpp>
#include <fleetarium/session/message.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

namespace fleetarium::broker {

/// Retained messages that SUBSCRIBE asked for and that are more than goes out in one turn: what is
/// left for each session, until its connection ends. A filter that is asked for again while it
/// waits, waits once, as of the later SUBSCRIBE; so there are never more than the session has
/// subscriptions.
///
/// What was retained after a SUBSCRIBE came to its subscription as any message does, so it is not
/// to come from here: while anything waits, the messages that come to be retained are numbered.
///
/// Thread rule: one thread at a time. Costs nothing while nothing waits.
class retained_replays {
public:
    struct replay {
        filter_id filter = no_filter;    ///< whose messages these are
        std::vector<message_ptr> found;  ///< null where sent
        std::size_t next = 0;
        std::map<filter_id, std::uint64_t> waiting;  ///< filters, and as of which number
    };

    bool empty() const { return of_session_.empty(); }
    bool contains(session_index session) const { return of_session_.contains(session); }
    /// Null if nothing is left for the session; valid until something of it is forgotten.
    replay* find(session_index session);

    /// The filter's messages, as they are now, are to come.
    void wait(session_index session, filter_id filter);
    /// As `wait`, with these found already; nothing is left for the session so far.
    void begin(session_index session, filter_id filter, std::vector<message_ptr> found);
    /// The subscription has ended.
    void forget(session_index session, filter_id filter);
    void forget(session_index session);

    void note_retained(const message_ptr& kept) {
        if (!empty()) {
            numbers_[&*kept] = ++newest_;
        }
    }
    void note_no_longer_retained(const message_ptr& gone) {
        if (!empty()) {
            numbers_.erase(&*gone);
        }
    }
    /// Whether a message that is retained now was so at that number.
    bool was_retained(const message_ptr& kept, std::uint64_t as_of) const {
        const auto numbered = numbers_.find(&*kept);
        return numbered == numbers_.end() || numbered->second <= as_of;
    }

    /// Of what is left for a session, without the messages.
    std::size_t memory_bytes(session_index session) const;
    std::size_t numbers_bytes() const {
        return numbers_.size() * (sizeof(*numbers_.begin()) + 2 * sizeof(void*));
    }

private:
    std::map<session_index, replay> of_session_;
    std::unordered_map<const message*, std::uint64_t> numbers_;  // of what is retained since
    std::uint64_t newest_ = 0;
};

}  // namespace fleetarium::broker
