#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace fleetarium::broker {

/// What happens to a message for a session whose queue is full. Either way it is counted and
/// reported as dropped with drop_reason::queue_full.
enum class queue_policy : std::uint8_t { drop_new, drop_oldest };

/// What a client gets whose subscriptions overlap [v5/MQTT-3.3.4-2].
enum class overlapping_subscriptions : std::uint8_t {
    single_copy,            ///< at the highest QoS, with all identifiers [v5/MQTT-3.3.4-4]
    copy_per_subscription,  ///< each with its own QoS and identifier [v5/MQTT-3.3.4-5]
};

/// A session expiry interval that never comes.
inline constexpr std::uint32_t session_expiry_never = 0xFFFF'FFFF;

/// Everything about a broker that can be chosen. All limits are enforced; those marked so are
/// announced in CONNACK of MQTT 5.
struct broker_options {
    // What a client may do. Announced.
    /// QoS 1 and 2 PUBLISHes of a 5.0 client open at once; 1 or more. 3.1.1 knows no such limit.
    std::uint16_t receive_maximum = 1024;
    std::uint32_t maximum_packet_size = limits::packet_size_max;  ///< bytes; 1 or more
    std::uint16_t topic_alias_maximum = 16;
    enum qos maximum_qos = qos::exactly_once;
    bool retain_available = true;
    bool wildcard_subscription_available = true;
    bool subscription_identifier_available = true;
    bool shared_subscription_available = true;
    /// Seconds; replaces what a 5.0 client asks for. 3.1.1 clients cannot be told and keep theirs.
    std::optional<std::uint16_t> server_keep_alive;
    /// Seconds; a client that asks for more gets this. For 3.1.1 it bounds Clean Session 0.
    std::uint32_t session_expiry_maximum = session_expiry_never;

    // What the broker takes on.
    std::size_t connections_max = 4'000'000;  ///< above it: "server busy"
    std::size_t sessions_max = 4'000'000;     ///< above it, new client ids get "quota exceeded"
    std::size_t subscriptions_per_session_max = 100'000;
    std::size_t retained_messages_max = 10'000'000;
    std::size_t retained_bytes_max = std::size_t{4} << 30;
    /// For CONNECT to come, and for each AUTH of the client in enhanced authentication.
    duration connect_timeout = std::chrono::seconds{10};
    std::uint32_t connect_packet_size_max = 1024 * 1024;  ///< before a client is accepted
    /// Of topics and filters, without `$share/NAME/`; 1 to limits::topic_levels_max.
    std::uint16_t topic_levels_max = limits::topic_levels_max;
    std::uint16_t topic_bytes_max = limits::string_size_max;  ///< likewise; 1 or more
    /// Memory of all that clients make the broker hold; 0 is no ceiling. What is shed on the way
    /// there, and in which order: memory_ceiling.hpp.
    std::size_t memory_max = 0;

    /// A session belongs to the user whose CONNECT made it, by user name or without one: under
    /// another's client id nobody gets at what waits for it.
    bool sessions_belong_to_users = true;

    /// Bytes of PUBLISH packets that are made for one connection before poll_output gives them
    /// out, the last packet going beyond it; what is more waits as for a slow client, and goes on
    /// later, as do the retained messages that SUBSCRIBE asks for, some thousands at a time. So no
    /// client can make much memory or time of a few bytes. 0 is no bound, for brokers whose clients
    /// are trusted; `server` sets one.
    std::size_t output_bytes_per_turn_max = 0;

    // How messages wait.
    std::uint32_t queue_messages_max = 1000;               ///< a session, not yet sent
    std::size_t queue_bytes_max = std::size_t{16} << 20;   ///< a session, not yet sent
    enum queue_policy queue_policy = queue_policy::drop_new;
    bool queue_qos_0_offline = false;  ///< keep QoS 0 messages for absent sessions too
    /// QoS 1 and 2 messages in flight to a client, PUBRELs that an earlier connection left among
    /// them; its Receive Maximum, which begins anew with each connection, if that is less.
    std::uint16_t inflight_messages_max = 65'535;

    // How messages go out.
    enum overlapping_subscriptions overlapping_subscriptions =
        overlapping_subscriptions::single_copy;
    bool use_topic_aliases = true;                   ///< towards clients that allow them
    bool shared_subscriptions_in_v3_1_1 = true;      ///< an extension, as common brokers offer it
    bool report_no_matching_subscribers = true;      ///< 0x10 in PUBACK and PUBREC
    bool allow_dollar_topics = true;  ///< publishing to `$...` other than `$SYS` and `$share`

    /// What clients that ask for Response Information get: UTF-8 of at most 65,535 bytes; empty is
    /// none.
    std::string response_information;

    /// Between updates of the `$SYS` topics; 0 is none.
    duration sys_interval{};

    /// Decides where topics and client ids lie in tables, and nothing that anybody sees. With one
    /// that clients do not know, none of them can choose names that all lie in one place, so that
    /// each look-up takes as long as there are names. `server` draws it.
    std::uint64_t hash_seed = 0;
};

}  // namespace fleetarium::broker
