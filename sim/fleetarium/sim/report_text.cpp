#include <fleetarium/sim/report_text.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetarium::sim {

namespace {

constexpr std::size_t busiest_topics = 10;
constexpr std::array<std::string_view, 3> qos_names{"QoS 0", "QoS 1", "QoS 2"};

/// Writes the lines of a report; knows about colours.
class writer {
public:
    explicit writer(bool colours) : colours_(colours) {}

    void heading(std::string_view text) { out_ += fmt::format("\n{}\n", bold(text)); }
    void row(std::string_view label, std::string_view value) {
        out_ += fmt::format("  {:<12} {}\n", label, value);
    }
    void line(std::string_view text) { out_ += fmt::format("  {}\n", text); }

    std::string bold(std::string_view text) const { return in("1", text); }
    std::string green(std::string_view text) const { return in("32", text); }
    std::string red(std::string_view text) const { return in("31;1", text); }

    std::string take() { return std::move(out_); }

private:
    std::string in(std::string_view code, std::string_view text) const {
        return colours_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
    }

    bool colours_;
    std::string out_;
};

std::string counted(std::uint64_t value, std::string_view one, std::string_view many) {
    return with_thousands(value) + ' ' + std::string(value == 1 ? one : many);
}

/// "a, b, c" of those parts that are not empty.
std::string joined(std::vector<std::string> parts) {
    std::string out;
    for (const std::string& part : parts) {
        if (!part.empty()) {
            out += (out.empty() ? "" : ", ") + part;
        }
    }
    return out;
}

std::string unless_zero(std::uint64_t value, std::string_view what) {
    return value == 0 ? std::string() : with_thousands(value) + ' ' + std::string(what);
}

std::string percentiles(const latency_histogram& of) {
    return fmt::format("p50 {}   p90 {}   p99 {}   p99.9 {}   max {}",
                       readable_duration(of.percentile(50)), readable_duration(of.percentile(90)),
                       readable_duration(of.percentile(99)), readable_duration(of.percentile(99.9)),
                       readable_duration(of.max()));
}

std::string pace_text(const writer& out, const run_timing& timing) {
    const auto readable = [](double seconds) {
        return readable_duration(
            std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds)));
    };
    if (timing.behind_total_seconds > 0) {
        return out.red("not kept") + fmt::format(" at x{:g}: too late for {}, by up to {}",
                                                 timing.pace, readable(timing.behind_total_seconds),
                                                 readable(timing.behind_max_seconds));
    }
    return fmt::format("x{:g}, kept: no event more than {} late", timing.pace,
                       readable(timing.behind_max_seconds));
}

void write_summary(writer& out, const run_report& report, const run_timing& timing) {
    const double simulated = std::chrono::duration<double>(report.simulated).count();
    const std::string speed =
        timing.pace > 0 ? ""
                        : fmt::format(": {} times real time",
                                      with_thousands(static_cast<std::uint64_t>(
                                          simulated / std::max(timing.wall_seconds, 1e-6))));
    out.row("simulated",
            fmt::format("{}{} in {:.2f} s of wall time{}", readable_duration(report.simulated),
                        timing.interrupted          ? " (interrupted)"
                        : timing.stopped_at_failure ? " (stopped at a failure)"
                                                    : "",
                        timing.wall_seconds, speed));
    if (timing.pace > 0) {
        out.row("pace", pace_text(out, timing));
    }
    if (timing.real_clients != 0) {
        out.row("real clients",
                joined({counted(timing.real_clients, "connection", "connections"),
                        unless_zero(timing.real_clients_closed, "closed for slow reading")}));
    }
    std::uint64_t devices = 0;
    std::uint64_t connected = 0;
    std::uint64_t connects = 0;
    std::uint64_t resumed = 0;
    std::uint64_t refused = 0;
    for (const fleet_report& fleet : report.fleets) {
        devices += fleet.devices;
        connected += fleet.connected;
        connects += fleet.connects_accepted;
        resumed += fleet.sessions_resumed;
        for (const auto& [code, count] : fleet.connects_refused) {
            refused += count;
        }
    }
    out.row("devices", fmt::format("{} in {}, {} connected at the end", with_thousands(devices),
                                   counted(report.fleets.size(), "fleet", "fleets"),
                                   with_thousands(connected)));
    out.row("connects", joined({with_thousands(connects), unless_zero(resumed, "sessions resumed"),
                                unless_zero(refused, "refused")}));
}

