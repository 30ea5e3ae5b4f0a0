#include <fleetarium/feed/live_source.hpp>

#include <fleetarium/codec/topic.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

// What live_source answers; live_source.cpp is what it is told.

namespace fleetarium::feed {

namespace {

using event_kind = kept_event::kind;
using recording::recorded_state;

std::int64_t nanoseconds(instant at) { return at.time_since_epoch().count(); }

std::int64_t nanoseconds_of(seconds at) { return std::llround(std::clamp(at, -9e9, 9e9) * 1e9); }

}  // namespace

void live_source::require_present(const std::optional<seconds>& at) const {
    if (at && *at < in_seconds(present())) {
        throw feed_error(feed_error::kind::not_possible,
                         "a live run keeps no more than its present of this: --record keeps "
                         "all, and fleetarium dashboard --open shows it");
    }
}

std::vector<device_state> live_source::states_at(seconds at, std::size_t clients) {
    std::vector<device_state> out(clients);
    for (std::uint32_t i = 0; i < clients; ++i) {
        out[i] = cell_of(i).state;
    }
    const std::int64_t then = nanoseconds_of(at);
    for (auto each = changes_.rbegin(); each != changes_.rend() && each->at > then; ++each) {
        if (each->client < out.size()) {
            out[each->client] = each->before;
        }
    }
    return out;
}

seconds live_source::shown_at(seconds asked) const {
    return forgot_changes_ && !changes_.empty()
               ? std::max(asked, static_cast<double>(changes_.front().at) / 1e9)
               : asked;
}

device_look live_source::look_of(const client_cell& cell, device_state state, measure show) {
    device_look out{state, 0};
    switch (show) {
        case measure::none: break;
        case measure::messages: out.measure = std::uint64_t{cell.published} + cell.received; break;
        case measure::backlog: out.measure = cell.backlog; break;
        case measure::losses: out.measure = cell.losses; break;
    }
    return out;
}

void live_source::add_session(const broker::broker_core& core, const std::string& client_id,
                              device_answer& to) {
    const auto session = core.find_session(client_id);
    if (!session) {
        return;
    }
    if (session->connection != broker::no_connection) {
        to.protocol = static_cast<std::uint8_t>(core.describe_client(session->connection).version);
    }
    constexpr std::size_t subscriptions_max = 500;
    for (const auto filter : core.sessions()[session->index].filters.view()) {
        const broker::subscription* const held = core.subscriptions().find(filter, session->index);
        if (held != nullptr && to.subscriptions.size() < subscriptions_max) {
            to.subscriptions.push_back({std::string(core.subscriptions().text(filter)),
                                        static_cast<std::uint8_t>(held->options.qos)});
        }
    }
}

party_names live_source::names() const {
    return {[this](std::uint32_t client) {
                return client == kept_message::nobody ? std::string() : name_of(client);
            },
            [this](std::uint32_t broker) { return broker_name(broker); }};
}

timeline_answer live_source::timeline(const timeline_question& asked) {
    timeline_answer out;
    for (const fault_row& each : faults_) {
        if (!asked.at || each.from <= *asked.at) {
            out.faults.push_back(each);
        }
    }
    for (violation_row& each : violations()) {
        if (!asked.at || each.at <= *asked.at) {
            out.violations.push_back(std::move(each));
        }
    }
    constexpr std::size_t marks_max = 500;
    for (auto each = events_.rbegin(); each != events_.rend() && out.marks.size() < marks_max;
         ++each) {
        if (each->what >= event_kind::annotation &&
            (!asked.at || static_cast<double>(each->at) / 1e9 <= *asked.at)) {
            out.marks.push_back(row_of_event(*each));
        }
    }
    std::reverse(out.marks.begin(), out.marks.end());
    return out;
}

event_row live_source::row_of_event(const kept_event& happened) const {
    return row_of_event(happened, happened.client == kept_message::nobody
                                      ? std::string()
                                      : name_of(happened.client));
}

event_row live_source::row_of_event(const kept_event& happened, const std::string& name) const {
    static constexpr std::array<std::string_view, 22> kinds{
        "connected", "refused",      "disconnected", "subscribed", "unsubscribed", "session_ended",
        "will",      "published",    "copy",         "queued",     "sent",         "resent",
        "received",  "acknowledged", "completed",    "dropped",    "lost",         "fault",
        "healed",    "violation",    "annotation",   "command"};
    event_row out;
    out.at = static_cast<double>(happened.at) / 1e9;
    out.what = kinds[static_cast<std::size_t>(happened.what)];
    out.who = name;
    if (happened.message != 0) {
        out.message = happened.message;
    }
    if (happened.qos != 0xFF) {
        out.qos = happened.qos;
    }
    const bool has_topic =
        happened.what == event_kind::subscribed || happened.what == event_kind::unsubscribed ||
        (happened.what >= event_kind::published && happened.what <= event_kind::completed);
    (has_topic ? out.topic : out.text) = happened.text;
    return out;
}

log_answer live_source::log(const log_question& asked) {
    if (asked.limit == 0 || asked.limit > 2'000) {
        throw feed_error(feed_error::kind::bad_question, "limit: expected 1 to 2,000");
    }
    log_answer out;
    out.forgotten = events_forgotten_;
    for (auto each = events_.rbegin(); each != events_.rend() && out.rows.size() < asked.limit;
         ++each) {
        if (asked.at && static_cast<double>(each->at) / 1e9 > *asked.at) {
            continue;
        }
        if (!asked.connections && each->what <= event_kind::session_ended) {
            continue;
        }
        event_row row = row_of_event(*each);
        if (!asked.search.empty() && row.what.find(asked.search) == std::string::npos &&
            row.who.find(asked.search) == std::string::npos &&
            row.topic.find(asked.search) == std::string::npos &&
            row.text.find(asked.search) == std::string::npos) {
            continue;
        }
        out.rows.push_back(std::move(row));
    }
    std::reverse(out.rows.begin(), out.rows.end());
    return out;
}

void live_source::count_topics() {
    for_each_client([this](std::uint32_t client, const client_cell&) {
        count_topic_of(cell_of(client));
        return true;
    });
}

void live_source::count_topic_of(client_cell& cell) {
    if (cell.uncounted != 0) {
        topics_.count(cell.topic, cell.uncounted, cell.uncounted_bytes);
        cell.uncounted = 0;
        cell.uncounted_bytes = 0;
    }
}

topics_answer live_source::topics(const topics_question& asked) {
    require_present(asked.at);
    count_touches();
    count_topics();
    topics_answer out = topics_.answer(asked, names().client);
    out.at = in_seconds(present());
    return out;
}

device_row live_source::row_of_client(std::uint32_t client, const client_cell& cell) const {
    device_row out;
    out.device = client;
    out.name = name_of(client);
    out.state = state_of(client, cell);
    out.published = cell.published;
    out.received = cell.received;
    out.backlog = cell.backlog;
    out.losses = cell.losses;
    out.connects = cell.connects;
    complete(out, client);
    return out;
}

devices_answer live_source::devices(const devices_question& asked) {
    require_present(asked.at);
    if (asked.limit == 0 || asked.limit > 1'000) {
        throw feed_error(feed_error::kind::bad_question, "limit: expected 1 to 1,000");
    }
    count_touches();
    struct candidate {
        std::uint32_t client;
        std::uint64_t rank;
    };
    std::vector<candidate> found;
    for_each_client([&](std::uint32_t client, const client_cell& cell) {
        if (asked.state && state_of(client, cell) != *asked.state) {
            return true;
        }
        if (!asked.fleet.empty() && fleet_of(client) != asked.fleet) {
            return true;
        }
        if (!asked.search.empty()) {
            device_row row;
            complete(row, client);
            if (name_of(client).find(asked.search) == std::string::npos &&
                row.client_id.find(asked.search) == std::string::npos) {
                return true;
            }
        }
        std::uint64_t rank = 0;
        switch (asked.order) {
            case device_order::name: break;
            case device_order::published: rank = cell.published; break;
            case device_order::received: rank = cell.received; break;
            case device_order::backlog: rank = cell.backlog; break;
            case device_order::losses: rank = cell.losses; break;
            case device_order::connects: rank = cell.connects; break;
        }
        found.push_back({client, rank});
        return true;
    });
    const std::size_t begin = std::min<std::size_t>(asked.offset, found.size());
    const std::size_t end = std::min<std::size_t>(begin + asked.limit, found.size());
    std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(end), found.end(),
                      [](const candidate& a, const candidate& b) {
                          return a.rank != b.rank ? a.rank > b.rank : a.client < b.client;
                      });
    devices_answer out;
    out.at = in_seconds(present());
    out.all = static_cast<std::uint32_t>(found.size());
    for (std::size_t i = begin; i < end; ++i) {
        out.rows.push_back(row_of_client(found[i].client, cell_of(found[i].client)));
    }
    return out;
}

