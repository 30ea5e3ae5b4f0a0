#include <fleetarium/sim/expectations.hpp>

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/sim/expectation_sums.hpp>
#include <fleetarium/sim/report_text.hpp>
#include <fleetarium/sim/scenario_fields.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fleetarium::sim {

namespace {

/// Of a state of a fleet's behaviour.
std::optional<double> measure_state(const expectation_spec& expected, const run_report& report) {
    for (const fleet_report& fleet : report.fleets) {
        for (const state_report& state : fleet.states) {
            if (fleet.name != expected.fleet || state.name != expected.state) {
                continue;
            }
            if (expected.metric == metric::states_entered) {
                return static_cast<double>(state.entered);
            }
            if (expected.cohort.empty()) {
                return detail::ratio(state.devices, fleet.devices);
            }
            for (std::size_t i = 0; i < fleet.cohorts.size(); ++i) {
                if (fleet.cohorts[i].name == expected.cohort) {
                    return detail::ratio(state.by_cohort[i], fleet.cohorts[i].devices);
                }
            }
        }
    }
    return std::nullopt;
}

detail::expectation_sums sums_of(const expectation_spec& expected, const run_report& report) {
    detail::expectation_sums out;
    for (const fleet_report& each : report.fleets) {
        if (expected.fleet.empty() || each.name == expected.fleet) {
            out.connected += each.connected;
            out.devices += each.devices;
        }
    }
    const selection_report* const selection = report.find_selection(expected.topic);
    FLEETARIUM_ASSERT(selection != nullptr);
    flow_query which;
    if (!expected.fleet.empty()) {
        which.fleet = report.fleet_index(expected.fleet);
    }
    if (!expected.receiver.empty()) {
        which.receiver = report.fleet_index(expected.receiver);
    }
    which.qos = expected.qos;
    out.flows = sum_flows(report, *selection, which);
    out.publishers = sum_publishers(report, *selection, which);
    return out;
}

/// ", always from 10m to 1h", ", eventually within 2m after the last fault".
std::string times_text(const expectation_spec& expected) {
    const sampling_spec& when = expected.always ? *expected.always : *expected.eventually;
    std::string out = expected.always ? ", always" : ", eventually";
    if (when.from != duration{}) {
        out += " from " + config::duration_text(when.from);
    }
    if (when.until) {
        out += (expected.always ? " to " : " within ") + config::duration_text(*when.until);
    }
    return out + (when.after == moment::last_fault ? " after the last fault" : "");
}

std::string default_name(const expectation_spec& expected) {
    std::string out;
    if (expected.metric == metric::latency || expected.metric == metric::reply_latency) {
        out = fmt::format("p{:g} ", expected.percentile);
    }
    out += name_of(expected.metric);
    const auto add = [&](std::string_view word, std::string_view value) {
        if (!value.empty()) {
            out += fmt::format(" {} {}", word, value);
        }
    };
    add("from", expected.fleet);
    add("to", expected.receiver);
    add("on", expected.topic);
    add("in", expected.state);
    add("of", expected.cohort);
    if (expected.qos) {
        out += fmt::format(" at QoS {}", static_cast<int>(*expected.qos));
    }
    if (expected.reason) {
        add("by", broker::name_of(*expected.reason));
    }
    if (expected.always || expected.eventually) {
        out += times_text(expected);
    }
    return out;
}

void judge_at_end(const expectation_spec& expected, const run_report& report,
                  expectation_result& result) {
    result.measured =
        detail::is_of_states(expected.metric)
            ? measure_state(expected, report)
            : detail::measure(expected, sums_of(expected, report), {}, report.simulated);
    result.met = result.measured && detail::is_within(expected, *result.measured);
}

void judge_over_time(const expectation_spec& expected, const run_report& report,
                     expectation_result& result) {
    const auto found = std::find_if(
        report.sampled.begin(), report.sampled.end(),
        [&](const sampled_report& each) { return each.expected == expected; });
    FLEETARIUM_ASSERT(found != report.sampled.end());
    result.over_time = true;
    result.measured = found->measured;
    result.at = found->at;
    result.too_short = !found->complete;
    result.met = found->complete && found->held && found->samples != 0;
}

}  // namespace

std::vector<expectation_result> evaluate(std::span<const expectation_spec> expectations,
                                         const run_report& report) {
    std::vector<expectation_result> out;
    for (const expectation_spec& expected : expectations) {
        expectation_result result;
        result.name = expected.name.empty() ? default_name(expected) : expected.name;
        result.metric = expected.metric;
        // What was due, and what became of it, a broker outside does not tell.
        result.observable =
            report.remote_brokers.empty() ||
            (expected.metric != metric::delivery_ratio && expected.metric != metric::drops &&
             expected.metric != metric::backlog);
        result.min = expected.min;
        result.max = expected.max;
        if (!result.observable) {
            result.over_time = expected.always || expected.eventually;
        } else if (expected.always || expected.eventually) {
            judge_over_time(expected, report, result);
        } else {
            judge_at_end(expected, report, result);
        }
        out.push_back(std::move(result));
    }
    return out;
}

std::string_view name_of(metric what) {
    return detail::metric_names()[static_cast<std::size_t>(what)];
}

bool all_met(std::span<const expectation_result> results) {
    return std::all_of(results.begin(), results.end(),
                       [](const expectation_result& each) { return each.met || !each.observable; });
}

std::string measured_text(metric what, double value) {
    if (detail::is_ratio(what)) {
        return fmt::format("{:.6g} %", value * 100);
    }
    if (detail::needs_latency(what)) {
        return readable_duration(
            std::chrono::duration_cast<duration>(std::chrono::duration<double>(value)));
    }
    if (detail::is_rate(what)) {
        return fmt::format("{:.6g} a second", value);
    }
    return with_thousands(static_cast<std::uint64_t>(value));
}

std::string to_string(const expectation_result& result) {
    std::string out = result.name + ": ";
    out += result.measured     ? measured_text(result.metric, *result.measured)
           : result.observable ? "nothing to measure"
                               : "only the broker outside could know";
    if (result.at) {
        out += " at " + config::duration_text(result.at->time_since_epoch());
    }
    if (result.min) {
        out += ", at least " + measured_text(result.metric, *result.min);
    }
    if (result.max) {
        out += ", at most " + measured_text(result.metric, *result.max);
    }
    if (result.too_short) {
        out += "; the run ended before it could be told";
    }
    return out;
}

}  // namespace fleetarium::sim
