#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/distribution.hpp>

#include <cstdint>
#include <optional>
#include <vector>

/// When messages fall due, other than once a period: `publication_spec::arrival` and `stages`.
namespace fleetarium::sim {

/// At any moment alike, whatever came before.
struct poisson_arrival {
    duration per{};  ///< from one message to the next, on average
};

enum class spacing : std::uint8_t {
    random,  ///< at any moment alike, at the rate of the hour
    even,    ///< as evenly as the rate allows; the first one at random
};

/// A rate for each hour of the day, straight from hour to hour. The run begins at midnight.
struct diurnal_arrival {
    std::vector<double> per_hour{};  ///< 24 rates, of the full hours from midnight on
    enum spacing spacing = spacing::random;
};

/// Several messages close together, then a pause.
struct burst_arrival {
    std::uint32_t messages = 2;
    distribution gap{};    ///< within a burst; > 0
    distribution pause{};  ///< from the last of a burst to the first of the next; > 0
};

/// Exactly one of them.
struct arrival_spec {
    std::optional<poisson_arrival> poisson{};
    std::optional<diurnal_arrival> diurnal{};
    std::optional<burst_arrival> burst{};
};

/// A part of a publication's life in which messages come at `rate` times their own rate; with
/// `to`, the factor goes from `rate` to that evenly. After the last stage its factor stays.
struct stage_spec {
    duration lasts{};
    double rate = 1;  ///< 0: nothing
    std::optional<double> to{};
};

struct publication_spec;

/// How many messages a device is expected to make of a publication from the beginning of the run
/// until `run` is over: a mean where chance decides. Jitter is not looked at, nor is `on`.
double expected_messages(const publication_spec& publication, duration run);

}  // namespace fleetarium::sim
