// Messages on their way from the publisher to the broker.

#include <fleetarium/sim/ledger.hpp>

#include <fleetarium/core/hash.hpp>

namespace fleetarium::sim::detail {

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
    if (sent->counted && sent->epoch < from->born && from->told_anew && !from->is_v3) {
        convict(invariant::session_present, now, number, host, {},
                "its publisher sent it again, though the session it was sent in was lost, as "
                "CONNACK had said");  // v5/MQTT-3.2.2-5
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
    at.subscriptions.prefetch(message.topic);  // until it is routed
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
    if (at.will_in_hand) {
        judge_will(at, message, number, now);
    }
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
    publish_model* const known = publishes_.find(mix64(number));
    if (message_number::qos_of(number) != qos::exactly_once) {
        // v5/MQTT-4.3.2-5: there is no repetition below QoS 2.
        convict(invariant::responsibility, now, number, host, {},
                "the broker took it for a repetition, and did not take it on");
        if (known != nullptr) {
            known->received = true;
        }
        return;
    }
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
    end_publish(*known);
}

void ledger::publish_dropped(std::uint64_t number) {
    if (publish_model* const known = publishes_.find(mix64(number))) {
        end_publish(*known);
    }
}

void ledger::end_publish(publish_model& ending) {
    if (ending.received) {
        const host_id host = message_number::host_of(ending.number);
        std::uint64_t* const held = packets_.find(packet_key(side_up, host, ending.packet_id));
        if (held != nullptr && *held == ending.number) {
            packets_.remove(held);
        }
    }
    publishes_.remove(&ending);
}

}  // namespace fleetarium::sim::detail
