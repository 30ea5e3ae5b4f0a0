#include <fleetarium/session/endpoint.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/mutant.hpp>

#include <algorithm>

namespace fleetarium {

namespace {

// Below this length an alias saves less than its own property costs.
constexpr std::size_t aliased_topic_size_min = 5;

std::size_t variable_byte_integer_size(std::size_t value) {
    return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}

/// Whether a mutant is on, of the side whose delivery it is: a broker's deliveries name a
/// publisher, a client's do not.
bool acts_on(mutant which, const delivery& whose) {
    return is_on(which) &&
           (side_of(which) == mutant_side::broker) == (whose.message->publisher() != 0);
}

/// Whether a mutant keeps a delivery in flight from being sent again.
bool is_withheld(const delivery& in_flight) {
    if (in_flight.state == delivery_state::wait_pubcomp) {
        return acts_on(mutant::pubrel_not_resent, in_flight) ||
               acts_on(mutant::client_pubrel_not_resent, in_flight);
    }
    return acts_on(mutant::publish_not_resent, in_flight) ||
           acts_on(mutant::client_publish_not_resent, in_flight);
}

bool is_forgotten_when_sent(const delivery& out) {
    return acts_on(mutant::qos1_done_when_sent, out) ||
           acts_on(mutant::client_qos1_done_when_sent, out);
}

}  // namespace

void endpoint::open(protocol_version version, const connection_limits& own, instant now) {
    close();
    version_ = version;
    last_received_ = now;
    last_sent_ = now;
    open_inbound_ = 0;
    set_own_limits(own);
    set_peer_limits({});
}

void endpoint::set_own_limits(const connection_limits& own) {
    own_maximum_packet_size_ = own.maximum_packet_size;
    own_receive_maximum_ = own.receive_maximum;
    own_topic_alias_maximum_ = own.topic_alias_maximum;
}

void endpoint::set_peer_limits(const connection_limits& peer) {
    peer_maximum_packet_size_ = peer.maximum_packet_size;
    peer_topic_alias_maximum_ = peer.topic_alias_maximum;
    peer_receive_maximum_ = peer.receive_maximum;
    send_quota_ = peer.receive_maximum;
    in_flight_maximum_ = peer.in_flight_maximum;
}

void endpoint::close() {
    output_.clear();
    reader_.reset();
    aliases_.reset();  // v5/MQTT-3.3.2-7
}

frame_result endpoint::next_frame(bytes_view& input, frame& out, instant now) {
    const frame_result result = reader_.next(input, out, own_maximum_packet_size_);
    if (result.complete) {
        last_received_ = now;
    }
    return result;
}

violation endpoint::resolve_alias(publish& in) {
    if (!in.topic_alias) {
        return violation::none;
    }
    if (*in.topic_alias > own_topic_alias_maximum_) {
        return violation::topic_alias_invalid;  // v5/MQTT-3.3.2-9, v5/MQTT-3.3.2-11
    }
    if (!aliases_) {
        aliases_ = std::make_unique<topic_aliases>();
    }
    if (!in.topic.empty()) {
        aliases_->inbound.set(*in.topic_alias, in.topic);
        return violation::none;
    }
    in.topic = aliases_->inbound.find(*in.topic_alias);
    return in.topic.empty() ? violation::topic_alias_unknown : violation::none;
}

violation endpoint::receive_publish(const frame& in, const inbound_flow& flow, publish& out) {
    violation broken = decode(in, version_, out);
    if (broken == violation::none) {
        broken = resolve_alias(out);
    }
    if (broken != violation::none || out.qos == qos::at_most_once || is_repeat(out, flow)) {
        return broken;
    }
    if (open_inbound_ >= own_receive_maximum_) {
        return violation::receive_maximum_exceeded;  // v5/MQTT-3.3.4-7, v5/MQTT-3.3.4-9
    }
    ++open_inbound_;
    return violation::none;
}

template <class Acknowledgement>
void endpoint::send_acknowledgement(std::uint16_t packet_id, reason_code code, instant now) {
    Acknowledgement out;
    out.packet_id = packet_id;
    out.code = code;
    send(out, now);
}

void endpoint::acknowledge(enum qos qos, std::uint16_t packet_id, reason_code code,
                           inbound_flow& flow, instant now) {
    if (qos == qos::at_least_once) {
        complete_inbound();
        send_acknowledgement<puback>(packet_id, code, now);
    } else if (qos == qos::exactly_once) {
        const bool refused = is_failure(code) && version_ == protocol_version::v5;
        if (refused) {
            complete_inbound();  // v5/MQTT-4.3.3-9: the id is free again
        } else if (!flow.contains(packet_id)) {
            flow.insert(packet_id);
        }
        send_acknowledgement<pubrec>(packet_id, code, now);
    }
}

violation endpoint::receive_pubrel(const frame& in, inbound_flow& flow, instant now) {
    pubrel released;
    const violation broken = decode(in, version_, released);
    if (broken != violation::none) {
        return broken;
    }
    const bool known = flow.erase(released.packet_id);
    if (known) {
        complete_inbound();
    }
    // v5/MQTT-4.3.3-11; an unknown id is answered too, for the PUBCOMP may have been lost.
    send_acknowledgement<pubcomp>(
        released.packet_id, known ? reason_code::success : reason_code::packet_identifier_not_found,
        now);
    return violation::none;
}

void endpoint::complete_inbound() {
    // One that a resumed session brought along was never counted here.
    if (open_inbound_ > 0) {
        --open_inbound_;
    }
}

void endpoint::restore_quota(const delivery& done) {
    // A PUBREL resent took no quota of this connection: giving one back would let more PUBLISHes
    // be open than the peer allows (v5/MQTT-3.3.4-7, v5/MQTT-3.3.4-9).
    if (done.holds_quota) {
        FLEETARIUM_ASSERT(send_quota_ < peer_receive_maximum_);
        ++send_quota_;
    }
}

void endpoint::send_pubrel(const delivery& owed, instant now) {
    send_acknowledgement<pubrel>(owed.packet_id, reason_code::success, now);
}

violation endpoint::receive_acknowledgement(const frame& in, outbound_flow& flow, instant now,
                                            std::optional<delivery_acknowledged>& done) {
    std::uint16_t packet_id = 0;
    reason_code code = reason_code::success;
    violation broken = violation::none;
    const auto read = [&](auto acknowledgement) {
        broken = decode(in, version_, acknowledgement);
        packet_id = acknowledgement.packet_id;
        code = acknowledgement.code;
    };
    const packet_type type = in.type();
    if (type == packet_type::puback) {
        read(puback{});
    } else if (type == packet_type::pubrec) {
        read(pubrec{});
    } else {
        read(pubcomp{});
    }
    if (broken != violation::none) {
        return broken;
    }

    delivery* const found = flow.find(packet_id);
    if (found == nullptr) {
        if (type == packet_type::pubrec && !is_failure(code)) {
            send_acknowledgement<pubrel>(packet_id, reason_code::packet_identifier_not_found, now);
        }
        return violation::none;
    }
    const delivery_state state = found->state;
    const bool fits = (type == packet_type::puback && state == delivery_state::wait_puback) ||
                      (type == packet_type::pubrec && state == delivery_state::wait_pubrec) ||
                      (type == packet_type::pubrec && state == delivery_state::wait_pubcomp &&
                       !is_failure(code)) ||
                      (type == packet_type::pubcomp && state == delivery_state::wait_pubcomp);
    if (!fits) {
        return violation::acknowledgement_of_wrong_kind;
    }
    const bool cut_short = acts_on(mutant::pubrel_never_sent, *found) ||
                           acts_on(mutant::client_pubrel_never_sent, *found);
    if (type == packet_type::pubrec && !is_failure(code) && !cut_short) {
        found->state = delivery_state::wait_pubcomp;
        send_pubrel(*found, now);  // v5/MQTT-4.3.3-4
        return violation::none;
    }
    restore_quota(*found);
    done = delivery_acknowledged{*found, code};
    flow.complete(*found);
    return violation::none;
}

bool endpoint::encode_with_alias(encoded_publish& out) {
    const bool aliased = version_ == protocol_version::v5 && peer_topic_alias_maximum_ > 0 &&
                         out.topic.size() >= aliased_topic_size_min &&
                         out.topic.size() <= limits::aliased_topic_size_max;
    if (!aliased) {
        return encode(out, version_, output_, peer_maximum_packet_size_);
    }
    if (!aliases_) {
        aliases_ = std::make_unique<topic_aliases>();
    }
    const auto [alias, known] = aliases_->outbound.choose(
        out.topic, std::min(peer_topic_alias_maximum_, limits::topic_aliases_set_max));
    const std::string_view topic = out.topic;
    out.topic_alias = alias;
    if (known) {
        out.topic = {};
    }
    if (encode(out, version_, output_, peer_maximum_packet_size_)) {
        return true;
    }
    if (!known) {
        aliases_->outbound.revoke(alias);
    }
    // Without the alias it may just fit.
    out.topic_alias = 0;
    out.topic = topic;
    return encode(out, version_, output_, peer_maximum_packet_size_);
}

bool endpoint::fits(const delivery& out, instant now) const {
    const message& sent = *out.message;
    std::size_t remaining = 2 + sent.topic().size() + sent.payload().size();
    remaining += out.qos == qos::at_most_once ? 0 : 2;
    if (version_ == protocol_version::v5) {
        const std::size_t properties =
            sent.properties().size() + (sent.remaining_expiry(now) ? 5u : 0u);
        remaining += variable_byte_integer_size(properties) + properties;
    }
    return 1 + variable_byte_integer_size(remaining) + remaining <= peer_maximum_packet_size_;
}

bool endpoint::send_qos_0(encoded_publish out, const message_identity& identity, instant now) {
    const bool sent = noted_if_sent(encode_with_alias(out), now);
    if (sent && sent_log_ != nullptr) {
        sent_log_->push_back(identity);
    }
    return sent;
}

bool endpoint::send_delivery(const delivery& out, std::uint16_t packet_id, bool dup, instant now) {
    const message& sent = *out.message;
    encoded_publish wire;
    wire.topic = sent.topic();
    wire.forwardable_properties = sent.properties();
    wire.payload = sent.payload();
    wire.shared_payload = sent.shared_payload();
    wire.packet_id = packet_id;
    wire.qos = out.qos;
    wire.dup = dup;
    wire.retain = out.retain;
    wire.message_expiry_interval = sent.remaining_expiry(now);
    if (acts_on(mutant::expiry_not_counted_down, out)) {
        wire.message_expiry_interval = sent.remaining_expiry(sent.identity().published_at);
    }
    if (out.subscription_identifier != 0) {
        wire.subscription_identifiers = {&out.subscription_identifier, 1};
    }
    const bool done = noted_if_sent(encode_with_alias(wire), now);
    if (done && sent_log_ != nullptr) {
        sent_log_->push_back(sent.identity());
    }
    return done;
}

send_step endpoint::release_or_wait(outbound_flow& flow, instant now, delivery& affected) {
    const delivery* const owed = flow.next_release();
    if (owed == nullptr || is_withheld(*owed) ||
        acts_on(mutant::publish_resent_after_pubrec, *owed)) {
        return send_step::window_full;
    }
    send_pubrel(*owed, now);
    affected = *owed;
    return send_step::resent;
}

send_step endpoint::send_next(outbound_flow& flow, std::span<const std::uint16_t> also_used,
                              instant now, delivery& affected) {
    delivery* const next = flow.at_cursor();
    if (next == nullptr) {
        return send_step::idle;
    }
    const bool first = next->state == delivery_state::pending;
    if (!first && is_withheld(*next)) {
        flow.repeat_at_cursor();
        return send_next(flow, also_used, now, affected);
    }
    const bool released = next->state == delivery_state::wait_pubcomp;
    if (released && next->message->expired(now) && acts_on(mutant::expiry_cuts_exchange, *next)) {
        affected = *next;
        flow.remove_at_cursor();
        return send_step::expired;
    }
    if (released && !acts_on(mutant::publish_resent_after_pubrec, *next)) {
        affected = *next;
        send_pubrel(*next, now);  // v5/MQTT-4.3.3-6
        flow.repeat_at_cursor();
        return send_step::resent;
    }
    if (first && next->message->expired(now) &&  // v5/MQTT-4.3.3-7: only before the first sending
        !acts_on(mutant::expired_message_delivered, *next)) {
        affected = *next;
        flow.remove_at_cursor();
        return send_step::expired;
    }
    std::uint16_t packet_id = next->packet_id;
    if (next->qos != qos::at_most_once) {
        if (first ? is_window_full(flow) : send_quota_ == 0) {
            return release_or_wait(flow, now, affected);  // v5/MQTT-4.9.0-2
        }
        packet_id = first ? flow.take_packet_id(also_used) : packet_id;
        if (first && acts_on(mutant::packet_id_reused_in_flight, *next)) {
            packet_id = static_cast<std::uint16_t>(peer_receive_maximum_ - send_quota_ + 1);
        } else if (!first && acts_on(mutant::client_new_id_on_resend, *next)) {
            packet_id = next->packet_id = flow.take_packet_id(also_used);
        }
        if (packet_id == 0) {
            return send_step::window_full;
        }
    }
    affected = *next;
    const bool dup = (!first && !acts_on(mutant::dup_missing_on_resend, *next) &&
                      !acts_on(mutant::client_dup_missing_on_resend, *next)) ||
                     (packet_id != 0 && acts_on(mutant::dup_set_on_first_sending, *next));
    const bool sent = send_delivery(*next, packet_id, dup, now);
    if (!sent || next->qos == qos::at_most_once ||
        (next->qos == qos::at_least_once && is_forgotten_when_sent(*next))) {
        flow.remove_at_cursor();
        return sent ? send_step::sent : send_step::too_large;
    }
    --send_quota_;
    next->holds_quota = true;
    if (first) {
        flow.begin_at_cursor(packet_id);
    } else {
        flow.repeat_at_cursor();
    }
    affected.packet_id = packet_id;
    affected.state = next->state;
    return first ? send_step::sent : send_step::resent;
}

std::size_t endpoint::memory_bytes() const {
    return reader_.memory_bytes() + output_.size() + (aliases_ ? aliases_->memory_bytes() : 0);
}

}  // namespace fleetarium
