// Messages: from the publisher to the broker, and each delivery to its end.

#include <fleetarium/sim/ledger.hpp>

#include <fleetarium/core/hash.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace fleetarium::sim::detail {

namespace {

constexpr std::uint64_t side_down = 1;
constexpr std::uint64_t side_up = 2;

/// Whether a count comes after another one, in a ring of 24 bits.
bool is_ahead(std::uint32_t count, std::uint32_t last) {
    const std::uint32_t distance = (count - last) & message_number::count_mask;
    return distance != 0 && distance <= message_number::count_mask / 2;
}

}  // namespace

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

// From the publisher to the broker

void ledger::publish_sent(host_id host, broker_index broker, std::uint32_t connection,
                          std::uint64_t number, instant now) {
    if (message_number::qos_of(number) == qos::at_most_once) {
        return;
    }
    broker_model& at = *brokers_[broker];
    const auto [sent, is_new] = publishes_.insert(mix64(number));
    sent->number = number;
    sent->connection = connection;
    sent->broker = static_cast<std::uint8_t>(broker);
    session_model* const from = present_session(at, connection, host);
    if (from == nullptr) {
        sent->counted = false;
        return;
    }
    if (sent->counted && sent->epoch == from->epoch) {
        convict(invariant::resent_as_duplicate, now, number, host, {},
                "its publisher sent it twice on one connection");
        return;
    }
    sent->counted = true;
    sent->epoch = from->epoch;
    if (++from->open_up > from->publish_maximum) {
        convict(invariant::receive_maximum, now, number, host, {},
                "its publisher has more messages open than the broker's Receive Maximum, " +
                    std::to_string(from->publish_maximum));
    }
}

void ledger::publish_arrived(broker_index broker, std::uint32_t connection, const publish& message,
                             std::uint64_t number, instant now) {
    broker_model& at = *brokers_[broker];
    at.message_retains = message.retain;
    at.message_is_empty = message.payload.empty();
    at.message_expires_at = message.message_expiry_interval
                                ? now + std::chrono::seconds{*message.message_expiry_interval}
                                : never;
    ++at.counted.publish_received[static_cast<std::size_t>(message.qos)];
    number &= ~message_number::copy_bit;
    const std::uint32_t source = message_number::source_of(number);
    if (source >= qos_of_source_.size()) {
        qos_of_source_.resize(source + 1);
    }
    qos_of_source_[source] |= static_cast<std::uint8_t>(1u << static_cast<unsigned>(message.qos));
    const host_id host = message_number::host_of(number);
    session_model* const from = present_session(at, connection, host);
    if (from == nullptr) {
        return;  // bytes made outside: nobody told when they were sent
    }
    const std::uint32_t count = message_number::count_of(number);
    std::uint32_t& last = from->last_published[static_cast<std::size_t>(message.qos)];
    if (message.qos != qos::at_most_once) {
        publish_model* const known = publishes_.find(mix64(number));
        if (known == nullptr) {
            return;  // its publisher has given it up since
        }
        if (known->received) {
            copies_.insert(mix64(message_number::with_qos(number, qos::at_most_once)));
            // A client that has not learnt that its session began anew sends again what it may.
            const bool anew = known->born != from->born;
            if (message.qos == qos::exactly_once && !anew) {
                convict(invariant::exactly_once, now, number, host, message.topic,
                        "the broker took it on a second time");
            } else if (!message.dup) {
                convict(invariant::resent_as_duplicate, now, number, host, message.topic,
                        "its publisher sent it again without DUP");
            }
            return;
        }
        known->received = true;
        known->born = from->born;
        known->packet_id = message.packet_id;
        const auto [held, is_new] = packets_.insert(packet_key(side_up, host, message.packet_id));
        if (!is_new && *held != number && publishes_.find(mix64(*held)) != nullptr) {
            convict(invariant::packet_id, now, number, host, message.topic,
                    "its publisher gave it packet id " + std::to_string(message.packet_id) +
                        ", which another message has that is not acknowledged");
        }
        *held = number;
    } else if (last == count) {
        convict(invariant::at_most_once, now, number, host, message.topic,
                "it came to the broker twice");
        return;
    }
    if (last != 0 && !is_ahead(count, last)) {
        convict(invariant::order, now, number, host, message.topic,
                "it came to the broker after a later one of its publisher, number " +
                    std::to_string(last));
        return;
    }
    last = count;
}

