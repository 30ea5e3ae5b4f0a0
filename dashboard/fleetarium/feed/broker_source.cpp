#include <fleetarium/feed/broker_source.hpp>

#include <fleetarium/net/real_clock.hpp>

#include <algorithm>
#include <utility>

namespace fleetarium::feed {

namespace {

static_assert(broker::client_numbers::nobody == kept_message::nobody);

using broker::broker_event;

constexpr std::size_t groups_max = 60;

std::string_view prefix_of(std::string_view client_id) {
    const std::string_view found =
        client_id.substr(0, std::min(client_id.find_first_of("0123456789"), client_id.size()));
    return found.empty() ? std::string_view("0-9") : found;
}

}  // namespace

broker_source::broker_source(facts about, instant begin, broker::broker_hooks* next)
    : about_(std::move(about)), begin_(begin), next_(next) {}

template <class Ask>
auto broker_source::at_rest(Ask&& ask) {
    std::optional<decltype(ask())> out;
    server_->inspect([&](const broker::broker_core& core) {
        core_ = &core;
        newest_ = std::max(newest_, since_begin(net::real_now()));
        out = ask();
        core_ = nullptr;
    });
    return std::move(*out);
}

void broker_source::tick_at_rest(double wall) {
    at_rest([&] {
        tick(wall, false);
        return true;
    });
}

description broker_source::describe(const description_question&) {
    return at_rest([&] {
        description out = description_of("broker", about_.version);
        out.title = about_.title;
        out.epoch = about_.epoch;
        out.is_live = true;
        out.can_control = true;
        out.brokers = {"broker"};
        out.devices = static_cast<std::uint32_t>(clients_.size());
        for (const device_group& each : groups(grouping::fleet)) {
            fleet_info& made = out.fleets.emplace_back();
            made.name = each.name;
            made.count = static_cast<std::uint32_t>(each.devices.size());
        }
        return out;
    });
}

feed::totals broker_source::totals(const totals_question& asked) {
    return at_rest([&] { return live_source::totals(asked); });
}
history_answer broker_source::history(const history_question& asked) {
    return at_rest([&] { return live_source::history(asked); });
}
timeline_answer broker_source::timeline(const timeline_question& asked) {
    return at_rest([&] { return live_source::timeline(asked); });
}
log_answer broker_source::log(const log_question& asked) {
    return at_rest([&] { return live_source::log(asked); });
}
topics_answer broker_source::topics(const topics_question& asked) {
    return at_rest([&] { return live_source::topics(asked); });
}
devices_answer broker_source::devices(const devices_question& asked) {
    return at_rest([&] { return live_source::devices(asked); });
}
device_answer broker_source::device(const device_question& asked) {
    return at_rest([&] { return live_source::device(asked); });
}
messages_answer broker_source::messages(const messages_question& asked) {
    return at_rest([&] { return live_source::messages(asked); });
}
message_answer broker_source::message(const message_question& asked) {
    return at_rest([&] { return live_source::message(asked); });
}

fleet_answer broker_source::fleet(const fleet_question& asked) {
    return at_rest([&] {
        count_touches();
        std::vector<device_state> then;
        const bool is_past = asked.at && *asked.at < in_seconds(present());
        if (is_past) {
            then = states_at(*asked.at, clients_.size());
        }
        fleet_answer out = map_fleet(asked, groups(asked.by), [&](std::uint32_t which) {
            const client_cell& cell = clients_[which].cell;
            return look_of(cell, is_past ? then[which] : cell.state, asked.show);
        });
        out.at = is_past ? shown_at(*asked.at) : in_seconds(present());
        return out;
    });
}

device_row broker_source::cell(const cell_question& asked) {
    return at_rest([&] {
        count_touches();
        const std::uint32_t which = device_at(asked, groups(asked.by));
        return row_of_client(which, clients_[which].cell);
    });
}

const std::vector<device_group>& broker_source::groups(grouping by) {
    if (grouped_ == clients_.size() && grouped_by_ == by && !groups_.empty()) {
        return groups_;
    }
    grouped_ = clients_.size();
    grouped_by_ = by;
    groups_.clear();
    boost::unordered_flat_map<std::string_view, std::size_t> known;
    for (std::uint32_t i = 0; i < clients_.size(); ++i) {
        std::string_view name =
            by == grouping::fleet ? prefix_of(clients_[i].id) : std::string_view("all");
        auto found = known.find(name);
        if (found == known.end()) {
            if (groups_.size() >= groups_max) {
                name = "others";
                found = known.find(name);
            }
            if (found == known.end()) {
                found = known.emplace(name, groups_.size()).first;
                groups_.push_back({std::string(name), {}});
            }
        }
        groups_[found->second].devices.push_back(i);
    }
    return groups_;
}

// --------------------------------------------------------------------------------- commands

command_answer broker_source::publish(const publish_command& wanted) {
    if (wanted.qos > 2) {
        throw feed_error(feed_error::kind::bad_question, "qos: expected 0, 1 or 2");
    }
    if (!wanted.broker.empty() && wanted.broker != "broker") {
        throw feed_error(feed_error::kind::bad_question,
                         "broker: there is none called \"" + wanted.broker + "\"");
    }
    const auto published = server_->publish(wanted.topic, wanted.payload,
                                            static_cast<enum qos>(wanted.qos), wanted.retain);
    if (!published) {
        throw feed_error(feed_error::kind::bad_question,
                         "topic: \"" + wanted.topic + "\": " + published.error().message());
    }
    return at_rest([&] {
        note_event({.at = newest_.time_since_epoch().count(),
                    .what = kept_event::kind::command,
                    .text = "publish to " + wanted.topic});
        return command_answer{in_seconds(newest_), {}};
    });
}

command_answer broker_source::disconnect(const disconnect_command& wanted) {
    if (!server_->disconnect(wanted.client)) {
        throw feed_error(feed_error::kind::bad_question,
                         "client: \"" + wanted.client + "\" is not connected");
    }
    return at_rest([&] {
        note_event({.at = newest_.time_since_epoch().count(),
                    .what = kept_event::kind::command,
                    .text = "disconnect " + wanted.client});
        return command_answer{in_seconds(newest_), {}};
    });
}

// ------------------------------------------------------------------------------- what happens

instant broker_source::since_begin(instant at) {
    return at == instant::min() ? at : instant{at - begin_};  // min: it is not known
}

message_identity broker_source::identify(broker::connection_id publisher, std::uint64_t next_number,
                                         const fleetarium::publish& message, instant now) {
    const message_identity taken = next_ != nullptr
                                       ? next_->identify(publisher, next_number, message, now)
                                       : message_identity{next_number, now};
    newest_ = std::max(newest_, since_begin(now));
    note_message(0, numbers_.of(publisher), message, taken.number, false, instant::min(), newest_);
    return taken;
}

void broker_source::on_event(const broker_event& event) {
    if (next_ != nullptr && next_->wants_events()) {
        next_->on_event(event);
    }
    newest_ = std::max(newest_, since_begin(event.at));
    broker_event seen = event;
    seen.at = newest_;
    seen.identity.published_at = since_begin(event.identity.published_at);
    std::uint32_t about = numbers_.of(event);
    if (event.what == broker_event::kind::connected || event.what == broker_event::kind::refused) {
        about = know_client(event);
    }
    note_decision(about, seen, event.identity.number, false);
    if (event.what == broker_event::kind::session_ended) {
        if (about != kept_message::nobody) {
            clients_[about].has_session = false;
            if (!std::exchange(clients_[about].is_listed, true)) {
                ended_.push_back(about);  // once, however often it comes and goes
            }
        }
        numbers_.forget_session(event.session);
    }
}

std::uint32_t broker_source::know_client(const broker_event& event) {
    if (event.client_id.empty()) {
        numbers_.meet(event, kept_message::nobody);
        return kept_message::nobody;
    }
    std::uint32_t which = kept_message::nobody;
    if (const auto known = by_id_.find(std::string(event.client_id)); known != by_id_.end()) {
        which = known->second;
    } else if (event.what == broker_event::kind::connected) {  // who was refused may be anybody
        if (clients_.size() >= clients_max) {
            while (!ended_.empty() && which == kept_message::nobody) {
                clients_[ended_.front()].is_listed = false;
                if (!clients_[ended_.front()].has_session) {
                    which = ended_.front();
                    count_touches();
                    count_topic_of(clients_[which].cell);
                    by_id_.erase(clients_[which].id);
                    clients_[which] = {};
                    grouped_ = 0;
                }
                ended_.pop_front();
            }
        } else {
            which = static_cast<std::uint32_t>(clients_.size());
            clients_.emplace_back();
        }
        if (which != kept_message::nobody) {
            clients_[which].id = event.client_id;
            by_id_.emplace(std::string(event.client_id), which);
        }
    }
    numbers_.meet(event, which);
    if (event.what == broker_event::kind::connected && which != kept_message::nobody) {
        clients_[which].has_session = true;
    }
    return which;
}

// ------------------------------------------------------------------------------- for answers

std::string broker_source::name_of(std::uint32_t which) const {
    return which < clients_.size() ? clients_[which].id : std::string();
}

std::optional<std::uint32_t> broker_source::find_client(std::string_view name_or_id) const {
    const auto found = by_id_.find(std::string(name_or_id));
    return found == by_id_.end() ? std::nullopt : std::optional(found->second);
}

void broker_source::for_each_client(
    const std::function<bool(std::uint32_t, const client_cell&)>& visit) const {
    for (std::uint32_t i = 0; i < clients_.size() && visit(i, clients_[i].cell); ++i) {
    }
}

void broker_source::complete(feed::totals& to) {
    if (core_ != nullptr) {
        to.connected = static_cast<std::uint32_t>(core_->connected_count());
        to.retained = core_->retained().size();
    }
}

void broker_source::complete(device_row& to, std::uint32_t which) const {
    to.client_id = clients_[which].id;
}

void broker_source::complete(device_answer& to, std::uint32_t which) {
    to.broker = "broker";
    add_session(*core_, clients_[which].id, to);
}

std::string_view broker_source::fleet_of(std::uint32_t which) const {
    return prefix_of(clients_[which].id);
}

}  // namespace fleetarium::feed
