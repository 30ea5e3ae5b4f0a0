#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/server/connection_limiter.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace fleetarium::broker {

/// Keeps lines of one kind, which strangers can cause, from flooding a log: so many a second, and
/// each tells how many before it were left out.
/// Thread rule: one thread at a time.
class log_limiter {
public:
    explicit log_limiter(std::uint32_t lines_per_second = 20) : bucket_(lines_per_second) {}

    /// What to add to the line, which may be nothing; none if the line is to be left out.
    std::optional<std::string> admit(instant now) {
        if (!bucket_.take(now)) {
            ++left_out_;
            return std::nullopt;
        }
        const std::uint64_t before = std::exchange(left_out_, 0);
        return before == 0 ? std::string()
                           : " (" + std::to_string(before) + " lines like this one were left out)";
    }

private:
    token_bucket bucket_;
    std::uint64_t left_out_ = 0;
};

}  // namespace fleetarium::broker
