#include <fleetarium/session/client_session.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/session/outgoing_checks.hpp>

#include <algorithm>

namespace fleetarium {

namespace {

instant expiry_of(const publish& message, instant now) {
    return message.message_expiry_interval
               ? saturating_add(now, std::chrono::seconds{*message.message_expiry_interval})
               : never;
}

std::uint32_t hash_of_client_id(std::string_view client_id) {
    return static_cast<std::uint32_t>(hash_text(client_id));
}

}  // namespace

/// The ids of SUBSCRIBE and UNSUBSCRIBE packets not answered, and how many codes the answer has to
/// have. Two vectors, for the ids go to outbound_flow as they are.
struct client_session::pending_requests {
    std::vector<std::uint16_t> ids;
    struct answer {
        packet_type type;
        std::uint32_t codes;
    };
    std::vector<answer> answers;

    void add(std::uint16_t id, packet_type type, std::uint32_t codes) {
        ids.push_back(id);
        answers.push_back({type, codes});
    }
    /// Whether such an answer was due; then it no longer is.
    bool take(std::uint16_t id, packet_type type, std::size_t codes, protocol_version version) {
        const auto found = std::find(ids.begin(), ids.end(), id);
        if (found == ids.end()) {
            return false;
        }
        const auto place = answers.begin() + (found - ids.begin());
        const bool codeless = type == packet_type::unsuback && version == protocol_version::v3_1_1;
        if (place->type != type || (!codeless && place->codes != codes)) {
            return false;
        }
        ids.erase(found);
        answers.erase(place);
        return true;
    }
};

// The destructor and moves need the complete pending_requests.
client_session::client_session(const client_options& options) : options_(&options) {}
client_session::client_session(client_session&&) noexcept = default;
client_session& client_session::operator=(client_session&&) noexcept = default;
client_session::~client_session() = default;

std::size_t client_session::memory_bytes() const {
    return endpoint_.memory_bytes() + state_.outbound.memory_bytes() +
           state_.inbound.memory_bytes();
}

// Verbs

result<void> client_session::connect(const fleetarium::connect& request, instant now) {
    if (is_open()) {
        return error::already_connected;
    }
    if (const auto refused = detail::check_outgoing(request)) {
        return refused;
    }
    const bool v5 = request.version == protocol_version::v5;
    connection_limits own;
    if (v5) {
        own.receive_maximum = request.receive_maximum.value_or(65'535);
        own.topic_alias_maximum = request.topic_alias_maximum.value_or(0);
        own.maximum_packet_size = std::min(
            request.maximum_packet_size.value_or(limits::packet_size_max), limits::packet_size_max);
    }
    endpoint_.open(request.version, own, now);
    if (!endpoint_.send_connect(request)) {
        return error::packet_too_large;
    }
    phase_ = phase::connecting;
    awaiting_since_ = now;
    keep_alive_ = request.keep_alive;
    accepted_ = false;
    refused_ = false;
    clean_start_requested_ = request.clean_start;
    connect_expiry_was_zero_ = request.session_expiry_interval.value_or(0) == 0;
    session_outlives_connection_ = v5 ? !connect_expiry_was_zero_ : !request.clean_start;
    authentication_method_ = v5 && request.authentication_method
                                 ? std::make_unique<std::string>(*request.authentication_method)
                                 : nullptr;
    re_authenticates_ = false;
    requests_.reset();
    const std::uint32_t client_id_hash = hash_of_client_id(request.client_id);
    if (client_id_hash != client_id_hash_) {
        client_id_hash_ = client_id_hash;
        session_exists_ = false;
        discard_in_flight();
    }
    if (request.clean_start) {
        // v5/MQTT-3.1.2-4, v3/MQTT-3.1.2-6. Not only when CONNACK comes: were it lost, the next
        // connection would resume the new session of the server with the old state of the client.
        discard_in_flight();
    }
    return {};
}

boost::system::error_code client_session::check_against_server(
    const fleetarium::publish& message) const {
    if (message.qos > server_maximum_qos_) {
        return error::qos_not_supported;  // v5/MQTT-3.2.2-11
    }
    if (message.retain && !server_retain_available_) {
        return error::retain_not_supported;  // v5/MQTT-3.2.2-14
    }
    return {};
}

result<void> client_session::publish(const fleetarium::publish& message, instant now,
                                     std::uint64_t number) {
    if (const auto refused = detail::check_outgoing(message, version())) {
        return refused;
    }
    if (is_connected()) {
        if (const auto refused = check_against_server(message)) {
            return refused;
        }
    }
    if (message.qos == qos::at_most_once) {
        return publish_at_most_once(message, now, number);
    }
    if (state_.outbound.size() >= options_->queue_messages_max) {
        return error::queue_full;
    }
    delivery added;
    added.message = message::make(message, {{number, now}, 0, expiry_of(message, now)});
    added.qos = message.qos;
    added.retain = message.retain;
    if (is_connected() && !endpoint_.fits(added, now)) {
        return error::packet_too_large;  // v5/MQTT-3.2.2-15
    }
    state_.outbound.push(std::move(added));
    send_deliveries(now);
    return {};
}

result<void> client_session::publish_at_most_once(const fleetarium::publish& message, instant now,
                                                  std::uint64_t number) {
    if (!is_connected()) {
        return error::not_connected;
    }
    bool sent = false;
    if (endpoint_.version() == protocol_version::v3_1_1 ||
        forwardable_properties_size(message) == 0) {
        encoded_publish out;
        out.topic = message.topic;
        out.payload = message.payload;
        out.retain = message.retain;
        out.message_expiry_interval = message.message_expiry_interval;
        sent = endpoint_.send_qos_0(out, {number, now}, now);
    } else {
        const message_ptr held =
            message::make(message, {{number, now}, 0, expiry_of(message, now)});
        encoded_publish out;
        out.topic = held->topic();
        out.forwardable_properties = held->properties();
        out.payload = held->payload();
        out.shared_payload = held->shared_payload();
        out.retain = message.retain;
        out.message_expiry_interval = message.message_expiry_interval;
        sent = endpoint_.send_qos_0(out, {number, now}, now);
    }
    if (!sent) {
        return error::packet_too_large;
    }
    return {};
}

std::span<const std::uint16_t> client_session::requested_ids() const {
    return requests_ ? std::span<const std::uint16_t>(requests_->ids)
                     : std::span<const std::uint16_t>();
}

std::uint16_t client_session::take_packet_id() {
    return state_.outbound.take_packet_id(requested_ids());
}

boost::system::error_code client_session::check_against_server(
    const fleetarium::subscribe& request) const {
    boost::system::error_code refused;
    request.requests.for_each([&](const subscription_request& one) {
        if (is_shared_filter(one.filter) && !server_shared_available_) {
            refused = error::shared_subscriptions_not_supported;
        } else if (has_wildcard(one.filter) && !server_wildcards_available_) {
            refused = error::wildcard_subscriptions_not_supported;
        }
    });
    if (request.subscription_identifier && !server_identifiers_available_) {
        refused = error::subscription_identifiers_not_supported;
    }
    return refused;
}

result<std::uint16_t> client_session::subscribe(const fleetarium::subscribe& request, instant now) {
    if (!is_connected()) {
        return error::not_connected;
    }
    if (const auto refused = detail::check_outgoing(request, version())) {
        return refused;
    }
    if (const auto refused = check_against_server(request)) {
        return refused;
    }
    fleetarium::subscribe out = request;
    out.packet_id = take_packet_id();
    if (out.packet_id == 0) {
        return error::packet_ids_exhausted;
    }
    if (!endpoint_.send(out, now)) {
        return error::packet_too_large;
    }
    std::uint32_t filters = 0;
    request.requests.for_each([&](const subscription_request&) { ++filters; });
    expect_answer(out.packet_id, packet_type::suback, filters);
    return out.packet_id;
}

result<std::uint16_t> client_session::unsubscribe(const fleetarium::unsubscribe& request,
                                                  instant now) {
    if (!is_connected()) {
        return error::not_connected;
    }
    if (const auto refused = detail::check_outgoing(request, version())) {
        return refused;
    }
    fleetarium::unsubscribe out = request;
    out.packet_id = take_packet_id();
    if (out.packet_id == 0) {
        return error::packet_ids_exhausted;
    }
    if (!endpoint_.send(out, now)) {
        return error::packet_too_large;
    }
    std::uint32_t filters = 0;
    request.filters.for_each([&](std::string_view) { ++filters; });
    expect_answer(out.packet_id, packet_type::unsuback, filters);
    return out.packet_id;
}

void client_session::expect_answer(std::uint16_t packet_id, packet_type type, std::uint32_t codes) {
    if (!requests_) {
        requests_ = std::make_unique<pending_requests>();
    }
    requests_->add(packet_id, type, codes);
}

result<void> client_session::ping(instant now) {
    if (!is_connected()) {
        return error::not_connected;
    }
    endpoint_.send(pingreq{}, now);
    if (awaiting_since_ == never) {
        awaiting_since_ = now;
    }
    return {};
}

result<void> client_session::authenticate(const auth& exchange, instant now) {
    if (version() == protocol_version::v3_1_1) {
        return error::not_in_this_version;
    }
    if (phase_ != phase::connecting && phase_ != phase::connected) {
        return error::not_connected;
    }
    const bool begins = exchange.code == reason_code::re_authenticate;
    const bool continues = exchange.code == reason_code::continue_authentication;
    // v5/MQTT-4.12.0-7: without a method in CONNECT the client sends no AUTH.
    const bool fits = authentication_method_ &&
                      exchange.authentication_method == *authentication_method_ &&
                      (begins ? is_connected() && !re_authenticates_
                              : continues && (!is_connected() || re_authenticates_));
    if (!fits) {
        return error::invalid_argument;
    }
    if (const auto refused = detail::check_outgoing(exchange)) {
        return refused;
    }
    if (!endpoint_.send(exchange, now)) {
        return error::packet_too_large;
    }
    re_authenticates_ = is_connected();
    return {};
}

result<void> client_session::disconnect(const fleetarium::disconnect& farewell, instant now) {
    if (phase_ != phase::connecting && phase_ != phase::connected) {
        return error::not_connected;
    }
    if (const auto refused = detail::check_outgoing(farewell, version())) {
        return refused;
    }
    const bool v5 = version() == protocol_version::v5;
    if (v5 && connect_expiry_was_zero_ && farewell.session_expiry_interval.value_or(0) > 0) {
        return error::invalid_argument;
    }
    endpoint_.send(farewell, now);
    if (v5 && farewell.session_expiry_interval) {
        session_outlives_connection_ = *farewell.session_expiry_interval > 0;
    }
    phase_ = phase::closing;
    return {};
}

// Input

client_event client_session::handle_bytes(bytes_view& input, instant now) {
    if (phase_ == phase::idle || phase_ == phase::closing) {
        input = {};
        return {};
    }
    frame in;
    const frame_result result = endpoint_.next_frame(input, in, now);
    if (result.broken != violation::none) {
        return fail(result.broken, now);
    }
    if (!result.complete) {
        return {};
    }
    client_event event = handle_frame(in, now);
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
        client_id_hash_ = hash_of_client_id(*answer.assigned_client_identifier);
    }
    server_maximum_qos_ = answer.maximum_qos.value_or(qos::exactly_once);
    server_retain_available_ = answer.retain_available.value_or(true);
    server_wildcards_available_ = answer.wildcard_subscription_available.value_or(true);
    server_shared_available_ = answer.shared_subscription_available.value_or(true);
    server_identifiers_available_ = answer.subscription_identifier_available.value_or(true);
    const std::uint16_t aliases =
        options_->use_topic_aliases ? answer.topic_alias_maximum.value_or(0) : std::uint16_t{0};
    endpoint_.set_peer_limits({answer.receive_maximum.value_or(65'535), aliases,
                               answer.maximum_packet_size.value_or(limits::packet_size_max)});
    if (!answer.session_present) {
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
        const bool repeat = endpoint::is_repeat(message, state_.inbound);
        const std::uint16_t packet_id = message.packet_id;
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
    return std::min(response, endpoint_.last_sent() + std::chrono::seconds{keep_alive_});
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
        drop_what_the_server_refuses();
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
    if (server_maximum_qos_ == qos::exactly_once && server_retain_available_) {
        return;
    }
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
