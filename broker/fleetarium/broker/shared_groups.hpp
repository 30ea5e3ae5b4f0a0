#pragma once

#include <fleetarium/broker/subscriber_list.hpp>
#include <fleetarium/broker/subscription.hpp>

#include <cstddef>
#include <span>

namespace fleetarium::broker {

/// The members of one shared subscription: a (share name, filter) of the whole broker.
///
/// Members stand in join order (see subscriber_list for large groups). A cursor says whose turn
/// it is; who can take a message is for the caller to say, since only it knows which members are
/// connected.
class shared_group {
public:
    explicit shared_group(filter_id filter) : filter_(filter) {}

    /// The handle of the group's filter in its `$share/` form.
    filter_id filter() const { return filter_; }

    /// Never empty while the topic tree holds the group; valid until the next insert or erase.
    std::span<const subscription> members() const { return members_.view(); }

    /// Position of the member whose turn it is; below members().size().
    std::size_t next() const { return next_; }

    /// Gives the turn to the member after `taken`, a position of members().
    void advance(std::size_t taken) { next_ = taken + 1 < members_.size() ? taken + 1 : 0; }

    /// Gives the turn to the member after next().
    void advance() { advance(next_); }

    /// The first member, from next() on in a circle, for which `can_take(const subscription&)` is
    /// true, and gives the turn to the one after it; null, with the turn unchanged, if there is
    /// none. Linear in the members asked.
    template <class Predicate>
    const subscription* pick(Predicate&& can_take);

private:
    friend class topic_tree;

    bool insert(const subscription& added) { return members_.insert(added); }
    bool erase(session_index session);

    filter_id filter_;
    std::size_t next_ = 0;
    subscriber_list members_;
};

template <class Predicate>
const subscription* shared_group::pick(Predicate&& can_take) {
    const auto all = members();
    for (std::size_t asked = 0, at = next_; asked < all.size(); ++asked) {
        if (can_take(all[at])) {
            advance(at);
            return &all[at];
        }
        at = at + 1 < all.size() ? at + 1 : 0;
    }
    return nullptr;
}

}  // namespace fleetarium::broker
