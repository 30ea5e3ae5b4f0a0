#pragma once

#include <fleetarium/server/connection_limiter.hpp>

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace fleetarium::broker {

/// Bounds the passwords that are being checked or wait for it: each takes a processor a tenth of a
/// second, so that a crowd of strangers who guess would keep out those who know theirs. One address
/// gets a quarter of the places.
/// Thread rule: any thread.
class password_turns {
public:
    explicit password_turns(std::size_t places_max) : places_max_(places_max) {}

    /// Whether there is a place; `leave` frees it. Those without an address share one.
    bool enter(const std::optional<address_key>& from) {
        const std::lock_guard alone(mutex_);
        const std::size_t of_one = places_max_ < 4 ? 1 : places_max_ / 4;
        std::size_t& taken = by_address_[key_of(from)];
        if (waiting_ >= places_max_ || taken >= of_one) {
            if (taken == 0) {
                by_address_.erase(key_of(from));
            }
            return false;
        }
        ++taken;
        ++waiting_;
        return true;
    }

    void leave(const std::optional<address_key>& from) {
        const std::lock_guard alone(mutex_);
        const auto found = by_address_.find(key_of(from));
        --waiting_;
        if (--found->second == 0) {
            by_address_.erase(found);
        }
    }

private:
    static std::string key_of(const std::optional<address_key>& from) {
        return from
                   ? std::string(from->bytes.begin(), from->bytes.end()) + (from->is_v6 ? '6' : '4')
                   : std::string();
    }

    const std::size_t places_max_;
    std::mutex mutex_;
    std::map<std::string, std::size_t> by_address_;
    std::size_t waiting_ = 0;
};

}  // namespace fleetarium::broker
