#include <fleetarium/sim/report_json.hpp>

#include <nlohmann/json.hpp>

namespace fleetarium::sim {

namespace {

using json = nlohmann::ordered_json;

double seconds(duration value) { return std::chrono::duration<double>(value).count(); }

json latency_json(const latency_histogram& of) {
    json out{{"count", of.count()}};
    if (!of.empty()) {
        out["min"] = seconds(of.min());
        out["mean"] = seconds(of.mean());
        for (const double percent : {50.0, 90.0, 95.0, 99.0, 99.9}) {
            const auto name = percent == 99.9 ? "p99.9" : "p" + std::to_string(int(percent));
            out[name] = seconds(of.percentile(percent));
        }
        out["max"] = seconds(of.max());
    }
    return out;
}

template <class Dropped>
json drops_json(const Dropped& dropped) {
    json out = json::object();
    for (std::size_t i = 0; i < dropped.size(); ++i) {
        if (dropped[i] != 0) {
            out[std::string(broker::name_of(static_cast<broker::drop_reason>(i)))] = dropped[i];
        }
    }
    return out;
}

json flows_json(const flow_counts& flows) {
    return {{"due", flows.due},
            {"delivered", flows.delivered},
            {"duplicates", flows.duplicates},
            {"lost_on_link", flows.lost_on_link},
            {"under_way", flows.under_way()},
            {"dropped", drops_json(flows.dropped)},
            {"latency", latency_json(flows.latency)}};
}

json publisher_json(const publisher_counts& counts) {
    json out{{"published", counts.published},
             {"lost_offline", counts.lost_offline},
             {"queue_full", counts.queue_full},
             {"rejected", counts.rejected},
             {"lost_on_link", counts.lost_on_link},
             {"expired", counts.expired},
             {"session_ended", counts.session_ended},
             {"received", counts.received},
             {"received_again", counts.received_again},
             {"acknowledged", counts.acknowledged},
             {"routed", counts.routed},
             {"deliveries", counts.deliveries},
             {"dropped", drops_json(counts.dropped)}};
    if (counts.requests != 0) {
        out["requests"] = {{"sent", counts.requests},
                           {"replies_in_time", counts.replies_in_time},
                           {"replies_missing", counts.replies_missing},
                           {"latency", latency_json(counts.reply_latency)}};
    }
    return out;
}

template <class Map>
json codes_json(const Map& counts) {
    json out = json::object();
    for (const auto& [code, count] : counts) {
        out[std::string(name_of(code))] = count;
    }
    return out;
}

json fleet_json(const fleet_report& fleet) {
    json violations = json::object();
    for (const auto& [broken, count] : fleet.violations) {
        violations[std::string(describe(broken).name)] = count;
    }
    json states = json::array();
    for (const state_report& state : fleet.states) {
        json by_cohort = json::object();
        for (std::size_t i = 0; i < fleet.cohorts.size(); ++i) {
            by_cohort[fleet.cohorts[i].name] = state.by_cohort[i];
        }
        states.push_back({{"name", state.name},
                          {"entered", state.entered},
                          {"devices", state.devices},
                          {"by_cohort", std::move(by_cohort)}});
    }
    return {{"name", fleet.name},
            {"devices", fleet.devices},
            {"states", std::move(states)},
            {"connected", fleet.connected},
            {"in_coverage", fleet.in_coverage},
            {"connect_attempts", fleet.connect_attempts},
            {"connects_accepted", fleet.connects_accepted},
            {"connects_failed", fleet.connects_failed},
            {"certificates_refused", fleet.certificates_refused},
            {"sessions_resumed", fleet.sessions_resumed},
            {"connects_refused", codes_json(fleet.connects_refused)},
            {"disconnects", fleet.disconnects},
            {"links_cut", fleet.links_cut},
            {"closed_by_broker", fleet.closed_by_broker},
            {"broker_disconnects", codes_json(fleet.broker_disconnects)},
            {"violations", std::move(violations)},
            {"subscriptions_granted", fleet.subscriptions_granted},
            {"subscriptions_refused", fleet.subscriptions_refused}};
}

json broker_json(const broker_report& broker) {
    const broker::broker_metrics& metrics = broker.metrics;
    json out{{"name", broker.name},
            {"connections", broker.connections},
            {"sessions", broker.sessions},
            {"subscriptions", broker.subscriptions},
            {"retained", broker.retained},
            {"deliveries_waiting", broker.deliveries_waiting},
            {"bytes_received", metrics.bytes_received},
            {"bytes_sent", metrics.bytes_sent},
            {"connections_accepted", metrics.connections_accepted},
            {"connections_refused", metrics.connections_refused},
            {"sessions_taken_over", metrics.sessions_taken_over},
            {"sessions_resumed", metrics.sessions_resumed},
            {"sessions_expired", metrics.sessions_expired},
            {"protocol_violations", metrics.protocol_violations},
            {"keep_alive_timeouts", metrics.keep_alive_timeouts},
            {"connect_timeouts", metrics.connect_timeouts},
            {"publish_received", metrics.publish_received},
            {"publish_sent", metrics.publish_sent},
            {"publish_resent", metrics.publish_resent},
            {"acknowledged", metrics.acknowledged},
            {"retained_sent", metrics.retained_sent},
            {"wills_published", metrics.wills_published},
            {"dropped", drops_json(metrics.dropped)}};
    if (broker.storage) {
        out["storage"] = {{"crashes", broker.storage->crashes},
                          {"behind_commit", broker.storage->behind_commit},
                          {"torn", broker.storage->torn}};
    }
    return out;
}

json remote_broker_json(const remote_broker_report& broker) {
    return {{"name", broker.name},
            {"url", broker.url},
            {"connections", broker.connections},
            {"failures", json(broker.failures)},
            {"bytes_sent", broker.bytes_sent},
            {"bytes_received", broker.bytes_received}};
}

std::string_view kind_name(source_report::kind kind) {
    switch (kind) {
        case source_report::kind::publication: return "publication";
        case source_report::kind::reply: return "reply";
        case source_report::kind::will: return "will";
        case source_report::kind::client: return "client";
        case source_report::kind::broker: return "broker";
    }
    return "";
}

json sources_json(const run_report& report) {
    json out = json::array();
    for (const publisher_counts& counts : report.selections.front().publishers) {
        const source_report& source = report.sources[counts.source];
        json row{{"kind", kind_name(source.what)}, {"name", source.name}, {"topic", source.topic}};
        if (source.fleet != no_index) {
            row["fleet"] = report.fleets[source.fleet].name;
        }
        row.update(publisher_json(counts));
        json flows = json::array();
        for (const flow_counts& flow : report.selections.front().flows) {
            if (flow.source == counts.source) {
                json one{{"receiver", flow.receiver == no_index
                                          ? json(nullptr)
                                          : json(report.fleets[flow.receiver].name)},
                         {"qos", static_cast<int>(flow.qos)}};
                one.update(flows_json(flow));
                flows.push_back(std::move(one));
            }
        }
        row["flows"] = std::move(flows);
        out.push_back(std::move(row));
    }
    return out;
}

json by_invariant_json(const std::array<std::uint64_t, invariant_count>& counted) {
    json out = json::object();
    for (std::size_t i = 0; i < invariant_count; ++i) {
        out[std::string(name_of(static_cast<invariant>(i)))] = counted[i];
    }
    return out;
}

json audit_json(const outside_audit& audit) {
    json judged = json::object();
    for (std::size_t i = 0; i < invariant_count; ++i) {
        const auto which = static_cast<invariant>(i);
        const outside_judgement how = judged_outside(which);
        json& row = judged[std::string(name_of(which))];
        row["judged"] = how.how == judgement::whole     ? "whole"
                        : how.how == judgement::in_part ? "in_part"
                                                        : "none";
        if (!how.note.empty()) {
            row["note"] = how.note;
        }
    }
    return {{"broker", audit.broker},
            {"identity", audit.identity},
            {"messages", audit.messages},
            {"receptions", audit.receptions},
            {"strangers", audit.strangers},
            {"lost", audit.lost},
            {"waiting", audit.waiting},
            {"beyond_queue", audit.beyond_queue},
            {"devices_not_seen", audit.devices_not_seen},
            {"complete", audit.complete},
            {"violations_by_invariant", by_invariant_json(audit.by_invariant)},
            {"invariants", std::move(judged)}};
}

json ledger_json(const ledger_report& ledger) {
    json out{{"enabled", ledger.enabled}};
    if (!ledger.enabled) {
        return out;
    }
    json found = json::array();
    for (const ledger_violation& each : ledger.violations) {
        json row{{"invariant", name_of(each.broken)},
                 {"statements", statements_of(each.broken)},
                 {"at", seconds(each.at.time_since_epoch())},
                 {"what", each.what},
                 {"receiver", each.receiver},
                 {"topic", each.topic}};
        if (each.message != 0) {
            row["publisher"] = each.publisher;
            row["message"] = each.message;
            row["qos"] = static_cast<int>(each.qos);
        }
        found.push_back(std::move(row));
    }
    out.update({{"messages", ledger.messages},
                {"deliveries", ledger.deliveries},
                {"receptions", ledger.receptions},
                {"under_way", ledger.under_way},
                {"flows", ledger.flows},
                {"flows_not_kept", ledger.flows_not_kept},
                {"retained_not_judged", ledger.retained_not_judged},
                {"violations", ledger.violation_count()},
                {"violations_by_invariant", by_invariant_json(ledger.by_invariant)},
                {"first_violations", std::move(found)}});
    for (const outside_audit& each : ledger.audits) {
        out["audits"].push_back(audit_json(each));
    }
    return out;
}

json expectations_json(std::span<const expectation_result> results) {
    json out = json::array();
    for (const expectation_result& result : results) {
        json row{{"name", result.name},
                 {"metric", name_of(result.metric)},
                 {"met", result.observable ? json(result.met) : json(nullptr)},
                 {"measured", result.measured ? json(*result.measured) : json(nullptr)}};
        if (result.over_time) {
            row["at"] = result.at ? json(seconds(result.at->time_since_epoch())) : json(nullptr);
            row["too_short"] = result.too_short;
        }
        if (result.min) {
            row["min"] = *result.min;
        }
        if (result.max) {
            row["max"] = *result.max;
        }
        out.push_back(std::move(row));
    }
    return out;
}

}  // namespace

std::string report_json(const run_report& report, std::span<const expectation_result> expectations,
                        const run_timing& timing) {
    const selection_report& all = report.selections.front();
    json by_qos = json::array();
    for (int level = 0; level < 3; ++level) {
        json row{{"qos", level}};
        row.update(flows_json(sum_flows(report, all, {.qos = static_cast<enum qos>(level)})));
        by_qos.push_back(std::move(row));
    }
    json fleets = json::array();
    for (const fleet_report& fleet : report.fleets) {
        fleets.push_back(fleet_json(fleet));
    }
    json brokers = json::array();
    for (const broker_report& broker : report.brokers) {
        brokers.push_back(broker_json(broker));
    }
    json remote_brokers = json::array();
    for (const remote_broker_report& broker : report.remote_brokers) {
        remote_brokers.push_back(remote_broker_json(broker));
    }
    json wall{{"seconds", timing.wall_seconds}};
    if (timing.pace > 0) {
        wall["pace"] = timing.pace;
        wall["behind_max"] = timing.behind_max_seconds;
        wall["behind_total"] = timing.behind_total_seconds;
        wall["real_clients"] = timing.real_clients;
        wall["real_clients_closed"] = timing.real_clients_closed;
    }
    json out{{"report_version", 1},
             {"scenario", report.scenario},
             {"seed", report.seed},
             {"simulated", seconds(report.simulated)},
             {"interrupted", timing.interrupted},
             {"stopped_at_failure", timing.stopped_at_failure},
             {"events", report.events},
             {"trace_hash", report.trace_hash_text},
             {"messages", publisher_json(sum_publishers(report, all, {}))},
             {"deliveries", flows_json(sum_flows(report, all, {}))},
             {"deliveries_by_qos", std::move(by_qos)},
             {"fleets", std::move(fleets)},
             {"brokers", std::move(brokers)},
             {"sources", sources_json(report)},
             {"expectations", expectations_json(expectations)},
             {"ledger", ledger_json(report.ledger)},
             {"wall", std::move(wall)}};
    if (!report.faults.empty()) {
        json& faults = out["faults"];
        for (const fault_report& each : report.faults) {
            faults.push_back({{"name", each.name},
                              {"kind", name_of(each.kind)},
                              {"begun", each.begun},
                              {"devices", each.devices}});
        }
    }
    if (!remote_brokers.empty()) {
        out["remote_brokers"] = std::move(remote_brokers);
    }
    return out.dump(2) + '\n';
}

}  // namespace fleetarium::sim
