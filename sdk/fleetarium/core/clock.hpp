#pragma once

#include <chrono>
#include <cstdint>

namespace fleetarium {

/// The clock of every core object. It has no `now()`: time is a parameter of each call that
/// needs it, so a protocol rule cannot read a clock behind its driver's back.
/// In a world it counts from the start of the run; on a network from any fixed instant.
struct clock {
    using rep = std::int64_t;
    using period = std::nano;
    using duration = std::chrono::nanoseconds;
    using time_point = std::chrono::time_point<clock>;
    static constexpr bool is_steady = true;
};

using duration = clock::duration;
using instant = clock::time_point;

/// A deadline that is not set.
inline constexpr instant never = instant::max();

/// `at + by`, or `never` where the sum does not fit.
constexpr instant saturating_add(instant at, duration by) {
    return by > never - at ? never : at + by;
}

}  // namespace fleetarium
