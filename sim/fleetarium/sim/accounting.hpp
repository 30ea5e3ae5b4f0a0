#pragma once

#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/session/client_session.hpp>
#include <fleetarium/sim/event.hpp>
#include <fleetarium/sim/report.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim::detail {

/// Counts a message that a client's session gave up.
void count_dropped(publisher_counts& counts, delivery_dropped::reason why);

/// What of a source's messages a topic filter matches: known once where topics are fixed.
enum class coverage_of_filter : std::uint8_t { none, some, all };

/// Counts messages and deliveries by source, receiver and QoS, for all messages and once more for
/// each topic filter that an expectation names.
///
/// Sums only, and read between events alone: the accounts of shards can be added up.
/// Memory: one cell for each combination of source, receiving fleet and QoS that occurs.
class accounting {
public:
    using source = std::uint32_t;
    using receiver = std::uint32_t;  ///< index of a fleet
    static constexpr receiver hand_written = no_index;

    accounting();

    // Building

    /// Throws std::invalid_argument beyond 8,192 sources.
    source add_source(source_report about);
    std::size_t source_count() const { return sources_.size(); }
    const source_report& about(source which) const { return sources_[which]; }

    /// Counts what matches `filter` apart from now on; an empty filter is there from the start.
    void select(std::string_view filter);
    std::size_t selection_count() const { return selections_.size(); }
    std::string_view filter_of(std::size_t which) const {
        return selections_[which].filter;
    }
    void set_coverage(std::size_t which, source of, coverage_of_filter known);

    // Publishers. `topic` may be empty only where there is one selection.

    template <class Change>
    void publisher(source which, std::string_view topic, Change&& change) {
        change(selections_[0].rows[which].publisher);
        if (selections_.size() > 1) {
            for (std::size_t i = 1; i < selections_.size(); ++i) {
                if (matches(selections_[i], which, topic)) {
                    change(selections_[i].rows[which].publisher);
                }
            }
        }
    }

    const publisher_counts& counts_of(source which) const {
        return selections_[0].rows[which].publisher;
    }

    // Deliveries

    template <class Change>
    void flow(source from, receiver to, enum qos qos, std::string_view topic, Change&& change) {
        change(cell(selections_[0].rows[from], to, qos));
        if (selections_.size() > 1) {
            for (std::size_t i = 1; i < selections_.size(); ++i) {
                if (matches(selections_[i], from, topic)) {
                    change(cell(selections_[i].rows[from], to, qos));
                }
            }
        }
    }

    /// Whether any selection needs to see the topics of a source's messages.
    bool needs_topic(source which) const { return topics_[which]; }

    /// Whether a message of the source belongs to a selection.
    bool selects(std::size_t which, source from, std::string_view topic) const {
        return which == 0 || matches(selections_[which], from, topic);
    }

    /// The selection of a filter; it is there.
    std::size_t selection_of(std::string_view filter) const;

    /// Adds up the rows asked for, as they stand. Linear in rows, not in devices.
    void add_up(std::size_t which, const flow_query& rows, with_latency how,
                publisher_counts& publishers, flow_counts& flows) const;

    /// The selections, as they stand, without the rows that are all zero.
    std::vector<selection_report> report() const;
    const std::vector<source_report>& sources() const { return sources_; }

private:
    struct row {
        publisher_counts publisher;
        std::vector<std::unique_ptr<flow_counts>> cells;  // [(receiver + 1) * 3 + qos]
    };
    struct selection {
        std::string filter;
        std::vector<row> rows;                        // by source
        std::vector<coverage_of_filter> coverage;     // by source
    };

    static bool matches(const selection& in, source which, std::string_view topic) {
        const coverage_of_filter known = in.coverage[which];
        return known == coverage_of_filter::all ||
               (known == coverage_of_filter::some && matches_topic(in.filter, topic));
    }
    static bool matches_topic(std::string_view filter, std::string_view topic);
    static flow_counts& cell(row& of, receiver to, enum qos qos) {
        const std::size_t place =
            static_cast<std::size_t>(to + 1) * 3 + static_cast<std::size_t>(qos);
        if (place < of.cells.size() && of.cells[place] != nullptr) {
            return *of.cells[place];
        }
        return make_cell(of, to, qos);
    }
    static flow_counts& make_cell(row& of, receiver to, enum qos qos);

    std::vector<source_report> sources_;
    std::vector<selection> selections_;
    std::vector<bool> topics_;
};

}  // namespace fleetarium::sim::detail
