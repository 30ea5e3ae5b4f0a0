#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/clock.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace fleetarium {

/// A payload to send, given as text or as bytes; a view that is read during the call.
class payload_view {
public:
    payload_view() = default;

    template <class Text>
        requires std::convertible_to<const Text&, std::string_view> payload_view(const Text& text)
            : bytes_(as_bytes_view(std::string_view(text))) {}

        template <class Bytes>
            requires(std::convertible_to<const Bytes&, bytes_view> &&
                     !std::convertible_to<const Bytes&, std::string_view>)
        payload_view(const Bytes& bytes) : bytes_(bytes) {}

        bytes_view bytes() const { return bytes_; }

    private:
        bytes_view bytes_{};
};

/// A list of names and values that owns them.
using user_property_list = std::vector<std::pair<std::string, std::string>>;

/// How a message is published: QoS, retain, and the properties of MQTT 5, which MQTT 3.1.1 refuses
/// with not_in_this_version.
///
///     client.async_publish("door/7", "open", qos::at_least_once);
///     client.async_publish("door/7", "open", publish_options(qos::at_least_once).retain());
class publish_options {
public:
    publish_options() = default;
    publish_options(enum qos value) : qos_(value) {}

    publish_options& qos(enum qos value) {
        qos_ = value;
        return *this;
    }
    publish_options& retain(bool on = true) {
        retain_ = on;
        return *this;
    }
    /// After this time the message is of no use: it is not sent or delivered any more. Rounded up
    /// to seconds.
    publish_options& expiry(duration after) {
        expiry_ = seconds_of(after);
        return *this;
    }
    publish_options& content_type(std::string type) {
        content_type_ = std::move(type);
        return *this;
    }
    /// The payload is UTF-8 text.
    publish_options& utf8(bool on = true) {
        utf8_ = on;
        return *this;
    }
    publish_options& response_topic(std::string topic) {
        response_topic_ = std::move(topic);
        return *this;
    }
    publish_options& correlation_data(payload_view data) {
        correlation_data_.emplace(data.bytes().begin(), data.bytes().end());
        return *this;
    }
    publish_options& user_property(std::string name, std::string value) {
        user_properties_.emplace_back(std::move(name), std::move(value));
        return *this;
    }

    enum qos qos() const { return qos_; }
    bool retain() const { return retain_; }
    bool has_properties() const {
        return expiry_ || content_type_ || utf8_ || response_topic_ || correlation_data_ ||
               !user_properties_.empty();
    }

    /// Calls `use(const fleetarium::publish&)` with a PUBLISH whose views are valid meanwhile.
    template <class Use>
    decltype(auto) with_publish(std::string_view topic, bytes_view payload, Use&& use) const {
        fleetarium::publish out;
        out.topic = topic;
        out.payload = payload;
        out.qos = qos_;
        out.retain = retain_;
        if (!has_properties()) {
            return std::forward<Use>(use)(std::as_const(out));
        }
        const std::vector<fleetarium::user_property> pairs(user_properties_.begin(),
                                                           user_properties_.end());
        add_properties(out, pairs);
        return std::forward<Use>(use)(std::as_const(out));
    }

private:
    static std::uint32_t seconds_of(duration time);
    void add_properties(fleetarium::publish& out,
                        const std::vector<fleetarium::user_property>& pairs) const;

    enum qos qos_ = qos::at_most_once;
    bool retain_ = false;
    bool utf8_ = false;
    std::optional<std::uint32_t> expiry_{};
    std::optional<std::string> content_type_{};
    std::optional<std::string> response_topic_{};
    std::optional<std::vector<std::uint8_t>> correlation_data_{};
    user_property_list user_properties_{};
};

static_assert(!std::is_aggregate_v<publish_options> && !std::is_aggregate_v<payload_view>);

}  // namespace fleetarium
