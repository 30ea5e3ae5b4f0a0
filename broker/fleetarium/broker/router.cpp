// From one message to its deliveries: sections 3.3.4, 4.3, 4.5, 4.6 and 4.8 of MQTT 5.

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/broker/outgoing.hpp>
#include <fleetarium/broker/session_journal.hpp>
#include <fleetarium/broker/shared_delivery.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/mutant.hpp>

#include <algorithm>

namespace fleetarium::broker {

// PUBLISH from a client

void broker_core::handle_publish(connection_id from, const fleetarium::publish& message,
                                 instant now) {
    if (message.qos > options_.maximum_qos) {
        fail(from, violation::qos_not_supported, now);
        return;
    }
    if (message.retain && !options_.retain_available) {
        fail(from, violation::retain_not_supported, now);
        return;
    }
    if (memory_.is_set() && refuse_publish_for_memory(from, message, now)) {
        return;
    }
    drop_reason why = drop_reason::none;
    reason_code code = check_publish(from, message, why);
    if (code != reason_code::success) {
        report_drop({}, message.topic, message.qos, no_session, why, now);
    } else {
        const std::uint32_t deliveries = take_on(message, connections_[from].session, from, now);
        if (deliveries == 0 && options_.report_no_matching_subscribers) {
            code = reason_code::no_matching_subscribers;
        }
    }
    if (message.qos != qos::at_most_once) {
        connections_[from].protocol.acknowledge(message, code, now);
        if (journal_ != nullptr && message.qos == qos::exactly_once) {
            note_identifier(connections_[from].session, message.packet_id);
        }
    }
    if (is_on(mutant::qos2_id_forgotten_after_pubrec) && message.qos == qos::exactly_once) {
        sessions_[connections_[from].session].state.inbound.erase(message.packet_id);
    }
}

/// Whether clients may publish to a topic at all, by PUBLISH or by will.
reason_code broker_core::check_topic(std::string_view topic, drop_reason& why) const {
    if (topic.front() == '$') {
        if (topic.starts_with("$share/")) {
            why = drop_reason::topic_name_invalid;
            return reason_code::topic_name_invalid;
        }
        if (topic == "$SYS" || topic.starts_with("$SYS/") || !options_.allow_dollar_topics) {
            why = drop_reason::not_authorized;
            return reason_code::not_authorized;
        }
    }
    if (topic.size() > options_.topic_bytes_max ||
        (topic.size() >= options_.topic_levels_max &&
         topic_level_count(topic) > options_.topic_levels_max)) {
        why = drop_reason::topic_name_invalid;
        return reason_code::topic_name_invalid;
    }
    return reason_code::success;
}

reason_code broker_core::check_publish(connection_id from, const fleetarium::publish& message,
                                       drop_reason& why) {
    const reason_code code = check_topic(message.topic, why);
    if (code != reason_code::success) {
        return code;
    }
    if (asks_ && !hooks_->authorize_publish(info_of(from), message)) {
        why = drop_reason::not_authorized;
        return reason_code::not_authorized;
    }
    return reason_code::success;
}

std::uint32_t broker_core::take_on(const fleetarium::publish& message, session_index publisher,
                                   connection_id from, instant now) {
    ++messages_taken_on_;
    if (from != no_connection) {
        ++metrics_.publish_received[static_cast<std::size_t>(message.qos)];
    }
    message_origin origin;
    origin.identity = observes_messages_ ? hooks_->identify(from, messages_taken_on_, message, now)
                                         : message_identity{messages_taken_on_, now};
    // Read from the connection where there is one: the session is not needed for more.
    origin.publisher = from != no_connection     ? connections_[from].client_id_hash
                       : publisher != no_session ? sessions_[publisher].client_id_hash
                                                 : 0;
    if (message.message_expiry_interval) {
        origin.expires_at = now + std::chrono::seconds{*message.message_expiry_interval};
    }
    emit({.what = broker_event::kind::received,
          .at = now,
          .connection = from,
          .session = publisher,
          .topic = message.topic,
          .identity = origin.identity,
          .qos = message.qos,
          .flag = message.retain});
    outgoing out(message, origin, memory_.messages());
    const bool kept =
        message.qos == qos::at_most_once || !is_on(mutant::retained_dropped_above_qos0);
    if (message.retain && kept) {
        retain(out, now);
    }
    const std::uint32_t deliveries = deliver_to_all(out, now);
    emit({.what = broker_event::kind::routed,
          .at = now,
          .connection = from,
          .session = publisher,
          .topic = out.topic(),
          .identity = origin.identity,
          .count = deliveries,
          .qos = message.qos});
    if (deliveries == 0) {
        report_drop(origin.identity, out.topic(), out.qos(), no_session, drop_reason::no_subscriber,
                    now);
    } else {
        ++metrics_.publish_routed;
    }
    return deliveries;
}

void broker_core::retain(outgoing& out, instant now) {
    if (out.empty_payload()) {  // v5/MQTT-3.3.1-6, v3/MQTT-3.3.1-10
        if (is_on(mutant::retained_not_cleared)) {
            return;
        }
        remove_retained(out.topic(), out.origin.identity, drop_reason::none, now);
        return;
    }
    const message_ptr* const known = retained_.find(out.topic());
    if (known != nullptr && is_on(mutant::retained_not_replaced)) {
        return;
    }
    const std::size_t freed = known == nullptr ? 0 : (*known)->memory_bytes();
    const message_ptr& kept = out.hold();
    const bool fits =
        (known != nullptr || retained_.size() < options_.retained_messages_max) &&
        retained_.message_bytes() - freed + kept->memory_bytes() <= options_.retained_bytes_max;
    const bool is_short = known == nullptr && memory_.sheds(shedding::growth);
    if (!fits || is_short) {
        const drop_reason why = is_short ? drop_reason::memory_ceiling : drop_reason::retained_full;
        metrics_.shed[index_of(shedding::growth)] += is_short;
        // The older message is out of date all the same [v3/MQTT-3.3.1-7].
        remove_retained(out.topic(), out.origin.identity, why, now);
        report_drop(out.origin.identity, out.topic(), out.qos(), no_session, why, now);
        return;
    }
    const message_ptr replaced = retained_.set(kept);
    if (journal_ != nullptr) {
        journal_->retained(kept, replaced);
    }
    replays_.note_retained(kept);
    if (replaced) {
        replays_.note_no_longer_retained(replaced);
    }
    if (replaced && replaced->expires_at() != never) {
        expiring_retained_.erase(replaced);
    }
    if (kept->expires_at() != never) {
        expiring_retained_.insert(kept);
        arm_retained(now);
    }
    emit({.what = broker_event::kind::retained,
          .at = now,
          .topic = out.topic(),
          .identity = out.origin.identity,
          .qos = out.qos()});
}

void broker_core::remove_retained(std::string_view topic, const message_identity& by,
                                  drop_reason why, instant now) {
    const message_ptr removed = retained_.erase(topic);
    if (!removed) {
        return;
    }
    replays_.note_no_longer_retained(removed);
    if (removed->expires_at() != never) {
        expiring_retained_.erase(removed);
    }
    if (journal_ != nullptr) {
        journal_->retained_removed(removed);
    }
    emit({.what = broker_event::kind::retained_removed,
          .at = now,
          .topic = topic,
          .identity = by,
          .why = why});
}

// Who gets it

std::uint32_t broker_core::deliver_to_all(outgoing& out, instant now) {
    tree_.match(out.topic(), match_);
    if (match_.empty()) {
        return 0;
    }
    std::uint32_t deliveries = 0;
    const bool separate =
        match_.plain.size() == 1 ||  // a session is in one filter once
        options_.overlapping_subscriptions == overlapping_subscriptions::copy_per_subscription;
    if (!separate) {
        deliveries = deliver_merged(out, now);
    } else {
        for (const auto& subscribers : match_.plain) {
            for (const subscription& by : subscribers) {
                if (by.options.no_local &&
                    sessions_[by.session].client_id_hash == out.origin.publisher) {
                    continue;  // v5/MQTT-3.8.3-3
                }
                deliver_by(out, by, now);
                ++deliveries;
            }
        }
    }
    for (shared_group* const group : match_.shared) {
        deliveries += deliver_shared(out, *group, no_session, now) ? 1 : 0;
    }
    return deliveries;
}

void broker_core::deliver_by(outgoing& out, const subscription& by, instant now) {
    // v5/MQTT-3.3.1-12, v5/MQTT-3.3.1-13, v3/MQTT-3.3.1-9
    const bool flag = out.retain && by.options.retain_as_published;
    if (is_on(mutant::qos0_sent_twice) && out.qos() == qos::at_most_once) {
        deliver(out, by.session, by.options.qos, flag, {}, nullptr, now);
    }
    deliver(out, by.session, by.options.qos, flag, {&by.identifier, by.identifier == 0 ? 0u : 1u},
            nullptr, now);
}

/// One copy for each session, however many of its subscriptions match: at the highest QoS, with all
/// identifiers [v5/MQTT-3.3.4-2, v5/MQTT-3.3.4-4], with RETAIN if one of them wants it kept.
std::uint32_t broker_core::deliver_merged(outgoing& out, instant now) {
    merged_.clear();
    std::uint32_t order = 0;
    for (const auto& subscribers : match_.plain) {
        for (const subscription& by : subscribers) {
            if (!by.options.no_local ||
                sessions_[by.session].client_id_hash != out.origin.publisher) {
                merged_.push_back({by.session, order++, &by});
            }
        }
    }
    std::sort(merged_.begin(), merged_.end(),
              [](const merged_delivery& a, const merged_delivery& b) {
                  return a.session != b.session ? a.session < b.session : a.order < b.order;
              });
    std::uint32_t deliveries = 0;
    for (std::size_t first = 0; first < merged_.size();) {
        const session_index to = merged_[first].session;
        enum qos granted = qos::at_most_once;
        bool flag = false;
        identifiers_.clear();
        for (; first < merged_.size() && merged_[first].session == to; ++first) {
            const subscription& by = *merged_[first].by;
            granted = is_on(mutant::overlap_delivers_lower_qos) ? by.options.qos
                                                                : std::max(granted, by.options.qos);
            flag = flag || (out.retain && by.options.retain_as_published);
            if (by.identifier != 0) {
                identifiers_.push_back(by.identifier);
            }
        }
        deliver(out, to, granted, flag, identifiers_, nullptr, now);
        ++deliveries;
    }
    return deliveries;
}

bool broker_core::deliver_shared(outgoing& out, shared_group& group, session_index except,
                                 instant now) {
    const auto is_connected = [&](const subscription& member) {
        return member.session != except && (sessions_[member.session].connection != no_connection ||
                                            is_on(mutant::shared_given_to_absent_member));
    };
    const subscription* by = group.pick(is_connected);
    if (by == nullptr) {
        by = group.pick([&](const subscription& member) { return member.session != except; });
    }
    if (by == nullptr) {
        return false;
    }
    deliver(out, by->session, by->options.qos, out.retain && by->options.retain_as_published,
            {&by->identifier, by->identifier == 0 ? 0u : 1u}, &group, now);  // v5/MQTT-4.8.2-3
    if (is_on(mutant::shared_sent_to_two_members) && except == no_session) {
        deliver_shared(out, group, by->session, now);
    }
    return true;
}

/// How many of the shared subscriptions that the session has and the message at hand matches come
/// before this one: so that what is left of it can be given to another member of the same. Behind
/// very many groups, whose number is in the hands of clients, it is not counted but the last.
unsigned broker_core::place_of_group(const shared_group& group, session_index member) const {
    constexpr int groups_max = 64;
    unsigned place = 0;
    int seen = 0;
    for (const shared_group* const each : match_.shared) {
        if (each == &group || place == delivery::group_place_max) {
            break;
        }
        if (++seen > groups_max) {
            return delivery::group_place_max;
        }
        place += tree_.find(each->filter(), member) != nullptr ? 1u : 0u;
    }
    return place;
}

// How it gets there

// NOLINTNEXTLINE(readability-function-size): each way that a message can go, in the order of cost
void broker_core::deliver(outgoing& out, session_index to, enum qos granted, bool retain,
                          std::span<const std::uint32_t> identifiers, const shared_group* by,
                          instant now) {
    const enum qos delivered_qos = is_on(mutant::delivery_qos_not_capped)
                                       ? out.qos()
                                       : std::min(out.qos(), granted);  // v5/MQTT-3.8.4-8
    session& receiver = sessions_[to];
    if (is_on(mutant::subscription_identifier_lost)) {
        identifiers = {};
    }
    ++metrics_.deliveries[static_cast<std::size_t>(delivered_qos)];
    const bool connected = receiver.connection != no_connection;
    if (is_on(mutant::subscription_effective_late) && connected &&
        connections_[receiver.connection].refused) {  // its mark: see handle_subscribe
        return;
    }
    const bool congested = connected && (connections_[receiver.connection].congested ||
                                         is_full(connections_[receiver.connection]));
    // Where QoS 0 may wait in the queue, what comes later waits behind it [v5/MQTT-4.6.0-6].
    const bool overtakes = (receiver.holds_qos_0 || options_.queue_qos_0_offline) &&
                           receiver.state.outbound.pending() != 0;
    if (delivered_qos == qos::at_most_once && connected && !congested && !overtakes) {
        if (receiver.holds_qos_0) {
            receiver.holds_qos_0 = false;
        }
        if (out.expired(now)) {
            report_drop(out.origin.identity, out.topic(), delivered_qos, to, drop_reason::expired,
                        now);
            return;
        }
        encoded_publish wire = out.wire;
        wire.qos = qos::at_most_once;
        wire.retain = retain;
        wire.message_expiry_interval = out.remaining_expiry(now);
        wire.subscription_identifiers = identifiers;
        connection& target = connections_[receiver.connection];
        if (held_bytes_ > limits::held_output_bytes_max && target.last_held != 0) {
            report_drop(out.origin.identity, out.topic(), delivered_qos, to,
                        drop_reason::queue_full, now);
            return;
        }
        if (!target.protocol.send_qos_0(wire, now)) {
            report_drop(out.origin.identity, out.topic(), delivered_qos, to,
                        drop_reason::packet_too_large, now);
            return;
        }
        note_sent(target, wire.topic.size() + wire.forwardable_properties.size() +
                              5 * identifiers.size() + wire.payload.size());
        ++metrics_.publish_sent[0];
        list_output(receiver.connection, promises_all_);
        emit({.what = broker_event::kind::sent,
              .at = now,
              .connection = receiver.connection,
              .session = to,
              .topic = out.topic(),
              .identity = out.origin.identity,
              .qos = delivered_qos});
        return;
    }
    if (delivered_qos == qos::at_most_once) {
        if (!connected && !options_.queue_qos_0_offline) {
            report_drop(out.origin.identity, out.topic(), delivered_qos, to, drop_reason::offline,
                        now);
            return;
        }
        if (memory_.sheds(shedding::qos_0)) {
            ++metrics_.shed[index_of(shedding::qos_0)];
            report_drop(out.origin.identity, out.topic(), delivered_qos, to,
                        drop_reason::memory_ceiling, now);
            return;
        }
        receiver.holds_qos_0 = true;
    }
    delivery added;
    added.message = identifiers.size() > 1 ? out.hold()->with_subscription_identifiers(identifiers)
                                           : out.hold();
    added.subscription_identifier = identifiers.size() == 1 ? identifiers[0] : 0;
    added.qos = delivered_qos;
    added.retain = retain;
    added.shared = by != nullptr;
    added.group_place = (by != nullptr ? place_of_group(*by, to) : 0u) & delivery::group_place_max;
    enqueue(to, std::move(added), now);
}

void broker_core::enqueue(session_index to, delivery added, instant now) {
    session& receiver = sessions_[to];
    const bool waits =
        receiver.connection == no_connection || receiver.state.outbound.pending() != 0 ||
        connections_[receiver.connection].congested || is_full(connections_[receiver.connection]) ||
        connections_[receiver.connection].protocol.is_window_full();
    if (waits &&
        is_on(receiver.connection == no_connection ? mutant::offline_messages_not_queued
                                                   : mutant::message_lost_when_window_full)) {
        return;
    }
    if (waits) {
        if (!make_room(to, added, now)) {
            if (!is_on(mutant::full_queue_drops_in_silence)) {
                report_drop(added.message->identity(), added.message->topic(), added.qos, to,
                            drop_reason::queue_full, now);
            }
            return;
        }
        added.waited = true;
        emit({.what = broker_event::kind::queued,
              .at = now,
              .connection = receiver.connection,
              .session = to,
              .topic = added.message->topic(),
              .identity = added.message->identity(),
              .qos = added.qos});
    }
    receiver.queued_bytes += added.message->memory_bytes();
    if (session_journal* const journal = journal_of(to);
        journal != nullptr && added.qos != qos::at_most_once) {
        journal->queued(to, added);
    }
    receiver.state.outbound.push(std::move(added));
    send_deliveries(to, now);
    if (memory_.is_set()) {
        count_session(to);
    }
}

bool broker_core::make_room(session_index to, const delivery& added, instant now) {
    session& receiver = sessions_[to];
    const std::size_t bytes = added.message->memory_bytes();
    const auto fits = [&] {
        return receiver.state.outbound.pending() < options_.queue_messages_max &&
               receiver.queued_bytes + bytes <= options_.queue_bytes_max;
    };
    while (!fits()) {
        if (options_.queue_policy == queue_policy::drop_new || bytes > options_.queue_bytes_max) {
            return false;
        }
        if (!drop_oldest(to, drop_reason::queue_full, now)) {
            return false;
        }
    }
    return true;
}

/// Takes the oldest delivery never sent out of a queue; false if there is none.
bool broker_core::drop_oldest(session_index to, drop_reason why, instant now) {
    session& receiver = sessions_[to];
    const delivery oldest = receiver.state.outbound.remove_oldest_pending();
    if (!oldest.message) {
        return false;
    }
    receiver.queued_bytes -= oldest.message->memory_bytes();
    if (session_journal* const journal = journal_of(to);
        journal != nullptr && oldest.qos != qos::at_most_once) {
        journal->dropped(to, oldest);
    }
    report_drop(oldest.message->identity(), oldest.message->topic(), oldest.qos, to, why, now,
                oldest.waited);
    return true;
}

void broker_core::send_deliveries(session_index to, instant now) {
    session& receiver = sessions_[to];
    if (receiver.connection == no_connection) {
        return;
    }
    connection& target = connections_[receiver.connection];
    if (target.congested) {
        return;
    }
    session_journal* const journal = journal_of(to);
    delivery affected;
    for (;;) {
        if (is_full(target)) {
            await_turn(receiver.connection, now);
            return;
        }
        const send_step step = target.protocol.send_next(now, affected);
        if (step == send_step::idle && replays_.contains(to)) {
            await_turn(receiver.connection, now);
        }
        if (step == send_step::idle || step == send_step::window_full) {
            return;
        }
        list_output(receiver.connection);
        const message& about = *affected.message;
        note_sent(target,
                  about.topic().size() + about.properties().size() + about.payload().size());
        // One that was in flight before left the queue then, even if it is taken out only now.
        const bool was_in_flight = step != send_step::sent && affected.packet_id != 0;
        if (!was_in_flight) {
            receiver.queued_bytes -= about.memory_bytes();
        }
        if (step == send_step::resent) {
            ++metrics_.publish_resent[static_cast<std::size_t>(affected.qos)];
        }
        const bool given_up = step == send_step::expired || step == send_step::too_large;
        if (journal != nullptr && affected.qos != qos::at_most_once) {
            if (given_up && was_in_flight) {
                journal->completed(to, affected);
            } else if (given_up) {
                journal->dropped(to, affected);
            } else if (step == send_step::sent) {
                journal->first_sent(to, affected);
            }
        }
        if (given_up) {
            report_drop(
                about.identity(), about.topic(), affected.qos, to,
                step == send_step::expired ? drop_reason::expired : drop_reason::packet_too_large,
                now, affected.waited || was_in_flight, was_in_flight);
            continue;
        }
        metrics_.publish_sent[static_cast<std::size_t>(affected.qos)] += step == send_step::sent;
        if (affected.state != delivery_state::wait_pubcomp ||  // a PUBREL resent is no PUBLISH
            is_on(mutant::publish_resent_after_pubrec)) {
            emit({.what = broker_event::kind::sent,
                  .at = now,
                  .connection = receiver.connection,
                  .session = to,
                  .topic = about.topic(),
                  .identity = about.identity(),
                  .qos = affected.qos,
                  .flag = step == send_step::resent,
                  .known = step == send_step::resent || affected.waited});
        }
    }
}

void broker_core::report_drop(const message_identity& identity, std::string_view topic,
                              enum qos qos, session_index to, drop_reason why, instant now,
                              bool known, bool was_sent) {
    ++metrics_.dropped[static_cast<std::size_t>(why)];
    emit({.what = broker_event::kind::dropped,
          .at = now,
          .session = to,
          .topic = topic,
          .identity = identity,
          .qos = qos,
          .why = why,
          .flag = was_sent,
          .known = known});
}

/// A session ends with shared deliveries that its client has not taken on: another member gets
/// them, but for QoS 2 deliveries begun [v5/MQTT-4.8.2-5].
void broker_core::hand_over_shared(session_index from, instant now) {
    std::vector<delivery> orphans;
    sessions_[from].state.outbound.for_each([&](const delivery& one) {
        if (is_handed_over(one)) {
            orphans.push_back(one);
        }
    });
    std::vector<shared_group*> own;  // groups of this session that the topic at hand matches
    const message* matched = nullptr;
    std::uint64_t generation = 0;
    for (const delivery& one : orphans) {
        const message_ptr orphan = one.message;
        // This delivery ends here; what the other member gets is another one.
        report_drop(orphan->identity(), orphan->topic(), one.qos, from, drop_reason::session_ended,
                    now, true, one.packet_id != 0);
        if (matched == nullptr || matched->topic() != orphan->topic() ||
            generation != tree_.generation()) {
            tree_.match(orphan->topic(), match_);
            own.clear();
            for (shared_group* const group : match_.shared) {
                if (own.size() <= delivery::group_place_max &&
                    tree_.find(group->filter(), from) != nullptr) {
                    own.push_back(group);
                }
            }
            matched = &*orphan;
            generation = tree_.generation();
        }
        const std::size_t place = one.group_place == delivery::group_place_max && !own.empty()
                                      ? own.size() - 1
                                      : one.group_place;
        if (place < own.size() && !is_on(mutant::shared_lost_with_its_member)) {
            outgoing out(orphan);
            deliver_shared(out, *own[place], from, now);
        }
    }
}

}  // namespace fleetarium::broker
