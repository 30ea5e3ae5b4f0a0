#pragma once

#include "replay_connections.hpp"

#include <fleetarium/core/latency_histogram.hpp>
#include <fleetarium/recording/traffic_source.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fleetarium::cli {

/// What a traffic replay has come to.
struct replay_report {
    std::string recording;
    std::string to;
    std::size_t connections = 0;
    bool as_clients = false;
    std::string speed;  ///< at the end
    std::uint64_t passes = 0;
    bool interrupted = false;
    std::string failure;  ///< why it ended early; empty: it did not
    double wall_seconds = 0;
    replay_sums sums;
    recording::traffic_source::left_out left_out;
    latency_histogram timing_error;

    bool is_whole() const { return failure.empty() && sums.is_whole(); }
};

std::string replay_report_text(const replay_report& of);
/// As sim/recording.md describes it.
std::string replay_report_json(const replay_report& of);

}  // namespace fleetarium::cli
