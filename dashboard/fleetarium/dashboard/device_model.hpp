#pragma once

#include <fleetarium/feed/feed_types.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// A device's events as lanes over time. Nothing here draws.

namespace fleetarium::dashboard {

enum class device_lane : std::uint8_t {
    connection,
    session,    ///< subscribed, unsubscribed, session_ended
    published,  ///< by the device
    completed,  ///< its publisher learned that they are complete
    sent,       ///< to the device
    received,
    acknowledged,
    losses,  ///< dropped, lost
    other,   ///< faults, violations, wills
};
inline constexpr std::size_t device_lane_count = 9;
std::string_view words_of(device_lane lane);
/// The lane of event_row::what.
device_lane lane_of(std::string_view what);

/// Over which a device was, or was not, connected.
struct connection_span {
    double from = 0;
    double until = 0;
    bool connected = false;
    bool known = true;  ///< false: before the first event that says so
};

struct device_mark {
    double at = 0;
    std::size_t event = 0;  ///< index of the events
};

struct device_lanes {
    double from = 0;
    double until = 1;
    std::vector<connection_span> connection{};
    std::array<std::vector<device_mark>, device_lane_count> marks{};
};

device_lanes lanes_of(const feed::device_answer& of);

/// The mark nearest to an instant, within `reach` seconds; none.
std::optional<std::size_t> nearest_event(const std::vector<device_mark>& marks, double at,
                                         double reach);

/// "all 37 events are here", or that some are missing, in words.
std::string completeness_words(const feed::device_answer& of, std::size_t asked);

}  // namespace fleetarium::dashboard
