#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/session/outbound_flow.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fleetarium::storage {

/// One change of a row of a session file, in the order in which a broker made them.
struct session_change {
    enum class kind : std::uint8_t {
        nothing,  ///< taken back before it was written
        put_session,
        erase_session,  ///< with its subscriptions, deliveries and identifiers
        put_subscription,
        erase_subscription,
        put_message,
        erase_message,
        put_delivery,
        set_delivery,  ///< packet id and state of one that is there
        erase_delivery,
        put_identifier,
        erase_identifier,
        put_retained,
        erase_retained,
    };

    kind what = kind::nothing;
    delivery_state state = delivery_state::pending;
    enum qos qos = qos::at_most_once;
    bool retain = false;
    bool shared = false;
    std::uint8_t group_place = 0;  ///< see delivery
    std::uint16_t packet_id = 0;
    std::uint32_t identifier = 0;  ///< Subscription Identifier, 0: none
    std::uint32_t text_size = 0;   ///< of a filter
    std::size_t text = 0;          ///< where a filter begins in `bytes`, or which of `messages` or
                                   ///< `sessions`
    std::int64_t session = 0;
    std::int64_t sequence = 0;  ///< of a delivery in its session
    std::int64_t message = 0;
    std::uint8_t options = 0;  ///< of a subscription, as SUBSCRIBE encodes them
};

/// A message as a row; its topic, properties and payload lie one after the other in `bytes`.
struct message_row {
    std::size_t begin = 0;
    std::uint32_t topic_size = 0;
    std::uint32_t properties_size = 0;
    std::uint32_t payload_size = 0;
    enum qos qos = qos::at_most_once;
    bool retain = false;
    std::uint64_t publisher = 0;  ///< hash of its client id, 0: none
    std::uint64_t number = 0;
    instant published_at{};
    instant expires_at = never;
};

/// A session as a row.
struct session_row {
    struct will_row {
        message_row message{};
        std::uint32_t delay_interval = 0;  ///< seconds
        std::optional<std::uint32_t> message_expiry_interval{};
        instant due = never;
    };

    std::string client_id{};
    std::uint32_t expiry_interval = 0;  ///< seconds
    bool connected = false;
    instant expires_at = never;
    std::uint64_t owner = 0;  ///< hash of the user name that it belongs to, 0: nobody's yet
    std::optional<will_row> will{};
};

/// Changes that are made durable together.
struct session_changes {
    std::vector<session_change> changes;
    std::vector<message_row> messages;
    std::vector<session_row> sessions;
    std::vector<std::uint8_t> bytes;
    std::uint64_t position = 0;  ///< of the journal, once all of these are durable

    bool empty() const { return changes.empty(); }
    std::size_t memory_bytes() const {
        return bytes.size() + changes.size() * sizeof(session_change) +
               messages.size() * sizeof(message_row) + sessions.size() * sizeof(session_row);
    }
    void clear() {
        changes.clear();
        messages.clear();
        sessions.clear();
        bytes.clear();
    }
};

}  // namespace fleetarium::storage