void ledger::publish_made(broker_index broker, const publish& message, std::uint64_t number,
                          instant now) {
    broker_model& at = *brokers_[broker];
    at.message_retains = message.retain;
    at.message_is_empty = message.payload.empty();
    at.message_expires_at = message.message_expiry_interval
                                ? now + std::chrono::seconds{*message.message_expiry_interval}
                                : never;
    const std::uint32_t source = message_number::source_of(number);
    if (source >= qos_of_source_.size()) {
        qos_of_source_.resize(source + 1);
    }
    qos_of_source_[source] |= static_cast<std::uint8_t>(1u << static_cast<unsigned>(message.qos));
}

void ledger::publish_refused(std::uint64_t number) {
    if (publish_model* const known = publishes_.find(mix64(number & ~message_number::copy_bit))) {
        known->received = true;
    }
}

void ledger::publish_repeated(broker_index broker, std::uint32_t connection, std::uint64_t number,
                              instant now) {
    broker_model& at = *brokers_[broker];
    number &= ~message_number::copy_bit;
    const host_id host = message_number::host_of(number);
    const publish_model* const known = publishes_.find(mix64(number));
    if (known != nullptr && !known->received && present_session(at, connection, host) != nullptr) {
        convict(invariant::exactly_once, now, number, host, {},
                "the broker took it for a repetition, though it had never had it");
    }
}

void ledger::publish_acknowledged(host_id host, std::uint64_t number, instant now) {
    publish_model* const known = publishes_.find(mix64(number));
    if (known == nullptr) {
        convict(invariant::responsibility, now, number, host, {},
                "it was acknowledged to its publisher, which had not sent it");
        return;
    }
    if (!known->received) {
        convict(invariant::responsibility, now, number, host, {},
                "it was acknowledged to its publisher, though no broker has had it");
    }
    broker_model& at = *brokers_[known->broker];
    session_model* const from = present_session(at, known->connection, host);
    if (from != nullptr && known->counted && known->epoch == from->epoch && from->open_up != 0) {
        --from->open_up;
    }
    publish_dropped(number);
}

