// From CONNECT to the end of a session: sections 3.1, 3.2, 3.14 and 4.1 of MQTT 5.

#include <fleetarium/broker/broker_core.hpp>

#include <fleetarium/broker/session_journal.hpp>
#include <fleetarium/broker/shared_delivery.hpp>
#include <fleetarium/codec/reason_code_table.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/mutant.hpp>

#include <algorithm>

namespace fleetarium::broker {

namespace {

bool is_v5(const connect& request) { return request.version == protocol_version::v5; }

std::vector<std::uint8_t> bytes_of(const connect& request) {
    wire_buffer encoded;
    encode(request, encoded);
    std::vector<std::uint8_t> out;
    encoded.for_each_part(
        [&](bytes_view part) { out.insert(out.end(), part.begin(), part.end()); });
    return out;
}

fleetarium::publish message_of(const will& asked) {
    fleetarium::publish out;
    out.topic = asked.topic;
    out.payload = asked.payload;
    out.qos = asked.qos;
    out.retain = asked.retain;
    out.payload_format_indicator = asked.payload_format_indicator;
    out.content_type = asked.content_type;
    out.response_topic = asked.response_topic;
    out.correlation_data = asked.correlation_data;
    out.user_properties = asked.user_properties;
    return out;
}

/// A failure of an embedder's choice as one that CONNACK may hold [v5/MQTT-3.2.2-8].
reason_code as_connack_failure(reason_code code) {
    const bool fits =
        is_failure(code) && detail::may_hold(packet_type::connack, static_cast<std::uint8_t>(code));
    return fits ? code : reason_code::unspecified_error;
}

/// Whether a server may send the code in DISCONNECT (MQTT 5 section 3.14.2.1).
bool may_end_connection(reason_code code) {
    return code != reason_code::disconnect_with_will_message &&  // a client's
           code != reason_code::bad_authentication_method &&     // accepted, not sent
           detail::may_hold(packet_type::disconnect, static_cast<std::uint8_t>(code));
}

/// A failed re-authentication as a code of DISCONNECT: 0x86 and others are CONNACK's alone.
reason_code as_disconnect_failure(reason_code code) {
    return is_failure(code) && may_end_connection(code) ? code : reason_code::not_authorized;
}

}  // namespace

// CONNECT

void broker_core::handle_connect(connection_id from, const connect& request, instant now) {
    connection& source = connections_[from];
    if (request.user_name && !source.vouched) {
        source.user_name = std::make_unique<std::string>(*request.user_name);
    }
    const bool is_short = memory_.sheds(shedding::connections);
    metrics_.shed[index_of(shedding::connections)] += is_short;
    const refusal refused =
        is_short            ? refusal{reason_code::server_busy, "memory is short"}
        : refuses_connects_ ? refusal{reason_code::server_busy, "too much waits to be done"}
        : source.refused    ? refusal{source.refusal, "too many connections"}
                            : check_connect(request);
    if (refused.code != reason_code::success) {
        refuse_connect(from, request, refused, now);
        return;
    }
    client_info client = info_of(from);
    client.client_id = request.client_id;
    authentication_step step;
    if (request.authentication_method) {
        step = hooks_->authenticate_enhanced(client, *request.authentication_method,
                                             request.authentication_data.value_or(bytes_view{}));
    } else if (const reason_code code = hooks_->authenticate(client, request);
               code != reason_code::success) {
        step = {authentication_step::outcome::failed, {}, code};
    }
    continue_connect(from, request, step, now);
}

broker_core::refusal broker_core::check_connect(const connect& request) const {
    if (request.client_id.empty() && !is_v5(request) && !request.clean_start) {
        // v3/MQTT-3.1.3-8
        return {reason_code::client_identifier_not_valid, "an empty client identifier"};
    }
    if (!request.will) {
        return {};
    }
    const will& asked = *request.will;
    if (asked.qos > options_.maximum_qos) {  // v5/MQTT-3.2.2-12
        return {reason_code::qos_not_supported, "the QoS of the will is too high"};
    }
    if (asked.retain && !options_.retain_available) {  // v5/MQTT-3.2.2-13
        return {reason_code::retain_not_supported, "a retained will"};
    }
    drop_reason why = drop_reason::none;
    const reason_code code = check_topic(asked.topic, why);
    if (code != reason_code::success) {
        return {code, "the topic of the will is not allowed"};
    }
    return {};
}

void broker_core::continue_connect(connection_id from, const connect& request,
                                   const authentication_step& step, instant now) {
    switch (step.result) {
        case authentication_step::outcome::succeeded: {
            const std::string assigned =
                request.client_id.empty() ? make_client_id() : std::string();
            client_info client = info_of(from);
            client.client_id = assigned.empty() ? request.client_id : assigned;
            if (request.will && !hooks_->authorize_publish(client, message_of(*request.will))) {
                refuse_connect(from, request,
                               {reason_code::not_authorized, "the will is not authorised"}, now);
                return;
            }
            accept_connect(from, request, client.client_id, step.data, now);
            return;
        }
        case authentication_step::outcome::challenged: {
            connection& source = connections_[from];
            source.pending = std::make_unique<std::vector<std::uint8_t>>(bytes_of(request));
            auth exchange;
            exchange.authentication_data = as_bytes_view(step.data);
            source.protocol.challenge(exchange, now);
            return;
        }
        case authentication_step::outcome::failed:
            refuse_connect(from, request, {as_connack_failure(step.code), {}}, now);
            return;
    }
}

void broker_core::handle_auth(connection_id from, const auth& exchange, instant now) {
    if (connections_[from].pending) {
        resume_connect(from, exchange, now);
        return;
    }
    server_session& protocol = connections_[from].protocol;
    const authentication_step step =
        hooks_->authenticate_enhanced(info_of(from), *exchange.authentication_method,
                                      exchange.authentication_data.value_or(bytes_view{}));
    auth answer;
    if (!step.data.empty()) {
        answer.authentication_data = as_bytes_view(step.data);
    }
    switch (step.result) {
        case authentication_step::outcome::succeeded:
            protocol.finish_re_authentication(answer, now);
            return;
        case authentication_step::outcome::challenged: protocol.challenge(answer, now); return;
        case authentication_step::outcome::failed:  // v5/MQTT-4.12.1-2
            end_connection(from, as_disconnect_failure(step.code), now);
            return;
    }
}

/// AUTH before CONNACK: goes on with the CONNECT that began the exchange, read again.
void broker_core::resume_connect(connection_id from, const auth& exchange, instant now) {
    const auto bytes = std::move(connections_[from].pending);
    bytes_view rest = *bytes;
    frame in;
    connect request;
    split_frame(rest, in);
    const violation broken = decode(in, request);
    FLEETARIUM_ASSERT(broken == violation::none);
    client_info client = info_of(from);
    client.client_id = request.client_id;
    const authentication_step step =
        hooks_->authenticate_enhanced(client, *exchange.authentication_method,
                                      exchange.authentication_data.value_or(bytes_view{}));
    continue_connect(from, request, step, now);
}

void broker_core::refuse_connect(connection_id from, const connect& request, const refusal& refused,
                                 instant now) {
    connack answer;
    answer.code = refused.code;
    if (!refused.phrase.empty()) {
        answer.reason_string = refused.phrase;
    }
    connections_[from].protocol.refuse(answer, now);
    note_refused(from, request.client_id, refused.code, violation::none, now);
}

void broker_core::note_refused(connection_id from, std::string_view client_id, reason_code code,
                               violation broken, instant now) {
    ++metrics_.connections_refused;
    emit({.what = broker_event::kind::refused,
          .at = now,
          .connection = from,
          .client_id = client_id,
          .count = static_cast<std::uint32_t>(info_of(from).version),
          .code = code,
          .broken = broken});
}

std::uint32_t broker_core::expiry_interval_for(const connect& request) const {
    // Clean Session 1 ends with the connection, 0 never by the standard of 3.1.1.
    const std::uint32_t asked = is_v5(request)        ? request.session_expiry_interval.value_or(0)
                                : request.clean_start ? 0
                                                      : session_expiry_never;
    return std::min(asked, options_.session_expiry_maximum);
}

std::uint32_t broker_core::packet_size_maximum(const connection& source) const {
    return std::min(options_.maximum_packet_size, source.maximum_packet_size);
}

connack broker_core::make_connack(const connection& source, const connect& request,
                                  std::uint32_t expiry_interval) const {
    connack out;
    if (!is_v5(request)) {
        return out;
    }
    if (expiry_interval != request.session_expiry_interval.value_or(0)) {
        out.session_expiry_interval = expiry_interval;
    }
    if (options_.receive_maximum != 65'535) {
        out.receive_maximum = options_.receive_maximum;
    }
    if (options_.maximum_qos != qos::exactly_once) {
        out.maximum_qos = options_.maximum_qos;  // v5/MQTT-3.2.2-9
    }
    if (packet_size_maximum(source) < limits::packet_size_max) {
        out.maximum_packet_size = packet_size_maximum(source);
    }
    if (options_.topic_alias_maximum != 0) {
        out.topic_alias_maximum = options_.topic_alias_maximum;
    }
    const auto say_if_not = [](bool available) {
        return available ? std::optional<bool>() : std::optional<bool>(false);
    };
    out.retain_available = say_if_not(options_.retain_available);
    out.wildcard_subscription_available = say_if_not(options_.wildcard_subscription_available);
    out.subscription_identifier_available = say_if_not(options_.subscription_identifier_available);
    out.shared_subscription_available = say_if_not(options_.shared_subscription_available);
    out.server_keep_alive = options_.server_keep_alive;
    if (request.request_response_information.value_or(false) &&
        !options_.response_information.empty()) {
        out.response_information = options_.response_information;  // v5/MQTT-3.1.2-28
    }
    return out;
}

std::unique_ptr<stored_will> broker_core::make_will(const connect& request,
                                                    std::string_view client_id, instant now) {
    if (!request.will) {
        return nullptr;
    }
    auto out = std::make_unique<stored_will>();
    out->message =
        message::make(message_of(*request.will),
                      {{0, now}, session_registry::hash_of(client_id), never}, memory_.messages());
    out->delay_interval = request.will->delay_interval;
    out->message_expiry_interval = request.will->message_expiry_interval;
    return out;
}

// NOLINTNEXTLINE(readability-function-size): what a CONNECT leads to, in the order of the standard
void broker_core::accept_connect(connection_id from, const connect& request,
                                 std::string_view client_id, std::string_view authentication_data,
                                 instant now) {
    session_index index = sessions_.find(client_id);
    const std::unique_ptr<std::string>& user_name = connections_[from].user_name;
    const std::uint64_t user =
        session_registry::hash_of(user_name ? std::string_view(*user_name) : std::string_view());
    if (index != no_session && options_.sessions_belong_to_users &&
        sessions_[index].owner_hash != 0 && sessions_[index].owner_hash != user) {
        ++metrics_.sessions_denied;
        refuse_connect(from, request,
                       {reason_code::not_authorized, "the session belongs to another user"}, now);
        return;
    }
    if (index != no_session) {
        if (sessions_[index].connection != no_connection) {
            take_over(index, now);
        } else {
            settle_session(index, now);
        }
        index = sessions_.find(client_id);  // it may have ended
    }
    const bool stays = is_on(mutant::clean_start_keeps_session) && request.clean_start;
    if (index != no_session && request.clean_start && !stays) {
        end_session(index, now);  // v5/MQTT-3.1.2-4, v3/MQTT-3.1.2-6
        index = no_session;
    }
    const bool present = index != no_session;
    if (!present && sessions_.size() >= options_.sessions_max) {
        refuse_connect(from, request, {reason_code::quota_exceeded, "too many sessions"}, now);
        return;
    }
    if (!present) {
        index = sessions_.make(client_id);
    }

    session& owner = sessions_[index];
    connection& source = connections_[from];
    const std::uint32_t expiry_interval = expiry_interval_for(request);
    connack answer = make_connack(source, request, expiry_interval);
    answer.session_present = present && !stays && !is_on(mutant::session_present_missing);
    if (request.client_id.empty() && is_v5(request)) {
        answer.assigned_client_identifier = owner.client_id();  // v5/MQTT-3.1.3-7
    }
    if (!authentication_data.empty()) {
        answer.authentication_data = as_bytes_view(authentication_data);
    }
    const std::uint16_t keep_alive = is_v5(request) && options_.server_keep_alive
                                         ? *options_.server_keep_alive
                                         : request.keep_alive;
    if (!source.protocol.accept(answer, limits_for(source, request), keep_alive, owner.state,
                                now)) {
        // CONNACK is over the client's Maximum Packet Size. A session that was there stays as the
        // end of its last connection left it.
        if (!present) {
            sessions_.erase(index);
        }
        note_refused(from, client_id, reason_code::packet_too_large, violation::none, now);
        return;
    }
    owner.owner_hash = user;
    owner.expiry_interval = expiry_interval;
    owner.expires_at = never;
    if (is_on(mutant::will_published_after_reconnect) && owner.will) {
        publish_will(index, now);
    }
    owner.will = make_will(request, client_id, now);  // v5/MQTT-3.1.3-9: an older one is cancelled
    owner.connection = from;
    source.session = index;
    source.client_id_hash = owner.client_id_hash;
    source.accepted = true;
    ++connected_;
    ++metrics_.connections_accepted;
    metrics_.sessions_resumed += present;
    arm_connection(from, now);
    if (session_journal* const journal = journal_of(index)) {
        journal->session_changed(index, owner);
    } else if (journal_ != nullptr) {
        journal_->session_ended(index, owner);  // it ends with this connection, whatever comes
    }
    emit({.what = broker_event::kind::connected,
          .at = now,
          .connection = from,
          .session = index,
          .client_id = owner.client_id(),
          .count = static_cast<std::uint32_t>(source.protocol.version()),
          .flag = present});
    if (is_on(mutant::queue_order_lost_on_resume) && owner.state.outbound.pending() != 0) {
        owner.state.outbound.push(owner.state.outbound.remove_oldest_pending());
    }
    send_deliveries(index, now);
}

connection_limits broker_core::limits_for(const connection& source, const connect& request) const {
    connection_limits out{options_.receive_maximum, options_.topic_alias_maximum,
                          packet_size_maximum(source)};
    if (!is_v5(request)) {
        // It cannot be told: its packet identifiers are the only bound that it knows.
        out.receive_maximum = 65'535;
    }
    return out;
}

void broker_core::take_over(session_index index, instant now) {
    if (is_on(mutant::will_lost_on_take_over)) {
        sessions_[index].will.reset();
    } else if (is_on(mutant::take_over_leaves_old_connection)) {
        const connection_id old = sessions_[index].connection;
        connections_[old].protocol.detach();
        detach(old, reason_code::session_taken_over, violation::none, now);
        return;
    }
    // v5/MQTT-3.1.4-3, v3/MQTT-3.1.4-2
    end_connection(sessions_[index].connection, reason_code::session_taken_over, now);
    ++metrics_.sessions_taken_over;
}

std::string broker_core::make_client_id() {
    // v5/MQTT-3.2.2-16: unlike any other on this server.
    std::string made;
    do {
        made = "auto-" + std::to_string(hooks_->number_client_id(++client_ids_made_));
    } while (sessions_.find(made) != no_session);
    return made;
}

// The end of a connection

result<void> broker_core::disconnect(std::string_view client_id, reason_code code, instant now) {
    if (!may_end_connection(code)) {
        return error::invalid_argument;
    }
    const session_index index = sessions_.find(client_id);
    if (index == no_session || sessions_[index].connection == no_connection) {
        return error::not_connected;
    }
    end_connection(sessions_[index].connection, code, now);
    return {};
}

void broker_core::end_connection(connection_id id, reason_code code, instant now) {
    fleetarium::disconnect farewell;
    farewell.code = code;
    connections_[id].protocol.disconnect(farewell, now);
    detach(id, code, violation::none, now);
}

void broker_core::handle_disconnect(connection_id from, const fleetarium::disconnect& farewell,
                                    instant now) {
    const session_index index = connections_[from].session;
    if (index != no_session) {
        session& owner = sessions_[index];
        if (farewell.session_expiry_interval) {
            owner.expiry_interval =
                std::min(*farewell.session_expiry_interval, options_.session_expiry_maximum);
            if (journal_ != nullptr && owner.expiry_interval == 0) {
                journal_->session_ended(index, owner);  // what it gets yet, it takes along
            }
        }
        if (farewell.code == reason_code::normal_disconnection &&
            !is_on(mutant::will_published_on_clean_disconnect)) {
            owner.will.reset();  // v5/MQTT-3.14.4-3, v3/MQTT-3.14.4-3
        }
    }
    detach(from, farewell.code, violation::none, now);
}

void broker_core::detach(connection_id id, reason_code code, violation broken, instant now) {
    connection& gone = connections_[id];
    if (gone.protocol.should_close()) {
        list_output(id, gone.accepted);
    }
    switch (broken) {
        case violation::none: break;
        case violation::keep_alive_timeout: ++metrics_.keep_alive_timeouts; break;
        case violation::connect_timeout: ++metrics_.connect_timeouts; break;
        default: ++metrics_.protocol_violations; break;
    }
    const session_index index = std::exchange(gone.session, no_session);
    if (index == no_session) {
        if (broken != violation::none) {
            note_refused(id, {}, code, broken, now);
        }
        return;
    }
    session& owner = sessions_[index];
    owner.connection = no_connection;
    owner.state.outbound.rewind();
    if (is_on(mutant::qos2_ids_forgotten_on_disconnect)) {
        owner.state.inbound.clear();
    } else if (is_on(mutant::will_lost_on_keep_alive_timeout) &&
               broken == violation::keep_alive_timeout) {
        owner.will.reset();
    }
    --connected_;
    drop_held_qos_0(index, now);
    emit({.what = broker_event::kind::disconnected,
          .at = now,
          .connection = id,
          .session = index,
          .client_id = owner.client_id(),
          .code = code,
          .broken = broken,
          .flag = !gone.protocol.should_close()});
    if (owner.expiry_interval == 0) {
        end_session(index, now);
        return;
    }
    end_replay(index, now);
    set_out_of_connection(index, now);
    settle_session(index, now);
}

/// A session that stays begins to wait for its client.
void broker_core::set_out_of_connection(session_index index, instant now) {
    session& owner = sessions_[index];
    if (owner.expiry_interval != session_expiry_never &&
        !is_on(mutant::session_kept_after_expiry)) {
        owner.expires_at = now + std::chrono::seconds{owner.expiry_interval};
        if (is_on(mutant::session_expiry_in_milliseconds)) {
            owner.expires_at = now + std::chrono::milliseconds{owner.expiry_interval};
        }
    }
    if (owner.will) {
        const bool at_once = is_on(mutant::will_delay_ignored);
        owner.will->due = now + std::chrono::seconds{at_once ? 0u : owner.will->delay_interval};
    }
    if (journal_ != nullptr) {
        journal_->session_changed(index, owner);
    }
}

/// QoS 0 that waited for a slow transport does not wait for the next connection, unless QoS 0 for
/// absent sessions does.
void broker_core::drop_held_qos_0(session_index index, instant now) {
    session& owner = sessions_[index];
    if (!owner.holds_qos_0 || options_.queue_qos_0_offline) {
        return;
    }
    owner.holds_qos_0 = false;
    owner.state.outbound.remove_pending_if([&](const delivery& waiting) {
        if (waiting.qos != qos::at_most_once) {
            return false;
        }
        owner.queued_bytes -= waiting.message->memory_bytes();
        report_drop(waiting.message->identity(), waiting.message->topic(), waiting.qos, index,
                    drop_reason::offline, now, true);
        return true;
    });
}

/// Does what is due for a session that is not connected: its will, its end.
void broker_core::settle_session(session_index index, instant now) {
    session& late = sessions_[index];
    if (late.expires_at <= now) {
        ++metrics_.sessions_expired;
        end_session(index, now);
        return;
    }
    if (late.will && late.will->due <= now) {
        publish_will(index, now);
    }
    arm_session(index, now);
}

// Wills and the end of a session

void broker_core::publish_will(session_index index, instant now) {
    // v5/MQTT-3.1.2-10: taken away first, so that it goes out at most once.
    const std::unique_ptr<stored_will> due = std::move(sessions_[index].will);
    fleetarium::publish message = due->message->to_publish(now);
    message.retain = message.retain && !is_on(mutant::will_not_retained);
    message.message_expiry_interval = due->message_expiry_interval;
    ++metrics_.wills_published;
    if (session_journal* const journal = journal_of(index)) {
        journal->session_changed(index, sessions_[index]);
    }
    emit({.what = broker_event::kind::will_published,
          .at = now,
          .session = index,
          .client_id = sessions_[index].client_id(),
          .topic = message.topic});
    promises_all_ = true;  // that it goes out at most once
    take_on(message, index, no_connection, now);
    promises_all_ = false;
}

void broker_core::end_session(session_index index, instant now) {
    session& ending = sessions_[index];
    FLEETARIUM_ASSERT(ending.connection == no_connection);
    if (ending.will && !is_on(mutant::will_lost_when_session_ends)) {
        publish_will(index, now);  // v5/MQTT-3.1.2-8: the session ends before the delay does
    }
    hand_over_shared(index, now);
    ending.state.outbound.for_each([&](const delivery& lost) {
        if (!is_handed_over(lost)) {
            report_drop(lost.message->identity(), lost.message->topic(), lost.qos, index,
                        drop_reason::session_ended, now, true, lost.packet_id != 0);
        }
    });
    replays_.forget(index);
    for (const filter_id filter : ending.filters.view()) {
        tree_.erase(filter, index);
    }
    emit({.what = broker_event::kind::session_ended,
          .at = now,
          .session = index,
          .client_id = ending.client_id()});
    if (journal_ != nullptr) {
        journal_->session_ended(index, ending);
    }
    memory_.count(ending.counted_bytes, 0);
    sessions_.erase(index);
}

}  // namespace fleetarium::broker
