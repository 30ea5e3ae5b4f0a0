#include <fleetarium/feed/fleet_map.hpp>
#include <fleetarium/feed/recording_parts.hpp>

#include <algorithm>
#include <optional>

namespace fleetarium::feed {

namespace {

using device_ranges = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

/// The devices that are certainly hit by a fault at an instant.
device_ranges faulted_at(const recording_parts& of, std::int64_t at) {
    device_ranges out;
    const seconds now = in_seconds(at);
    for (const fault_row& each : of.fault_periods) {
        if (each.from <= now && (!each.until || *each.until > now) &&
            each.fault < of.fleets.faults().size()) {
            const device_ranges& hit = of.fleets.faults()[each.fault].devices;
            out.insert(out.end(), hit.begin(), hit.end());
        }
    }
    return out;
}

bool is_in(const device_ranges& ranges, std::uint32_t device) {
    return std::any_of(ranges.begin(), ranges.end(), [device](const auto& each) {
        return each.first <= device && device < each.second;
    });
}

/// Everything about devices at one instant. With counts it holds the index.
class devices_then {
public:
    devices_then(recording_parts& of, std::int64_t at, bool counts) : of_(of), at_(at) {
        if (counts) {
            index_.emplace(of.open_index());
            clients_ = &of.view.clients(**index_, of.index_instant(at), of.growing());
            at_ = std::min(of.view.entities_at(), at);
        }
        of.connections.move_to(at_);
        faulted_ = faulted_at(of, at_);
    }

    std::int64_t at() const { return at_; }

    device_state state_of(std::uint32_t device) const {
        if (!faulted_.empty() && is_in(faulted_, device)) {
            return device_state::faulted;
        }
        const std::uint32_t client = of_.fleets.client_of(device);
        return client == 0 ? device_state::unseen : of_.connections.state_of(client);
    }

    const client_standing& standing_of(std::uint32_t device) const {
        static const client_standing none{};
        const std::uint32_t client = of_.fleets.client_of(device);
        return clients_ != nullptr && client != 0 && client < clients_->size() ? (*clients_)[client]
                                                                               : none;
    }

    std::uint64_t count_of(std::uint32_t device, client_counter which) const {
        return static_cast<std::uint64_t>(
            std::max<std::int64_t>(standing_of(device)[static_cast<std::size_t>(which)], 0));
    }

    std::uint32_t connects_of(std::uint32_t device) const {
        return of_.connections.connects_of(of_.fleets.client_of(device));
    }

    device_row row_of(std::uint32_t device) const {
        device_row out;
        out.device = device;
        out.name = of_.fleets.name_of(device, of_.clients);
        const std::uint32_t client = of_.fleets.client_of(device);
        out.client_id = client == 0 ? std::string() : of_.clients[client - 1].client_id;
        out.state = state_of(device);
        out.published = count_of(device, client_counter::published);
        out.received = count_of(device, client_counter::received);
        out.backlog = count_of(device, client_counter::backlog);
        out.losses = count_of(device, client_counter::losses);
        out.connects = connects_of(device);
        return out;
    }

