#include <fleetarium/capture/message_journey.hpp>

#include <fleetarium/capture/packet_text.hpp>
#include <fleetarium/config/quantities.hpp>
#include <fleetarium/sim/event.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <variant>

namespace fleetarium::capture {

namespace {

std::string at_text(std::optional<instant> at) {
    return at ? config::duration_text(at->time_since_epoch()) : std::string("never");
}

/// The packet id of an acknowledgement, and whether it is the last packet of its exchange.
struct acknowledgement {
    std::uint16_t id = 0;
    bool last = false;

    template <packet_type Type>
    void operator()(const basic_acknowledgement<Type>& of) {
        id = of.packet_id;
        last = Type == packet_type::puback || Type == packet_type::pubcomp ||
               (Type == packet_type::pubrec && static_cast<unsigned>(of.code) >= 0x80);
    }
    template <class Other>
    void operator()(const Other&) {}
};

}  // namespace

std::optional<message_name> parse_message_name(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) {
        return std::nullopt;
    }
    message_name out{std::string(text.substr(0, colon)), 0};
    const std::string_view digits = text.substr(colon + 1);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), out.number);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || out.number == 0) {
        return std::nullopt;
    }
    return out;
}

message_journey::message_journey(sim::world& of, message_name which) : packet_tap(of) {
    story_.which = std::move(which);
    of.for_each_broker([this](sim::virtual_broker& each) {
        each.on_event([this, name = each.name()](const broker::broker_event& decision) {
            on_decision(name, decision);
        });
    });
}

message_journey::~message_journey() {
    world().for_each_broker([](sim::virtual_broker& each) { each.on_event({}); });
}

bool message_journey::is_it(const message_identity& identity) {
    using sim::detail::message_number;
    if (identity.number == 0 || message_number::count_of(identity.number) != story_.which.number) {
        return false;
    }
    const std::uint32_t host = message_number::host_of(identity.number);
    if (!publisher_ && name_of(host) == story_.which.publisher) {
        publisher_ = host;
    }
    return publisher_ == host;
}

void message_journey::step(instant at, std::string from, std::string to, std::string what) {
    story_.steps.push_back({at, std::move(from), std::move(to), std::move(what)});
}

delivery_journey& message_journey::delivery_to(const std::string& receiver) {
    delivery_journey& found = deliveries_[receiver];
    found.receiver = receiver;
    return found;
}

void message_journey::on_packet(const seen_packet& packet) {
    if (packet.up) {
        last_speaker_ = name_of(packet.link.client);
    }
    if (packet.what == nullptr) {
        return;
    }
    if (const auto* const message = std::get_if<publish>(packet.what)) {
        on_publish(packet, *message);
        return;
    }
    acknowledgement ack;
    std::visit(ack, *packet.what);
    if (ack.id != 0) {
        on_acknowledgement(packet, ack.id);
    }
}

void message_journey::on_publish(const seen_packet& packet, const publish& message) {
    const std::tuple key(packet.link, packet.up, message.packet_id);
    if (packet.identity == nullptr || !is_it(*packet.identity)) {
        open_.erase(key);  // the id is another message's now
        return;
    }
    const std::string& client = name_of(packet.link.client);
    const std::string& broker = name_of(packet.link.broker);
    if (message.packet_id != 0) {
        open_[key] = true;
    }
    if (packet.up) {
        step(packet.at, client, broker, packet_text(*packet.what));
        if (!story_.arrived) {
            story_.arrived = packet.at;
        }
        if (packet.identity->published_at != sim::detail::no_latency) {
            story_.published = packet.identity->published_at;
        }
        if (!message.topic.empty()) {
            story_.topic = message.topic;
        }
        return;
    }
    step(packet.at, broker, client, packet_text(*packet.what));
    delivery_journey& to = delivery_to(client);
    to.qos = message.qos;
    ++to.sent;
    if (!to.first_received) {
        to.first_received = packet.at;
    }
    to.first += message.dup ? 0 : 1;
    if (to.end == "under way") {
        to.end = "delivered";
        to.ended = packet.at;
    }
}

void message_journey::on_acknowledgement(const seen_packet& packet, std::uint16_t id) {
    const bool from_sender = std::holds_alternative<pubrel>(*packet.what);
    const bool publish_up = from_sender ? packet.up : !packet.up;
    const auto found = open_.find({packet.link, publish_up, id});
    if (found == open_.end()) {
        return;
    }
    const std::string& client = name_of(packet.link.client);
    const std::string& broker = name_of(packet.link.broker);
    step(packet.at, packet.up ? client : broker, packet.up ? broker : client,
         packet_text(*packet.what));
    acknowledgement ack;
    std::visit(ack, *packet.what);
    if (ack.last) {
        open_.erase(found);
    }
}

