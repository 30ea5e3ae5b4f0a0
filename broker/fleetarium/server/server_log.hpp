#pragma once

#include <fleetarium/server/server_options.hpp>

#include <mutex>
#include <string_view>
#include <utility>

namespace fleetarium::broker {

/// Writes to a sink one line at a time, whichever thread it comes from.
class server_log {
public:
    explicit server_log(log_sink sink) : sink_(std::move(sink)) {}

    explicit operator bool() const { return static_cast<bool>(sink_); }

    void operator()(log_level level, std::string_view line) const {
        if (sink_) {
            const std::lock_guard alone(mutex_);
            sink_(level, line);
        }
    }

private:
    log_sink sink_;
    mutable std::mutex mutex_;
};

}  // namespace fleetarium::broker
