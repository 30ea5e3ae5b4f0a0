#include <fleetarium/session/client_session.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/core/mutant.hpp>
#include <fleetarium/session/outgoing_checks.hpp>
#include <fleetarium/session/pending_requests.hpp>

#include <algorithm>

namespace fleetarium {

namespace {

instant expiry_of(const publish& message, instant now) {
    return message.message_expiry_interval
               ? saturating_add(now, std::chrono::seconds{*message.message_expiry_interval})
               : never;
}

}  // namespace

// The destructor and moves need the complete pending_requests.
client_session::client_session(const client_options& options) : options_(&options) {}
client_session::client_session(client_session&&) noexcept = default;
client_session& client_session::operator=(client_session&&) noexcept = default;
client_session::~client_session() = default;

std::size_t client_session::memory_bytes() const {
    return endpoint_.memory_bytes() + state_.outbound.memory_bytes() +
           state_.inbound.memory_bytes() + (requests_ ? requests_->memory_bytes() : 0);
}

std::uint32_t client_session::hash_of(std::string_view client_id) {
    return static_cast<std::uint32_t>(hash_text(client_id));
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
    const std::uint32_t client_id_hash = hash_of(request.client_id);
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
                                     const message_identity& identity) {
    if (const auto refused = detail::check_outgoing(message, version())) {
        return refused;
    }
    if (is_connected()) {
        if (const auto refused = check_against_server(message)) {
            return refused;
        }
    }
    if (message.qos == qos::at_most_once) {
        return publish_at_most_once(message, now, identity);
    }
    if (state_.outbound.size() >= options_->queue_messages_max) {
        if (is_on(mutant::client_full_queue_drops_in_silence)) {
            return {};
        }
        return error::queue_full;
    }
    delivery added;
    added.message = message::make(message, {identity, 0, expiry_of(message, now)});
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
                                                  const message_identity& identity) {
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
        sent = endpoint_.send_qos_0(out, identity, now);
    } else {
        const message_ptr held =
            message::make(message, {identity, 0, expiry_of(message, now)});
        encoded_publish out;
        out.topic = held->topic();
        out.forwardable_properties = held->properties();
        out.payload = held->payload();
        out.shared_payload = held->shared_payload();
        out.retain = message.retain;
        out.message_expiry_interval = message.message_expiry_interval;
        sent = endpoint_.send_qos_0(out, identity, now);
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
        requests_ = std::make_unique<detail::pending_requests>();
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

}  // namespace fleetarium