void write_fleets(writer& out, const run_report& report) {
    out.heading("Fleets");
    out.line(fmt::format("{:<22} {:>9} {:>10} {:>11} {:>9} {:>9} {:>9}", "", "devices", "connected",
                         "connects", "resumed", "cut", "closed"));
    for (const fleet_report& fleet : report.fleets) {
        out.line(fmt::format(
            "{:<22} {:>9} {:>10} {:>11} {:>9} {:>9} {:>9}", fleet.name,
            with_thousands(fleet.devices), with_thousands(fleet.connected),
            with_thousands(fleet.connects_accepted), with_thousands(fleet.sessions_resumed),
            with_thousands(fleet.links_cut), with_thousands(fleet.closed_by_broker)));
        for (const auto& [code, count] : fleet.connects_refused) {
            out.line(fmt::format("    refused {}: {} (0x{:02X})", with_thousands(count),
                                 name_of(code), static_cast<unsigned>(code)));
        }
        for (const auto& [code, count] : fleet.broker_disconnects) {
            out.line(fmt::format("    disconnected by the broker {}: {} (0x{:02X})",
                                 with_thousands(count), name_of(code),
                                 static_cast<unsigned>(code)));
        }
        if (fleet.subscriptions_refused != 0) {
            out.line(fmt::format("    subscriptions refused {}",
                                 with_thousands(fleet.subscriptions_refused)));
        }
        if (fleet.certificates_refused != 0) {
            out.line(fmt::format("    certificates refused {}: they have expired",
                                 with_thousands(fleet.certificates_refused)));
        }
        for (const state_report& state : fleet.states) {
            out.line(fmt::format("    {}: {} now, entered {} times", state.name,
                                 counted(state.devices, "device", "devices"),
                                 with_thousands(state.entered)));
        }
        if (fleet.connects_failed != 0) {
            out.line(fmt::format("    no valid CONNECT from {}: will or credentials do not fit",
                                 counted(fleet.connects_failed, "device", "devices")));
        }
        for (const auto& [broken, count] : fleet.violations) {
            out.line(fmt::format("    gave up on the broker {} times: {}", with_thousands(count),
                                 describe(broken).phrase));
        }
    }
}

void write_messages(writer& out, const run_report& report) {
    const selection_report& all = report.selections.front();
    const publisher_counts published = sum_publishers(report, all, {});
    out.heading("Messages");
    out.row("published",
            joined({with_thousands(published.published),
                    unless_zero(published.lost_offline, "lost offline at QoS 0"),
                    unless_zero(published.queue_full, "refused by full devices"),
                    unless_zero(published.rejected, "rejected by limits"),
                    unless_zero(published.expired, "expired in the device"),
                    unless_zero(published.session_ended, "given up with a lost session")}));
    if (report.brokers.empty()) {
        out.row("acknowledged", with_thousands(published.acknowledged));
    } else {
        out.row("received", joined({with_thousands(published.received),
                                    unless_zero(published.received_again, "resent copies"),
                                    unless_zero(published.lost_on_link, "lost on a broken link")}));
        out.row("routed", fmt::format("{} to {}", with_thousands(published.routed),
                                      counted(published.deliveries, "delivery", "deliveries")));
    }
    for (std::size_t level = 0; level < qos_names.size(); ++level) {
        const flow_counts flows = sum_flows(report, all, {.qos = static_cast<enum qos>(level)});
        if (flows.due == 0 && flows.delivered == 0) {
            continue;
        }
        out.row(fmt::format("  {}", qos_names[level]),
                joined({with_thousands(flows.delivered) + " delivered",
                        unless_zero(flows.duplicates, "duplicates"),
                        unless_zero(flows.dropped_total(), "dropped"),
                        unless_zero(flows.lost_on_link, "lost on a broken link"),
                        unless_zero(flows.under_way(), "under way at the end")}));
    }
    std::size_t retained = 0;
    std::uint64_t violations = 0;
    std::uint64_t keep_alive_timeouts = 0;
    std::uint64_t connect_timeouts = 0;
    for (const broker_report& broker : report.brokers) {
        retained += broker.retained;
        violations += broker.metrics.protocol_violations;
        keep_alive_timeouts += broker.metrics.keep_alive_timeouts;
        connect_timeouts += broker.metrics.connect_timeouts;
    }
    if (!report.brokers.empty()) {
        out.row("retained", with_thousands(retained));
    }
    const std::string ended = joined({unless_zero(violations, "for a protocol violation"),
                                      unless_zero(keep_alive_timeouts, "for keep alive"),
                                      unless_zero(connect_timeouts, "for no CONNECT in time")});
    if (!ended.empty()) {
        out.row("cut off", ended);
    }
}

