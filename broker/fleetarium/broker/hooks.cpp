#include <fleetarium/broker/hooks.hpp>

namespace fleetarium::broker {

std::string_view name_of(drop_reason reason) {
    switch (reason) {
        case drop_reason::none: return "none";
        case drop_reason::no_subscriber: return "no_subscriber";
        case drop_reason::queue_full: return "queue_full";
        case drop_reason::offline: return "offline";
        case drop_reason::expired: return "expired";
        case drop_reason::packet_too_large: return "packet_too_large";
        case drop_reason::session_ended: return "session_ended";
        case drop_reason::not_authorized: return "not_authorized";
        case drop_reason::topic_name_invalid: return "topic_name_invalid";
        case drop_reason::retained_full: return "retained_full";
        case drop_reason::memory_ceiling: return "memory_ceiling";
    }
    return "unknown";
}

reason_code broker_hooks::authenticate(const client_info&, const connect&) {
    return reason_code::success;
}

authentication_step broker_hooks::authenticate_enhanced(const client_info&, std::string_view,
                                                        bytes_view) {
    // v5/MQTT-4.12.0-1: a method not known.
    return {authentication_step::outcome::failed, {}, reason_code::bad_authentication_method};
}

bool broker_hooks::authorize_publish(const client_info&, const publish&) { return true; }

bool broker_hooks::authorize_subscribe(const client_info&, std::string_view,
                                       const subscription_options&) {
    return true;
}

message_identity broker_hooks::identify(connection_id, std::uint64_t next_number, const publish&,
                                        instant now) {
    return {next_number, now};
}

void broker_hooks::on_event(const broker_event&) {}

}  // namespace fleetarium::broker
