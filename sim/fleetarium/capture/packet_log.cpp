#include <fleetarium/capture/packet_log.hpp>

#include <fleetarium/capture/packet_text.hpp>
#include <fleetarium/config/quantities.hpp>

#include <algorithm>
#include <utility>
#include <variant>

namespace fleetarium::capture {

namespace {

constexpr std::size_t before_max = 9;
constexpr std::size_t behind_max = 3;
constexpr duration behind_time = std::chrono::seconds{30};

/// The packet id of an acknowledgement; 0: it is none.
struct acknowledged_id {
    template <packet_type Type>
    std::uint16_t operator()(const basic_acknowledgement<Type>& of) const {
        return of.packet_id;
    }
    template <class Other>
    std::uint16_t operator()(const Other&) const {
        return 0;
    }
};

bool is_ping(const packet& what) {
    return std::holds_alternative<pingreq>(what) || std::holds_alternative<pingresp>(what);
}

}  // namespace

std::string to_string(const logged_packet& one) {
    return config::duration_text(one.at.time_since_epoch()) + "  " + one.from + " -> " + one.to +
           ": " + one.what;
}

packet_log::packet_log(sim::world& of, packet_log_options options)
    : packet_tap(of), options_(std::move(options)) {}

bool packet_log::wants(const sim::tapped_link& which) {
    return options_.clients.empty() || options_.clients.contains(name_of(which.client));
}

bool packet_log::is_about_topic(const seen_packet& packet) {
    if (options_.topic.empty() || packet.what == nullptr) {
        return true;
    }
    if (const auto* const message = std::get_if<publish>(packet.what)) {
        const std::tuple key(packet.link, packet.up, message->packet_id);
        // With an alias the topic may not be there: then the id tells, if it was sent before.
        const bool wanted = message->topic == options_.topic ||
                            (message->topic.empty() && exchanges_.contains(key));
        if (wanted && message->packet_id != 0) {
            exchanges_.insert(key);
        } else if (!wanted) {
            exchanges_.erase(key);  // the id is another message's now
        }
        return wanted;
    }
    const std::uint16_t id = std::visit(acknowledged_id{}, *packet.what);
    // PUBREL goes the way of the PUBLISH, the others come back.
    const bool up = std::holds_alternative<pubrel>(*packet.what) ? packet.up : !packet.up;
    return id == 0 ? !is_ping(*packet.what) : exchanges_.contains({packet.link, up, id});
}

void packet_log::on_packet(const seen_packet& packet) {
    if (is_about_topic(packet)) {
        keep(packet.link, packet.at, packet.up,
             packet.what != nullptr
                 ? packet_text(*packet.what)
                 : "no valid packet: " + std::string(describe(packet.broken).phrase));
    }
}

void packet_log::on_change(const sim::tapped_link& which, instant at, bool up,
                           std::string_view what) {
    keep(which, at, up, std::string(what));
}

void packet_log::keep(const sim::tapped_link& which, instant at, bool up, std::string what) {
    const std::string& client = name_of(which.client);
    const std::string& broker = name_of(which.broker);
    packets_.push_back({at, up ? client : broker, up ? broker : client, std::move(what)});
    ++count_;
    if (packets_.size() > options_.size_max) {
        packets_.pop_front();
    }
}

std::vector<logged_packet> packets_around(const sim::scenario& what,
                                          const sim::ledger_violation& violation) {
    packet_log_options options;
    options.topic = violation.topic;
    options.size_max = before_max;
    const auto is_client = [&](const std::string& name) {
        return !name.empty() &&
               std::none_of(what.brokers.begin(), what.brokers.end(),
                            [&](const auto& each) { return each.name == name; }) &&
               !(what.brokers.empty() && name == sim::broker_spec{}.name);
    };
    for (const std::string& each : {violation.publisher, violation.receiver}) {
        if (is_client(each)) {
            options.clients.insert(each);
        }
    }
    if (options.clients.empty()) {
        return {};
    }
    sim::scenario again = what;
    again.ledger = false;
    sim::world running = sim::world::from(again);
    packet_log log(running, std::move(options));
    running.run_until(violation.at);
    std::vector<logged_packet> out(log.packets().begin(), log.packets().end());
    // What follows soon, as far as the run goes.
    const std::uint64_t seen = log.count();
    const instant end = std::min(instant{what.duration}, saturating_add(violation.at, behind_time));
    while (log.count() < seen + behind_max && running.next_event() <= end) {
        running.step();
    }
    const std::size_t more = std::min<std::size_t>(log.count() - seen, behind_max);
    out.insert(out.end(), log.packets().end() - static_cast<std::ptrdiff_t>(more),
               log.packets().end());
    return out;
}

}  // namespace fleetarium::capture
