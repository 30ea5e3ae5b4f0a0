#include "replay_report.hpp"

#include <fleetarium/sim/report_text.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace fleetarium::cli {

namespace {

using sim::readable_duration;
using sim::with_thousands;

double seconds(duration time) { return static_cast<double>(time.count()) / 1e9; }

std::string_view ending_of(const replay_report& of) {
    return !of.failure.empty() ? "failed" : of.interrupted ? "interrupted" : "complete";
}

}  // namespace

std::string replay_report_text(const replay_report& of) {
    const replay_sums& sums = of.sums;
    std::string out = fmt::format(
        "{}: {} messages to {} in {}, {} connection{}{}\n",
        of.failure.empty() ? of.interrupted ? "interrupted" : "replayed" : "not carried out",
        with_thousands(sums.total()), of.to,
        readable_duration(duration(static_cast<std::int64_t>(of.wall_seconds * 1e9))),
        of.connections, of.connections == 1 ? "" : "s",
        of.passes > 1 ? fmt::format(", {} times", of.passes) : "");
    const auto line = [&out](std::string_view what, std::uint64_t times) {
        if (times > 0) {
            out += fmt::format("  {:<44}{:>14}\n", what, with_thousands(times));
        }
    };
    line("QoS 0, sent", sums.published[0] - sums.lost);
    line("QoS 1 and 2, acknowledged", sums.acknowledged);
    line("  of these without a subscriber", sums.no_matching_subscribers);
    line("  that waited for a new connection", sums.held);
    line("QoS 1 and 2, not acknowledged", sums.unacknowledged);
    line("QoS 0, lost without a connection", sums.lost);
    line("QoS 0, perhaps lost with a connection", sums.unconfirmed);
    for (const auto& [reason, times] : sums.refused) {
        line("refused: " + reason, times);
    }
    line("without their properties: MQTT 3.1.1", sums.without_properties);
    line("connections that broke", sums.connections_lost);
    line("left out: of the recorded broker itself", of.left_out.by_broker);
    line("left out: copies of resent messages", of.left_out.copies);
    line("left out: refused when they were recorded", of.left_out.refused);
    line("left out: no topic name after rewriting", of.left_out.unpublishable);
    if (!of.timing_error.empty()) {
        out += fmt::format("  timing error: p50 {}, p99 {}, max {}\n",
                           readable_duration(of.timing_error.percentile(50)),
                           readable_duration(of.timing_error.percentile(99)),
                           readable_duration(of.timing_error.max()));
    }
    return out;
}

std::string replay_report_json(const replay_report& of) {
    const replay_sums& sums = of.sums;
    nlohmann::ordered_json out{{"fleetarium", FLEETARIUM_VERSION},
                               {"recording", of.recording},
                               {"to", of.to},
                               {"ended", ending_of(of)}};
    if (!of.failure.empty()) {
        out["failure"] = of.failure;
    }
    out["connections"] = of.connections;
    out["as_clients"] = of.as_clients;
    out["speed"] =
        of.speed == "max" ? nlohmann::ordered_json("max") : nlohmann::ordered_json::parse(of.speed);
    out["passes"] = of.passes;
    out["wall_seconds"] = of.wall_seconds;
    out["messages"] = {{"published", sums.total()},
                       {"published_by_qos", sums.published},
                       {"acknowledged", sums.acknowledged},
                       {"no_matching_subscribers", sums.no_matching_subscribers},
                       {"held", sums.held},
                       {"unacknowledged", sums.unacknowledged},
                       {"lost", sums.lost},
                       {"unconfirmed", sums.unconfirmed},
                       {"refused", sums.refused_total()},
                       {"without_properties", sums.without_properties}};
    out["refused_by_reason"] = nlohmann::ordered_json::object();
    for (const auto& [reason, times] : sums.refused) {
        out["refused_by_reason"][reason] = times;
    }
    out["connections_lost"] = sums.connections_lost;
    out["left_out"] = {{"by_broker", of.left_out.by_broker},
                       {"copies", of.left_out.copies},
                       {"refused", of.left_out.refused},
                       {"unpublishable", of.left_out.unpublishable}};
    out["timing_error"] = {{"messages", of.timing_error.count()},
                           {"p50_seconds", seconds(of.timing_error.percentile(50))},
                           {"p99_seconds", seconds(of.timing_error.percentile(99))},
                           {"max_seconds", seconds(of.timing_error.max())}};
    return out.dump(2) + '\n';
}

}  // namespace fleetarium::cli
