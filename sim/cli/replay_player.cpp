#include "replay_player.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace fleetarium::cli {

namespace {

using namespace std::chrono_literals;

/// Messages in a row before acknowledgements, keys and requests get their turn.
constexpr int turn_max = 128;
/// A file is not held open for longer waits: a writer of it may want to tidy up.
constexpr duration long_wait = 100ms;

}  // namespace

replay_player::replay_player(environment& in, recording::traffic_source& from,
                             replay_connections& to, const replay_player_options& options)
    : environment_(in), source_(from), to_(to), options_(options), timer_(in.make_timer()) {}

void replay_player::start(std::function<void()> done) {
    done_ = std::move(done);
    try {
        end_ = source_.end();
        next_ = source_.next();
        begin_ = options_.from ? *options_.from : next_ != nullptr ? next_->at : duration{};
        end_ = std::max(end_, begin_);
    } catch (const recording::recording_error& error) {
        failure_ = error.what();
    }
    if (next_ == nullptr) {
        finish();
        return;
    }
    passes_ = 1;
    in_pass_ = 1;
    const instant now = environment_.now();
    schedule_.emplace(begin_, options_.speed, now);
    if (options_.paused) {
        schedule_->pause(now);
    }
    pump();
}

void replay_player::stop() { finish(); }

void replay_player::finish() {
    if (!std::exchange(over_, true)) {
        timer_->cancel();
        done_();
    }
}

void replay_player::pause() {
    options_.paused = true;  // also of what has not begun
    if (schedule_ && !over_) {
        schedule_->pause(environment_.now());
    }
}

void replay_player::resume() {
    options_.paused = false;
    if (schedule_ && !over_) {
        schedule_->resume(environment_.now());
        wake(environment_.now());
    }
}

void replay_player::step(std::uint64_t messages) {
    if (schedule_ && !over_) {
        schedule_->step(messages);
        wake(environment_.now());
    }
}

void replay_player::set_speed(double speed) {
    options_.speed = speed;
    if (schedule_ && !over_) {
        schedule_->set_speed(speed, environment_.now());
        wake(environment_.now());
    }
}

duration replay_player::position() const {
    if (!schedule_) {
        return begin_;
    }
    return std::min(schedule_->position(environment_.now()) - shift_, end_);
}

/// Plays on at `due`, never from inside the call.
void replay_player::wake(instant due) {
    timer_->start(due, [this] { pump(); });
}

void replay_player::pump() {
    if (over_) {
        return;
    }
    try {
        if (play_some()) {
            wake(environment_.now());
        }
    } catch (const recording::recording_error& error) {
        failure_ = error.what();
        finish();
    }
}

/// The next message, of the next pass if need be. False: there is none.
bool replay_player::load() {
    next_ = source_.next();
    if (next_ == nullptr) {
        // A pass without any message would be followed by others for ever.
        if (in_pass_ == 0 || (options_.passes && passes_ >= *options_.passes)) {
            return false;
        }
        source_.rewind();
        next_ = source_.next();
        if (next_ == nullptr) {
            return false;
        }
        ++passes_;
        in_pass_ = 0;
        // What was cut short at its only instant has no length.
        shift_ += std::max<duration>(end_ - begin_, std::chrono::seconds{1});
    }
    ++in_pass_;
    return true;
}

/// True: there is more to do at once.
bool replay_player::play_some() {
    for (int i = 0; i < turn_max; ++i) {
        const instant due = schedule_->due(next_->at + shift_);
        const instant now = environment_.now();
        if (due > now) {
            if (due - now >= long_wait) {
                source_.pause();
            }
            if (due != never) {
                wake(due);
            }
            return false;
        }
        if (!to_.has_room(next_->content.payload.size() + next_->content.topic.size())) {
            if (!std::exchange(awaits_room_, true)) {
                to_.on_room([this] {
                    awaits_room_ = false;
                    wake(environment_.now());
                });
            }
            return false;
        }
        if (due != recording::replay_schedule::at_once) {
            timing_error_.record(now - due);
        }
        to_.publish(*next_);
        schedule_->took(next_->at + shift_);
        if (!load()) {
            finish();
            return false;
        }
    }
    return true;
}

}  // namespace fleetarium::cli
