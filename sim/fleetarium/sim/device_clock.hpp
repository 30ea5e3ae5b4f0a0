#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/hash.hpp>

#include <cstdint>

namespace fleetarium::sim::detail {

/// A device's own clock, which goes faster or slower than the world's and shows another time.
///
/// It has two hands. `own` is what timers are set by: it never jumps, and what it has gained while
/// it went wrong it keeps. `shown` is the time of day: it is off while the clock is, and set right
/// when nothing is wrong with it any more. In whole numbers, so that it is the same everywhere and
/// the way there and back ends where it began: what is due at an own instant is due when the world
/// has come to `world_of` it, not before.
class device_clock {
public:
    static constexpr std::uint64_t right_rate = 1'000'000;  ///< own nanoseconds per million

    instant own(instant world) const {
        return own_ + duration{times(static_cast<std::uint64_t>((world - world_).count()), rate_,
                                     right_rate, 0)};
    }

    /// The first instant of the world at which `own` has come; `never` stays.
    instant world_of(instant own) const {
        if (own == never || own <= own_) {
            return own == never ? never : world_;
        }
        const auto left = static_cast<std::uint64_t>((own - own_).count());
        return saturating_add(world_, duration{times(left, right_rate, rate_, rate_ - 1)});
    }

    /// What is to be added to `own` for the time shown.
    duration shift() const { return shift_; }

    /// From now on it goes by `rate`, and shows `offset` more than by that; if `wrong` is false, it
    /// goes as the world's, and is set right.
    void set(instant now, std::uint64_t rate, duration offset, bool wrong) {
        own_ = own(now);
        world_ = now;
        rate_ = rate;
        shift_ = wrong ? shift_ + (offset - offset_) : now - own_;
        offset_ = offset;
    }

private:
    /// value * factor / divisor, with `more` added before the division.
    static duration::rep times(std::uint64_t value, std::uint64_t factor, std::uint64_t divisor,
                               std::uint64_t more) {
        constexpr auto most = static_cast<fleetarium::detail::uint128>(duration::max().count());
        const auto whole =
            (static_cast<fleetarium::detail::uint128>(value) * factor + more) / divisor;
        return static_cast<duration::rep>(whole < most ? whole : most);
    }

    instant world_{};
    instant own_{};
    std::uint64_t rate_ = right_rate;
    duration shift_{};
    duration offset_{};
};

}  // namespace fleetarium::sim::detail
