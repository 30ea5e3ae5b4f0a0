#pragma once

#include <fleetarium/client/publish_options.hpp>
#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/session/message.hpp>

#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fleetarium {

/// A message that came for a subscription. It owns what it holds; views are valid as long as the
/// message lives and is not assigned to. Moving is cheap, copying copies all.
/// Thread rule: a value; one thread at a time, whichever.
class received_message {
public:
    received_message() = default;
    /// Copies what `in` views.
    received_message(const publish& in, instant received_at);
    received_message(const received_message& other);
    received_message(received_message&&) noexcept = default;
    received_message& operator=(const received_message& other);
    received_message& operator=(received_message&&) noexcept = default;
    ~received_message() = default;

    std::string_view topic() const { return held_ ? held_->topic() : std::string_view(); }
    bytes_view payload() const { return held_ ? held_->payload() : bytes_view(); }
    /// The payload seen as text; whether it is UTF-8 is not checked.
    std::string_view text() const { return as_text(payload()); }

    enum qos qos() const { return held_ ? held_->qos() : qos::at_most_once; }
    /// It was stored at the server before the subscription was made (or the subscription asked to
    /// see the flag as published).
    bool retain() const { return held_ && held_->retain(); }
    /// The server may have sent it before.
    bool dup() const { return dup_; }
    instant received_at() const { return received_at_; }

    /// How many messages of the stream were dropped between the one received before and this one
    /// because the stream was full (see subscribe_options::buffer).
    std::uint64_t lost_before() const { return lost_before_; }

    // Properties of MQTT 5; absent where the publisher set none

    std::optional<std::uint32_t> message_expiry_interval() const { return expiry_interval_; }
    /// Whether the publisher says that the payload is UTF-8 text.
    bool utf8() const { return properties().payload_format_indicator == 1; }
    std::optional<std::string_view> content_type() const { return properties().content_type; }
    std::optional<std::string_view> response_topic() const { return properties().response_topic; }
    std::optional<bytes_view> correlation_data() const { return properties().correlation_data; }
    user_property_list user_properties() const;
    /// The value of the first user property of this name.
    std::optional<std::string_view> user_property(std::string_view name) const;
    /// Of the subscriptions by which the server sent it.
    const std::vector<std::uint32_t>& subscription_identifiers() const { return identifiers_; }

    /// Set by the stream that drops messages.
    void set_lost_before(std::uint64_t count) { lost_before_ = count; }

    /// Bytes of memory it takes.
    std::size_t memory_bytes() const;

private:
    publish properties() const;

    message_ptr held_;  // of this object alone: the count is not atomic
    instant received_at_{};
    std::uint64_t lost_before_ = 0;
    std::vector<std::uint32_t> identifiers_;
    std::optional<std::uint32_t> expiry_interval_;
    bool dup_ = false;
};

static_assert(!std::is_aggregate_v<received_message>);

}  // namespace fleetarium
