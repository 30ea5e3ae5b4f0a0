#include <fleetarium/sim/expectations.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/sim/report_text.hpp>
#include <fleetarium/sim/scenario_fields.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fleetarium::sim {

namespace {

std::optional<double> ratio(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? std::optional<double>()
                      : static_cast<double>(part) / static_cast<double>(whole);
}

std::optional<double> percentile_seconds(const latency_histogram& of, double percent) {
    return of.empty() ? std::optional<double>()
                      : std::chrono::duration<double>(of.percentile(percent)).count();
}

std::optional<double> connected_ratio(const run_report& report, const std::string& fleet) {
    std::uint64_t connected = 0;
    std::uint64_t devices = 0;
    for (const fleet_report& each : report.fleets) {
        if (fleet.empty() || each.name == fleet) {
            connected += each.connected;
            devices += each.devices;
        }
    }
    return ratio(connected, devices);
}

std::uint64_t drops(const expectation_spec& expected, const flow_counts& flows,
                    const publisher_counts& publishers) {
    // A message that the broker refused has no delivery, thus no receiver and no QoS of one.
    const bool with_refused = expected.receiver.empty() && !expected.qos;
    const auto refused = [&](broker::drop_reason why) {
        return with_refused ? publishers.dropped[static_cast<std::size_t>(why)] : 0;
    };
    if (!expected.reason) {
        return flows.dropped_total() + flows.lost_on_link +
               refused(broker::drop_reason::not_authorized) +
               refused(broker::drop_reason::topic_name_invalid);
    }
    return flows.dropped[static_cast<std::size_t>(*expected.reason)] + refused(*expected.reason);
}

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
                return ratio(state.devices, fleet.devices);
            }
            for (std::size_t i = 0; i < fleet.cohorts.size(); ++i) {
                if (fleet.cohorts[i].name == expected.cohort) {
                    return ratio(state.by_cohort[i], fleet.cohorts[i].devices);
                }
            }
        }
    }
    return std::nullopt;
}

std::optional<double> measure(const expectation_spec& expected, const run_report& report) {
    if (expected.metric == metric::state_ratio || expected.metric == metric::states_entered) {
        return measure_state(expected, report);
    }
    if (expected.metric == metric::connected_ratio) {
        return connected_ratio(report, expected.fleet);
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
    const flow_counts flows = sum_flows(report, *selection, which);
    const publisher_counts publishers = sum_publishers(report, *selection, which);
    switch (expected.metric) {
        case metric::delivery_ratio: return ratio(flows.delivered, flows.due - flows.under_way());
        case metric::messages_published: return static_cast<double>(publishers.published);
        case metric::messages_delivered: return static_cast<double>(flows.delivered);
        case metric::duplicates: return static_cast<double>(flows.duplicates);
        case metric::drops: return static_cast<double>(drops(expected, flows, publishers));
        case metric::latency: return percentile_seconds(flows.latency, expected.percentile);
        case metric::reply_ratio:
            return ratio(publishers.replies_in_time,
                         publishers.replies_in_time + publishers.replies_missing);
        case metric::reply_latency:
            return percentile_seconds(publishers.reply_latency, expected.percentile);
        case metric::connected_ratio:
        case metric::state_ratio:
        case metric::states_entered: break;
    }
    return std::nullopt;
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
    return out;
}

bool is_ratio(metric what) {
    return what == metric::delivery_ratio || what == metric::connected_ratio ||
           what == metric::reply_ratio || what == metric::state_ratio;
}

bool is_time(metric what) { return what == metric::latency || what == metric::reply_latency; }

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
            (expected.metric != metric::delivery_ratio && expected.metric != metric::drops);
        if (result.observable) {
            result.measured = measure(expected, report);
        }
        result.min = expected.min;
        result.max = expected.max;
        result.met = result.measured && (!result.min || *result.measured >= *result.min) &&
                     (!result.max || *result.measured <= *result.max);
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
    if (is_ratio(what)) {
        return fmt::format("{:.6g} %", value * 100);
    }
    if (is_time(what)) {
        return readable_duration(
            std::chrono::duration_cast<duration>(std::chrono::duration<double>(value)));
    }
    return with_thousands(static_cast<std::uint64_t>(value));
}

std::string to_string(const expectation_result& result) {
    std::string out = result.name + ": ";
    out += result.measured     ? measured_text(result.metric, *result.measured)
           : result.observable ? "nothing to measure"
                               : "only the broker outside could know";
    if (result.min) {
        out += ", at least " + measured_text(result.metric, *result.min);
    }
    if (result.max) {
        out += ", at most " + measured_text(result.metric, *result.max);
    }
    return out;
}

}  // namespace fleetarium::sim
