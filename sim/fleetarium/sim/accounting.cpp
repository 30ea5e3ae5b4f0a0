#include <fleetarium/sim/accounting.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/assert.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace fleetarium::sim::detail {

namespace {

bool is_empty(const publisher_counts& counts) {
    return counts.published == 0 && counts.received == 0 && counts.requests == 0 &&
           counts.received_again == 0;
}

bool is_empty(const flow_counts& counts) {
    return counts.due == 0 && counts.delivered == 0 && counts.duplicates == 0 &&
           counts.lost_on_link == 0 && counts.dropped_total() == 0;
}

}  // namespace

void count_dropped(publisher_counts& counts, delivery_dropped::reason why) {
    switch (why) {
        case delivery_dropped::reason::expired: ++counts.expired; return;
        case delivery_dropped::reason::session_ended: ++counts.session_ended; return;
        case delivery_dropped::reason::too_large:
        case delivery_dropped::reason::qos_not_supported:
        case delivery_dropped::reason::retain_not_supported: ++counts.rejected; return;
    }
}

accounting::accounting() : selections_(1) {}

accounting::source accounting::add_source(source_report about) {
    if (sources_.size() >= message_number::source_end) {
        throw std::invalid_argument("a world has at most 8,192 publications, replies, wills and "
                                    "clients");
    }
    const auto made = static_cast<source>(sources_.size());
    sources_.push_back(std::move(about));
    topics_.push_back(selections_.size() > 1);
    for (selection& each : selections_) {
        each.rows.emplace_back().publisher.source = made;
        each.coverage.push_back(coverage_of_filter::some);
    }
    return made;
}

void accounting::select(std::string_view filter) {
    const bool known =
        std::any_of(selections_.begin(), selections_.end(),
                    [&](const selection& each) { return each.filter == filter; });
    if (known) {
        return;
    }
    selection made;
    made.filter = filter;
    for (source each = 0; each < sources_.size(); ++each) {
        made.rows.emplace_back().publisher.source = each;
    }
    made.coverage.resize(sources_.size(), coverage_of_filter::some);
    selections_.push_back(std::move(made));
    topics_.assign(sources_.size(), true);
}

void accounting::set_coverage(std::size_t which, source of, coverage_of_filter known) {
    selections_[which].coverage[of] = known;
    topics_[of] = std::any_of(
        selections_.begin() + 1, selections_.end(),
        [&](const selection& each) { return each.coverage[of] == coverage_of_filter::some; });
}

bool accounting::matches_topic(std::string_view filter, std::string_view topic) {
    return !topic.empty() && topic_matches(filter, topic);
}

flow_counts& accounting::make_cell(row& of, receiver to, enum qos qos) {
    const std::size_t place =
        static_cast<std::size_t>(to + 1) * 3 + static_cast<std::size_t>(qos);
    if (place >= of.cells.size()) {
        of.cells.resize(place + 1);
    }
    of.cells[place] = std::make_unique<flow_counts>();
    of.cells[place]->source = of.publisher.source;
    of.cells[place]->receiver = to;
    of.cells[place]->qos = qos;
    return *of.cells[place];
}

std::size_t accounting::selection_of(std::string_view filter) const {
    const auto found =
        std::find_if(selections_.begin(), selections_.end(),
                     [&](const selection& each) { return each.filter == filter; });
    FLEETARIUM_ASSERT(found != selections_.end());
    return static_cast<std::size_t>(found - selections_.begin());
}

void accounting::add_up(std::size_t which, const flow_query& rows, with_latency how,
                        publisher_counts& publishers, flow_counts& flows) const {
    for (const row& each : selections_[which].rows) {
        if (rows.fleet && sources_[each.publisher.source].fleet != *rows.fleet) {
            continue;
        }
        add(publishers, each.publisher, how);
        for (const auto& counts : each.cells) {
            if (counts != nullptr && (!rows.receiver || counts->receiver == *rows.receiver) &&
                (!rows.qos || counts->qos == *rows.qos)) {
                add(flows, *counts, how);
            }
        }
    }
}

std::vector<selection_report> accounting::report() const {
    std::vector<selection_report> out;
    for (const selection& each : selections_) {
        selection_report& made = out.emplace_back();
        made.topic_filter = each.filter;
        for (const row& from : each.rows) {
            if (!is_empty(from.publisher)) {
                made.publishers.push_back(from.publisher);
            }
            for (const auto& counts : from.cells) {
                if (counts != nullptr && !is_empty(*counts)) {
                    made.flows.push_back(*counts);
                }
            }
        }
    }
    return out;
}

}  // namespace fleetarium::sim::detail
