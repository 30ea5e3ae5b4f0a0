// From CONNECT to the end of a session: sections 3.1, 3.2, 3.14 and 4.1 of MQTT 5.

#include <fleetarium/broker/broker_core.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/assert.hpp>

#include <algorithm>

namespace fleetarium::broker {

namespace {

bool is_v5(const connect& request) { return request.version == protocol_version::v5; }

bool is_server_topic(std::string_view topic) {
    return topic == "$SYS" || topic.starts_with("$SYS/") || topic.starts_with("$share/");
}

std::vector<std::uint8_t> bytes_of(const connect& request) {
    wire_buffer encoded;
    encode(request, encoded);
    std::vector<std::uint8_t> out;
    encoded.for_each_part(
        [&](bytes_view part) { out.insert(out.end(), part.begin(), part.end()); });
    return out;
}

}  // namespace

// CONNECT

void broker_core::handle_connect(connection_id from, const connect& request, instant now) {
    connection& source = connections_[from];
    if (source.refused) {
        refuse_connect(from, reason_code::server_busy, now);
        return;
    }
    if (request.client_id.empty() && !is_v5(request) && !request.clean_start) {
        refuse_connect(from, reason_code::client_identifier_not_valid, now);  // v3/MQTT-3.1.3-8
        return;
    }
    if (request.user_name) {
        source.user_name = std::make_unique<std::string>(*request.user_name);
    }
    client_info client = info_of(from);
    client.client_id = request.client_id;
    const reason_code code = check_connect(client, request);
    if (code != reason_code::success) {
        refuse_connect(from, code, now);
        return;
    }
    if (!request.authentication_method) {
        continue_connect(from, request, {}, now);
        return;
    }
    const authentication_step step = hooks_->authenticate_enhanced(
        client, *request.authentication_method, request.authentication_data.value_or(bytes_view{}));
    if (step.result == authentication_step::outcome::challenged) {
        source.pending = std::make_unique<std::vector<std::uint8_t>>(bytes_of(request));
    }
    continue_connect(from, request, step, now);
}

reason_code broker_core::check_connect(const client_info& client, const connect& request) {
    if (request.will) {
        const will& asked = *request.will;
        if (asked.qos > options_.maximum_qos) {
            return reason_code::qos_not_supported;  // v5/MQTT-3.2.2-12
        }
        if (asked.retain && !options_.retain_available) {
            return reason_code::retain_not_supported;  // v5/MQTT-3.2.2-13
        }
        if (is_server_topic(asked.topic) ||
            topic_level_count(asked.topic) > limits::topic_levels_max) {
            return reason_code::topic_name_invalid;
        }
    }
    if (!request.authentication_method) {
        const reason_code code = hooks_->authenticate(client, request);
        if (code != reason_code::success) {
            return code;
        }
    }
    if (request.will) {
        fleetarium::publish message;
        message.topic = request.will->topic;
        message.payload = request.will->payload;
        message.qos = request.will->qos;
        message.retain = request.will->retain;
        if (!hooks_->authorize_publish(client, message)) {
            return reason_code::not_authorized;
        }
    }
    return reason_code::success;
}

void broker_core::continue_connect(connection_id from, const connect& request,
                                   const authentication_step& step, instant now) {
    switch (step.result) {
        case authentication_step::outcome::succeeded:
            if (request.client_id.empty()) {
                accept_connect(from, request, make_client_id(), step.data, now);
            } else {
                accept_connect(from, request, request.client_id, step.data, now);
            }
            return;
        case authentication_step::outcome::challenged: {
            auth exchange;
            exchange.authentication_data = as_bytes_view(step.data);
            connections_[from].protocol.challenge(exchange, now);
            return;
        }
        case authentication_step::outcome::failed: refuse_connect(from, step.code, now); return;
    }
}

void broker_core::handle_auth(connection_id from, const auth& exchange, instant now) {
    connection& source = connections_[from];
    const bytes_view data = exchange.authentication_data.value_or(bytes_view{});
    if (source.pending) {
        // The CONNECT that began the exchange, read again from its bytes.
        const auto bytes = std::move(source.pending);
        bytes_view rest = *bytes;
        frame in;
        connect request;
        split_frame(rest, in);
        FLEETARIUM_ASSERT(decode(in, request) == violation::none);
        client_info client = info_of(from);
        client.client_id = request.client_id;
        const authentication_step step =
            hooks_->authenticate_enhanced(client, *exchange.authentication_method, data);
        if (step.result == authentication_step::outcome::challenged) {
            source.pending = std::make_unique<std::vector<std::uint8_t>>(*bytes);
        }
        continue_connect(from, request, step, now);
        return;
    }
    const authentication_step step =
        hooks_->authenticate_enhanced(info_of(from), *exchange.authentication_method, data);
    auth answer;
    if (!step.data.empty()) {
        answer.authentication_data = as_bytes_view(step.data);
    }
    switch (step.result) {
        case authentication_step::outcome::succeeded:
            source.protocol.finish_re_authentication(answer, now);
            return;
        case authentication_step::outcome::challenged:
            source.protocol.challenge(answer, now);
            return;
        case authentication_step::outcome::failed: {  // v5/MQTT-4.12.1-2
            fleetarium::disconnect farewell;
            // 0x8C is not among the codes of DISCONNECT.
            farewell.code = step.code == reason_code::bad_authentication_method
                                ? reason_code::not_authorized
                                : step.code;
            source.protocol.disconnect(farewell, now);
            detach(from, farewell.code, violation::none, now);
            return;
        }
    }
}

void broker_core::refuse_connect(connection_id from, reason_code code, instant now) {
    connack answer;
    answer.code = code;
    connections_[from].protocol.refuse(answer, now);
    ++metrics_.connections_refused;
    emit({.what = broker_event::kind::refused, .at = now, .connection = from, .code = code});
}

std::uint32_t broker_core::expiry_interval_for(const connect& request) const {
    // Clean Session 1 ends with the connection, 0 never by the standard of 3.1.1.
    const std::uint32_t asked = is_v5(request) ? request.session_expiry_interval.value_or(0)
                                : request.clean_start ? 0
                                                      : session_expiry_never;
    return std::min(asked, options_.session_expiry_maximum);
}

connack broker_core::make_connack(const connect& request, std::uint32_t expiry_interval) const {
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
    if (options_.maximum_packet_size < limits::packet_size_max) {
        out.maximum_packet_size = options_.maximum_packet_size;
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
                                                    std::string_view client_id,
                                                    instant now) const {
    if (!request.will) {
        return nullptr;
    }
    const will& asked = *request.will;
    fleetarium::publish message;
    message.topic = asked.topic;
    message.payload = asked.payload;
    message.qos = asked.qos;
    message.retain = asked.retain;
    message.payload_format_indicator = asked.payload_format_indicator;
    message.content_type = asked.content_type;
    message.response_topic = asked.response_topic;
    message.correlation_data = asked.correlation_data;
    message.user_properties = asked.user_properties;
    auto out = std::make_unique<stored_will>();
    out->message =
        message::make(message, {{0, now}, session_registry::hash_of(client_id), never});
    out->delay_interval = asked.delay_interval;
    out->message_expiry_interval = asked.message_expiry_interval;
    return out;
}

void broker_core::accept_connect(connection_id from, const connect& request,
                                 std::string_view client_id, std::string_view authentication_data,
                                 instant now) {
    session_index index = sessions_.find(client_id);
    if (index != no_session && sessions_[index].connection != no_connection) {
        take_over(index, now);
        index = sessions_.find(client_id);  // it may have ended with its connection
    }
    if (index != no_session && request.clean_start) {
        end_session(index, now);  // v5/MQTT-3.1.2-4
        index = no_session;
    }
    const bool present = index != no_session;
    if (!present && sessions_.size() >= options_.sessions_max) {
        refuse_connect(from, reason_code::quota_exceeded, now);
        return;
    }
    if (!present) {
        index = sessions_.make(client_id);
    }

    session& owner = sessions_[index];
    connection& source = connections_[from];
    owner.version = request.version;
    owner.expiry_interval = expiry_interval_for(request);
    owner.expires_at = never;
    owner.will = make_will(request, client_id, now);  // v5/MQTT-3.1.3-9: an older one is cancelled

    connack answer = make_connack(request, owner.expiry_interval);
    answer.session_present = present;
    if (request.client_id.empty() && is_v5(request)) {
        answer.assigned_client_identifier = owner.client_id();  // v5/MQTT-3.1.3-7
    }
    if (!authentication_data.empty()) {
        answer.authentication_data = as_bytes_view(authentication_data);
    }
    const std::uint16_t keep_alive = is_v5(request) && options_.server_keep_alive
                                         ? *options_.server_keep_alive
                                         : request.keep_alive;
    const connection_limits own{options_.receive_maximum, options_.topic_alias_maximum,
                                options_.maximum_packet_size};
    if (!source.protocol.accept(answer, own, keep_alive, owner.state, now)) {
        owner.will.reset();
        if (owner.expiry_interval == 0 || !present) {
            end_session(index, now);
        } else {
            owner.expires_at = saturating_add(now, std::chrono::seconds{owner.expiry_interval});
            arm_session(index);
        }
        return;
    }
    source.session = index;
    owner.connection = from;
    ++connected_;
    ++metrics_.connections_accepted;
    metrics_.sessions_resumed += present;
    arm_connection(from);
    emit({.what = broker_event::kind::connected,
          .at = now,
          .connection = from,
          .session = index,
          .client_id = owner.client_id(),
          .flag = present});
    send_deliveries(index, now);
}

void broker_core::take_over(session_index index, instant now) {
    const connection_id old = sessions_[index].connection;
    fleetarium::disconnect farewell;
    farewell.code = reason_code::session_taken_over;  // v5/MQTT-3.1.4-3
    connections_[old].protocol.disconnect(farewell, now);
    detach(old, farewell.code, violation::none, now);
    ++metrics_.sessions_taken_over;
}

std::string broker_core::make_client_id() {
    // v5/MQTT-3.2.2-16: unlike any other on this server.
    std::string made;
    do {
        made = "auto-" + std::to_string(++client_ids_made_);
    } while (sessions_.find(made) != no_session);
    return made;
}

// The end of a connection

void broker_core::handle_disconnect(connection_id from, const fleetarium::disconnect& farewell,
                                    instant now) {
    const session_index index = connections_[from].session;
    if (index != no_session) {
        session& owner = sessions_[index];
        if (farewell.session_expiry_interval) {
            owner.expiry_interval =
                std::min(*farewell.session_expiry_interval, options_.session_expiry_maximum);
        }
        if (farewell.code == reason_code::normal_disconnection) {
            owner.will.reset();  // v5/MQTT-3.14.4-3, v3/MQTT-3.14.4-3
        }
    }
    detach(from, farewell.code, violation::none, now);
}

void broker_core::detach(connection_id id, reason_code code, violation broken, instant now) {
    connection& gone = connections_[id];
    list_output(id);
    metrics_.protocol_violations += broken != violation::none;
    const session_index index = std::exchange(gone.session, no_session);
    if (index == no_session) {
        if (broken != violation::none) {
            emit({.what = broker_event::kind::refused,
                  .at = now,
                  .connection = id,
                  .code = code,
                  .broken = broken});
        }
        return;
    }
    session& owner = sessions_[index];
    owner.connection = no_connection;
    owner.state.outbound.rewind();
    --connected_;
    emit({.what = broker_event::kind::disconnected,
          .at = now,
          .connection = id,
          .session = index,
          .client_id = owner.client_id(),
          .code = code,
          .broken = broken});
    if (owner.expiry_interval == 0) {
        end_session(index, now);
        return;
    }
    if (owner.expiry_interval != session_expiry_never) {
        owner.expires_at = now + std::chrono::seconds{owner.expiry_interval};
    }
    if (owner.will) {
        owner.will->due = now + std::chrono::seconds{owner.will->delay_interval};
        if (owner.will->due <= now) {
            publish_will(index, now);
        }
    }
    arm_session(index);
}

// Wills and the end of a session

void broker_core::publish_will(session_index index, instant now) {
    // v5/MQTT-3.1.2-10: taken away first, so that it goes out at most once.
    const std::unique_ptr<stored_will> due = std::move(sessions_[index].will);
    fleetarium::publish message = due->message->to_publish(now);
    message.message_expiry_interval = due->message_expiry_interval;
    ++metrics_.wills_published;
    emit({.what = broker_event::kind::will_published,
          .at = now,
          .session = index,
          .client_id = sessions_[index].client_id(),
          .topic = message.topic});
    take_on(message, index, no_connection, now);
}

void broker_core::end_session(session_index index, instant now) {
    session& ending = sessions_[index];
    FLEETARIUM_ASSERT(ending.connection == no_connection);
    if (ending.will) {
        publish_will(index, now);  // v5/MQTT-3.1.2-8: the session ends before the delay does
    }
    hand_over_shared(index, now);
    ending.state.outbound.for_each([&](const delivery& lost) {
        report_drop(lost.message->identity(), lost.message->topic(), lost.qos, index,
                    drop_reason::session_ended, now, true);
    });
    for (const filter_id filter : ending.filters.view()) {
        tree_.erase(filter, index);
    }
    emit({.what = broker_event::kind::session_ended,
          .at = now,
          .session = index,
          .client_id = ending.client_id()});
    sessions_.erase(index);
}

}  // namespace fleetarium::broker
