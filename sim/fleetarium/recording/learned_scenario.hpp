#pragma once

#include <fleetarium/recording/traffic_profile.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace fleetarium::recording {

struct learned_scenario {
    std::string text{};                ///< JSON of a scenario
    std::vector<std::string> notes{};  ///< where it is simpler than what was recorded
};

/// A scenario whose traffic is like that: as many clients, topics and messages, at such times, with
/// such payloads. `origin` names what it was learned from.
learned_scenario learn_scenario(const traffic_profile& from, const std::string& origin,
                                std::uint64_t seed);

/// A kind of messages in two recordings.
struct compared_messages {
    struct side {
        std::uint64_t messages = 0;
        std::uint64_t topics = 0;
        duration between_p50{};  ///< from a topic's message to its next
        std::uint64_t bytes_p50 = 0;
        std::uint64_t bytes_p99 = 0;
    };
    std::string pattern{};
    std::uint8_t qos = 0;
    bool retain = false;
    side left{};
    side right{};
};

/// Kinds that one of them has and the other has not stand with zeros.
std::vector<compared_messages> compare_traffic(const traffic_profile& left,
                                               const traffic_profile& right);

}  // namespace fleetarium::recording
