#pragma once

#include <fleetarium/broker/session_registry.hpp>
#include <fleetarium/broker/subscription.hpp>
#include <fleetarium/session/outbound_flow.hpp>

#include <cstdint>
#include <string_view>

namespace fleetarium::broker {

/// Where a core writes down each change of what is to outlive its process: sessions with an expiry
/// interval, their subscriptions, wills, QoS 1 and 2 messages in both directions (MQTT 5 section
/// 4.1), and retained messages. See broker_core::keep_journal.
///
/// The calls of one turn of the core belong together: whoever makes them durable does so with all
/// of them or none. Messages of QoS 0 wait for nobody and are not among them.
///
/// Order: a session's deliveries leave in the order in which they were queued, so `first_sent` and
/// `dropped` are always about the oldest that is neither sent nor dropped.
///
/// Called on the core's thread from inside a call of the core; an implementation must not call
/// back. Views and references are valid during the call.
class session_journal {
public:
    virtual ~session_journal() = default;

    // Sessions

    /// A session was made, or its expiry, its will or whether it is connected has changed.
    virtual void session_changed(session_index index, const session& changed) = 0;
    /// The session is no more, or ends with its connection from now on; nor is anything it holds.
    /// Also told of sessions of which nothing else was.
    virtual void session_ended(session_index index, const session& ended) = 0;
    /// `filter` is as the client sent it, with `$share/` if so. May replace an older subscription.
    virtual void subscribed(session_index by, std::string_view filter, const subscription& to) = 0;
    virtual void unsubscribed(session_index by, std::string_view filter) = 0;

    // Messages to a client

    virtual void queued(session_index to, const delivery& added) = 0;
    /// It has a packet id now.
    virtual void first_sent(session_index to, const delivery& sent) = 0;
    /// PUBREC came: PUBREL is owed.
    virtual void received(session_index by, std::uint16_t packet_id) = 0;
    /// It has been sent, and needs no more packets.
    virtual void completed(session_index by, const delivery& done) = 0;
    /// It will not be sent.
    virtual void dropped(session_index to, const delivery& lost) = 0;

    // Messages from a client

    /// A QoS 2 message was taken on, and is not to be taken on again under this id.
    virtual void identifier_taken(session_index from, std::uint16_t packet_id) = 0;
    virtual void identifier_released(session_index from, std::uint16_t packet_id) = 0;

    // Retained messages

    /// `replaced` may be null.
    virtual void retained(const message_ptr& kept, const message_ptr& replaced) = 0;
    virtual void retained_removed(const message_ptr& removed) = 0;

    /// Grows with each call that changed something.
    virtual std::uint64_t position() const = 0;
};

/// A session as storage kept it.
struct restored_session {
    std::string_view client_id{};
    std::uint32_t expiry_interval = 0;  ///< seconds; not 0
    instant expires_at = never;         ///< meant if it was not connected
    bool was_connected = false;         ///< its connection ends when the core goes on
    std::uint64_t owner_hash = 0;       ///< see session::owner_hash
    std::unique_ptr<stored_will> will{};
};

}  // namespace fleetarium::broker
