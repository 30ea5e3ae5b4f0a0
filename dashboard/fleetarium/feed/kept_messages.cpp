#include <fleetarium/feed/kept_messages.hpp>

#include <fleetarium/feed/message_journey_steps.hpp>
#include <fleetarium/feed/payload_text.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace fleetarium::feed {

namespace {

std::optional<seconds> maybe_seconds(std::int64_t at) {
    return at == kept_delivery::not_yet ? std::nullopt
                                        : std::optional(static_cast<double>(at) / 1e9);
}

seconds in_seconds(std::int64_t at) { return static_cast<double>(at) / 1e9; }

std::size_t size_of(const kept_message& of) {
    return of.topic.size() + of.payload.size() + of.properties.size();
}

bytes_view bytes_of(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::vector<property_row> properties_of(const std::string& text) {
    std::vector<property_row> out;
    if (text.empty()) {
        return out;
    }
    const auto all = nlohmann::json::parse(text);
    for (const auto& [name, value] : all.items()) {
        if (value.is_array()) {
            for (const auto& each : value) {
                out.push_back(
                    {name, each.at(0).get<std::string>() + ": " + each.at(1).get<std::string>()});
            }
        } else {
            out.push_back({name, value.is_string() ? value.get<std::string>() : value.dump()});
        }
    }
    return out;
}

}  // namespace

message_state kept_message::state() const {
    if (was_refused) {
        return message_state::refused;
    }
    if (reason != broker::drop_reason::none || was_lost) {
        return made == 0 && !is_part ? message_state::unheard : message_state::dropped;
    }
    if (!was_routed || ended < made) {
        return message_state::under_way;
    }
    return message_state::complete;
}

kept_message& kept_messages::add(std::uint64_t sequence, std::uint64_t number,
                                 std::string_view topic, bytes_view payload,
                                 std::string_view properties) {
    const std::size_t size =
        topic.size() + std::min(payload.size(), payload_bytes_max) + properties.size();
    while (!ring_.empty() && (ring_.size() >= messages_max || bytes_ + size > bytes_max)) {
        forget_oldest();
    }
    kept_message& made = ring_.emplace_back();
    made.sequence = sequence;
    made.number = number;
    made.topic = topic;
    made.properties = properties;
    made.payload.assign(reinterpret_cast<const char*>(payload.data()),
                        std::min(payload.size(), payload_bytes_max));
    made.size = static_cast<std::uint32_t>(payload.size());
    bytes_ += size_of(made);
    places_[number] = first_ + ring_.size() - 1;
    return made;
}

void kept_messages::forget_oldest() {
    const kept_message& gone = ring_.front();
    bytes_ -= size_of(gone);
    deliveries_ -= gone.deliveries.size();
    if (const auto known = places_.find(gone.number);
        known != places_.end() && known->second == first_) {
        places_.erase(known);
    }
    ring_.pop_front();
    ++first_;
}

kept_message* kept_messages::find(std::uint64_t number) {
    const auto known = places_.find(number);
    return known == places_.end() ? nullptr : &ring_[known->second - first_];
}

const kept_message* kept_messages::find_sequence(std::uint64_t sequence) const {
    const auto found = std::lower_bound(
        ring_.begin(), ring_.end(), sequence,
        [](const kept_message& each, std::uint64_t wanted) { return each.sequence < wanted; });
    return found == ring_.end() || found->sequence != sequence ? nullptr : &*found;
}

kept_delivery* kept_messages::delivery_to(kept_message& of, std::uint32_t client, bool make,
                                          std::int64_t at) {
    kept_delivery* found = nullptr;
    for (kept_delivery& each : of.deliveries) {
        if (each.client == client) {
            found = &each;
            if (!each.has_ended()) {
                break;
            }
        }
    }
    if (!make) {
        return found;
    }
    ++of.made;
    if (of.deliveries.size() >= kept_message::deliveries_max) {
        return nullptr;
    }
    while (deliveries_ >= deliveries_max && &ring_.front() != &of) {
        forget_oldest();
    }
    if (deliveries_ >= deliveries_max) {
        return nullptr;
    }
    ++deliveries_;
    kept_delivery& made = of.deliveries.emplace_back();
    made.client = client;
    made.made = at;
    return &made;
}

message_row row_of(const kept_message& of, const party_names& names) {
    message_row out;
    out.message = of.sequence;
    out.at = in_seconds(of.at);
    out.publisher =
        of.publisher == kept_message::nobody ? std::string() : names.client(of.publisher);
    out.topic = of.topic;
    out.qos = of.qos;
    out.retain = of.retain;
    out.size = of.size;
    out.deliveries = of.made;
    out.delivered = of.delivered;
    out.resent = of.resent;
    out.state = of.state();
    out.reason = of.reason != broker::drop_reason::none ? std::string(name_of(of.reason))
                 : of.was_lost                          ? "lost"
                                                        : "";
    return out;
}

message_answer answer_of(const kept_message& of, const party_names& names) {
    message_answer out;
    out.message = row_of(of, names);
    out.published = maybe_seconds(of.published);
    out.payload = make_payload_view(bytes_of(of.payload), payload_bytes_max);
    out.payload.size = of.size;
    out.payload.cut = of.payload.size() < of.size;
    out.properties = properties_of(of.properties);
    std::vector<std::vector<seconds>> resends;
    for (const kept_delivery& each : of.deliveries) {
        delivery_row row;
        row.receiver = names.client(each.client);
        row.qos = each.qos;
        row.state = recording::name_of(each.state);
        row.reason = each.reason == broker::drop_reason::none ? std::string()
                                                              : std::string(name_of(each.reason));
        row.made = in_seconds(each.made);
        row.sent = maybe_seconds(each.sent);
        row.received = maybe_seconds(each.received);
        row.ended = maybe_seconds(each.ended);
        row.resent = each.resent;
        row.copies = each.copies;
        out.deliveries.push_back(std::move(row));
        std::vector<seconds>& again = resends.emplace_back();
        if (each.last_resent != kept_delivery::not_yet) {
            again.push_back(in_seconds(each.last_resent));
        }
    }
    publishing way_in;
    way_in.publisher = out.message.publisher;
    way_in.broker = names.broker(of.broker);
    way_in.qos = of.qos;
    way_in.published = out.published;
    way_in.at = out.message.at;
    if (of.last_copy != kept_delivery::not_yet) {
        way_in.copies.push_back(in_seconds(of.last_copy));
    }
    way_in.completed = maybe_seconds(of.completed);
    way_in.refused = of.was_refused;
    way_in.reason = of.made == 0 ? out.message.reason : std::string();
    if (!of.is_part) {
        out.steps = journey_steps(way_in, out.deliveries, resends);
    } else {
        message_step note;
        note.at = out.message.at;
        note.from = note.to = way_in.broker;
        note.lost = true;
        note.text = "lost (" + out.message.reason + "); what came before it was not kept";
        out.steps.push_back(std::move(note));
    }
    return out;
}

}  // namespace fleetarium::feed
