#include <fleetarium/core/result.hpp>

#include <string>

namespace fleetarium {

namespace {

class fleetarium_category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "fleetarium"; }

    std::string message(int value) const override {
        switch (static_cast<error>(value)) {
            case error::invalid_topic_name: return "invalid topic name";
            case error::invalid_topic_filter: return "invalid topic filter";
            case error::invalid_argument: return "invalid argument";
            case error::not_connected: return "not connected";
            case error::already_connected: return "already connected";
            case error::packet_too_large: return "larger than the peer's maximum packet size";
            case error::qos_not_supported: return "QoS above the server's maximum QoS";
            case error::retain_not_supported:
                return "the server does not support retained messages";
            case error::wildcard_subscriptions_not_supported:
                return "the server does not support wildcard subscriptions";
            case error::shared_subscriptions_not_supported:
                return "the server does not support shared subscriptions";
            case error::subscription_identifiers_not_supported:
                return "the server does not support subscription identifiers";
            case error::packet_ids_exhausted: return "all packet identifiers are in use";
            case error::queue_full: return "too many unacknowledged messages";
            case error::not_in_this_version: return "not part of this protocol version";
            case error::timed_out: return "no answer within the time limit";
            case error::connection_lost: return "the connection was lost";
            case error::session_lost:
                return "the server lost the session while the message was in flight; it may or may "
                       "not have been delivered";
            case error::message_expired: return "the message expired before it could be sent";
            case error::subscription_ended: return "the subscription has ended";
            case error::no_responder: return "nobody subscribes to the topic of the request";
            case error::authentication_failed:
                return "the authenticator did not accept the server's answer";
        }
        return "unknown error";
    }
};

}  // namespace

const boost::system::error_category& error_category() noexcept {
    static const fleetarium_category category;
    return category;
}

}  // namespace fleetarium
