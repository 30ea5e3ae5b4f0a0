#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/core/clock.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::broker {

/// Counters of a server, beside those of its core.
struct server_counters {
    std::uint64_t rate_refused = 0;                 ///< connections over a listener's rate
    std::uint64_t address_rate_refused = 0;         ///< over an address's rate
    std::uint64_t address_connections_refused = 0;  ///< over an address's number of connections
    std::uint64_t closed_unanswered = 0;  ///< of those refused: without waiting for their CONNECT
    std::uint64_t password_checks_refused = 0;  ///< CONNECTs: too many passwords were being checked
};

/// Writes a line where a bound has made the broker refuse or drop something, told from its
/// counters: one line for each of them when it begins to grow, and another each ten seconds while
/// it goes on, however much is refused.
/// Thread rule: one thread at a time.
class refusal_log {
public:
    /// Lines for a log; empty most of the time. To be called about once a second, with the core at
    /// rest.
    std::vector<std::string> poll(const broker_core& core, const server_counters& of_server,
                                  instant now);

private:
    struct watched {
        std::uint64_t told = 0;
        instant next{};
    };

    void watch(std::size_t place, std::uint64_t count, std::string_view what, instant now,
               std::vector<std::string>& lines);

    std::vector<watched> watched_;
    shedding step_ = shedding::none;
};

}  // namespace fleetarium::broker
