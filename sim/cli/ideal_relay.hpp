#pragma once

#include <cstdint>

namespace fleetarium::cli::bench {

/// What the machine allows at best: QoS 0 messages a second through the least that an in-memory
/// broker must do for each. The sender's and the receiver's state (a kibibyte each, four cache
/// lines touched) are in random order; the message is encoded, decoded with all checks, looked up
/// by topic in a hash table of `devices` entries, encoded again, copied, and decoded again. No
/// clock, no order of events, no sessions, no accounts.
double ideal_relay_rate(std::uint64_t devices, std::uint64_t messages);

}  // namespace fleetarium::cli::bench
