#include <fleetarium/dashboard/playback_model.hpp>

#include <fleetarium/dashboard/plot_axis.hpp>

#include <algorithm>
#include <array>

namespace fleetarium::dashboard {

namespace {

constexpr std::array<double, 16> speeds{0.1, 0.2, 0.5, 1,   2,    5,    10,   20,
                                        50,  100, 200, 500, 1000, 2000, 5000, 10'000};

time_extent played(const view_state& state, const time_extent& all) {
    if (!state.looping || !state.loop) {
        return all;
    }
    const double begin = std::clamp(state.loop->first, all.begin, all.end);
    return {begin, std::clamp(state.loop->second, begin, all.end)};
}

}  // namespace

time_extent extent_of(const feed::description& about, const feed::totals* present) {
    time_extent out{about.begin, about.begin};
    if (about.is_live) {
        out.end = present != nullptr ? present->at : about.begin;
    } else if (about.end) {
        out.end = *about.end;
    } else if (present != nullptr) {
        out.end = present->at;
    }
    out.end = std::max(out.end, out.begin);
    return out;
}

void advance(view_state& state, const time_extent& all, double passed) {
    if (!state.playing || !state.at || !(passed > 0)) {
        return;
    }
    const time_extent part = played(state, all);
    double next = std::max(*state.at, part.begin) + passed * state.play_speed;
    if (next >= part.end) {
        if (state.looping) {
            next = part.begin;
        } else {
            next = part.end;
            state.playing = false;
        }
    }
    state.at = next;
}

void seek(view_state& state, const time_extent& all, double instant, bool is_live) {
    if (instant >= all.end) {
        state.at = is_live ? std::nullopt : std::optional(all.end);
        return;
    }
    state.at = std::max(instant, all.begin);
}

void toggle_play(view_state& state, const time_extent& all) {
    state.playing = !state.playing;
    const time_extent part = played(state, all);
    if (state.playing && (!state.at || *state.at >= part.end || *state.at < part.begin)) {
        state.at = part.begin;
    }
}

double next_speed(double from, int by) {
    if (by > 0) {
        const auto above = std::upper_bound(speeds.begin(), speeds.end(), from);
        return above == speeds.end() ? speeds.back() : *above;
    }
    const auto at = std::lower_bound(speeds.begin(), speeds.end(), from);
    return at == speeds.begin() ? speeds.front() : *std::prev(at);
}

std::string speed_words(double speed) {
    return (speed < 1000 ? plot::number_words(speed) : plot::count_words(speed)) + "x";
}

std::string why_no_pace(const feed::description& about) {
    if (about.can_pace) {
        return {};
    }
    if (!about.is_live) {
        return "A recording is played, at the speed beside the buttons.";
    }
    return about.kind == "broker" ? "A broker on real networks cannot be paused."
                                  : "Real clients or brokers take part: they would not wait.";
}

std::string why_no_control(const feed::description& about) {
    if (about.can_control) {
        return {};
    }
    return about.is_live ? "This broker takes no commands from here."
                         : "This is a recording: what happened can be looked at, not changed.";
}

std::string filter_words(const view_state& state) {
    std::string out;
    const auto add = [&out](const std::string& words) { out += (out.empty() ? "" : ", ") + words; };
    if (state.qos) {
        add("QoS " + std::to_string(*state.qos));
    }
    if (!state.topic_filter.empty()) {
        add("topic " + state.topic_filter);
    }
    if (!state.client.empty()) {
        add("client " + state.client);
    }
    if (!state.reason.empty()) {
        add("lost: " + state.reason);
    }
    return out;
}

}  // namespace fleetarium::dashboard