device_answer live_source::device(const device_question& asked) {
    if (asked.events > 2'000) {
        throw feed_error(feed_error::kind::bad_question, "events: expected 0 to 2,000");
    }
    const auto client = find_client(asked.name);
    if (!client) {
        throw feed_error(feed_error::kind::bad_question,
                         "name: there is no device \"" + asked.name + "\"");
    }
    watch(*client);
    count_touches();
    const seconds until = asked.at.value_or(1e300);
    device_answer out;
    out.at = std::min(until, in_seconds(present()));
    out.device = row_of_client(*client, cell_of(*client));
    out.fleet = fleet_of(*client);
    const std::string name = out.device.name;
    const std::int64_t since = nanoseconds(*since_watched(*client));
    const auto add = [&](const kept_event& each) {
        if (each.client == *client && static_cast<double>(each.at) / 1e9 <= until) {
            out.events.push_back(row_of_event(each, name));
        }
    };
    if (out.device.state == device_state::connected || out.device.state == device_state::faulted) {
        const auto newest =
            std::find_if(events_.rbegin(), events_.rend(), [&](const kept_event& each) {
                return each.client == *client && (each.what == event_kind::connected ||
                                                  each.what == event_kind::disconnected);
            });
        if (newest != events_.rend() && newest->what == event_kind::connected) {
            out.connected_since = static_cast<double>(newest->at) / 1e9;
        }
    }
    // Before somebody looked there were connections only, and what was followed anyway.
    for (const kept_event& each : events_) {
        if (each.at < since) {
            add(each);
        }
    }
    for (const kept_event& each : watched_events_) {
        add(each);
    }
    messages_.for_each_newest([&](const kept_message& each) {
        if (each.at >= since || each.is_part) {
            return true;
        }
        event_row row;
        row.message = each.sequence;
        row.topic = each.topic;
        row.qos = each.qos;
        row.who = name;
        const auto put = [&](std::int64_t at, const char* what) {
            if (at != kept_delivery::not_yet && at < since &&
                static_cast<double>(at) / 1e9 <= until) {
                row.at = static_cast<double>(at) / 1e9;
                row.what = what;
                out.events.push_back(row);
            }
        };
        if (each.publisher == *client) {
            put(each.at, "published");
            put(each.completed, "completed");
        }
        for (const kept_delivery& to : each.deliveries) {
            if (to.client == *client) {
                if (to.sent == kept_delivery::not_yet || to.made < to.sent) {
                    put(to.made, "queued");
                }
                put(to.sent, "sent");
                put(to.received, "received");
                if (to.state == recorded_state::dropped) {
                    put(to.ended, "dropped");
                } else if (to.state == recorded_state::lost) {
                    put(to.ended, "lost");
                } else if (to.qos != 0) {
                    put(to.ended, "acknowledged");
                }
            }
        }
        return true;
    });
    std::stable_sort(out.events.begin(), out.events.end(),
                     [](const event_row& a, const event_row& b) { return a.at < b.at; });
    const std::size_t all = out.events.size();
    if (all > asked.events) {
        out.events.erase(out.events.begin(),
                         out.events.end() - static_cast<std::ptrdiff_t>(asked.events));
    }
    out.events_complete =
        all > asked.events
            ? !out.events.empty() && nanoseconds_of(out.events.front().at) >= since
            : !has_thinned_ && events_forgotten_ == 0 && !messages_.has_forgotten();
    complete(out, *client);
    return out;
}

