// What reaches the receivers.

#include <fleetarium/sim/ledger.hpp>

#include <fleetarium/core/hash.hpp>

#include <algorithm>

namespace fleetarium::sim::detail {

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
    if (known->is_plain()) {
        judge_marks(to, *known, message, host, now);
    } else if (message.retain && !known->stored && !to.had_retain_as_published) {
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

/// What is said with a message whose subscriptions are known.
void ledger::judge_marks(const session_model& to, const delivery_model& known,
                         const publish& message, host_id host, instant now) {
    if (message.retain != known.retain) {
        convict(invariant::retained, now, known.number, host, message.topic,
                message.retain
                    ? "it came with RETAIN, though it was not stored and nobody asked for the flag"
                    : "it came without RETAIN, though it was published with it and its "
                      "subscription asked for the flag as published");
    }
    std::uint32_t identifiers = 0;
    if (!message.subscription_identifiers.empty()) {
        message.subscription_identifiers.for_each(
            [&](std::uint32_t each) { identifiers += static_cast<std::uint32_t>(mix64(each)); });
    }
    if (identifiers != known.identifiers) {
        convict(invariant::subscription_identifier, now, known.number, host, message.topic,
                identifiers == 0 ? "it came without the identifier of its subscription"
                                 : "it came with identifiers that are not those of its "
                                   "subscriptions");
    }
    if (known.epoch == to.epoch && !to.is_v3) {
        // Whoever counts may round either way.
        const std::uint32_t said = message.message_expiry_interval.value_or(no_interval);
        const std::uint32_t apart = std::max(said, known.interval) - std::min(said, known.interval);
        if (apart > 1) {
            convict(invariant::expiry, now, known.number, host, message.topic,
                    said == no_interval ? "it came without its Message Expiry Interval"
                    : known.interval == no_interval
                        ? "it came with a Message Expiry Interval that its publisher did not give"
                        : "it came with a Message Expiry Interval of " + std::to_string(said) +
                              " s, of which " + std::to_string(known.interval) +
                              " s were left when it was sent");
        }
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

/// Of the messages of one source and publisher that go to a client with a QoS.
std::uint64_t ledger::flow_key(const broker_model& at, const session_model& to, enum qos qos,
                               std::uint64_t number) {
    const std::uint64_t from = number >> message_number::count_bits & ((1ull << 37) - 1);
    return combine(to.client + at.index, from << 2 | static_cast<std::uint64_t>(qos));
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
    const std::uint64_t key = flow_key(at, to, message.qos, number);
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
    const session_model* const to = present_session(at, connection, host);
    if (message_number::qos_of(identity.number) != qos::exactly_once) {
        convict(invariant::conservation, now, identity.number, host, {},
                "its receiver did not pass it on: there is no repetition below QoS 2");
        return;  // v5/MQTT-4.3.2-5
    }
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

}  // namespace fleetarium::sim::detail
