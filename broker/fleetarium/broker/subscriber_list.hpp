#pragma once

#include <fleetarium/broker/handle_table.hpp>
#include <fleetarium/broker/subscription.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fleetarium::broker {

/// Subscriptions of many sessions to one filter, at most one a session.
///
/// Order: that of insertion. Erasing keeps it while the list is short; once a list has grown beyond
/// `ordered_size_max`, and until it has shrunk to half of that, the last subscription takes the
/// place of the one that leaves, so that a hundred thousand subscribers may come and go in constant
/// time each. Either way the order depends on nothing but the calls made.
class subscriber_list {
public:
    static constexpr std::size_t ordered_size_max = 64;
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    /// Valid until the next insert or erase.
    std::span<const subscription> view() const { return items_; }
    std::size_t size() const { return items_.size(); }

    /// Position of the session's subscription, or `none`.
    std::size_t find(session_index session) const;

    /// Adds a subscription, or updates that of the same session in its place.
    /// Returns whether it replaced one.
    bool insert(const subscription& added);

    struct erasure {
        std::size_t at = none;    ///< position that the subscription had; none if there was none
        bool last_moved = false;  ///< the last subscription is now there; else all behind moved up
    };

    /// Removes the session's subscription.
    erasure erase(session_index session);

    std::size_t memory_bytes() const;

private:
    std::size_t find_indexed(session_index session) const;
    void index_all();

    std::vector<subscription> items_;
    handle_table positions_;  // session to position; empty while the list is short
};

}  // namespace fleetarium::broker
