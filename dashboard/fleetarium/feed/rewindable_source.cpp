#include <fleetarium/feed/rewindable_source.hpp>

#include <utility>

namespace fleetarium::feed {

namespace {

/// The newest moment is the run's own: a recording may not have it yet.
constexpr seconds newest = 1e-9;

void renumber(std::vector<event_row>& rows) {
    for (event_row& each : rows) {
        if (each.message) {
            *each.message += rewindable_source::first_of_past;
        }
    }
}

}  // namespace

rewindable_source::rewindable_source(source& live,
                                     std::function<std::unique_ptr<source>()> open_past)
    : live_(live), open_past_(std::move(open_past)) {}

source& rewindable_source::past() {
    if (past_ == nullptr) {
        past_ = open_past_();
    }
    return *past_;
}

source& rewindable_source::at(const std::optional<seconds>& instant) {
    if (!instant || *instant >= live_.totals({}).at - newest) {
        return live_;
    }
    return past();
}

description rewindable_source::describe(const description_question& asked) {
    description out = live_.describe(asked);
    out.keeps_history = true;
    return out;
}

// What the live source keeps of the past by itself

feed::totals rewindable_source::totals(const totals_question& asked) { return live_.totals(asked); }
history_answer rewindable_source::history(const history_question& asked) {
    return live_.history(asked);
}
timeline_answer rewindable_source::timeline(const timeline_question& asked) {
    return live_.timeline(asked);
}
device_row rewindable_source::cell(const cell_question& asked) { return live_.cell(asked); }

// What it does not

log_answer rewindable_source::log(const log_question& asked) {
    source& by = at(asked.at);
    log_answer out = by.log(asked);
    if (&by != &live_) {
        renumber(out.rows);
    }
    return out;
}

topics_answer rewindable_source::topics(const topics_question& asked) {
    return at(asked.at).topics(asked);
}
fleet_answer rewindable_source::fleet(const fleet_question& asked) {
    return at(asked.at).fleet(asked);
}
devices_answer rewindable_source::devices(const devices_question& asked) {
    return at(asked.at).devices(asked);
}

device_answer rewindable_source::device(const device_question& asked) {
    source& by = at(asked.at);
    device_answer out = by.device(asked);
    if (&by != &live_) {
        renumber(out.events);
    }
    return out;
}

messages_answer rewindable_source::messages(const messages_question& asked) {
    source& by = at(asked.at);
    if (&by == &live_) {
        return by.messages(asked);
    }
    messages_question of_past = asked;
    if (asked.before && *asked.before >= first_of_past) {
        *of_past.before -= first_of_past;
    }
    messages_answer out = by.messages(of_past);
    for (message_row& each : out.rows) {
        each.message += first_of_past;
    }
    return out;
}

message_answer rewindable_source::message(const message_question& asked) {
    if (asked.message < first_of_past) {
        return live_.message(asked);
    }
    message_question of_past = asked;
    of_past.message -= first_of_past;
    message_answer out = past().message(of_past);
    out.message.message += first_of_past;
    return out;
}

command_answer rewindable_source::pause(const pause_command& wanted) { return live_.pause(wanted); }
command_answer rewindable_source::step(const step_command& wanted) { return live_.step(wanted); }
command_answer rewindable_source::speed(const speed_command& wanted) { return live_.speed(wanted); }
command_answer rewindable_source::end(const end_command& wanted) { return live_.end(wanted); }
command_answer rewindable_source::fault(const fault_command& wanted) { return live_.fault(wanted); }
command_answer rewindable_source::heal(const heal_command& wanted) { return live_.heal(wanted); }
command_answer rewindable_source::publish(const publish_command& wanted) {
    return live_.publish(wanted);
}
command_answer rewindable_source::disconnect(const disconnect_command& wanted) {
    return live_.disconnect(wanted);
}
command_answer rewindable_source::annotate(const annotate_command& wanted) {
    return live_.annotate(wanted);
}
report_answer rewindable_source::report(const report_question& asked) {
    return live_.report(asked);
}

}  // namespace fleetarium::feed