void write_drops(writer& out, const run_report& report) {
    std::array<std::uint64_t, broker::drop_reason_count> dropped{};
    for (const broker_report& broker : report.brokers) {
        for (std::size_t i = 0; i < dropped.size(); ++i) {
            dropped[i] += broker.metrics.dropped[i];
        }
    }
    out.heading("Drops by reason");
    bool any = false;
    for (std::size_t i = 0; i < dropped.size(); ++i) {
        if (dropped[i] != 0) {
            any = true;
            out.line(fmt::format("{:<20} {:>12}",
                                 broker::name_of(static_cast<broker::drop_reason>(i)),
                                 with_thousands(dropped[i])));
        }
    }
    if (!report.remote_brokers.empty()) {
        out.line("what a broker outside drops, only that broker knows");
    } else if (!any) {
        out.line("none");
    }
}

void write_remote_brokers(writer& out, const run_report& report) {
    if (report.remote_brokers.empty()) {
        return;
    }
    out.heading("Brokers outside");
    for (const remote_broker_report& broker : report.remote_brokers) {
        out.line(fmt::format("{:<22} {}: {}, {} bytes sent, {} received", broker.name, broker.url,
                             counted(broker.connections, "connection", "connections"),
                             with_thousands(broker.bytes_sent),
                             with_thousands(broker.bytes_received)));
        for (const auto& [why, count] : broker.failures) {
            out.line(fmt::format("    {}: {}", why, with_thousands(count)));
        }
    }
}

void write_faults(writer& out, const run_report& report) {
    if (report.faults.empty()) {
        return;
    }
    out.heading("Faults");
    for (const fault_report& each : report.faults) {
        std::string what = counted(each.begun, "time", "times");
        if (!hits_broker(each.kind)) {
            what += ", " + counted(each.devices, "device hit", "devices hit");
        }
        out.line(fmt::format("{:<22} {:<14} {}", each.name, name_of(each.kind), what));
    }
}

void write_latency(writer& out, const run_report& report, const run_timing& timing) {
    const selection_report& all = report.selections.front();
    // A real broker's time is real.
    const bool real = !report.remote_brokers.empty() && timing.pace > 0;
    out.heading("Latency, published to delivered, in " +
                (real && timing.pace == 1 ? std::string("real time")
                 : real ? fmt::format("virtual time, which went {:g} times as fast as real time",
                                      timing.pace)
                        : std::string("virtual time")));
    const latency_histogram whole = sum_flows(report, all, {}).latency;
    if (whole.empty()) {
        out.line("nothing was delivered");
        return;
    }
    out.row("all", percentiles(whole));
    for (std::size_t level = 0; level < qos_names.size(); ++level) {
        const latency_histogram one =
            sum_flows(report, all, {.qos = static_cast<enum qos>(level)}).latency;
        if (!one.empty()) {
            out.row(qos_names[level], percentiles(one));
        }
    }
    const publisher_counts requests = sum_publishers(report, all, {});
    if (requests.requests != 0) {
        out.row("replies",
                requests.reply_latency.empty() ? "none came" : percentiles(requests.reply_latency));
        out.row("", fmt::format("{} of {} requests answered in time, {} not",
                                with_thousands(requests.replies_in_time),
                                with_thousands(requests.requests),
                                with_thousands(requests.replies_missing)));
    }
}

