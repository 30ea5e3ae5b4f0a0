#pragma once

#include <fleetarium/client/publish_options.hpp>
#include <fleetarium/codec/packets.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

namespace fleetarium {

/// What happens when messages come faster than they are received from a subscription's stream.
enum class overflow : std::uint8_t {
    drop_oldest,  ///< and count: subscription::dropped, received_message::lost_before
    /// Nothing more is read from the connection until the stream has room again, so that the server
    /// is slowed down. Everything on the connection waits then, answers of the server too: whoever
    /// is to receive from the stream must not wait for such an answer (a QoS 1 publish, say) first.
    /// Until the server has answered the subscription itself, the stream may outgrow its bound.
    pause_reading,
};

/// How to subscribe: QoS, the options of MQTT 5 (which MQTT 3.1.1 refuses with
/// not_in_this_version), and the bound of the stream.
///
///     client.async_subscribe("doors/#", qos::at_least_once);
///     client.async_subscribe("doors/#", subscribe_options(qos::at_least_once).no_local());
class subscribe_options {
public:
    subscribe_options() = default;
    subscribe_options(enum qos value) : qos_(value) {}

    /// At most this QoS is wanted.
    subscribe_options& qos(enum qos value) {
        qos_ = value;
        return *this;
    }
    /// Not what this client publishes itself.
    subscribe_options& no_local(bool on = true) {
        no_local_ = on;
        return *this;
    }
    /// Keep the retain flag as the publisher set it.
    subscribe_options& retain_as_published(bool on = true) {
        retain_as_published_ = on;
        return *this;
    }
    /// When retained messages are wanted.
    subscribe_options& retained(retain_handling when) {
        retained_ = when;
        return *this;
    }
    subscribe_options& user_property(std::string name, std::string value) {
        user_properties_.emplace_back(std::move(name), std::move(value));
        return *this;
    }
    /// Messages that wait to be received, one or more, and what happens above that.
    subscribe_options& buffer(std::size_t messages, overflow above = overflow::drop_oldest) {
        buffer_messages_ = messages;
        overflow_ = above;
        return *this;
    }

    subscription_options protocol_options() const {
        return {qos_, no_local_, retain_as_published_, retained_};
    }
    bool has_options_of_v5() const {
        return no_local_ || retain_as_published_ || retained_ != retain_handling::send ||
               !user_properties_.empty();
    }
    const user_property_list& user_properties() const { return user_properties_; }
    std::size_t buffer_messages() const { return buffer_messages_; }
    enum overflow overflow() const { return overflow_; }

private:
    enum qos qos_ = qos::at_most_once;
    bool no_local_ = false;
    bool retain_as_published_ = false;
    retain_handling retained_ = retain_handling::send;
    enum overflow overflow_ = overflow::drop_oldest;
    std::size_t buffer_messages_ = 10'000;
    user_property_list user_properties_{};
};

static_assert(!std::is_aggregate_v<subscribe_options>);

}  // namespace fleetarium