void message_journey::on_change(const sim::tapped_link& which, instant at, bool up,
                                std::string_view what) {
    // Of links that the message is on its way on.
    const auto concerned = [&](const auto& each) { return std::get<0>(each.first) == which; };
    if (std::any_of(open_.begin(), open_.end(), concerned)) {
        step(at, up ? name_of(which.client) : name_of(which.broker),
             up ? name_of(which.broker) : name_of(which.client), std::string(what));
        std::erase_if(open_, concerned);
    }
}

void message_journey::on_decision(const std::string& broker, const broker::broker_event& decision) {
    using kind = broker::broker_event::kind;
    if (decision.what == kind::connected) {
        receivers_[{broker, decision.session}] = last_speaker_;
        return;
    }
    if (!broker::is_about_messages(decision.what) || !is_it(decision.identity)) {
        return;
    }
    if (!decision.topic.empty()) {
        story_.topic = decision.topic;
    }
    if (decision.identity.published_at != sim::detail::no_latency) {
        story_.published = decision.identity.published_at;
    }
    const auto known = receivers_.find({broker, decision.session});
    const std::string receiver =
        known != receivers_.end() ? known->second : std::string("somebody");
    const auto decide = [&](std::string what) { step(decision.at, broker, "", std::move(what)); };
    switch (decision.what) {
        case kind::received:
            if (!story_.arrived) {
                story_.arrived = decision.at;  // a will, or the broker's own
            }
            decide(fmt::format("takes it on, at QoS {}", static_cast<int>(decision.qos)));
            break;
        case kind::repeated: decide("has it already"); break;
        case kind::routed:
            decide(decision.count == 1 ? std::string("makes 1 delivery of it")
                                       : fmt::format("makes {} deliveries of it", decision.count));
            break;
        case kind::retained: decide("retains it"); break;
        case kind::retained_removed: decide("a retained message is gone with it"); break;
        case kind::queued: {
            delivery_to(receiver).qos = decision.qos;
            decide(fmt::format("its delivery to {} waits", receiver));
            break;
        }
        case kind::sent:
            delivery_to(receiver).qos = decision.qos;
            decide(fmt::format("sends it to {}{}", receiver, decision.flag ? ", again" : ""));
            break;
        case kind::acknowledged: {
            delivery_journey& to = delivery_to(receiver);
            to.end = "acknowledged";
            to.ended = decision.at;
            decide(fmt::format("its delivery to {} is complete", receiver));
            break;
        }
        case kind::dropped: {
            const std::string why = "dropped: " + std::string(broker::name_of(decision.why));
            if (decision.session != broker::no_session) {
                delivery_journey& to = delivery_to(receiver);
                to.end = why;
                to.ended = decision.at;
            }
            decide(decision.session == broker::no_session
                       ? why
                       : fmt::format("its delivery to {} is {}", receiver, why));
            break;
        }
        default: break;
    }
}

message_story message_journey::story() const {
    message_story out = story_;
    for (const auto& [receiver, one] : deliveries_) {
        out.deliveries.push_back(one);
    }
    return out;
}

std::string to_string(const message_story& of) {
    std::string out = fmt::format("message {} of {}", of.which.number, of.which.publisher);
    if (of.steps.empty()) {
        return out + ": neither a link nor a broker has seen it\n";
    }
    out += fmt::format(", \"{}\": published at {}, at a broker at {}\n", of.topic,
                       at_text(of.published), at_text(of.arrived));
    for (const logged_packet& each : of.steps) {
        out += each.to.empty()
                   ? fmt::format("  {}  {}: {}\n", at_text(each.at), each.from, each.what)
                   : "  " + to_string(each) + '\n';
    }
    for (const delivery_journey& each : of.deliveries) {
        out += fmt::format("  to {}, QoS {}: {}{}{}\n", each.receiver, static_cast<int>(each.qos),
                           each.end, each.ended ? " at " + at_text(each.ended) : "",
                           each.sent > 1 ? fmt::format(", came {} times", each.sent) : "");
    }
    if (of.deliveries.empty()) {
        out += "  no delivery was made of it\n";
    }
    return out;
}

message_story find_message(const sim::scenario& what, const message_name& which) {
    sim::world running = sim::world::from(what);
    message_journey journey(running, which);
    running.run_until(instant{what.duration});
    return journey.story();
}

}  // namespace fleetarium::capture
