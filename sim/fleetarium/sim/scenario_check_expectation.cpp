#include <fleetarium/sim/scenario_check.hpp>

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/sim/expectation_sums.hpp>
#include <fleetarium/sim/scenario_fields.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace fleetarium::sim::detail {

using namespace config;
using namespace config::detail;

namespace {

duration saturating_sum(duration a, duration b) {
    return saturating_add(instant{} + a, b).time_since_epoch();
}

duration as_duration(double nanoseconds) {
    return nanoseconds <= 0        ? duration{}
           : nanoseconds >= 9.2e18 ? duration::max()
                                   : duration{static_cast<duration::rep>(nanoseconds)};
}

/// Before this the fault is not over for the last time, whatever is drawn. It begins in the run.
duration earliest_over(const fault_spec& fault, duration run) {
    duration begin = fault.at;
    if (fault.every) {
        const duration last = std::min(run, fault.until.value_or(run)) - duration{1};
        const duration least = std::max(as_duration(fault.every->minimum()), duration{1});
        const duration most = std::max(as_duration(fault.every->maximum()), duration{1});
        const auto room = static_cast<std::uint64_t>((last - fault.at) / least);
        const std::uint64_t more =
            fault.count ? std::min<std::uint64_t>(*fault.count - 1, room) : room;
        begin += static_cast<duration::rep>(more) * least;
        if (least != most) {
            // Between any two beginnings there is at most so much time, also before the end.
            begin = std::min(begin, std::max(fault.at, last - most));
        }
    }
    return fault.lasts ? saturating_sum(begin, as_duration(fault.lasts->minimum())) : begin;
}

}  // namespace

void scenario_checker::check_expectation(const expectation_spec& expected,
                                         const std::string& pointer) {
    for (const auto& [name, fleet] :
         {std::pair("/fleet", &expected.fleet), std::pair("/receiver", &expected.receiver)}) {
        if (!fleet->empty()) {
            find_named(scenario_.fleets, *fleet, "fleet", pointer + name);
        }
    }
    if (!expected.topic.empty()) {
        check_filter_text(expected.topic, pointer + "/topic");
    }
    const auto metric_name = metric_names()[static_cast<std::size_t>(expected.metric)];
    if (!expected.min && !expected.max) {
        report(pointer, "an expectation without bound", "\"min\", \"max\" or both");
    } else if (expected.min && expected.max && *expected.min > *expected.max) {
        report(pointer + "/min", number_text(*expected.min),
               "at most \"max\", " + number_text(*expected.max));
    }
    for (const auto& [name, bound] :
         {std::pair("/min", &expected.min), std::pair("/max", &expected.max)}) {
        if (is_ratio(expected.metric) && *bound && (**bound < 0 || **bound > 1)) {
            report(pointer + name, number_text(**bound), "a ratio from 0 to 1");
        }
    }
    if (!(expected.percentile >= 0 && expected.percentile <= 100)) {
        report(pointer + "/percentile", number_text(expected.percentile), "a number from 0 to 100");
    }
    // What does not narrow the metric would be ignored without a word.
    const auto refuse = [&](bool given, std::string_view name, std::string_view meaning) {
        if (given) {
            report(pointer + "/" + std::string(name),
                   "a " + std::string(name) + " for " + quoted(metric_name), std::string(meaning));
        }
    };
    const bool is_connected = expected.metric == metric::connected_ratio;
    const bool is_reply =
        expected.metric == metric::reply_ratio || expected.metric == metric::reply_latency;
    const bool is_published =
        expected.metric == metric::messages_published || expected.metric == metric::publish_rate;
    const bool of_states = is_of_states(expected.metric);
    check_expected_state(expected, pointer);
    refuse(!expected.state.empty() && !of_states, "state",
           "it with \"state_ratio\" and \"states_entered\" only");
    refuse(!expected.cohort.empty() && expected.metric != metric::state_ratio, "cohort",
           "it with \"state_ratio\" only");
    refuse(expected.reason && expected.metric != metric::drops, "reason",
           "it with the metric \"drops\" only");
    refuse(!expected.receiver.empty() && (is_connected || is_reply || is_published || of_states),
           "receiver", "it with metrics of deliveries only");
    refuse(!expected.topic.empty() && (is_connected || of_states), "topic",
           "it with metrics of messages only");
    refuse(expected.qos && (is_connected || is_reply || is_published || of_states), "qos",
           "it with metrics of deliveries only");
    refuse(expected.always.has_value() && of_states, "always", "it at the end of the run only");
    refuse(expected.eventually.has_value() && of_states, "eventually",
           "it at the end of the run only");
    check_sampling(expected, pointer);
}

void scenario_checker::check_sampling(const expectation_spec& expected,
                                      const std::string& pointer) {
    if (expected.always && expected.eventually) {
        report(pointer, "\"always\" and \"eventually\" in one expectation", "one of them");
        return;
    }
    if (!expected.always && !expected.eventually) {
        return;
    }
    const bool always = expected.always.has_value();
    const sampling_spec& when = always ? *expected.always : *expected.eventually;
    const std::string at = pointer + (always ? "/always" : "/eventually");
    const std::string until_name = always ? "until" : "within";
    if (when.until && *when.until <= when.from) {
        report(at + '/' + until_name, quoted(duration_text(*when.until)),
               "more than \"from\", " + quoted(duration_text(when.from)));
        return;
    }
    if (when.every && *when.every <= duration{}) {
        report(at + "/every", "no time at all", "a duration above 0");
    }
    // Nothing could be told of a time that the run does not have.
    const duration needed = when.until ? *when.until : saturating_sum(when.from, duration{1});
    if (needed > scenario_.duration) {
        report(at + '/' + (when.until ? until_name : "from"),
               quoted(duration_text(when.until ? *when.until : when.from)),
               "no more than the run, " + quoted(duration_text(scenario_.duration)));
        return;
    }
    if (when.after == moment::last_fault) {
        check_healing(needed, at);
    }
}

/// Whether each fault is over in time for what is expected after the last.
void scenario_checker::check_healing(duration needed, const std::string& pointer) {
    for (std::size_t i = 0; i < scenario_.faults.size(); ++i) {
        const fault_spec& fault = scenario_.faults[i];
        if (fault.at >= scenario_.duration || fault.count == 0U) {
            continue;  // it never begins
        }
        const duration over = earliest_over(fault, scenario_.duration);
        if (saturating_sum(over, needed) <= scenario_.duration) {
            continue;
        }
        const std::string name = fault.name.empty() ? std::string(name_of(fault.kind)) : fault.name;
        report(pointer,
               "a time of " + duration_text(needed) + " after the last fault, but " +
                   pointer_to("/faults", i) + ", " + quoted(name) +
                   (over >= scenario_.duration ? ", is never over in" : ", is over too late in") +
                   " this run of " + duration_text(scenario_.duration) + ": at " +
                   duration_text(over) + " at the earliest",
               "a fault that is over by " + duration_text(scenario_.duration - needed) +
                   ": a shorter \"for\"" +
                   (fault.every ? ", or \"until\" or \"count\" beside \"every\"" : "") +
                   ", or a longer run");
        return;
    }
}

}  // namespace fleetarium::sim::detail