std::string label_of(const run_report& report, const source_report& source) {
    const std::string of =
        source.fleet == no_index ? std::string() : report.fleets[source.fleet].name;
    switch (source.what) {
        case source_report::kind::publication: return of;
        case source_report::kind::reply: return of + ", replies";
        case source_report::kind::will: return of + ", wills";
        case source_report::kind::client: return "client " + source.name;
        case source_report::kind::broker: return "broker " + source.name;
    }
    return of;
}

void write_topics(writer& out, const run_report& report) {
    std::vector<publisher_counts> rows = report.selections.front().publishers;
    std::erase_if(rows, [](const publisher_counts& each) { return each.published == 0; });
    std::stable_sort(rows.begin(), rows.end(),
                     [](const publisher_counts& a, const publisher_counts& b) {
                         return a.published > b.published;
                     });
    out.heading("Busiest topics");
    for (std::size_t i = 0; i < std::min(rows.size(), busiest_topics); ++i) {
        const source_report& source = report.sources[rows[i].source];
        const std::string_view topic = source.topic.empty() ? source.name : source.topic;
        out.line(fmt::format("{:>12}  {:<46} {}", with_thousands(rows[i].published), topic,
                             label_of(report, source)));
    }
    if (rows.size() > busiest_topics) {
        out.line(fmt::format("{:>12}  and {} more in the JSON report", "",
                             rows.size() - busiest_topics));
    }
    if (rows.empty()) {
        out.line("nothing was published");
    }
}

/// The invariants that are judged so from outside, on as many lines as they need.
void write_judged(writer& out, std::string label, judgement how) {
    constexpr std::size_t width = 80;
    std::string line;
    for (std::size_t i = 0; i < invariant_count; ++i) {
        const std::string_view name = name_of(static_cast<invariant>(i));
        if (judged_outside(static_cast<invariant>(i)).how != how) {
            continue;
        }
        if (line.size() + name.size() > width) {
            out.row(label, line + ',');
            label.clear();
            line.clear();
        }
        line += (line.empty() ? "" : ", ") + std::string(name);
    }
    out.row(label, line);
}

void write_audit(writer& out, const outside_audit& audit) {
    out.line(
        fmt::format("audited from outside: {}, messages known by {}: {} published, {} received",
                    audit.broker, audit.identity == "payload" ? "their payload" : "a user property",
                    with_thousands(audit.messages), with_thousands(audit.receptions)));
    write_judged(out, "  judged", judgement::whole);
    write_judged(out, "  in part", judgement::in_part);
    write_judged(out, "  not judged", judgement::none);
    const std::string rest =
        joined({unless_zero(audit.lost, "lost"),
                unless_zero(audit.waiting, "waiting for clients that are away"),
                unless_zero(audit.beyond_queue, "beyond the bound for queues, not judged"),
                unless_zero(audit.strangers, "received that carry no identity of this run")});
    if (!rest.empty()) {
        out.row("  messages", rest);
    }
    if (audit.devices_not_seen != 0) {
        out.line(
            fmt::format("  {} speak 3.1.1, which has no user properties: not audited, unless "
                        "payloads carry the identity",
                        counted(audit.devices_not_seen, "device", "devices")));
    }
    if (!audit.complete) {
        out.line("  the run did not end in silence: of what has not come yet nothing is said");
    }
}

