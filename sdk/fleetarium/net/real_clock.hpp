#pragma once

#include <fleetarium/core/clock.hpp>

#include <cstdint>

namespace fleetarium::net {

/// The instant that it is now, from the machine's monotonic clock: the one place, beside the
/// command line, that reads one.
instant real_now() noexcept;

/// What has to be added to an instant of `real_now` for the time since 1970, for what outlives the
/// process. It changes when somebody sets the machine's clock.
duration offset_to_epoch() noexcept;

/// Seconds since 1970, for logs and reports only.
std::int64_t seconds_since_epoch() noexcept;

}  // namespace fleetarium::net
