#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/sim/world.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <limits>

namespace fleetarium::sim {

/// How well a run kept to the wall clock; in real time.
struct pace_report {
    double pace = 1;          ///< virtual seconds in a real one
    duration behind{};        ///< now
    duration behind_max{};    ///< the latest that any event came
    duration behind_total{};  ///< time in which events came more than `tolerance` late

    static constexpr duration tolerance = std::chrono::milliseconds{100};
    bool kept() const { return behind_max <= tolerance; }
};

/// Runs a world in step with the wall clock, or as fast as the machine can, and an io_context with
/// it: what happens at a socket enters the world at once, and between events the process sleeps.
///
/// A world that is too much for the machine falls behind, goes on as fast as it can, and catches
/// up when it can; sockets are served all the same.
/// Thread rule: one thread, which alone runs the context.
class paced_run {
public:
    /// As a pace: as fast as the machine can. What comes from outside comes at an instant that
    /// depends on the machine.
    static constexpr double unlimited = std::numeric_limits<double>::infinity();

    /// The present of the world is now. `pace` is above 0.
    paced_run(world& running, boost::asio::io_context& context, double pace);

    world& running() { return world_; }
    boost::asio::io_context& context() { return context_; }

    /// Before somebody outside does something to the world: brings it to the present instant. One
    /// that is behind stays there, and learns of it late; none goes beyond the end of run_until.
    void catch_up();

    /// Runs until `end`, until `watch`, which is called about ten times a second, says false, or
    /// until `stop`. Returns whether the end was reached. What handlers throw comes out of here.
    bool run_until(instant end, const std::function<bool()>& watch = nullptr);

    /// From inside of a handler or of the world: lets run_until return soon.
    void stop() { stopped_ = true; }

    // From inside of a handler, too

    /// From now on; above 0, or `unlimited`.
    void set_pace(double pace);
    /// While it is paused time does not pass, and run_until does not return but for `watch` and
    /// `stop`; sockets are served. Steps go on from where it stands.
    void set_paused(bool paused);
    bool is_paused() const { return paused_; }
    /// Handles so many events, or all within a time, at once, but not beyond the end.
    void step_events(std::uint64_t events);
    void step_time(duration by);

    pace_report report() const { return report_; }

private:
    instant present() const;
    void begin_anew();
    duration real_time_to(instant due) const;
    bool work(instant end);
    void wait(instant due);
    void note_lateness(instant due);

    world& world_;
    boost::asio::io_context& context_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
    boost::asio::steady_timer alarm_;
    instant alarm_at_ = never;  // real
    instant real_start_;
    instant world_start_;
    instant end_;  // of the present run_until; the world goes no farther
    instant noted_at_;  // real
    bool stopped_ = false;
    bool paused_ = false;
    pace_report report_;
};

}  // namespace fleetarium::sim
