#include <fleetarium/sim/report.hpp>

#include <algorithm>
#include <numeric>

namespace fleetarium::sim {

namespace {

template <class Counts>
void add_dropped(const Counts& from, Counts& to) {
    for (std::size_t i = 0; i < to.dropped.size(); ++i) {
        to.dropped[i] += from.dropped[i];
    }
}

bool is_of_fleet(const run_report& report, std::uint32_t source,
                 const std::optional<std::uint32_t>& fleet) {
    return !fleet || report.sources[source].fleet == *fleet;
}

}  // namespace

std::uint64_t flow_counts::dropped_total() const {
    return std::accumulate(dropped.begin(), dropped.end(), std::uint64_t{0});
}

std::uint64_t flow_counts::under_way() const {
    // A delivery whose session ended between its reception and its acknowledgement is counted on
    // both sides: delivered by the device, dropped by the broker.
    const std::uint64_t ended = delivered + lost_on_link + dropped_total();
    return due > ended ? due - ended : 0;
}

const selection_report* run_report::find_selection(std::string_view topic_filter) const {
    const auto found =
        std::find_if(selections.begin(), selections.end(), [&](const selection_report& each) {
            return each.topic_filter == topic_filter;
        });
    return found == selections.end() ? nullptr : &*found;
}

std::uint32_t run_report::fleet_index(std::string_view name) const {
    const auto found = std::find_if(fleets.begin(), fleets.end(),
                                    [&](const fleet_report& each) { return each.name == name; });
    return found == fleets.end() ? no_index : static_cast<std::uint32_t>(found - fleets.begin());
}

flow_counts sum_flows(const run_report& report, const selection_report& from,
                      const flow_query& which) {
    flow_counts sum;
    for (const flow_counts& each : from.flows) {
        if (!is_of_fleet(report, each.source, which.fleet) ||
            (which.receiver && each.receiver != *which.receiver) ||
            (which.qos && each.qos != *which.qos)) {
            continue;
        }
        sum.due += each.due;
        sum.delivered += each.delivered;
        sum.lost_on_link += each.lost_on_link;
        sum.duplicates += each.duplicates;
        add_dropped(each, sum);
        sum.latency.merge(each.latency);
    }
    return sum;
}

publisher_counts sum_publishers(const run_report& report, const selection_report& from,
                                const flow_query& which) {
    publisher_counts sum;
    for (const publisher_counts& each : from.publishers) {
        if (!is_of_fleet(report, each.source, which.fleet)) {
            continue;
        }
        sum.published += each.published;
        sum.lost_offline += each.lost_offline;
        sum.queue_full += each.queue_full;
        sum.rejected += each.rejected;
        sum.lost_on_link += each.lost_on_link;
        sum.expired += each.expired;
        sum.session_ended += each.session_ended;
        sum.received += each.received;
        sum.received_again += each.received_again;
        sum.acknowledged += each.acknowledged;
        sum.routed += each.routed;
        sum.deliveries += each.deliveries;
        add_dropped(each, sum);
        sum.requests += each.requests;
        sum.replies_in_time += each.replies_in_time;
        sum.replies_missing += each.replies_missing;
        sum.reply_latency.merge(each.reply_latency);
    }
    return sum;
}

}  // namespace fleetarium::sim
