#include <fleetarium/explore/trial.hpp>

#include <fleetarium/sim/expectations.hpp>
#include <fleetarium/sim/world.hpp>

#include <algorithm>

namespace fleetarium::sim {

const failure* trial::find(std::string_view rule) const {
    const auto found = std::find_if(failures.begin(), failures.end(),
                                    [&](const failure& each) { return each.rule == rule; });
    return found == failures.end() ? nullptr : &*found;
}

namespace {

/// To miss a bound and to have nothing to measure are failures of different kinds, and so is to
/// miss it over time: a smaller scenario that fails in another way is another finding.
std::string rule_of(const expectation_result& missed) {
    return "expectation: " + missed.name +
           (!missed.measured   ? ", nothing to measure"
            : missed.over_time ? ", over time"
                               : "");
}

}  // namespace

trial try_scenario(const scenario& what, const trial_options& options) {
    world running = world::from(what);
    const instant end{what.duration};
    running.run_until(end);
    trial out;
    out.report = running.report();
    for (const ledger_violation& each : out.report.ledger.violations) {
        const std::string rule(name_of(each.broken));
        if (out.find(rule) == nullptr) {
            out.failures.push_back({rule, each.at, to_string(each)});
        }
    }
    if (options.expectations) {
        for (const expectation_result& each : evaluate(what.expectations, out.report)) {
            // What a run is too short for, faults drawn for it make so: that is not judged.
            if (!each.met && each.observable && !each.too_short) {
                const instant at = each.over_time && each.at ? *each.at : end;
                out.failures.push_back({rule_of(each), at, to_string(each)});
            }
        }
    }
    return out;
}

void coverage::add(const run_report& of) {
    ++runs;
    events += of.events;
    for (const fault_report& each : of.faults) {
        faults[static_cast<std::size_t>(each.kind)] += each.begun;
    }
    for (const fleet_report& each : of.fleets) {
        connects += each.connects_accepted;
        sessions_resumed += each.sessions_resumed;
        links_broken += each.links_cut + each.closed_by_broker;
    }
    for (const broker_report& each : of.brokers) {
        wills += each.metrics.wills_published;
        retained += each.metrics.retained_sent;
        keep_alive_timeouts += each.metrics.keep_alive_timeouts;
    }
    const selection_report& all = of.selections.front();
    const flow_counts flows = sum_flows(of, all, {});
    deliveries += flows.delivered;
    duplicates += flows.duplicates;
    drops += flows.dropped_total();
    received_again += sum_publishers(of, all, {}).received_again;
}

}  // namespace fleetarium::sim
