#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/latency_histogram.hpp>
#include <fleetarium/recording/database.hpp>
#include <fleetarium/recording/schema.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace fleetarium::recording {

/// Sums of what happens in each second of a run: the tables `metrics` and `gauges`.
class metrics_by_second {
public:
    /// How things stand.
    struct gauges {
        std::uint64_t connected = 0;
        std::uint64_t under_way = 0;
    };

    metrics_by_second(database& to, viewpoint from);

    /// Before each event, at its instant: writes the second that is over, if one is, with how
    /// things stood until then. Throws recording_error, as `write` does.
    void turn(std::int64_t at, const gauges& now) {
        const std::int64_t second = at / nanoseconds_a_second;
        if (second != second_) {
            write(now);
            second_ = second;
        }
    }
    /// Writes the second that goes on.
    void write(const gauges& now);

    void published(std::size_t qos) { ++published_[qos]; }
    void delivered(std::size_t qos) { ++delivered_[qos]; }
    void dropped(std::size_t qos) { ++dropped_[qos]; }
    void took(std::size_t qos, duration latency) { latency_[qos].record(latency); }

private:
    static constexpr std::int64_t nanoseconds_a_second = 1'000'000'000;
    using by_qos = std::array<std::uint64_t, 3>;

    viewpoint viewpoint_;
    statement add_metrics_, add_gauges_;
    std::int64_t second_ = -1;
    by_qos published_{};
    by_qos delivered_{};
    by_qos dropped_{};
    std::array<latency_histogram, 3> latency_{};
};

}  // namespace fleetarium::recording
