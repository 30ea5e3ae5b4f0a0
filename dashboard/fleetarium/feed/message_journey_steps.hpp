#pragma once

#include <fleetarium/feed/feed_types.hpp>

#include <string>
#include <vector>

namespace fleetarium::feed {

/// What is known of a message on its way to its broker.
struct publishing {
    std::string publisher{};  ///< empty: the broker made it
    std::string broker{};
    std::uint8_t qos = 0;
    std::optional<seconds> published{};
    seconds at = 0;                      ///< the broker had it
    std::vector<seconds> copies{};       ///< the broker had it once more
    std::optional<seconds> completed{};  ///< the publisher learned that it is complete
    bool refused = false;
    std::string reason{};  ///< why nobody got it; empty: somebody did
};

/// The arrows of a message's sequence diagram, in the order of time: PUBLISH and what answers it,
/// on both sides of the broker. What was not seen itself but must have been, such as PUBREC
/// between PUBLISH and PUBCOMP, is marked as inferred. `resends` are times of PUBLISHes with DUP, a
/// list for each delivery; it may be shorter.
std::vector<message_step> journey_steps(const publishing& way_in,
                                        const std::vector<delivery_row>& deliveries,
                                        const std::vector<std::vector<seconds>>& resends);

}  // namespace fleetarium::feed
