#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/clock.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fleetarium::testing {

/// A message that a probe saw: a copy that owns what it holds.
struct probed_message {
    std::string topic{};
    std::string payload{};
    enum qos qos = qos::at_most_once;
    bool retain = false;  ///< it was there before the probe came
    std::optional<std::string> content_type{};
    std::optional<std::string> response_topic{};
    std::optional<std::string> correlation_data{};
    std::vector<std::pair<std::string, std::string>> user_properties{};
    duration arrived_after{};  ///< from the probe's beginning, in its own time
};

/// What is asked about a message whose topic matches. May throw: the exception leaves the wait.
using message_predicate = std::function<bool(const probed_message&)>;

}  // namespace fleetarium::testing