void write_ledger(writer& out, const ledger_report& ledger) {
    if (!ledger.enabled) {
        return;
    }
    constexpr std::size_t shown_max = 10;
    out.heading("Ledger");
    const bool is_all_outside = ledger.messages == 0 && !ledger.audits.empty();
    if (!is_all_outside) {
        out.line(fmt::format("judged: {} messages, {} deliveries, {} receptions",
                             with_thousands(ledger.messages), with_thousands(ledger.deliveries),
                             with_thousands(ledger.receptions)));
    }
    for (const outside_audit& each : ledger.audits) {
        write_audit(out, each);
    }
    if (ledger.flows_not_kept != 0 || ledger.retained_not_judged != 0) {
        out.line(fmt::format(
            "not judged: order of {} receptions, retained messages of {} "
            "subscriptions",
            with_thousands(ledger.flows_not_kept), with_thousands(ledger.retained_not_judged)));
    }
    for (std::size_t i = 0; i < invariant_count; ++i) {
        if (ledger.by_invariant[i] != 0) {
            out.line(fmt::format("{}  {:<20} {}  {}", out.red("FAIL"),
                                 name_of(static_cast<invariant>(i)),
                                 counted(ledger.by_invariant[i], "time", "times"),
                                 statements_of(static_cast<invariant>(i))));
        }
    }
    for (std::size_t i = 0; i < std::min(ledger.violations.size(), shown_max); ++i) {
        out.line(to_string(ledger.violations[i]));
    }
    if (ledger.violations.size() > shown_max) {
        out.line(fmt::format("and more; {} are in the JSON report", ledger.violations.size()));
    }
    if (ledger.violation_count() == 0 && is_all_outside) {
        out.line(fmt::format("{}  nothing that clients saw breaks a rule", out.green("met ")));
    } else if (ledger.violation_count() == 0) {
        out.line(fmt::format("{}  all {} invariants held", out.green("met "), invariant_count));
    }
}

void write_expectations(writer& out, std::span<const expectation_result> results) {
    if (results.empty()) {
        return;
    }
    out.heading("Expectations");
    for (const expectation_result& result : results) {
        const std::string verdict = !result.observable ? "skip"
                                    : result.met       ? out.green("met ")
                                                       : out.red("FAIL");
        out.line(fmt::format("{}  {}", verdict, to_string(result)));
    }
}

}  // namespace

std::string with_thousands(std::uint64_t value) {
    std::string digits = std::to_string(value);
    for (std::size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(at, ",");
    }
    return digits;
}

std::string readable_duration(duration value) {
    using namespace std::chrono_literals;
    constexpr std::array<std::pair<std::string_view, duration>, 7> units{
        {{"d", 24h}, {"h", 1h}, {"min", 1min}, {"s", 1s}, {"ms", 1ms}, {"us", 1us}, {"ns", 1ns}}};
    if (value == duration::zero()) {
        return "0 s";
    }
    for (const auto& [name, unit] : units) {
        const duration least = unit == 24h ? 2 * unit : unit;  // a day is said as 24 h
        if (value >= least || unit == 1ns) {
            return fmt::format(
                "{:.3g} {}", static_cast<double>(value.count()) / static_cast<double>(unit.count()),
                name);
        }
    }
    return {};
}

std::string report_text(const run_report& report, std::span<const expectation_result> expectations,
                        const run_timing& timing, bool colours) {
    writer out(colours);
    out.heading(fmt::format("{}, seed {}", report.scenario, report.seed));
    write_summary(out, report, timing);
    write_fleets(out, report);
    write_remote_brokers(out, report);
    write_faults(out, report);
    write_messages(out, report);
    write_drops(out, report);
    write_latency(out, report, timing);
    write_topics(out, report);
    write_expectations(out, expectations);
    write_ledger(out, report.ledger);
    out.heading("Trace");
    out.row("events", with_thousands(report.events));
    const bool repeats = report.remote_brokers.empty() && timing.real_clients == 0;
    out.row("trace hash", report.trace_hash_text +
                              (repeats ? "" : ", of this run only: the real world took part"));
    return out.take();
}

}  // namespace fleetarium::sim
