#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/codec/codec.hpp>
#include <fleetarium/session/message.hpp>

namespace fleetarium::broker {

/// A message while it is given to its receivers. QoS 0 without properties goes from the sender's
/// bytes to the receivers' without being stored; whatever has to be kept makes the stored message,
/// once for all who keep it.
struct broker_core::outgoing {
    /// A PUBLISH that just came in; must outlive this.
    outgoing(const fleetarium::publish& in, const message_origin& from, memory_account* on)
        : source(&in), origin(from), account(on) {
        wire.topic = in.topic;
        wire.payload = in.payload;
        wire.qos = in.qos;
        retain = in.retain;
        if (forwardable_properties_size(in) != 0) {
            hold();
        }
    }

    /// A stored message.
    explicit outgoing(message_ptr stored) : held(std::move(stored)) {
        origin = {held->identity(), held->publisher(), held->expires_at()};
        retain = held->retain();
        wire.qos = held->qos();
        view_held();
    }

    /// The stored message, made now if there is none yet.
    const message_ptr& hold() {
        if (!held) {
            held = message::make(*source, origin, account);
            view_held();
        }
        return held;
    }

    std::string_view topic() const { return wire.topic; }
    enum qos qos() const { return wire.qos; }
    bool empty_payload() const { return wire.payload.empty(); }

    bool expired(instant now) const { return now >= origin.expires_at; }
    std::optional<std::uint32_t> remaining_expiry(instant now) const {
        return held ? held->remaining_expiry(now)
               : origin.expires_at == never ? std::nullopt
                                            : source->message_expiry_interval;
    }

    const fleetarium::publish* source = nullptr;
    message_origin origin;
    memory_account* account = nullptr;  // where the stored message is counted
    message_ptr held;
    encoded_publish wire;  // qos is the publisher's
    bool retain = false;   // as the publisher set it

private:
    void view_held() {
        wire.topic = held->topic();
        wire.forwardable_properties = held->properties();
        wire.payload = held->payload();
        wire.shared_payload = held->shared_payload();
    }
};

}  // namespace fleetarium::broker
