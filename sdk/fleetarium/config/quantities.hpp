#pragma once

#include <fleetarium/core/clock.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Durations, sizes and rates as our files write them: a number and a unit.
namespace fleetarium::config {

/// "250ms", "1.5h", "1h30m", "0s"; units ns, us, ms, s, m, h, d, largest first, up to 290 years.
/// None where the text is anything else.
std::optional<duration> parse_duration(std::string_view text);

/// The shortest text that parse_duration reads as `value` exactly; with a minus sign, which it
/// does not read, for negative ones.
std::string duration_text(duration value);

/// "256kbit/s", "1.5Mbit/s", "10kB/s", "1MiB/s" as bytes a second: decimal prefixes k, M, G,
/// binary Ki, Mi, Gi. None for 0, parts of a byte, and anything else.
std::optional<std::uint64_t> parse_bandwidth(std::string_view text);

/// "512B", "64kB", "1MiB", in bytes.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace fleetarium::config
