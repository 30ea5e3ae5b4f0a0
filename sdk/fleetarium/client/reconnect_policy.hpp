#pragma once

#include <fleetarium/client/client_config.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/random.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace fleetarium::detail {

/// Which of a client's servers to try next, and when: `backoff` over a number of them.
///
/// Order of calls: `accepted` or `failed` after each attempt, `lost` after an accepted connection.
class reconnect_policy {
public:
    reconnect_policy(const backoff& options, std::size_t servers, std::uint64_t seed)
        : options_(&options), servers_(servers), random_(seed, 0, "backoff") {}

    /// The server of the next attempt, by its place in the list.
    std::size_t server() const { return server_; }

    /// Everything begins anew, with the server tried last.
    void reset();
    /// The list of servers is another one.
    void use_servers(std::size_t count);

    void accepted(instant now);

    /// The wait before the next attempt, or none if there is to be none. `final` is a failure that
    /// another attempt at the same server cannot mend; the client stops when each server in turn
    /// has failed so.
    std::optional<duration> failed(bool final);

    /// As `failed`, for a connection that had been accepted: its server is tried again, after a
    /// wait, unless the loss was final.
    std::optional<duration> lost(instant now, bool final);

    /// Whether the accepted connection has held long enough for everything to begin anew.
    bool was_stable(instant now) const { return now - accepted_at_ >= options_->stable_after(); }

private:
    duration next_wait();

    const backoff* options_;
    std::size_t servers_;
    random_stream random_;
    std::size_t server_ = 0;
    std::size_t first_of_round_ = 0;
    std::size_t finals_ = 0;      // failures in a row that were final
    std::uint32_t attempts_ = 0;  // failures in a row
    std::uint32_t waits_ = 0;     // in a row
    instant accepted_at_{};
};

}  // namespace fleetarium::detail
