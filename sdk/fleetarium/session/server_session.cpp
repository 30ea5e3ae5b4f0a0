#include <fleetarium/session/server_session.hpp>

#include <fleetarium/codec/reason_code_table.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/mutant.hpp>

#include <algorithm>

namespace fleetarium {

namespace {

/// Of a PUBREC or PUBREL; 0 if it is cut off.
std::uint16_t packet_id_of(const frame& in) {
    return in.body.size() < 2 ? std::uint16_t{0}
                              : static_cast<std::uint16_t>(in.body[0] << 8 | in.body[1]);
}

}  // namespace

void server_session::open(const connection_limits& own, std::uint16_t window_max,
                          duration connect_timeout, instant now) {
    endpoint_.open(protocol_version::v5, own, now);
    state_ = nullptr;
    authentication_method_.reset();
    window_max_ = window_max;
    connect_timeout_ = connect_timeout;
    keep_alive_ = 0;
    phase_ = phase::opened;
    problem_information_ = true;
    re_authenticates_ = false;
    session_expiry_was_zero_ = true;
    uses_topic_aliases_ = true;
    tells_progress_ = false;
}

// Verbs

bool server_session::accept(const connack& answer, const connection_limits& own,
                            std::uint16_t keep_alive, session_state& state, instant now) {
    FLEETARIUM_ASSERT(phase_ == phase::connecting);
    connack out = answer;
    if (authentication_method_) {
        out.authentication_method = *authentication_method_;  // v5/MQTT-4.12.0-5
    }
    if (!endpoint_.send(out, now)) {
        phase_ = phase::closing;
        return false;
    }
    state_ = &state;
    state_->outbound.rewind();
    keep_alive_ = keep_alive;
    connection_limits in_force = own;
    if (version() == protocol_version::v3_1_1) {
        in_force.receive_maximum = 65'535;  // 3.1.1 cannot announce one
    }
    endpoint_.set_own_limits(in_force);
    phase_ = phase::connected;
    return true;
}

void server_session::refuse(const connack& answer, instant now) {
    FLEETARIUM_ASSERT(phase_ == phase::connecting);
    connack out = answer;
    out.session_present = false;  // v5/MQTT-3.2.2-6, v3/MQTT-3.2.2-4
    endpoint_.send(out, now);
    phase_ = phase::closing;
}

void server_session::challenge(const auth& exchange, instant now) {
    FLEETARIUM_ASSERT(authentication_method_ != nullptr);
    auth out = exchange;
    out.code = reason_code::continue_authentication;  // v5/MQTT-4.12.0-2
    out.authentication_method = *authentication_method_;
    endpoint_.send(out, now);
}

void server_session::disconnect(const fleetarium::disconnect& farewell, instant now) {
    if (phase_ == phase::connected && version() == protocol_version::v5) {
        fleetarium::disconnect out = farewell;
        out.session_expiry_interval.reset();  // v5/MQTT-3.14.2-2
        endpoint_.send(out, now);
    }
    phase_ = phase::closing;
}

void server_session::fail(violation broken, instant now) {
    if (phase_ == phase::connected) {
        fleetarium::disconnect farewell;
        farewell.code = describe(broken).code;
        if (problem_information_) {
            farewell.reason_string = describe(broken).phrase;
        }
        disconnect(farewell, now);
        return;
    }
    if (phase_ == phase::connecting && version() == protocol_version::v5) {
        connack answer;
        answer.code = describe(broken).code;
        // v5/MQTT-3.2.2-8: a code of DISCONNECT alone, such as that of a time-out, is not sent.
        if (detail::may_hold(packet_type::connack, static_cast<std::uint8_t>(answer.code))) {
            answer.reason_string = describe(broken).phrase;
            endpoint_.send(answer, now);
        }
    }
    phase_ = phase::closing;
}

void server_session::detach() {
    phase_ = phase::idle;
    state_ = nullptr;
    endpoint_.close();
}

// Input

server_event server_session::failed(violation broken, instant now) {
    fail(broken, now);
    return protocol_violation{broken};
}

server_event server_session::nothing_or_failed(violation broken, instant now) {
    return broken == violation::none ? server_event{} : failed(broken, now);
}

template <class Packet>
server_event server_session::decoded_or_failed(const frame& in, instant now) {
    Packet out;
    const violation broken = decode(in, version(), out);
    return broken == violation::none ? server_event{out} : failed(broken, now);
}

server_event server_session::handle_bytes(bytes_view& input, instant now) {
    if (phase_ == phase::idle || is_closing()) {
        input = {};  // v5/MQTT-3.1.4-6, v3/MQTT-3.1.4-5
        return {};
    }
    constexpr std::uint8_t connect_begins = 0x10;
    if (phase_ == phase::opened && !input.empty() && endpoint_.is_between_packets() &&
        input.front() != connect_begins) {
        // Another protocol, most likely: what it takes for a length is not worth waiting for.
        return failed(input.front() >> 4 == connect_begins >> 4
                          ? violation::fixed_header_flags_invalid
                          : violation::first_packet_not_connect,
                      now);
    }
    frame in;
    const bool in_one_piece = endpoint_.is_between_packets();
    const frame_result result = endpoint_.next_frame(input, in, now);
    if (phase_ == phase::opened && (result.broken != violation::none || result.complete)) {
        return result.complete ? handle_connect(in, now) : failed(result.broken, now);
    }
    if (result.broken != violation::none) {
        return failed(result.broken, now);
    }
    if (!result.complete) {
        return {};
    }
    server_event event = handle_accepted(in, now);
    if (const auto* const lost = std::get_if<publish>(&event);
        is_on(mutant::split_publish_acknowledged_and_lost) && !in_one_piece && lost != nullptr) {
        endpoint_.acknowledge(lost->qos, lost->packet_id, {}, state_->inbound, now);
        event = publish_repeated{};
    }
    if (std::holds_alternative<std::monostate>(event)) {
        endpoint_.release_frame();
    }
    return event;
}

server_event server_session::handle_connect(const frame& in, instant now) {
    FLEETARIUM_ASSERT(in.type() == packet_type::connect);
    connect request;
    violation broken = decode(in, request);
    if (broken == violation::protocol_version_unsupported) {
        // v3/MQTT-3.1.2-2 asks for this answer; v5/MQTT-3.1.2-2 allows it.
        endpoint_.set_version(protocol_version::v3_1_1);
        connack answer;
        answer.code = reason_code::unsupported_protocol_version;
        endpoint_.send(answer, now);
        phase_ = phase::closing;
        return protocol_violation{broken};
    }
    // Before the version byte is read, nobody knows which CONNACK the client could read, if any.
    constexpr std::size_t size_up_to_version = 7;
    if (broken == violation::protocol_name_invalid ||
        broken == violation::fixed_header_flags_invalid || in.body.size() < size_up_to_version) {
        return failed(broken, now);
    }
    endpoint_.set_version(request.version);
    phase_ = phase::connecting;
    if (broken != violation::none) {
        return failed(broken, now);
    }
    connection_limits of_client = {
        std::min(request.receive_maximum.value_or(65'535), window_max_),
        uses_topic_aliases_ ? request.topic_alias_maximum.value_or(0) : std::uint16_t{0},
        std::min(request.maximum_packet_size.value_or(limits::packet_size_max),
                 limits::packet_size_max),
        window_max_};
    if (is_on(mutant::receive_maximum_ignored)) {
        of_client.receive_maximum = window_max_;
    } else if (is_on(mutant::maximum_packet_size_ignored)) {
        of_client.maximum_packet_size = limits::packet_size_max;
    } else if (is_on(mutant::topic_alias_maximum_ignored)) {
        of_client.topic_alias_maximum = 8;
    }
    endpoint_.set_peer_limits(of_client);
    problem_information_ = request.request_problem_information.value_or(true);
    session_expiry_was_zero_ = request.session_expiry_interval.value_or(0) == 0;
    if (request.authentication_method) {
        authentication_method_ = std::make_unique<std::string>(*request.authentication_method);
    }
    return request;
}

server_event server_session::handle_accepted(const frame& in, instant now) {
    const packet_type type = in.type();
    if (phase_ == phase::connecting && type != packet_type::auth &&
        type != packet_type::disconnect) {
        return failed(type == packet_type::connect ? violation::second_connect
                                                   : violation::packet_before_connack,
                      now);
    }
    switch (type) {
        case packet_type::publish: return handle_publish(in, now);
        case packet_type::puback:
        case packet_type::pubrec:
        case packet_type::pubcomp: {
            std::optional<delivery_acknowledged> done;
            const violation broken =
                endpoint_.receive_acknowledgement(in, state_->outbound, now, done);
            if (done) {
                return std::move(*done);
            }
            if (tells_progress_ && type == packet_type::pubrec && broken == violation::none) {
                const std::uint16_t packet_id = packet_id_of(in);
                const delivery* const received = state_->outbound.find(packet_id);
                if (received != nullptr && received->state == delivery_state::wait_pubcomp) {
                    return delivery_received{packet_id};
                }
            }
            return nothing_or_failed(broken, now);
        }
        case packet_type::pubrel: {
            if (pubrel released; is_on(mutant::pubrel_of_unknown_id_not_answered) &&
                                 decode(in, version(), released) == violation::none &&
                                 !state_->inbound.contains(released.packet_id)) {
                return {};
            }
            const std::uint16_t packet_id = packet_id_of(in);
            const bool known = tells_progress_ && state_->inbound.contains(packet_id);
            const violation broken = endpoint_.receive_pubrel(in, state_->inbound, now);
            return known && broken == violation::none ? server_event{publish_released{packet_id}}
                                                      : nothing_or_failed(broken, now);
        }
        case packet_type::subscribe: return decoded_or_failed<subscribe>(in, now);
        case packet_type::unsubscribe: return decoded_or_failed<unsubscribe>(in, now);
        case packet_type::pingreq: {
            pingreq request;
            const violation broken = decode(in, version(), request);
            if (broken == violation::none) {
                endpoint_.send(pingresp{}, now);
            }
            return nothing_or_failed(broken, now);
        }
        case packet_type::disconnect: return handle_disconnect(in, now);
        case packet_type::auth: return handle_auth(in, now);
        case packet_type::connect: return failed(violation::second_connect, now);
        case packet_type::connack:
        case packet_type::suback:
        case packet_type::unsuback:
        case packet_type::pingresp: return failed(violation::packet_type_wrong_direction, now);
    }
    return failed(violation::packet_type_reserved, now);
}

server_event server_session::handle_publish(const frame& in, instant now) {
    // Decoded in its place: an event is large, and this is the path of every message.
    server_event event(std::in_place_type<publish>);
    auto& message = *std::get_if<publish>(&event);
    violation broken = endpoint_.receive_publish(in, state_->inbound, message);
    if (broken == violation::none && !message.subscription_identifiers.empty()) {
        broken = violation::subscription_identifier_from_client;  // v5/MQTT-3.3.4-6
    }
    if (broken != violation::none) {
        event = failed(broken, now);
    } else if ((endpoint::is_repeat(message, state_->inbound) &&
                !is_on(mutant::resent_qos2_delivered_twice)) ||
               (message.qos == qos::at_least_once && message.dup &&
                is_on(mutant::dup_publish_discarded))) {
        const std::uint16_t packet_id = message.packet_id;
        endpoint_.acknowledge(message.qos, packet_id, reason_code::success, state_->inbound, now);
        event = publish_repeated{packet_id};
    }
    return event;
}

server_event server_session::handle_disconnect(const frame& in, instant now) {
    fleetarium::disconnect farewell;
    violation broken = decode(in, version(), farewell);
    if (broken == violation::none && farewell.server_reference) {
        broken = violation::server_reference_from_client;
    }
    if (broken == violation::none && session_expiry_was_zero_ &&
        farewell.session_expiry_interval.value_or(0) > 0) {
        broken = violation::session_expiry_raised_from_zero;
    }
    if (broken != violation::none) {
        return failed(broken, now);
    }
    phase_ = phase::left;
    return farewell;
}

server_event server_session::handle_auth(const frame& in, instant now) {
    if (version() == protocol_version::v3_1_1) {
        return failed(violation::packet_type_not_in_version, now);
    }
    auth exchange;
    violation broken = decode(in, version(), exchange);
    const bool begins = exchange.code == reason_code::re_authenticate;
    if (broken != violation::none) {
        // keep it
    } else if (!authentication_method_) {
        broken = violation::authentication_not_begun;
    } else if (exchange.authentication_method != *authentication_method_) {
        broken = violation::authentication_method_changed;  // v5/MQTT-4.12.0-5
    } else if (exchange.code == reason_code::success ||
               (begins ? phase_ != phase::connected || re_authenticates_
                       : phase_ == phase::connected && !re_authenticates_)) {
        broken = violation::authentication_out_of_order;  // v5/MQTT-3.15.2-1
    }
    if (broken != violation::none) {
        return failed(broken, now);
    }
    re_authenticates_ = phase_ == phase::connected;
    return exchange;
}

void server_session::finish_re_authentication(const auth& exchange, instant now) {
    FLEETARIUM_ASSERT(re_authenticates_);
    re_authenticates_ = false;
    auth out = exchange;
    out.code = reason_code::success;
    out.authentication_method = *authentication_method_;
    endpoint_.send(out, now);
}

server_event server_session::handle_timeout(instant now) {
    if (now < poll_timeout()) {
        return {};
    }
    return failed(
        phase_ == phase::connected ? violation::keep_alive_timeout : violation::connect_timeout,
        now);
}

// Output

instant server_session::poll_timeout() const {
    switch (phase_) {
        case phase::opened:
        case phase::connecting: return saturating_add(endpoint_.last_received(), connect_timeout_);
        case phase::connected:
            // v5/MQTT-3.1.2-22, v3/MQTT-3.1.2-24: one and a half times the keep alive.
            return keep_alive_ == 0 || is_on(mutant::keep_alive_not_enforced)
                       ? never
                       : endpoint_.last_received() +
                             std::chrono::milliseconds{
                                 keep_alive_ *
                                 (is_on(mutant::keep_alive_without_grace) ? 1000 : 1500)};
        case phase::idle:
        case phase::closing:
        case phase::left: break;
    }
    return never;
}

}  // namespace fleetarium
