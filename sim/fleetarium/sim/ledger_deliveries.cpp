// Deliveries of a broker, from their making to their end.

#include <fleetarium/sim/ledger.hpp>

#include <fleetarium/core/hash.hpp>

#include <algorithm>

namespace fleetarium::sim::detail {

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
        const auto got = std::find_if(at.orphans.begin(), at.orphans.end(),
                                      [&](const orphan& each) { return each.number == of; });
        if (got != at.orphans.end()) {
            at.orphans.erase(got);
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
    if (routed && sent != 0) {
        flows_.prefetch(flow_key(at, *to, decision.qos, of));  // until it is received
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
            made->shared = handed_over;
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
    if (sent.expires_at != never && sent.expires_at != instant::min()) {
        const auto left = std::chrono::ceil<std::chrono::seconds>(sent.expires_at - now).count();
        sent.interval = left <= 0 ? 0 : static_cast<std::uint32_t>(left);
    }
    if (++to.open_down > to.receive_maximum) {
        convict(invariant::receive_maximum, now, sent.number, to.host, topic,
                "more messages are open to this client than its Receive Maximum, " +
                    std::to_string(to.receive_maximum));
    }
}

/// The delivery, of a session that there is, that a decision is about; null if there is none,
/// which is said.
ledger::delivery_model* ledger::delivery_of(broker_model& at, const broker::broker_event& decision,
                                            std::string_view complaint) {
    const std::uint64_t number = message_number::with_qos(decision.identity.number, decision.qos);
    const session_model* const to = find_session(at, decision.session);
    delivery_model* const known = deliveries_.find(delivery_key(at, decision.session, number));
    if (known != nullptr && to != nullptr) {
        return known;
    }
    convict(invariant::conservation, decision.at, number, to == nullptr ? 0 : to->host,
            decision.topic, std::string(complaint));
    return nullptr;
}

/// A delivery that was made before goes out, for the first time or again.
void ledger::note_sent(broker_model& at, const broker::broker_event& decision) {
    delivery_model* const known =
        delivery_of(at, decision, "the broker sent a delivery that had ended before");
    if (known == nullptr) {
        return;
    }
    session_model& to = at.sessions[decision.session];
    if (known->sent == 0 && known->expires_at != instant::min() &&
        decision.at >= known->expires_at) {
        convict(invariant::expiry, decision.at, known->number, to.host, decision.topic,
                "it was sent for the first time after its expiry interval");
    }
    if (decision.qos == qos::at_most_once) {
        end_copy(at, *known, false);
        return;
    }
    if (!known->several && known->sent != 0 && known->epoch == to.epoch) {
        convict(invariant::resent_as_duplicate, decision.at, known->number, to.host, decision.topic,
                "the broker sent it twice on one connection");
    }
    ++known->sent;
    open_window(to, *known, decision.topic, decision.at);
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
    if (decision.known) {
        note_dropped_known(at, decision);
        return;
    }
    note_delivery(at, decision, 0);
    if (decision.why == drop_reason::expired && at.routing && decision.at < at.message_expires_at) {
        const session_model* const to = find_session(at, decision.session);
        convict(invariant::expiry, decision.at, decision.identity.number,
                to == nullptr ? 0 : to->host, decision.topic,
                "it was dropped as expired before its time");
    }
}

/// A delivery that was made before is dropped.
void ledger::note_dropped_known(broker_model& at, const broker::broker_event& decision) {
    using broker::drop_reason;
    const bool session_ends = decision.why == drop_reason::session_ended;
    if (session_ends) {
        at.handed_over.push_back(decision.identity.number);  // if another member gets it
        at.turn_is_open = true;
    }
    delivery_model* const known =
        delivery_of(at, decision, "the broker dropped a delivery that had ended before");
    if (known == nullptr) {
        return;
    }
    const host_id host = at.sessions[decision.session].host;
    if (decision.why == drop_reason::expired && known->sent != 0 && !known->several) {
        convict(invariant::expiry, decision.at, known->number, host, decision.topic,
                "it was dropped as expired though it had been sent");
    } else if (decision.why == drop_reason::expired && decision.at < known->expires_at) {
        convict(invariant::expiry, decision.at, known->number, host, decision.topic,
                "it was dropped as expired before its time");
    }
    // v5/MQTT-4.8.2-5: a QoS 2 delivery that has begun goes to nobody else.
    const bool begun = decision.qos == qos::exactly_once && known->sent != 0;
    if (session_ends && known->shared && !known->several && !begun) {
        expect_heir(at, decision);
    }
    end_copy(at, *known, session_ends);
}

void ledger::note_acknowledged(broker_model& at, const broker::broker_event& decision) {
    ++at.counted.acknowledged[static_cast<std::size_t>(decision.qos)];
    delivery_model* const known =
        delivery_of(at, decision, "a delivery was acknowledged that had ended before");
    if (known == nullptr) {
        return;
    }
    session_model& to = at.sessions[decision.session];
    // One sent again may have come by a link that the broker had ended, its number another's.
    if (to.observed && known->received == 0 && known->sent <= 1 && !known->excused) {
        convict(invariant::conservation, decision.at, known->number, to.host, decision.topic,
                "its delivery is complete, but the receiver has never had it");
    }
    if (known->epoch == to.epoch && to.open_down != 0) {
        --to.open_down;
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
        std::uint64_t* const held = packets_.find(packet_key(side_down, owner, ending.packet_id));
        if (held != nullptr && *held == ending.number) {
            packets_.remove(held);
        }
    }
    deliveries_.remove(&ending);
}

}  // namespace fleetarium::sim::detail
