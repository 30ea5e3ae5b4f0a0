#pragma once

#include <fleetarium/core/clock.hpp>

#include <cstdint>

namespace fleetarium::recording {

/// When each message of a replay is due.
///
/// A position is a time in the recording. It moves with the clock, `speed` times as fast, from an
/// anchor: a due instant is computed from the anchor, never from the message before, so nothing
/// adds up however many messages there are. Pausing, resuming and another speed set a new anchor.
///
/// Without I/O: time is a parameter. Thread rule: one thread at a time.
class replay_schedule {
public:
    static constexpr double speed_min = 0.1;
    static constexpr double speed_max = 1000;
    static constexpr double as_fast_as_possible = 0;
    /// The due instant of what is due whenever there is time for it.
    static constexpr instant at_once = instant::min();

    /// `position` is due at `now`. The speed is speed_min to speed_max, or as_fast_as_possible.
    replay_schedule(duration position, double speed, instant now);

    double speed() const { return speed_; }
    bool is_paused() const { return paused_; }
    /// Where the replay is.
    duration position(instant now) const;
    /// When a message is due; `at_once` at the speed as_fast_as_possible and for a step that is
    /// owed; `never` while paused.
    instant due(duration position) const;

    void pause(instant now);
    /// Goes on from where it was; steps that are owed are forgotten.
    void resume(instant now);
    /// While paused: the next `messages` are due at once. Else no effect.
    void step(std::uint64_t messages = 1);
    void set_speed(double speed, instant now);
    /// The message at this position was published.
    void took(duration position);

private:
    double speed_;
    bool paused_ = false;
    std::uint64_t steps_ = 0;
    instant anchor_;
    duration anchor_position_;
    duration reached_;  // of the last message published
};

}  // namespace fleetarium::recording
