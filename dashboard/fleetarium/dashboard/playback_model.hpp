#pragma once

#include <fleetarium/dashboard/view_state.hpp>
#include <fleetarium/feed/feed_types.hpp>

#include <optional>
#include <string>

// How what is shown moves through time, and how that is written. Nothing here draws.

namespace fleetarium::dashboard {

/// From the first instant that can be shown to the last.
struct time_extent {
    double begin = 0;
    double end = 0;

    double length() const { return end - begin; }
};

/// What there is to be shown: of something live until `present`.
time_extent extent_of(const feed::description& about, const feed::totals* present);

/// Lets `passed` seconds of real time pass for one who plays. At the end of the loop, or of
/// everything where there is none, it begins again or stops.
void advance(view_state& state, const time_extent& all, double passed);

/// Shows an instant, at most the end; of something live the end is the present, which goes on.
void seek(view_state& state, const time_extent& all, double instant, bool is_live);

/// Begins to play, from the begin if it stands at the end; or stops.
void toggle_play(view_state& state, const time_extent& all);

/// The next speed up (`by` 1) or down (-1): 0.1, 0.2, 0.5, 1, 2, 5 and so on to 10,000.
double next_speed(double from, int by);

/// "1x", "0.5x", "1,000x".
std::string speed_words(double speed);

/// Why the run's own speed cannot be changed from here; empty: it can.
std::string why_no_pace(const feed::description& about);
/// Why nothing can be done to it from here; empty: it can.
std::string why_no_control(const feed::description& about);

/// The filter of messages in words: "QoS 1, topic site/#, dropped: queue_full"; empty: none.
std::string filter_words(const view_state& state);

}  // namespace fleetarium::dashboard