    /// What a cell of the map shows.
    std::uint64_t measure_of(std::uint32_t device, measure show) const {
        switch (show) {
            case measure::none: return 0;
            case measure::messages:
                return count_of(device, client_counter::published) +
                       count_of(device, client_counter::received);
            case measure::backlog: return count_of(device, client_counter::backlog);
            case measure::losses: return count_of(device, client_counter::losses);
        }
        return 0;
    }

private:
    recording_parts& of_;
    std::int64_t at_;
    std::optional<background_index::access> index_;
    const std::vector<client_standing>* clients_ = nullptr;  // the index's
    device_ranges faulted_;
};

}  // namespace

fleet_answer answer_fleet(recording_parts& of, const fleet_question& asked) {
    const devices_then then(of, of.instant_of(asked.at), asked.show != measure::none);
    fleet_answer out =
        map_fleet(asked, of.fleets.groups(asked.by), [&](std::uint32_t device) -> device_look {
            return {then.state_of(device), then.measure_of(device, asked.show)};
        });
    out.at = in_seconds(then.at());
    return out;
}

device_row answer_cell(recording_parts& of, const cell_question& asked) {
    const std::uint32_t device = device_at(asked, of.fleets.groups(asked.by));
    return devices_then(of, of.end, /*counts=*/true).row_of(device);
}

devices_answer answer_devices(recording_parts& of, const devices_question& asked) {
    require_range("limit", asked.limit, 1, 1'000);
    std::uint32_t first = 0;
    std::uint32_t last = of.fleets.devices();
    if (!asked.fleet.empty()) {
        const auto& fleets = of.fleets.fleets();
        const auto found = std::find_if(fleets.begin(), fleets.end(), [&](const fleet_info& each) {
            return each.name == asked.fleet;
        });
        if (found == fleets.end()) {
            refuse("fleet: found \"" + asked.fleet + "\", expected the name of a fleet");
        }
        first = found->first;
        last = found->first + found->count;
    }
    const devices_then then(of, of.instant_of(asked.at), /*counts=*/true);
    devices_answer out;
    out.at = in_seconds(then.at());
    struct ranked {
        std::uint64_t rank;
        std::uint32_t device;
    };
    std::vector<ranked> found;
    for (std::uint32_t device = first; device < last; ++device) {
        if (asked.state && then.state_of(device) != *asked.state) {
            continue;
        }
        if (!asked.search.empty() &&
            of.fleets.name_of(device, of.clients).find(asked.search) == std::string::npos) {
            const std::uint32_t client = of.fleets.client_of(device);
            if (client == 0 ||
                of.clients[client - 1].client_id.find(asked.search) == std::string::npos) {
                continue;
            }
        }
        std::uint64_t rank = 0;
        switch (asked.order) {
            case device_order::name: break;
            case device_order::published:
                rank = then.count_of(device, client_counter::published);
                break;
            case device_order::received:
                rank = then.count_of(device, client_counter::received);
                break;
            case device_order::backlog:
                rank = then.count_of(device, client_counter::backlog);
                break;
            case device_order::losses: rank = then.count_of(device, client_counter::losses); break;
            case device_order::connects: rank = then.connects_of(device); break;
        }
        found.push_back({rank, device});
    }
    out.all = static_cast<std::uint32_t>(found.size());
    const std::size_t wanted =
        std::min<std::size_t>(found.size(), std::size_t{asked.offset} + asked.limit);
    // Of one rank in the order of their numbers, which is that of fleets and indices.
    std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(wanted),
                      found.end(), [](const ranked& a, const ranked& b) {
                          return a.rank != b.rank ? a.rank > b.rank : a.device < b.device;
                      });
    for (std::size_t i = asked.offset; i < wanted; ++i) {
        out.rows.push_back(then.row_of(found[i].device));
    }
    return out;
}

namespace {

/// Rows of messages and deliveries that are looked through for a device's events, at most.
constexpr std::int64_t rows_budget = 150'000;

std::int64_t rows_in(traffic_index& index, std::size_t place) {
    std::int64_t out = 0;
    for (std::size_t qos = 0; qos < 3; ++qos) {
        for (const counter::funnel which :
             {counter::published, counter::copies, counter::deliveries}) {
            const unsigned slot = counter::of(qos, which);
            out += index.before(place + 1)[slot] - index.before(place)[slot];
        }
    }
    return out;
}

/// An event before it has its texts.
struct bare_event {
    std::int64_t at = 0;
    std::int64_t message = 0;
    const char* what = "";
    std::uint32_t resent = 0;
    std::uint8_t reason = 0;
    std::uint8_t qos = 0;
    bool rejected = false;
};

/// Adds what happened to a client in the messages of the ids [first, last], until an instant.
void find_traffic(recording_parts& of, std::uint32_t client, std::int64_t first, std::int64_t last,
                  std::int64_t at, std::vector<bare_event>& to) {
    const auto put = [&](const bare_event& each) {
        if (each.at != recording::no_instant && each.at <= at) {
            to.push_back(each);
        }
    };
    for (const auto& each : recorded::published_by(of.in, client, first, last)) {
        put({.at = each.at, .message = each.id, .what = "published"});
        put({.at = each.acknowledged, .message = each.id, .what = "completed"});
    }
    for (const auto& each : recorded::delivered_to(of.in, client, first, last)) {
        bare_event event{.message = each.message, .qos = each.qos};
        const auto put_at = [&](std::int64_t when, const char* what) {
            event.at = when;
            event.what = what;
            put(event);
        };
        if (each.sent != each.made) {
            put_at(each.made, "queued");
        }
        event.resent = each.resent;
        put_at(each.sent, "sent");
        event.resent = 0;
        put_at(each.received, "received");
        event.reason = each.reason;
        switch (static_cast<recording::recorded_state>(each.state)) {
            case recording::recorded_state::rejected: event.rejected = true; [[fallthrough]];
            case recording::recorded_state::delivered:
                if (each.qos != 0) {
                    put_at(each.ended, "acknowledged");
                }
                break;
            case recording::recorded_state::dropped: put_at(each.ended, "dropped"); break;
            case recording::recorded_state::lost: put_at(each.ended, "lost"); break;
            default: break;
        }
    }
}

event_row row_of_event(recording_parts& of, std::uint32_t client, const bare_event& what) {
    event_row out;
    out.at = in_seconds(what.at);
    out.what = what.what;
    out.who = of.client_name(client);
    out.message = static_cast<std::uint64_t>(what.message);
    out.qos = what.qos;
    std::uint8_t reason = what.reason;
    if (const auto message = of.read_message(what.message)) {
        out.topic = of.topic_name(message->topic);
        if (out.what == "published" || out.what == "completed") {
            out.qos = message->qos;
        }
        if (out.what == "published") {
            out.what = message->copy ? "copy" : message->will ? "will" : "published";
            reason = message->reason;
        }
    }
    out.text = reason != 0        ? std::string(name_of(static_cast<broker::drop_reason>(reason)))
               : what.resent != 0 ? "sent " + std::to_string(what.resent) + " more times"
               : what.rejected    ? "rejected"
                                  : "";
    return out;
}

/// The newest events of a client, until `at`; whether nothing is missing between them.
bool find_events(recording_parts& of, std::uint32_t client, std::int64_t at, std::size_t count,
                 std::vector<event_row>& to) {
    bool complete = true;
    {
        background_index::access index = of.open_index();
        std::vector<bare_event> found;
        std::int64_t budget = rows_budget;
        std::size_t place = std::min(index->interval_of(at) + 1, index->intervals());
        while (place-- > 0 && found.size() < count) {
            const traffic_index::message_range range = index->messages_of(place);
            if (range.first > range.last || !index->any_client(place, [client](std::uint32_t each) {
                    return each == client;
                })) {
                continue;
            }
            budget -= rows_in(*index, place);
            if (budget < 0 && !found.empty()) {
                complete = false;
                break;
            }
            find_traffic(of, client, range.first, range.last, at, found);
        }
        std::stable_sort(found.begin(), found.end(),
                         [](const bare_event& a, const bare_event& b) { return a.at < b.at; });
        for (std::size_t i = found.size() > count ? found.size() - count : 0; i < found.size();
             ++i) {
            to.push_back(row_of_event(of, client, found[i]));
        }
    }
    of.connections.for_each_of(client, [&](const recorded::connection& each) {
        if (each.ended != recorded::no_instant && each.ended <= at && each.accepted) {
            to.push_back(connection_event(of, each, /*ends=*/true));
        }
        to.push_back(connection_event(of, each, /*ends=*/false));
        return to.size() < 4 * count + 8;
    });
    for (const recorded::subscription& each : of.subscriptions.rows) {
        if (each.client == client && each.at <= at) {
            to.push_back(subscription_event(of, each));
        }
    }
    std::stable_sort(to.begin(), to.end(),
                     [](const event_row& a, const event_row& b) { return a.at < b.at; });
    if (to.size() > count) {
        to.erase(to.begin(), to.end() - static_cast<std::ptrdiff_t>(count));
    }
    return complete;
}

}  // namespace

device_answer answer_device(recording_parts& of, const device_question& asked) {
    require_range("events", asked.events, 0, 2'000);
    const auto device = of.fleets.find(asked.name, of.clients);
    if (!device) {
        refuse("name: found \"" + asked.name + "\", expected the name or client id of a device");
    }
    const std::int64_t at = of.instant_of(asked.at);
    device_answer out;
    out.device = devices_then(of, at, /*counts=*/true).row_of(*device);
    of.connections.move_to(at);
    out.at = in_seconds(at);
    const fleet_info& fleet = of.fleets.fleet_of(*device);
    out.fleet = fleet.name;
    out.network = fleet.network;
    out.broker = fleet.broker;
    const std::uint32_t client = of.fleets.client_of(*device);
    if (client == 0) {
        out.events_complete = true;
        return out;
    }
    if (const recorded::connection* const newest = of.connections.newest_of(client)) {
        out.broker = of.broker_name(newest->broker);
        if (newest->version != 0) {
            out.protocol = newest->version;
        }
        if (newest->ended == recorded::no_instant || newest->ended > at) {
            out.connected_since = in_seconds(newest->at);
        }
    }
    // What a session before was subscribed to went with it.
    std::int64_t session_since = 0;
    of.connections.for_each_of(client, [&](const recorded::connection& each) {
        session_since = each.at;
        return !each.accepted || each.session_present;
    });
    for (const recorded::subscription& each : of.subscriptions.rows) {
        if (each.client != client || each.at > at || each.at < session_since) {
            continue;
        }
        const std::string& filter = of.subscriptions.filters[each.filter];
        std::erase_if(out.subscriptions,
                      [&](const subscription_row& known) { return known.filter == filter; });
        if (!each.ends && each.code <= 2) {
            out.subscriptions.push_back({filter, each.code});
        }
    }
    out.events_complete = find_events(of, client, at, asked.events, out.events);
    return out;
}

}  // namespace fleetarium::feed
