#pragma once

#include <fleetarium/server/server_options.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace fleetarium::broker {

/// A line of a log, with its end: `2026-01-02T03:04:05.678Z warning TEXT`, in UTC. What a terminal
/// or a reader of lines would take for something else is written as \xNN: clients choose their ids.
std::string log_line(log_level level, std::int64_t unix_milliseconds, std::string_view text);

/// "debug" and so on.
std::string_view name_of(log_level level);

}  // namespace fleetarium::broker
