#include <fleetarium/recording/memory_replay.hpp>

#include <algorithm>
#include <optional>

namespace fleetarium::recording {

void core_sink::advance(instant now) {
    while (to_.poll_timeout() <= now) {
        to_.handle_timeout(to_.poll_timeout());
        carry_outputs();
    }
}

result<void> core_sink::publish(const traffic_message& message, instant now) {
    const auto done = to_.publish(message.content, now);
    carry_outputs();
    return done;
}

void core_sink::carry_outputs() {
    while (to_.has_output()) {
        auto out = to_.poll_output();
        if (!out) {
            return;
        }
        if (carry_) {
            carry_(std::move(*out));
        }
    }
}

void world_sink::advance(instant now) { in_.run_until(now); }

result<void> world_sink::publish(const traffic_message& message, instant) {
    return to_.publish(message.content);
}

memory_replay_sums replay_into(traffic_sink& to, traffic_source& from, instant begin,
                               double speed) {
    memory_replay_sums out;
    std::optional<replay_schedule> schedule;
    instant now = begin;
    while (const traffic_message* const message = from.next()) {
        if (!schedule) {
            schedule.emplace(message->at, speed, begin);
        }
        const instant due = std::max(now, schedule->due(message->at));
        if (due > now || out.published == 0) {
            to.advance(due);
            now = due;
        }
        ++(to.publish(*message, now) ? out.published : out.refused);
        schedule->took(message->at);
    }
    return out;
}

}  // namespace fleetarium::recording
