#pragma once

#include <fleetarium/codec/packets.hpp>

#include <cstdint>

namespace fleetarium::broker {

/// Dense index of a session in its broker.
using session_index = std::uint32_t;

/// Handle of a filter that the topic tree stores; valid while the filter has a subscriber or a
/// shared group, and given to another filter after that.
using filter_id = std::uint32_t;

inline constexpr filter_id no_filter = 0xffff'ffff;

/// What one session asked for under one filter.
struct subscription {
    session_index session = 0;
    std::uint32_t identifier = 0;  ///< Subscription Identifier, 0 is none
    subscription_options options;
};

// A million of them are held inline: twelve bytes each is part of the budget.
static_assert(sizeof(subscription) == 12);

}  // namespace fleetarium::broker
