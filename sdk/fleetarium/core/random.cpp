#include <fleetarium/core/random.hpp>

#include <fleetarium/core/assert.hpp>

namespace fleetarium {

std::uint64_t random_stream::below(std::uint64_t bound) noexcept {
    FLEETARIUM_ASSERT(bound != 0);
    // The high half of bits * bound is uniform but for the 2^64 mod bound lowest values of the
    // low half, which are drawn again. The division is rare: a low half of at least `bound` is
    // always good.
    auto product = static_cast<detail::uint128>(next_u64()) * bound;
    if (static_cast<std::uint64_t>(product) < bound) {
        const std::uint64_t rejected_below = (0 - bound) % bound;
        while (static_cast<std::uint64_t>(product) < rejected_below) {
            product = static_cast<detail::uint128>(next_u64()) * bound;
        }
    }
    return static_cast<std::uint64_t>(product >> 64);
}

std::int64_t random_stream::between(std::int64_t min, std::int64_t max) noexcept {
    FLEETARIUM_ASSERT(min <= max);
    // Unsigned arithmetic: the width of [INT64_MIN, INT64_MAX] wraps to 0 and means all bits.
    const std::uint64_t width =
        static_cast<std::uint64_t>(max) - static_cast<std::uint64_t>(min) + 1;
    const std::uint64_t offset = width == 0 ? next_u64() : below(width);
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(min) + offset);
}

}  // namespace fleetarium
