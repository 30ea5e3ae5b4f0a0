#pragma once

#include <cstdint>

namespace fleetarium {

/// What a client has counted since it was made.
struct client_metrics {
    std::uint64_t connections = 0;  ///< accepted
    std::uint64_t attempts_failed = 0;
    std::uint64_t messages_received = 0;
    std::uint64_t messages_unrouted = 0;    ///< received, but no stream is open for their topic
    std::uint64_t messages_overflowed = 0;  ///< dropped because their stream was full
    std::uint64_t messages_published = 0;   ///< handed to the connection, resends not counted
    /// Messages of `client::publish`, whose sender does not ask, that were dropped or refused.
    std::uint64_t publishes_failed = 0;
    std::uint64_t responses_late = 0;  ///< to a request that is not waited for any more
};

}  // namespace fleetarium
