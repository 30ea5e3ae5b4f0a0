// Where the ledger keeps things, and who is told what.

#include <fleetarium/sim/ledger.hpp>

#include <fleetarium/core/hash.hpp>

#include <new>
#include <utility>

namespace fleetarium::sim::detail {

ledger::ledger() = default;
ledger::~ledger() = default;

void ledger::add_broker(broker_index broker, const broker::broker_options& options) {
    if (broker >= brokers_.size()) {
        brokers_.resize(broker + 1);
    }
    brokers_[broker] = std::make_unique<broker_model>(options);
    brokers_[broker]->index = broker;
}

void ledger::convict(invariant broken, instant at, std::uint64_t number, host_id receiver,
                     std::string_view topic, std::string what) {
    if (is_disturbed(receiver)) {
        return;
    }
    ++found_;
    ++by_invariant_[static_cast<std::size_t>(broken)];
    if (findings_.size() < violations_kept) {
        findings_.push_back({broken, at, number, receiver, std::string(topic), std::move(what)});
    }
}

bool ledger::is_disturbed(host_id host) { return disturbed_.find(mix64(host + 1)) != nullptr; }

void ledger::disturbed(host_id host) { disturbed_.insert(mix64(host + 1)); }

// Where things are kept

ledger::session_model& ledger::session_of(broker_model& at, session_index index) {
    for (; at.sessions_end <= index; ++at.sessions_end) {
        at.sessions.make_room(at.sessions_end);
        ::new (at.sessions.place(at.sessions_end)) session_model();
    }
    return at.sessions[index];
}

ledger::session_model* ledger::find_session(broker_model& at, session_index index) {
    if (index >= at.sessions_end || !at.sessions[index].alive) {
        return nullptr;
    }
    return &at.sessions[index];
}

ledger::connection_model& ledger::connection_of(broker_model& at, std::uint32_t index) {
    for (; at.connections_end <= index; ++at.connections_end) {
        at.connections.make_room(at.connections_end);
        ::new (at.connections.place(at.connections_end)) connection_model();
    }
    return at.connections[index];
}

ledger::session_model* ledger::present_session(broker_model& at, std::uint32_t connection,
                                               host_id host) {
    if (connection >= at.connections_end) {
        return nullptr;
    }
    const connection_model& by = at.connections[connection];
    if (!by.open || by.host != host) {
        return nullptr;
    }
    session_model* const to = find_session(at, by.session);
    return to != nullptr && to->connection == connection ? to : nullptr;
}

std::uint64_t ledger::delivery_key(const broker_model& at, session_index session,
                                   std::uint64_t number) {
    return combine(std::uint64_t{at.index} << 32 | session, number);
}

std::uint64_t ledger::packet_key(std::uint64_t side, std::uint64_t owner, std::uint16_t packet_id) {
    return combine(owner, side << 16 | packet_id);
}

// What the broker decides

void ledger::decided(broker_index broker, const broker::broker_event& decision) {
    using kind = broker::broker_event::kind;
    broker_model& at = *brokers_[broker];
    switch (decision.what) {
        case kind::received: note_received(at, decision); break;
        case kind::routed: judge_routing(at, decision); break;
        case kind::queued: note_delivery(at, decision, 0); break;
        case kind::sent:
            ++connection_of(at, decision.connection).sent;
            if (decision.known) {
                note_sent(at, decision);
            } else {
                note_delivery(at, decision, 1);
            }
            break;
        case kind::dropped: note_dropped(at, decision); break;
        case kind::acknowledged: note_acknowledged(at, decision); break;
        case kind::connected: note_connected(at, decision); break;
        case kind::refused: at.asked = {}; break;
        case kind::disconnected: note_disconnected(at, decision); break;
        case kind::session_ended: note_session_ended(at, decision); break;
        case kind::subscribed: note_subscribed(at, decision); break;
        case kind::unsubscribed: note_unsubscribed(at, decision); break;
        case kind::will_published: note_will(at, decision); break;
        case kind::repeated:
        case kind::retained:
        case kind::retained_removed: break;
    }
}

void ledger::memory_lost(host_id host, broker_index broker) {
    broker_model& at = *brokers_[broker];
    deliveries_.for_each([&](std::uint64_t, delivery_model& each) {
        const session_model* const to =
            each.broker == broker ? find_session(at, each.session) : nullptr;
        each.excused = each.excused || (to != nullptr && to->host == host);
    });
}

std::size_t ledger::memory_bytes() const {
    std::size_t bytes = deliveries_.memory_bytes() + publishes_.memory_bytes() +
                        packets_.memory_bytes() + flows_.memory_bytes();
    for (const auto& at : brokers_) {
        bytes += at->sessions_end * sizeof(session_model) +
                 at->connections_end * sizeof(connection_model) + at->by_client.memory_bytes() +
                 at->wills.memory_bytes() + at->retained.memory_bytes() +
                 at->subscriptions.memory_bytes();
    }
    return bytes;
}

}  // namespace fleetarium::sim::detail
