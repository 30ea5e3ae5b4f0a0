#pragma once

#include "replay_connections.hpp"

#include <fleetarium/core/latency_histogram.hpp>
#include <fleetarium/recording/replay_schedule.hpp>
#include <fleetarium/recording/traffic_source.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace fleetarium::cli {

struct replay_player_options {
    double speed = 1;                         ///< see replay_schedule
    std::optional<std::uint64_t> passes = 1;  ///< none: for ever
    std::optional<duration> from{};           ///< position of the begin; none: the first message
    bool paused = false;
};

/// Takes messages from a recording and gives each to its connection when it is due.
///
/// If the connections have no room it waits, and what is due then is late.
/// Thread rule: the environment's executor.
class replay_player {
public:
    replay_player(environment& in, recording::traffic_source& from, replay_connections& to,
                  const replay_player_options& options);

    /// Plays; `done` is called once, when all passes are over, after `stop`, or when a recording
    /// cannot be read.
    void start(std::function<void()> done);
    void stop();

    void pause();
    void resume();
    void step(std::uint64_t messages = 1);
    void set_speed(double speed);

    bool is_paused() const { return schedule_ ? schedule_->is_paused() : options_.paused; }
    bool is_over() const { return over_; }
    double speed() const { return schedule_ ? schedule_->speed() : options_.speed; }
    /// In the recording's time.
    duration position() const;
    duration end() const { return end_; }
    std::uint64_t passes() const { return passes_; }  ///< that have begun
    /// Actual less due instant of each message that had one.
    const latency_histogram& timing_error() const { return timing_error_; }
    /// Why the recording cannot be read any more; empty otherwise.
    const std::string& failure() const { return failure_; }

private:
    void wake(instant due);
    void pump();
    bool load();
    bool play_some();
    void finish();

    environment& environment_;
    recording::traffic_source& source_;
    replay_connections& to_;
    replay_player_options options_;
    std::unique_ptr<environment::timer> timer_;
    std::optional<recording::replay_schedule> schedule_;
    const recording::traffic_message* next_ = nullptr;
    duration begin_{};  // position of a pass's begin
    duration end_{};
    duration shift_{};  // of this pass
    std::uint64_t passes_ = 0;
    std::uint64_t in_pass_ = 0;  // messages
    bool over_ = false;
    bool awaits_room_ = false;
    latency_histogram timing_error_;
    std::string failure_;
    std::function<void()> done_;
};

}  // namespace fleetarium::cli
