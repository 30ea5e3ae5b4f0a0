#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace fleetarium::dashboard {

/// What the person at the screen looks at: shared by all views, plain values.
struct view_state {
    // Time
    std::optional<double> at{};  ///< instant that is shown; none: the present, or a recording's end
    bool playing = false;        ///< `at` moves on by itself; of recordings
    double play_speed = 1;       ///< seconds in a real one
    bool looping = false;
    std::optional<std::pair<double, double>> range{};  ///< shown by charts; none: all of it
    std::optional<std::pair<double, double>> loop{};

    // Selection
    std::string device{};  ///< name; empty: none
    std::optional<std::uint64_t> message{};
    std::string topic{};

    // Filter, of messages
    std::string topic_filter{};
    std::string client{};
    std::optional<std::uint8_t> qos{};
    std::string reason{};

    bool has_filter() const {
        return !topic_filter.empty() || !client.empty() || qos || !reason.empty();
    }
    void clear_filter() {
        topic_filter.clear();
        client.clear();
        qos.reset();
        reason.clear();
    }
};

}  // namespace fleetarium::dashboard
