#include <fleetarium/session/client_session.hpp>

#include <fleetarium/core/mutant.hpp>
#include <fleetarium/session/pending_requests.hpp>

#include <algorithm>

// What a client session makes of bytes and time, and what comes out of it; the verbs are in
// client_session.cpp.

namespace fleetarium {

// Input

client_event client_session::handle_bytes(bytes_view& input, instant now) {
    if (phase_ == phase::idle || phase_ == phase::closing) {
        input = {};
        return {};
    }
    frame in;
    const bool in_one_piece = endpoint_.is_between_packets();
    const frame_result result = endpoint_.next_frame(input, in, now);
    if (result.broken != violation::none) {
        return fail(result.broken, now);
    }
    if (!result.complete) {
        return {};
    }
    client_event event = handle_frame(in, now);
    if (is_on(mutant::client_loses_split_publish) && !in_one_piece &&
        std::holds_alternative<fleetarium::publish>(event)) {
        event = publish_repeated{};
    }
    if (std::holds_alternative<std::monostate>(event)) {
        endpoint_.release_frame();
    }
    return event;
}

client_event client_session::handle_frame(const frame& in, instant now) {
    const packet_type type = in.type();
    const bool authentication = type == packet_type::auth && authentication_method_ != nullptr;
    if (phase_ == phase::connecting && type != packet_type::connack && !authentication) {
        return fail(violation::first_packet_not_connack, now);  // v5/MQTT-3.2.0-1, v3/MQTT-3.2.0-1
    }
    switch (type) {
        case packet_type::publish: return handle_publish(in, now);
        case packet_type::puback:
        case packet_type::pubrec:
        case packet_type::pubcomp: return handle_delivery_acknowledgement(in, now);
        case packet_type::pubrel: {
            const violation broken = endpoint_.receive_pubrel(in, state_.inbound, now);
            return broken == violation::none ? client_event{} : fail(broken, now);
        }
        case packet_type::connack: return handle_connack(in, now);
        case packet_type::suback: return handle_request_answer<suback>(in, now);
        case packet_type::unsuback: return handle_request_answer<unsuback>(in, now);
        case packet_type::pingresp: {
            pingresp out;
            const violation broken = decode(in, version(), out);
            awaiting_since_ = never;
            return broken == violation::none ? client_event{out} : fail(broken, now);
        }
        case packet_type::disconnect: return handle_disconnect(in, now);
        case packet_type::auth: return handle_auth(in, now);
        case packet_type::connect:
        case packet_type::subscribe:
        case packet_type::unsubscribe:
        case packet_type::pingreq: return fail(violation::packet_type_wrong_direction, now);
    }
    return fail(violation::packet_type_reserved, now);
}

client_event client_session::handle_connack(const frame& in, instant now) {
    if (phase_ == phase::connected) {
        return fail(violation::second_connack, now);
    }
    connack answer;
    const violation broken = decode(in, version(), answer);
    if (broken != violation::none) {
        return fail(broken, now);
    }
    if (answer.code != reason_code::success) {
        phase_ = phase::closing;  // v5/MQTT-4.13.2-1
        refused_ = true;
        return answer;
    }
    const bool v5 = version() == protocol_version::v5;
    // v5/MQTT-3.2.2-4; 3.1.1 leaves the choice to the client, which goes on.
    if (answer.session_present && v5 && (!session_exists_ || clean_start_requested_)) {
        return fail(violation::session_present_without_session, now);
    }
    const bool same_method = authentication_method_
                                 ? answer.authentication_method == *authentication_method_
                                 : !answer.authentication_method;
    if (v5 && !same_method) {
        return fail(violation::authentication_method_changed, now);  // v5/MQTT-4.12.0-5
    }
    accepted_ = true;
    phase_ = phase::connected;
    awaiting_since_ = never;
    keep_alive_ = answer.server_keep_alive.value_or(keep_alive_);  // v5/MQTT-3.2.2-21
    if (v5 && answer.session_expiry_interval) {
        session_outlives_connection_ = *answer.session_expiry_interval > 0;
    }
    session_exists_ = session_outlives_connection_;
    if (answer.assigned_client_identifier) {
        client_id_hash_ = hash_of(*answer.assigned_client_identifier);
    }
    server_maximum_qos_ = answer.maximum_qos.value_or(qos::exactly_once);
    server_retain_available_ = answer.retain_available.value_or(true);
    server_wildcards_available_ = answer.wildcard_subscription_available.value_or(true);
    server_shared_available_ = answer.shared_subscription_available.value_or(true);
    server_identifiers_available_ = answer.subscription_identifier_available.value_or(true);
    const std::uint16_t aliases =
        options_->use_topic_aliases ? answer.topic_alias_maximum.value_or(0) : std::uint16_t{0};
    connection_limits of_server{answer.receive_maximum.value_or(65'535), aliases,
                                answer.maximum_packet_size.value_or(limits::packet_size_max)};
    if (is_on(mutant::client_receive_maximum_ignored)) {
        of_server.receive_maximum = 65'535;
    } else if (is_on(mutant::client_maximum_packet_size_ignored)) {
        of_server.maximum_packet_size = limits::packet_size_max;
    }
    endpoint_.set_peer_limits(of_server);
    if (!answer.session_present && !is_on(mutant::client_keeps_state_of_lost_session)) {
        discard_in_flight();  // v5/MQTT-3.2.2-5
    }
    send_deliveries(now);
    return answer;
}

client_event client_session::handle_publish(const frame& in, instant now) {
    // Decoded in its place: an event is large, and this is the path of every message.
    client_event event(std::in_place_type<fleetarium::publish>);
    auto& message = *std::get_if<fleetarium::publish>(&event);
    const violation broken = endpoint_.receive_publish(in, state_.inbound, message);
    if (broken != violation::none) {
        event = fail(broken, now);
        return event;
    }
    if (message.qos != qos::at_most_once) {
        const bool repeat = (endpoint::is_repeat(message, state_.inbound) &&
                             !is_on(mutant::client_delivers_repeated_qos2)) ||
                            (message.qos == qos::at_least_once && message.dup &&
                             is_on(mutant::client_discards_dup));
        const std::uint16_t packet_id = message.packet_id;
        if (repeat && is_on(mutant::client_does_not_answer_repeated_qos2)) {
            event = publish_repeated{packet_id};
            return event;
        }
        endpoint_.acknowledge(message.qos, packet_id, reason_code::success, state_.inbound, now);
        if (repeat) {
            event = publish_repeated{packet_id};
        }
    }
    return event;
}

client_event client_session::handle_delivery_acknowledgement(const frame& in, instant now) {
    std::optional<delivery_acknowledged> done;
    const violation broken = endpoint_.receive_acknowledgement(in, state_.outbound, now, done);
    if (broken != violation::none) {
        return fail(broken, now);
    }
    if (!done) {
        return {};
    }
    send_deliveries(now);
    return std::move(*done);
}

template <class Answer>
client_event client_session::handle_request_answer(const frame& in, instant now) {
    Answer answer;
    const violation broken = decode(in, version(), answer);
    if (broken != violation::none) {
        return fail(broken, now);
    }
    if (!requests_ ||
        !requests_->take(answer.packet_id, in.type(), answer.codes.size(), version())) {
        return fail(violation::acknowledgement_unexpected, now);
    }
    if (requests_->ids.empty()) {
        requests_.reset();
    }
    send_deliveries(now);  // a packet id is free again
    return answer;
}

client_event client_session::handle_disconnect(const frame& in, instant now) {
    if (version() == protocol_version::v3_1_1) {
        return fail(violation::packet_type_wrong_direction, now);
    }
    fleetarium::disconnect farewell;
    const violation broken = decode(in, version(), farewell);
    if (broken != violation::none) {
        return fail(broken, now);
    }
    if (farewell.session_expiry_interval) {
        return fail(violation::session_expiry_from_server, now);  // v5/MQTT-3.14.2-2
    }
    phase_ = phase::closing;
    return farewell;
}

client_event client_session::handle_auth(const frame& in, instant now) {
    if (!authentication_method_) {
        return fail(violation::authentication_not_begun, now);
    }
    auth exchange;
    const violation broken = decode(in, version(), exchange);
    if (broken != violation::none) {
        return fail(broken, now);
    }
    const bool ends = exchange.code == reason_code::success;
    const bool in_exchange = phase_ == phase::connecting || re_authenticates_;
    // A server may end re-authentication by the short form, which has no method.
    const bool same_method = exchange.authentication_method == *authentication_method_ ||
                             (ends && !exchange.authentication_method);
    if (!same_method) {
        return fail(violation::authentication_method_changed, now);  // v5/MQTT-4.12.0-5
    }
    if (exchange.code == reason_code::re_authenticate || !in_exchange ||
        (ends && phase_ == phase::connecting)) {
        return fail(violation::authentication_out_of_order, now);
    }
    if (ends) {
        re_authenticates_ = false;
    }
    return exchange;
}

client_event client_session::fail(violation broken, instant now) {
    // MQTT 5 section 4.13: the client may say why. In 3.1.1 it just closes.
    if (version() == protocol_version::v5 && phase_ == phase::connected) {
        fleetarium::disconnect farewell;
        farewell.code = describe(broken).code;
        endpoint_.send(farewell, now);
    }
    phase_ = phase::closing;
    return protocol_violation{broken};
}

client_event client_session::handle_timeout(instant now) {
    if (now < poll_timeout()) {
        return {};
    }
    if (awaiting_since_ != never &&
        now >= saturating_add(awaiting_since_, options_->response_timeout)) {
        phase_ = phase::closing;
        return protocol_violation{violation::response_timeout};
    }
    ping(now);  // v5/MQTT-3.1.2-20, v3/MQTT-3.1.2-23
    return {};
}

void client_session::handle_closed(instant) {
    if (phase_ == phase::idle) {
        return;
    }
    phase_ = phase::idle;
    awaiting_since_ = never;
    endpoint_.close();
    requests_.reset();
    state_.outbound.rewind();
    if (is_on(mutant::client_forgets_received_ids)) {
        state_.inbound.clear();
    }
    if (accepted_) {
        session_exists_ = session_outlives_connection_;
        if (!session_exists_) {
            discard_in_flight();
        }
    } else if (!refused_ && session_outlives_connection_) {
        // CONNECT may have reached the server, which then holds the session that it asked for.
        session_exists_ = true;
    }
}

// Output

instant client_session::poll_timeout() const {
    if (phase_ == phase::idle || phase_ == phase::closing) {
        return never;
    }
    const instant response = awaiting_since_ == never
                                 ? never
                                 : saturating_add(awaiting_since_, options_->response_timeout);
    if (phase_ == phase::connecting || keep_alive_ == 0) {
        return response;
    }
    // A PINGREQ not answered does not end the duty to send the next one in time.
    const int periods = is_on(mutant::client_pings_late) ? 2 : 1;
    const std::chrono::seconds interval = std::chrono::seconds{keep_alive_} * periods;
    instant due = std::min(response, endpoint_.last_sent() + interval);
    if (awaiting_since_ == never && state_.outbound.in_flight() != 0) {
        // Who publishes all the time never has to send PINGREQ, and would not learn that nobody
        // answers any more.
        due = std::min(due, saturating_add(endpoint_.last_received() + interval,
                                           options_->response_timeout));
    }
    return due;
}

std::vector<delivery_dropped> client_session::poll_dropped() {
    std::vector<delivery_dropped> taken;
    if (dropped_) {
        taken = std::move(*dropped_);
        dropped_.reset();
    }
    return taken;
}

void client_session::send_deliveries(instant now) {
    if (!is_connected()) {
        return;
    }
    delivery affected;
    for (;;) {
        if (server_maximum_qos_ != qos::exactly_once || !server_retain_available_) {
            drop_what_the_server_refuses();
        }
        switch (endpoint_.send_next(state_.outbound, requested_ids(), now, affected)) {
            case send_step::idle:
            case send_step::window_full: return;
            case send_step::sent:
            case send_step::resent: break;
            case send_step::expired: drop(affected, delivery_dropped::reason::expired); break;
            case send_step::too_large: drop(affected, delivery_dropped::reason::too_large); break;
        }
    }
}

/// What was queued while the server's abilities were not known.
void client_session::drop_what_the_server_refuses() {
    while (const delivery* const next = state_.outbound.at_cursor()) {
        if (next->state == delivery_state::wait_pubcomp) {
            return;
        }
        if (next->qos > server_maximum_qos_) {  // v5/MQTT-3.2.2-11
            drop(*next, delivery_dropped::reason::qos_not_supported);
        } else if (next->retain && !server_retain_available_) {  // v5/MQTT-3.2.2-14
            drop(*next, delivery_dropped::reason::retain_not_supported);
        } else {
            return;
        }
        state_.outbound.remove_at_cursor();
    }
}

void client_session::drop(delivery dropped, delivery_dropped::reason why) {
    if (!dropped_) {
        dropped_ = std::make_unique<std::vector<delivery_dropped>>();
    }
    dropped_->push_back({std::move(dropped), why});
}

void client_session::lose_memory() {
    discard_in_flight();
    state_.outbound.for_each(
        [&](const delivery& one) { drop(one, delivery_dropped::reason::session_ended); });
    state_.outbound.clear();
    session_exists_ = false;
}

void client_session::discard_in_flight() {
    state_.inbound.clear();
    if (state_.outbound.in_flight() == 0) {
        return;
    }
    outbound_flow kept;
    state_.outbound.for_each([&](const delivery& one) {
        if (one.state == delivery_state::pending) {
            kept.push(one);
        } else {
            drop(one, delivery_dropped::reason::session_ended);
        }
    });
    // The ids go on from where they were: an old acknowledgement must not hit a new message.
    kept.continue_packet_ids_of(state_.outbound);
    state_.outbound = std::move(kept);
}

}  // namespace fleetarium
