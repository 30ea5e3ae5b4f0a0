#include <fleetarium/dashboard/device_model.hpp>

#include <fleetarium/dashboard/plot_axis.hpp>

#include <algorithm>
#include <cmath>

namespace fleetarium::dashboard {

std::string_view words_of(device_lane lane) {
    static constexpr std::array<std::string_view, device_lane_count> words{
        "connection", "session",      "published", "completed", "sent to it",
        "received",   "acknowledged", "losses",    "other"};
    return words[static_cast<std::size_t>(lane)];
}

device_lane lane_of(std::string_view what) {
    struct entry {
        std::string_view what;
        device_lane lane;
    };
    static constexpr std::array<entry, 15> entries{{{"connected", device_lane::connection},
                                                    {"refused", device_lane::connection},
                                                    {"disconnected", device_lane::connection},
                                                    {"subscribed", device_lane::session},
                                                    {"unsubscribed", device_lane::session},
                                                    {"session_ended", device_lane::session},
                                                    {"published", device_lane::published},
                                                    {"copy", device_lane::published},
                                                    {"completed", device_lane::completed},
                                                    {"sent", device_lane::sent},
                                                    {"resent", device_lane::sent},
                                                    {"received", device_lane::received},
                                                    {"acknowledged", device_lane::acknowledged},
                                                    {"dropped", device_lane::losses},
                                                    {"lost", device_lane::losses}}};
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const entry& each) { return each.what == what; });
    return found == entries.end() ? device_lane::other : found->lane;
}

device_lanes lanes_of(const feed::device_answer& of) {
    device_lanes out;
    out.until = of.at;
    out.from = of.events.empty() ? std::min(of.at, of.connected_since.value_or(of.at))
                                 : std::min(of.events.front().at, of.at);
    if (out.until <= out.from) {
        out.until = out.from + 1;
    }
    std::optional<bool> state;
    double since = out.from;
    const auto change = [&](double at, bool connected) {
        if (at > since) {
            out.connection.push_back({since, at, state.value_or(false), state.has_value()});
        }
        since = at;
        state = connected;
    };
    for (std::size_t i = 0; i < of.events.size(); ++i) {
        const feed::event_row& event = of.events[i];
        out.marks[static_cast<std::size_t>(lane_of(event.what))].push_back({event.at, i});
        if (event.what == "connected") {
            change(event.at, true);
        } else if (event.what == "disconnected") {
            // What is disconnected was connected before.
            state = true;
            change(event.at, false);
        }
    }
    if (!state && of.connected_since) {
        // It has been connected since before the first event.
        state = true;
    }
    change(out.until, state.value_or(false));
    return out;
}

std::optional<std::size_t> nearest_event(const std::vector<device_mark>& marks, double at,
                                         double reach) {
    const auto next =
        std::lower_bound(marks.begin(), marks.end(), at,
                         [](const device_mark& each, double t) { return each.at < t; });
    std::optional<std::size_t> best;
    double distance = reach;
    const auto look_at = [&](const device_mark& mark) {
        if (std::fabs(mark.at - at) <= distance) {
            distance = std::fabs(mark.at - at);
            best = mark.event;
        }
    };
    if (next != marks.end()) {
        look_at(*next);
    }
    if (next != marks.begin()) {
        look_at(*(next - 1));
    }
    return best;
}

std::string completeness_words(const feed::device_answer& of, std::size_t asked) {
    const std::string count = plot::count_words(static_cast<double>(of.events.size()));
    if (of.events.size() >= asked) {
        return "the newest " + count + " events" +
               (of.events_complete ? "; none between them is missing"
                                   : "; some between them were not kept");
    }
    return of.events_complete
               ? "all " + count + " events are here"
               : count + " events; others were not kept before this device was looked at";
}

}  // namespace fleetarium::dashboard
