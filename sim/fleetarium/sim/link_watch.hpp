#pragma once

#include <fleetarium/sim/event.hpp>
#include <fleetarium/sim/link_tap.hpp>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace fleetarium::sim::detail {

/// Tells a link_tap what the events of links mean.
class link_watch {
public:
    explicit link_watch(link_tap& to) : to_(to) {}

    /// An event that is about to be handled; void ones are passed over.
    void see(const event& what);

private:
    /// A link that is open: by the client and its number, and by the broker's number of it.
    using client_key = std::pair<host_id, std::uint32_t>;
    using broker_key = std::pair<host_id, std::uint32_t>;

    void see_up(const event& what);
    void see_down(const event& what);
    void tell_bytes(const tapped_link& which, const event& what, bool up);
    void forget(const tapped_link& which);

    link_tap& to_;
    std::map<client_key, tapped_link> by_client_;
    std::map<broker_key, tapped_link> by_broker_;
    std::vector<std::uint8_t> scratch_;
};

}  // namespace fleetarium::sim::detail
