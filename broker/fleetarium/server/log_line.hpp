#pragma once

#include <fleetarium/server/server_options.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fleetarium::broker {

/// A line of a log, with its end: `2026-01-02T03:04:05.678Z warning TEXT`, in UTC. What a terminal
/// or a reader of lines would take for something else is written as \xNN: clients choose their ids.
/// They can be 64 KiB long, so of a longer text than log_text_max the middle is left out.
inline constexpr std::size_t log_text_max = 1024;
std::string log_line(log_level level, std::int64_t unix_milliseconds, std::string_view text);

/// "debug" and so on.
std::string_view name_of(log_level level);

}  // namespace fleetarium::broker
