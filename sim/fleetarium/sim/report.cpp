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

namespace detail {

void add(flow_counts& to, const flow_counts& more, with_latency how) {
    to.due += more.due;
    to.delivered += more.delivered;
    to.lost_on_link += more.lost_on_link;
    to.duplicates += more.duplicates;
    add_dropped(more, to);
    if (how == with_latency::yes) {
        to.latency.merge(more.latency);
    }
}

void add(publisher_counts& to, const publisher_counts& more, with_latency how) {
    to.published += more.published;
    to.lost_offline += more.lost_offline;
    to.queue_full += more.queue_full;
    to.rejected += more.rejected;
    to.lost_on_link += more.lost_on_link;
    to.expired += more.expired;
    to.session_ended += more.session_ended;
    to.received += more.received;
    to.received_again += more.received_again;
    to.acknowledged += more.acknowledged;
    to.routed += more.routed;
    to.deliveries += more.deliveries;
    add_dropped(more, to);
    to.requests += more.requests;
    to.replies_in_time += more.replies_in_time;
    to.replies_missing += more.replies_missing;
    if (how == with_latency::yes) {
        to.reply_latency.merge(more.reply_latency);
    }
}

}  // namespace detail

flow_counts sum_flows(const run_report& report, const selection_report& from,
                      const flow_query& which) {
    flow_counts sum;
    for (const flow_counts& each : from.flows) {
        if (is_of_fleet(report, each.source, which.fleet) &&
            (!which.receiver || each.receiver == *which.receiver) &&
            (!which.qos || each.qos == *which.qos)) {
            detail::add(sum, each, detail::with_latency::yes);
        }
    }
    return sum;
}

publisher_counts sum_publishers(const run_report& report, const selection_report& from,
                                const flow_query& which) {
    publisher_counts sum;
    for (const publisher_counts& each : from.publishers) {
        if (is_of_fleet(report, each.source, which.fleet)) {
            detail::add(sum, each, detail::with_latency::yes);
        }
    }
    return sum;
}

}  // namespace fleetarium::sim