void ledger::publish_dropped(std::uint64_t number) {
    publish_model* const known = publishes_.find(mix64(number));
    if (known == nullptr) {
        return;
    }
    if (known->received) {
        const std::uint64_t key =
            packet_key(side_up, message_number::host_of(number), known->packet_id);
        const std::uint64_t* const held = packets_.find(key);
        if (held != nullptr && *held == number) {
            packets_.erase(key);
        }
    }
    publishes_.remove(known);
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

/// The broker made a delivery, and sent it at once or not.
void ledger::note_delivery(broker_model& at, const broker::broker_event& decision,
                           std::uint16_t sent) {
    ++made_;
    ++at.counted.deliveries[static_cast<std::size_t>(decision.qos)];
    const std::uint64_t of = decision.identity.number;
    const bool routed = at.routing && of == at.routed_number;
    bool handed_over = false;
    if (routed) {
        at.made.push_back({decision.session, decision.qos});
    } else {
        at.turn_is_open = true;
        handed_over =
            std::find(at.handed_over.begin(), at.handed_over.end(), of) != at.handed_over.end();
        if (!handed_over) {
            at.retained_made.push_back({decision.session, decision.qos, of});
        }
    }
    const bool ends_here = decision.what == broker::broker_event::kind::dropped ||
                           (sent != 0 && decision.qos == qos::at_most_once);
    session_model* const to = find_session(at, decision.session);
    if (to == nullptr) {
        convict(invariant::session_lifetime, decision.at, of, 0, decision.topic,
                "it was delivered to a session that has ended");
        return;
    }
    // Of QoS 0 nothing is kept that would tell such a delivery from others once it is sent.
    const bool stored_waits = !routed && sent == 0 && decision.qos == qos::at_most_once;
    if (handed_over || stored_waits) {
        to->unordered = true;
    }
    if (routed && sent != 0 && decision.at >= at.message_expires_at) {
        convict(invariant::expiry, decision.at, of, to->host, decision.topic,
                "it was sent though its expiry interval was over");
    }
    if (ends_here) {
        return;
    }
    const std::uint64_t number = message_number::with_qos(of, decision.qos);
    const auto [made, is_new] = deliveries_.insert(delivery_key(at, decision.session, number));
    if (is_new) {
        made->number = number;
        made->session = decision.session;
        made->broker = static_cast<std::uint8_t>(at.index);
        if (routed) {
            made->expires_at = at.message_expires_at;
        } else {
            made->stored = !handed_over;
            made->unordered = handed_over;
            made->expires_at = instant::min();  // known to whoever stored it
        }
    }
    ++made->due;
    made->several = made->due > 1 || made->several;
    if (sent != 0) {
        ++made->sent;
        open_window(*to, *made, decision.topic, decision.at);
    }
}

/// A QoS 1 or 2 message goes out on the session's present connection.
void ledger::open_window(session_model& to, delivery_model& sent, std::string_view topic,
                         instant now) {
    sent.epoch = to.epoch;
    if (++to.open_down > to.receive_maximum) {
        convict(invariant::receive_maximum, now, sent.number, to.host, topic,
                "more messages are open to this client than its Receive Maximum, " +
                    std::to_string(to.receive_maximum));
    }
}

/// A delivery that was made before goes out, for the first time or again.
void ledger::note_sent(broker_model& at, const broker::broker_event& decision) {
    const std::uint64_t number = message_number::with_qos(decision.identity.number, decision.qos);
    session_model* const to = find_session(at, decision.session);
    delivery_model* const known = deliveries_.find(delivery_key(at, decision.session, number));
    if (known == nullptr || to == nullptr) {
        convict(invariant::conservation, decision.at, number, to == nullptr ? 0 : to->host,
                decision.topic, "the broker sent a delivery that had ended before");
        return;
    }
    if (known->sent == 0 && known->expires_at != instant::min() &&
        decision.at >= known->expires_at) {
        convict(invariant::expiry, decision.at, number, to->host, decision.topic,
                "it was sent for the first time after its expiry interval");
    }
    if (decision.qos == qos::at_most_once) {
        end_copy(at, *known, false);
        return;
    }
    if (!known->several && known->sent != 0 && known->epoch == to->epoch) {
        convict(invariant::resent_as_duplicate, decision.at, number, to->host, decision.topic,
                "the broker sent it twice on one connection");
    }
    ++known->sent;
    open_window(*to, *known, decision.topic, decision.at);
}

void ledger::note_dropped(broker_model& at, const broker::broker_event& decision) {
    using broker::drop_reason;
    ++at.counted.dropped[static_cast<std::size_t>(decision.why)];
    if (decision.session == broker::no_session) {
        if (decision.why == drop_reason::retained_full) {
            at.retained.erase(hash_text(decision.topic));
        }
        return;
    }
    session_model* const to = find_session(at, decision.session);
    const host_id host = to == nullptr ? 0 : to->host;
    const std::uint64_t number = message_number::with_qos(decision.identity.number, decision.qos);
    if (!decision.known) {
        note_delivery(at, decision, 0);
        if (decision.why == drop_reason::expired && at.routing &&
            decision.at < at.message_expires_at) {
            convict(invariant::expiry, decision.at, number, host, decision.topic,
                    "it was dropped as expired before its time");
        }
        return;
    }
    if (decision.why == drop_reason::session_ended) {
        at.handed_over.push_back(decision.identity.number);  // if another member gets it
        at.turn_is_open = true;
    }
    delivery_model* const known = deliveries_.find(delivery_key(at, decision.session, number));
    if (known == nullptr) {
        convict(invariant::conservation, decision.at, number, host, decision.topic,
                "the broker dropped a delivery that had ended before");
        return;
    }
    if (decision.why == drop_reason::expired && known->sent != 0 && !known->several) {
        convict(invariant::expiry, decision.at, number, host, decision.topic,
                "it was dropped as expired though it had been sent");
    } else if (decision.why == drop_reason::expired && decision.at < known->expires_at) {
        convict(invariant::expiry, decision.at, number, host, decision.topic,
                "it was dropped as expired before its time");
    }
    end_copy(at, *known, decision.why == drop_reason::session_ended);
}

void ledger::note_acknowledged(broker_model& at, const broker::broker_event& decision) {
    ++at.counted.acknowledged[static_cast<std::size_t>(decision.qos)];
    const std::uint64_t number = message_number::with_qos(decision.identity.number, decision.qos);
    session_model* const to = find_session(at, decision.session);
    delivery_model* const known = deliveries_.find(delivery_key(at, decision.session, number));
    if (known == nullptr || to == nullptr) {
        convict(invariant::conservation, decision.at, number, to == nullptr ? 0 : to->host,
                decision.topic, "a delivery was acknowledged that had ended before");
        return;
    }
    // One sent again may have come by a link that the broker had ended, its number another's.
    if (to->observed && known->received == 0 && known->sent <= 1 && !known->excused) {
        convict(invariant::conservation, decision.at, number, to->host, decision.topic,
                "its delivery is complete, but the receiver has never had it");
    }
    if (known->epoch == to->epoch && to->open_down != 0) {
        --to->open_down;
    }
    end_copy(at, *known, true);
}

/// One copy of the delivery has ended, and with the last one the delivery.
void ledger::end_copy(broker_model& at, delivery_model& ending, bool received) {
    if (ending.due > 1) {
        --ending.due;
        if (received && ending.received != 0) {
            --ending.received;
        }
        return;
    }
    if (ending.packet_id != 0) {
        const std::uint64_t owner = std::uint64_t{at.index} << 32 | ending.session;
        const std::uint64_t key = packet_key(side_down, owner, ending.packet_id);
        const std::uint64_t* const held = packets_.find(key);
        if (held != nullptr && *held == ending.number) {
            packets_.erase(key);
        }
    }
    deliveries_.remove(&ending);
}

// At the receiver

void ledger::message_received(host_id host, broker_index broker, std::uint32_t connection,
                              const publish& message, const message_identity& identity,
                              instant now) {
    ++receptions_;
    broker_model& at = *brokers_[broker];
    if (connection >= at.connections_end || at.connections[connection].host != host) {
        return;  // the broker has ended this link, and its number is another's
    }
    connection_model& by = at.connections[connection];
    ++by.received;
    session_model* const to = present_session(at, connection, host);
    if (to == nullptr || !to->observed) {
        // The broker has ended it, which the client does not know yet.
        delivery_model* const known =
            message.qos == qos::at_most_once || by.session == broker::no_session
                ? nullptr
                : deliveries_.find(delivery_key(at, by.session, identity.number));
        if (known != nullptr) {
            ++known->received;
            known->packet_id = message.packet_id;
        }
        return;
    }
    judge_reception(at, *to, by, host, message, identity, now);
}

void ledger::judge_reception(broker_model& at, session_model& to, connection_model& by,
                             host_id host, const publish& message, const message_identity& identity,
                             instant now) {
    const bool stored = identity.published_at == no_latency;
    const std::uint64_t number = identity.number;
    if (stored && !message.retain && !to.unordered) {
        convict(invariant::retained, now, number, host, message.topic,
                "it was retained before the subscription was made, but came without RETAIN");
    }
    if (message.qos == qos::at_most_once) {
        if (message.retain && !stored && !to.had_retain_as_published && !to.unordered) {
            convict(invariant::retained, now, number, host, message.topic,
                    "it came with RETAIN, though it was not stored and nobody asked for the flag");
        }
        if (!stored && !to.unordered) {
            judge_flow(at, to, message, number, host, now);
        }
        return;
    }
    delivery_model* const known = deliveries_.find(delivery_key(at, by.session, number));
    if (known == nullptr) {
        convict(message.qos == qos::exactly_once ? invariant::exactly_once
                                                 : invariant::resent_as_duplicate,
                now, number, host, message.topic, "it came again after its delivery was complete");
        return;
    }
    if (message.retain && !known->stored && !to.had_retain_as_published) {
        convict(invariant::retained, now, number, host, message.topic,
                "it came with RETAIN, though it was not stored and nobody asked for the flag");
    }
    if (known->received >= known->due) {
        judge_repeat(*known, message, host, now);
    } else {
        judge_first(to, *known, message, host, now);
        take_packet_id(at, *known, message.packet_id, host, message.topic, now);
        if (!known->stored && !known->unordered && !known->several && !known->excused &&
            !message_number::is_copy(number)) {
            judge_flow(at, to, message, number, host, now);
        }
        ++known->received;
    }
}

void ledger::judge_repeat(delivery_model& known, const publish& message, host_id host,
                          instant now) {
    if (known.excused || known.several) {
        return;
    }
    if (message.qos == qos::exactly_once) {
        convict(invariant::exactly_once, now, known.number, host, message.topic,
                "it was passed on a second time");
    } else if (!message.dup) {
        convict(invariant::resent_as_duplicate, now, known.number, host, message.topic,
                "it came again without DUP");
    }
}

void ledger::judge_first(const session_model& to, const delivery_model& known,
                         const publish& message, host_id host, instant now) {
    if (known.several) {
        return;
    }
    if (message.dup && known.sent <= 1) {
        convict(invariant::resent_as_duplicate, now, known.number, host, message.topic,
                "it came with DUP, though it was sent for the first time");
    } else if (!message.dup && known.sent > 1 && known.epoch == to.epoch) {
        convict(invariant::resent_as_duplicate, now, known.number, host, message.topic,
                "it was sent again without DUP");
    }
}

void ledger::take_packet_id(broker_model& at, delivery_model& known, std::uint16_t packet_id,
                            host_id host, std::string_view topic, instant now) {
    const std::uint64_t owner = std::uint64_t{at.index} << 32 | known.session;
    const auto [held, is_new] = packets_.insert(packet_key(side_down, owner, packet_id));
    const delivery_model* const holder =
        is_new || *held == known.number ? nullptr
                                        : deliveries_.find(delivery_key(at, known.session, *held));
    if (holder != nullptr && !holder->several && holder->packet_id == packet_id) {
        convict(invariant::packet_id, now, known.number, host, topic,
                "it came under packet id " + std::to_string(packet_id) +
                    ", which another message has that is not acknowledged");
    }
    *held = known.number;
    known.packet_id = packet_id;
}

/// First copies of one source's messages, of one publisher, come to a session in their order.
void ledger::judge_flow(const broker_model& at, const session_model& to, const publish& message,
                        std::uint64_t number, host_id host, instant now) {
    if (message_number::is_copy(number)) {
        return;
    }
    const std::uint32_t source = message_number::source_of(number);
    const bool mixed = source < qos_of_source_.size() &&
                       (qos_of_source_[source] & (qos_of_source_[source] - 1)) != 0;
    if (mixed && message.qos == qos::at_most_once) {
        return;  // its QoS 1 messages may have been overtaken by its QoS 0 messages before
    }
    const std::uint64_t from = number >> message_number::count_bits & ((1ull << 37) - 1);
    const std::uint64_t key =
        combine(to.client + at.index, from << 2 | static_cast<std::uint64_t>(message.qos));
    std::uint32_t* last = flows_.find(key);
    if (last == nullptr) {
        if (flows_.size() >= flows_max) {
            ++flows_not_kept_;
            return;
        }
        last = flows_.insert(key).first;
        *last = message_number::count_of(number);
        return;
    }
    const std::uint32_t count = message_number::count_of(number);
    if (count != *last && is_ahead(count, *last)) {
        *last = count;
    } else if (copies_.find(mix64(message_number::with_qos(number, qos::at_most_once)))) {
        return;  // the broker took it on twice, as it may at QoS 1
    } else if (count == *last) {
        if (!to.may_repeat && message.qos == qos::at_most_once) {
            convict(invariant::at_most_once, now, number, host, message.topic, "it came twice");
        }
    } else {
        convict(invariant::order, now, number, host, message.topic,
                "it came after a later one of its publisher, number " + std::to_string(*last));
    }
}

void ledger::unknown_received(host_id host, std::string_view topic, instant now) {
    convict(invariant::conservation, now, 0, host, topic,
            "a message came that the broker does not say it has sent");
}

void ledger::message_repeated(host_id host, broker_index broker, std::uint32_t connection,
                              std::uint16_t packet_id, const message_identity& identity,
                              instant now) {
    broker_model& at = *brokers_[broker];
    if (connection >= at.connections_end || at.connections[connection].host != host) {
        return;
    }
    ++at.connections[connection].received;
    session_model* const to = present_session(at, connection, host);
    if (to == nullptr || !to->observed) {
        return;
    }
    delivery_model* const known =
        deliveries_.find(delivery_key(at, at.connections[connection].session, identity.number));
    if (known != nullptr && (known->received != 0 || known->excused)) {
        return;
    }
    if (known != nullptr && known->sent > 1) {
        // The first copy may have come by a link that the broker had ended, its number another's.
        ++known->received;
        return;
    }
    const std::uint64_t owner = std::uint64_t{broker} << 32 | at.connections[connection].session;
    const std::uint64_t* const held = packets_.find(packet_key(side_down, owner, packet_id));
    const bool taken = known != nullptr && held != nullptr && *held != identity.number;
    convict(taken ? invariant::packet_id : invariant::exactly_once, now, identity.number, host, {},
            taken ? "it came under packet id " + std::to_string(packet_id) +
                        ", which another message has that is not complete"
            : known != nullptr ? "the client took it for a repetition, though it had never had it"
                               : "it was sent again after its delivery was complete");
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