messages_answer live_source::messages(const messages_question& asked) {
    if (asked.limit == 0 || asked.limit > 1'000) {
        throw feed_error(feed_error::kind::bad_question, "limit: expected 1 to 1,000");
    }
    if (!asked.filter.empty() && !is_valid_topic_filter(asked.filter)) {
        throw feed_error(feed_error::kind::bad_question,
                         "filter: \"" + asked.filter + "\" is no topic filter");
    }
    std::optional<std::uint32_t> client;
    if (!asked.client.empty()) {
        client = find_client(asked.client);
        if (!client) {
            throw feed_error(feed_error::kind::bad_question,
                             "client: there is none called \"" + asked.client + "\"");
        }
    }
    const party_names called = names();
    messages_answer out;
    out.at = asked.at.value_or(in_seconds(present()));
    out.one_in = static_cast<std::uint32_t>(tally_.follows_one_in());
    out.kept_from = messages_.empty() || !messages_.has_forgotten()
                        ? 0
                        : static_cast<double>(messages_.oldest().at) / 1e9;
    messages_.for_each_newest([&](const kept_message& each) {
        const seconds at = static_cast<double>(each.at) / 1e9;
        if (asked.from && at < *asked.from) {
            return false;
        }
        if ((asked.at && at > *asked.at) || (asked.before && each.sequence >= *asked.before) ||
            (asked.qos && each.qos != *asked.qos) ||
            (asked.state && each.state() != *asked.state) ||
            (!asked.filter.empty() && !topic_matches(asked.filter, each.topic))) {
            return true;
        }
        if (!asked.reason.empty() &&
            !(asked.reason == "lost" ? each.was_lost
                                     : each.reason != broker::drop_reason::none &&
                                           broker::name_of(each.reason) == asked.reason)) {
            return true;
        }
        if (client && each.publisher != *client &&
            std::none_of(each.deliveries.begin(), each.deliveries.end(),
                         [&](const kept_delivery& to) { return to.client == *client; })) {
            return true;
        }
        out.rows.push_back(row_of(each, called));
        return out.rows.size() < asked.limit;
    });
    return out;
}

message_answer live_source::message(const message_question& asked) {
    const kept_message* const found = messages_.find_sequence(asked.message);
    if (found == nullptr) {
        throw feed_error(
            feed_error::kind::bad_question,
            "message: number " + std::to_string(asked.message) + " is not kept (any more)");
    }
    message_answer out = answer_of(*found, names());
    bool passed = false;
    messages_.for_each_newest([&](const kept_message& each) {
        if (passed && each.topic == found->topic && !each.is_part) {
            out.payload_before = answer_of(each, names()).payload;
            return false;
        }
        passed = passed || &each == found;
        return true;
    });
    return out;
}

}  // namespace fleetarium::feed
