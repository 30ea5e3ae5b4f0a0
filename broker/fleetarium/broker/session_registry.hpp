#pragma once

#include <fleetarium/broker/filter_list.hpp>
#include <fleetarium/broker/handle_table.hpp>
#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/broker/slab.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/session/message.hpp>
#include <fleetarium/session/session_state.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace fleetarium::broker {

/// The will of a session: a message to be published at the end of its connection.
struct stored_will {
    message_ptr message;  ///< its expiry begins when it is published
    std::uint32_t delay_interval = 0;  ///< seconds
    std::optional<std::uint32_t> message_expiry_interval;
    instant due = never;  ///< set when the connection has ended
};

/// What the broker keeps for a client id, connected or not (MQTT 5 section 4.1).
struct session {
    session_state state;
    filter_list filters;
    std::unique_ptr<stored_will> will;
    std::unique_ptr<char[]> client_id_text;
    std::uint64_t client_id_hash = 0;
    /// Hash of the user name of whose CONNECT made it, see session_registry::hash_of; 0: not known,
    /// and then the next to connect is its owner.
    std::uint64_t owner_hash = 0;
    std::size_t queued_bytes = 0;  ///< of deliveries never sent
    instant expires_at = never;    ///< while not connected
    instant armed = never;         ///< its entry in the wheel
    connection_id connection = no_connection;
    std::uint32_t expiry_interval = 0;  ///< seconds
    std::uint32_t counted_bytes = 0;    ///< of its heap memory, on the account of memory_ceiling
    std::uint16_t client_id_size = 0;
    bool holds_qos_0 = false;  ///< QoS 0 may be among what waits: nothing may overtake it

    std::string_view client_id() const { return {client_id_text.get(), client_id_size}; }
};

/// All sessions, by number and by client id [v5/MQTT-3.1.3-2].
class session_registry {
public:
    /// `hash_seed` as in broker_options.
    explicit session_registry(std::uint64_t hash_seed = 0) : seed_(hash_seed) {}

    /// The session of a client id, or no_session. One look-up.
    session_index find(std::string_view client_id) const;

    /// Makes a session for a client id that has none.
    session_index make(std::string_view client_id);

    void erase(session_index index);

    bool contains(session_index index) const { return slots_.contains(index); }
    session& operator[](session_index index) { return slots_[index]; }
    const session& operator[](session_index index) const { return slots_[index]; }
    std::size_t size() const { return slots_.size(); }
    const slab<session>& slots() const { return slots_; }
    void prefetch(session_index index) const { slots_.prefetch(index); }
    std::size_t memory_bytes() const;
    /// As memory_bytes, without what sessions hold beside their places. Constant time.
    std::size_t places_bytes() const {
        return slots_.size() * sizeof(session) + by_client_id_.memory_bytes();
    }

    /// The hash by which publishers and owners are known, never 0.
    static std::uint64_t hash_of(std::string_view name);

private:
    std::uint64_t place_of(std::string_view client_id) const;

    std::uint64_t seed_;
    slab<session> slots_;
    handle_table by_client_id_;
};

}  // namespace fleetarium::broker
