#pragma once

#include <fleetarium/core/hash.hpp>

#include <bit>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace fleetarium {

/// Names one stream of random numbers.
struct random_key {
    std::uint64_t value = 0;

    friend constexpr bool operator==(const random_key&, const random_key&) = default;
};

/// The key of the draws that `who` (a host, a link, a fleet) makes for the purpose `what`, in the
/// run seeded with `seed`. Streams of different keys have nothing to do with one another, so a
/// fleet or a purpose more changes no draw of the others.
constexpr random_key make_random_key(std::uint64_t seed, std::uint64_t who,
                                     std::uint64_t what) noexcept {
    return {combine(combine(seed, who), what)};
}

/// The same, with the purpose in words.
constexpr random_key make_random_key(std::uint64_t seed, std::uint64_t who,
                                     std::string_view what) noexcept {
    return make_random_key(seed, who, hash_text(what));
}

/// The same, with the purpose as an enumerator. Its number is part of the draws: renumbering an
/// enumeration changes the run.
template <class Purpose>
    requires std::is_enum_v<Purpose>
constexpr random_key make_random_key(std::uint64_t seed, std::uint64_t who, Purpose what) noexcept {
    using number = std::underlying_type_t<Purpose>;
    return make_random_key(seed, who, static_cast<std::uint64_t>(static_cast<number>(what)));
}

/// Draw number `n` of the stream `key`: 64 uniform bits. A pure function, so a device need keep
/// no more than the number of draws it has made. Within a stream no value repeats.
///
/// A counter on the golden ratio through two rounds of multiplication; the key enters twice
/// because with one entry two streams would be the same sequence at different offsets.
constexpr std::uint64_t random_at(random_key key, std::uint64_t n) noexcept {
    std::uint64_t bits = key.value + (n + 1) * detail::golden_ratio_64;
    bits = (bits ^ bits >> 30) * 0xbf58'476d'1ce4'e5b9;
    bits ^= std::rotl(key.value, 32);
    bits = (bits ^ bits >> 27) * 0x94d0'49bb'1331'11eb;
    return bits ^ bits >> 31;
}

/// 64 random bits as a number in [0, 1) with 53 bits.
constexpr double unit_interval(std::uint64_t bits) noexcept {
    return static_cast<double>(bits >> 11) * 0x1p-53;
}

/// A stream of random numbers: a key and the count of draws made.
///
/// The draws are the same on every machine. The count has 32 bits: after 2^32 draws the stream
/// starts again. Copies go on independently from where the original stood.
/// Thread rule: one thread at a time.
class random_stream {
public:
    constexpr explicit random_stream(random_key key, std::uint32_t draws_made = 0) noexcept
        : key_(key), draws_made_(draws_made) {}

    /// The stream `make_random_key(seed, who, what)`.
    constexpr random_stream(std::uint64_t seed, std::uint64_t who, std::uint64_t what) noexcept
        : key_(make_random_key(seed, who, what)) {}
    constexpr random_stream(std::uint64_t seed, std::uint64_t who, std::string_view what) noexcept
        : key_(make_random_key(seed, who, what)) {}
    template <class Purpose>
        requires std::is_enum_v<Purpose>
    constexpr random_stream(std::uint64_t seed, std::uint64_t who, Purpose what) noexcept
        : key_(make_random_key(seed, who, what)) {}

    constexpr random_key key() const noexcept { return key_; }

    /// How many of `random_at(key(), 0...)` are used up; store it to go on later.
    constexpr std::uint32_t draws_made() const noexcept { return draws_made_; }

    /// 64 uniform bits. One draw.
    constexpr std::uint64_t next_u64() noexcept { return random_at(key_, draws_made_++); }

    /// A uniform integer in [0, bound), without bias; `bound` is not 0. One draw, rarely more.
    std::uint64_t below(std::uint64_t bound) noexcept;

    /// A uniform integer in [min, max], without bias; `min` is not above `max`.
    std::int64_t between(std::int64_t min, std::int64_t max) noexcept;

    /// A uniform number in [0, 1) with 53 bits. One draw.
    constexpr double uniform() noexcept { return unit_interval(next_u64()); }

    /// True with the given probability: never for 0 and less, always for 1 and more. One draw.
    constexpr bool bernoulli(double probability) noexcept { return uniform() < probability; }

private:
    random_key key_;
    std::uint32_t draws_made_ = 0;
};

static_assert(sizeof(random_stream) == 16);

}  // namespace fleetarium
