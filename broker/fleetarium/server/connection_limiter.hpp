#pragma once

#include <fleetarium/core/clock.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>

namespace fleetarium::broker {

/// Who is on the other side, for bounds per address: an IPv4 address, or the first half of an IPv6
/// address, since whoever has one of those has 2^64 of them.
struct address_key {
    std::array<std::uint8_t, 8> bytes{};
    bool is_v6 = false;
    bool operator==(const address_key&) const = default;
};

/// Of "127.0.0.1:51234" or "[2001:db8::1]:51234"; none of "pipe", "unix" and what is no address. An
/// IPv4 address that came as IPv6 is what it is.
std::optional<address_key> address_key_of(std::string_view peer_address);

/// So many of something in a second, and as many at once after a rest.
/// Thread rule: one thread at a time.
class token_bucket {
public:
    /// 0: without a bound.
    explicit token_bucket(std::uint32_t per_second) : per_second_(per_second) {}

    /// Whether one more is within the bound, and then counts it.
    bool take(instant now);
    /// Whether as many as ever may come at once.
    bool is_full(instant now) const { return now >= full_at_; }

private:
    std::uint32_t per_second_;
    instant full_at_{};  // each taken moves it a part of a second later, at most a second ahead
};

/// Bounds of one listener; 0 is none.
struct connection_bounds {
    std::uint32_t rate_max = 0;  ///< connections a second; as many at once
    std::uint32_t address_rate_max = 0;
    std::size_t address_connections_max = 0;
};

/// Admits the connections of one listener.
///
/// Memory is bounded: addresses are forgotten when they have no connection and may open as many as
/// ever; if more than `idle_addresses_max` have none, they are forgotten at once.
/// Thread rule: any thread.
class connection_limiter {
public:
    static constexpr std::size_t idle_addresses_max = 65'536;

    enum class verdict : std::uint8_t {
        admitted,
        too_fast,                ///< the listener's rate
        address_too_fast,        ///< the address's rate
        too_many_of_an_address,  ///< its connections
    };

    explicit connection_limiter(const connection_bounds& bounds)
        : bounds_(bounds), all_(bounds.rate_max) {}

    /// `from`: none for those whose address is not known, whom only the listener's rate bounds.
    verdict arrive(const std::optional<address_key>& from, instant now);
    /// A connection that was admitted has gone.
    void leave(const std::optional<address_key>& from, instant now);

    std::size_t addresses() const;

private:
    struct hash_of_key {
        std::size_t operator()(const address_key& key) const;
    };
    struct known {
        explicit known(std::uint32_t rate) : bucket(rate) {}
        token_bucket bucket;
        std::size_t connections = 0;
    };

    bool bounds_addresses() const {
        return bounds_.address_rate_max != 0 || bounds_.address_connections_max != 0;
    }
    void forget_some(instant now);

    const connection_bounds bounds_;
    mutable std::mutex mutex_;
    token_bucket all_;
    std::unordered_map<address_key, known, hash_of_key> by_address_;  // in no order that is seen
    std::size_t connected_addresses_ = 0;
};

}  // namespace fleetarium::broker
