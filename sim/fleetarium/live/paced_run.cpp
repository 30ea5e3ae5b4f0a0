#include <fleetarium/live/paced_run.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/net/real_clock.hpp>

#include <algorithm>
#include <utility>

namespace fleetarium::sim {

namespace {

/// Events handled before sockets are looked at again: less than a millisecond's work.
constexpr std::uint64_t events_at_once = 500;

/// A few milliseconds' work, where nobody outside depends on how soon.
constexpr std::uint64_t events_at_once_unlimited = 5'000;

constexpr duration watch_period = std::chrono::milliseconds{100};

/// `real` in the world's time; at most as long as a duration can be: at a pace of 1e9 that is
/// passed after nine seconds.
duration scaled(duration real, double pace) {
    constexpr double longest = 9.2e18;
    return duration{
        static_cast<duration::rep>(std::min(static_cast<double>(real.count()) * pace, longest))};
}

}  // namespace

paced_run::paced_run(world& running, boost::asio::io_context& context, double pace)
    : world_(running),
      context_(context),
      guard_(context.get_executor()),
      alarm_(context),
      real_start_(net::real_now()),
      world_start_(running.now()),
      end_(world_start_),
      noted_at_(real_start_) {
    FLEETARIUM_ASSERT(pace > 0);
    context_.restart();  // it may have run out of work before
    report_.pace = pace;
}

instant paced_run::present() const {
    if (paused_) {
        return world_.now();
    }
    if (report_.pace == unlimited) {
        return end_;
    }
    return saturating_add(world_start_, scaled(net::real_now() - real_start_, report_.pace));
}

duration paced_run::real_time_to(instant due) const {
    const auto left = static_cast<double>((due - present()).count());
    return duration{static_cast<duration::rep>(left / report_.pace)};
}

/// Time passes from here on, whatever the world is behind.
void paced_run::begin_anew() {
    real_start_ = net::real_now();
    world_start_ = world_.now();
    report_.behind = duration{};
}

void paced_run::set_pace(double pace) {
    FLEETARIUM_ASSERT(pace > 0);
    begin_anew();
    report_.pace = pace;
    alarm_.cancel();
    alarm_at_ = never;
}

void paced_run::set_paused(bool paused) {
    begin_anew();
    paused_ = paused;
}

void paced_run::step_events(std::uint64_t events) {
    world_.run_until(end_, events);
    begin_anew();
}

void paced_run::step_time(duration by) {
    world_.run_until(std::min(saturating_add(world_.now(), by), end_));
    begin_anew();
}

void paced_run::catch_up() {
    world_.run_until(std::max(std::min(present(), end_), world_.now()), events_at_once);
}

bool paced_run::run_until(instant end, const std::function<bool()>& watch) {
    instant watched_at = net::real_now();
    stopped_ = false;
    end_ = end;
    while (world_.now() < end) {
        if (paused_) {
            context_.run_one_for(watch_period);
        } else if (work(end) && !stopped_ && report_.pace != unlimited) {
            const instant tick = saturating_add(present(), scaled(watch_period, report_.pace));
            wait(std::min({world_.next_event(), end, tick}));
        }
        if (world_.now() >= end) {
            return true;  // before anybody outside acts: the end is the same for all runs
        }
        context_.poll();
        if (net::real_now() - watched_at >= watch_period) {
            watched_at = net::real_now();
            stopped_ = stopped_ || (watch && !watch());
        }
        if (stopped_) {
            return false;
        }
    }
    return true;
}

/// Handles what is due, but not too much at once. Returns whether that was all.
bool paced_run::work(instant end) {
    const instant due = std::min(present(), end);
    if (report_.pace == unlimited) {
        return world_.run_until(due, events_at_once_unlimited);
    }
    note_lateness(due);
    return world_.run_until(std::max(due, world_.now()), events_at_once);
}

/// Sleeps until then, or until something happens at a socket.
void paced_run::wait(instant due) {
    const duration left = real_time_to(due);
    if (left <= duration{}) {
        return;
    }
    // An alarm that is set for earlier stays: to be woken once too often costs less than to set it
    // anew for each thing that happens, and setting it anew would itself be such a thing.
    const instant at = saturating_add(net::real_now(), left);
    if (at < alarm_at_) {
        alarm_at_ = at;
        alarm_.expires_after(left);
        alarm_.async_wait([this](boost::system::error_code cancelled) {
            if (!cancelled) {
                alarm_at_ = never;
            }
        });
    }
    context_.run_one();
}

void paced_run::note_lateness(instant due) {
    const instant now = net::real_now();
    const duration passed = now - std::exchange(noted_at_, now);
    const instant next = world_.next_event();
    report_.behind = next < due ? -real_time_to(next) : duration{};
    report_.behind_max = std::max(report_.behind_max, report_.behind);
    if (report_.behind > pace_report::tolerance) {
        report_.behind_total += passed;
    }
}

}  // namespace fleetarium::sim
