#pragma once

#include <fleetarium/core/hash.hpp>

#include <cstdint>
#include <string>

namespace fleetarium {

/// What has happened at one host, in order, as eight bytes.
///
/// Each host absorbs its own events only, so its chain does not depend on how the events of
/// different hosts interleave, nor on which thread or shard ran them.
class host_chain {
public:
    constexpr host_chain() noexcept = default;

    /// Adds one word to the history. Constant time, one dependent hash step.
    constexpr void absorb(std::uint64_t word) noexcept {
        value_ = mix64((value_ + detail::golden_ratio_64) ^ word);
    }

    constexpr std::uint64_t value() const noexcept { return value_; }

    friend constexpr bool operator==(const host_chain&, const host_chain&) = default;

private:
    std::uint64_t value_ = 0;
};

static_assert(sizeof(host_chain) == 8);

/// The histories of all hosts of a world in one number.
///
/// A sum modulo 2^64 of one term per host: hosts may be added in any order, and the hashes of the
/// shards of a world may be merged in any order, with the same result as for the world uncut.
class trace_hash {
public:
    /// Adds the history of the host numbered `host`; once per host.
    constexpr void add(std::uint64_t host, host_chain chain) noexcept {
        sum_ += combine(host, chain.value());
        ++hosts_;
    }

    /// Adds the hosts of another shard.
    constexpr void merge(const trace_hash& other) noexcept {
        sum_ += other.sum_;
        hosts_ += other.hosts_;
    }

    /// The hash of all hosts added so far.
    constexpr std::uint64_t value() const noexcept { return combine(hosts_, sum_); }

    /// `value()` as 16 lower-case hexadecimal digits, as reports print it.
    std::string text() const;

    friend constexpr bool operator==(const trace_hash&, const trace_hash&) = default;

private:
    std::uint64_t sum_ = 0;
    std::uint64_t hosts_ = 0;
};

}  // namespace fleetarium
