#include <fleetarium/codec/reason_code.hpp>
#include <fleetarium/codec/violation.hpp>
#include <fleetarium/feed/recording_parts.hpp>

#include <algorithm>
#include <functional>

namespace fleetarium::feed {

namespace {

constexpr std::size_t faults_shown = 2'000;
constexpr std::size_t violations_shown = 1'000;
constexpr std::size_t marks_shown = 2'000;

/// Lines that a search looks at, at most.
constexpr std::size_t lines_budget = 200'000;

event_row event_at(std::int64_t at, std::string what, std::string who = {}, std::string text = {}) {
    return {.at = in_seconds(at),
            .what = std::move(what),
            .who = std::move(who),
            .text = std::move(text)};
}

/// The number of rows until an instant.
template <class Rows, class At>
std::size_t count_until(const Rows& rows, std::int64_t at, At&& at_of) {
    return static_cast<std::size_t>(
        std::partition_point(rows.begin(), rows.end(),
                             [&](const auto& each) { return at_of(each) <= at; }) -
        rows.begin());
}

std::string fault_text(const fault_row& of) {
    return of.where.empty() ? of.name : of.name + " (" + of.where + ")";
}

/// A table of things that happened, gone through backwards.
struct log_cursor {
    std::size_t left = 0;
    std::function<std::int64_t(std::size_t)> at;
    std::function<event_row(std::size_t)> row;
};

bool contains(const event_row& row, const std::string& search) {
    return search.empty() || row.text.find(search) != std::string::npos ||
           row.who.find(search) != std::string::npos ||
           row.what.find(search) != std::string::npos ||
           row.topic.find(search) != std::string::npos;
}

}  // namespace

event_row connection_event(const recording_parts& of, const recorded::connection& what, bool ends) {
    event_row out = event_at(ends ? what.ended : what.at,
                             !what.accepted ? "refused"
                             : ends         ? "disconnected"
                                            : "connected",
                             of.client_name(what.client));
    const std::string code(name_of(static_cast<reason_code>(what.code)));
    if (!what.accepted) {
        out.text = what.violation ? code + ": a rule of the protocol was broken" : code;
    } else if (ends) {
        out.text = what.lost        ? "the network closed it"
                   : what.code == 0 ? "normal disconnection"
                                    : code;
    } else if (what.session_present) {
        out.text = "session present";
    }
    return out;
}

event_row subscription_event(const recording_parts& of, const recorded::subscription& what) {
    event_row out = event_at(what.at, what.ends ? "unsubscribed" : "subscribed",
                             what.client == 0 ? "recorder" : of.client_name(what.client));
    out.topic = of.subscriptions.filters[what.filter];
    if (what.code >= 0x80) {
        out.text = name_of(static_cast<reason_code>(what.code));
    } else if (!what.ends) {
        out.qos = what.code;
    }
    return out;
}

timeline_answer answer_timeline(recording_parts& of, const timeline_question& asked) {
    const std::int64_t at = of.instant_of(asked.at);
    const seconds now = in_seconds(at);
    timeline_answer out;
    const std::size_t faults = count_until(of.fault_periods, at, [](const fault_row& each) {
        return static_cast<std::int64_t>(each.from * 1e9 + 0.5);
    });
    for (std::size_t i = faults > faults_shown ? faults - faults_shown : 0; i < faults; ++i) {
        fault_row& row = out.faults.emplace_back(of.fault_periods[i]);
        if (row.until && *row.until > now) {
            row.until.reset();
        }
    }
    for (const recorded::remark& each : of.violations) {
        if (each.at > at || out.violations.size() == violations_shown) {
            break;
        }
        out.violations.push_back(
            {.at = in_seconds(each.at), .invariant = each.what, .text = each.text});
    }
    for (const recorded::remark& each : of.annotations) {
        if (each.at <= at) {
            out.marks.push_back(event_at(each.at, "annotation", {}, each.text));
        }
    }
    for (const recorded::remark& each : of.interventions) {
        if (each.at <= at) {
            out.marks.push_back(event_at(each.at, "command", {}, each.what + " " + each.text));
        }
    }
    for (const recorded::remark& each : of.gaps) {
        if (each.at <= at) {
            out.marks.push_back(event_at(each.at, "gap", "recorder", each.text));
        }
    }
    std::stable_sort(out.marks.begin(), out.marks.end(),
                     [](const event_row& a, const event_row& b) { return a.at < b.at; });
    if (out.marks.size() > marks_shown) {
        out.marks.erase(out.marks.begin(),
                        out.marks.end() - static_cast<std::ptrdiff_t>(marks_shown));
    }
    return out;
}

log_answer answer_log(recording_parts& of, const log_question& asked) {
    require_range("limit", asked.limit, 1, 2'000);
    const std::int64_t at = of.instant_of(asked.at);
    std::vector<log_cursor> cursors;
    const auto remarks = [&](const std::vector<recorded::remark>& rows, const char* what,
                             const char* who) {
        cursors.push_back(
            {count_until(rows, at, [](const recorded::remark& each) { return each.at; }),
             [&rows](std::size_t i) { return rows[i].at; },
             [&rows, what, who](std::size_t i) {
                 return event_at(
                     rows[i].at, what, who,
                     rows[i].what.empty() ? rows[i].text : rows[i].what + ": " + rows[i].text);
             }});
    };
    if (asked.connections) {
        const auto& rows = of.connections.rows();
        cursors.push_back(
            {count_until(rows, at, [](const recorded::connection& each) { return each.at; }),
             [&rows](std::size_t i) { return rows[i].at; },
             [&](std::size_t i) { return connection_event(of, rows[i], /*ends=*/false); }});
        const auto& ends = of.connections.ends();
        cursors.push_back({count_until(ends, at, [](const auto& each) { return each.first; }),
                           [&ends](std::size_t i) { return ends[i].first; },
                           [&](std::size_t i) {
                               return connection_event(of, rows[ends[i].second], /*ends=*/true);
                           }});
        const auto& subscriptions = of.subscriptions.rows;
        cursors.push_back(
            {count_until(subscriptions, at,
                         [](const recorded::subscription& each) { return each.at; }),
             [&](std::size_t i) { return subscriptions[i].at; },
             [&](std::size_t i) { return subscription_event(of, subscriptions[i]); }});
    }
    const auto& faults = of.faults;
    cursors.push_back({count_until(faults, at, [](const recorded::fault& each) { return each.at; }),
                       [&faults](std::size_t i) { return faults[i].at; },
                       [&](std::size_t i) {
                           fault_row named;
                           named.name = "fault " + std::to_string(faults[i].number);
                           bool lasts = false;
                           for (const fault_row& each : of.fault_periods) {
                               if (each.fault == faults[i].number) {
                                   named = each;
                                   lasts = lasts || each.until != each.from;
                               }
                           }
                           return event_at(faults[i].at,
                                           faults[i].ends && lasts ? "healed" : "fault", {},
                                           fault_text(named));
                       }});
    remarks(of.violations, "violation", "");
    remarks(of.annotations, "annotation", "");
    remarks(of.gaps, "gap", "recorder");
    remarks(of.interventions, "command", "");

    log_answer out;
    for (std::size_t looked_at = 0; looked_at < lines_budget && out.rows.size() < asked.limit;
         ++looked_at) {
        // Of one instant, what is listed first above is taken to have come first.
        log_cursor* newest = nullptr;
        for (log_cursor& each : cursors) {
            if (each.left != 0 &&
                (newest == nullptr || each.at(each.left - 1) >= newest->at(newest->left - 1))) {
                newest = &each;
            }
        }
        if (newest == nullptr) {
            break;
        }
        event_row row = newest->row(--newest->left);
        if (contains(row, asked.search)) {
            out.rows.push_back(std::move(row));
        }
    }
    std::reverse(out.rows.begin(), out.rows.end());
    return out;
}

}  // namespace fleetarium::feed
