#include <fleetarium/recording/replay_schedule.hpp>

#include <algorithm>
#include <cmath>

namespace fleetarium::recording {

namespace {

/// `time` times `by`; what a duration cannot hold is the longest one. long double has 64 bits of
/// mantissa where we run: no nanosecond is lost.
duration scaled(duration time, long double by) {
    constexpr long double most = 9.2e18L;
    const long double made = std::round(static_cast<long double>(time.count()) * by);
    return made > most ? duration::max()
                       : duration(static_cast<std::int64_t>(std::max(made, -most)));
}

}  // namespace

replay_schedule::replay_schedule(duration position, double speed, instant now)
    : speed_(speed), anchor_(now), anchor_position_(position), reached_(position) {}

duration replay_schedule::position(instant now) const {
    if (paused_) {
        return anchor_position_;
    }
    if (speed_ == as_fast_as_possible) {
        return reached_;
    }
    return anchor_position_ + scaled(now - anchor_, speed_);
}

instant replay_schedule::due(duration position) const {
    if (paused_) {
        return steps_ > 0 ? at_once : never;
    }
    if (speed_ == as_fast_as_possible) {
        return at_once;
    }
    return saturating_add(
        anchor_, scaled(position - anchor_position_, 1 / static_cast<long double>(speed_)));
}

void replay_schedule::pause(instant now) {
    if (!paused_) {
        anchor_position_ = position(now);
        paused_ = true;
    }
}

void replay_schedule::resume(instant now) {
    if (paused_) {
        anchor_ = now;
        paused_ = false;
        steps_ = 0;
    }
}

void replay_schedule::step(std::uint64_t messages) {
    if (paused_) {
        steps_ += messages;
    }
}

void replay_schedule::set_speed(double speed, instant now) {
    anchor_position_ = position(now);
    anchor_ = now;
    speed_ = speed;
}

void replay_schedule::took(duration position) {
    reached_ = std::max(reached_, position);
    if (paused_) {
        steps_ -= steps_ > 0 ? 1 : 0;
        anchor_position_ = std::max(anchor_position_, position);
    }
}

}  // namespace fleetarium::recording
