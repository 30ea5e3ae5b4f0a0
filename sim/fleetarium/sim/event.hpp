#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/session/message.hpp>

#include <cstdint>

namespace fleetarium::sim::detail {

/// Number of a host: a device, a broker or a hand-written client. 24 bits.
using host_id = std::uint32_t;

inline constexpr unsigned host_bits = 24;
/// Devices are below; their numbers come in blocks, see fleet_state.
inline constexpr host_id first_broker_host = 0xC0'0000;
inline constexpr host_id first_client_host = 0xE0'0000;
inline constexpr host_id host_end = host_id{1} << host_bits;

/// What an event says to the host that it reaches.
enum class event_kind : std::uint8_t {
    wake,      ///< from a host to itself: a deadline has come
    open,      ///< client to broker: opens a link
    opened,    ///< broker to client: the link is open; `payload` is the broker's number of it
    bytes,     ///< `payload` is a wire_buffer's chain
    messages,  ///< `payload` is a segment: bytes and which messages are in them
    close,     ///< the end of the stream, behind all its bytes
    cut,       ///< the link is broken
    congested,  ///< client to broker: takes nothing more for now
    drained,    ///< client to broker: takes on again
    fault,      ///< from the faults to a host, or to themselves: `payload` is a fault_news
};

inline constexpr unsigned link_bits = 24;
inline constexpr std::uint32_t link_mask = (std::uint32_t{1} << link_bits) - 1;

/// Something that happens at one host at one instant.
///
/// Events are totally ordered by (time, origin, the origin's own sequence): an order that does
/// not depend on which thread or shard pushed them, nor on what unrelated hosts do.
struct event {
    instant time;
    host_id origin;
    std::uint32_t sequence;
    host_id target;
    /// Of a link's events: towards the broker its number of the connection (in `open`, the
    /// client's generation), towards the client the client's generation. An event of an older
    /// connection is void.
    std::uint32_t link : link_bits;
    std::uint32_t kind_value : 8;
    std::uint64_t payload;

    event_kind kind() const { return static_cast<event_kind>(kind_value); }

    friend bool operator<(const event& a, const event& b) {
        if (a.time != b.time) {
            return a.time < b.time;
        }
        if (a.origin != b.origin) {
            return a.origin < b.origin;
        }
        // Sequences may wrap: two pending events of one host are never 2^31 apart.
        return static_cast<std::int32_t>(a.sequence - b.sequence) < 0;
    }
};

static_assert(sizeof(event) == 32);

/// The number of a message, unique in a world:
/// copy (1 bit) | QoS (2) | source (13) | host that made it (24) | that host's count (24).
///
/// The copy bit is set on the broker's side for what a publisher sent again although the broker
/// had it. QoS is the publisher's; on the way to a receiver it is that of the delivery.
struct message_number {
    static constexpr unsigned count_bits = 24;
    static constexpr unsigned source_bits = 13;
    static constexpr std::uint32_t source_end = std::uint32_t{1} << source_bits;
    static constexpr std::uint32_t count_mask = (std::uint32_t{1} << count_bits) - 1;
    static constexpr std::uint64_t copy_bit = std::uint64_t{1} << 63;
    static constexpr unsigned qos_shift = 61;
    static constexpr unsigned source_shift = count_bits + host_bits;

    static std::uint64_t make(enum qos qos, std::uint32_t source, host_id host,
                              std::uint32_t count) {
        return std::uint64_t{static_cast<std::uint8_t>(qos)} << qos_shift |
               std::uint64_t{source} << source_shift | std::uint64_t{host} << count_bits |
               (count & count_mask);
    }
    static bool is_copy(std::uint64_t number) { return (number & copy_bit) != 0; }
    static enum qos qos_of(std::uint64_t number) {
        return static_cast<enum qos>(number >> qos_shift & 3);
    }
    static std::uint64_t with_qos(std::uint64_t number, enum qos qos) {
        constexpr std::uint64_t mask = std::uint64_t{3} << qos_shift;
        return (number & ~mask) | std::uint64_t{static_cast<std::uint8_t>(qos)} << qos_shift;
    }
    /// The same for all deliveries of a message, and for its copies.
    static std::uint64_t base_of(std::uint64_t number) {
        return with_qos(number, qos::at_most_once) & ~copy_bit;
    }
    static std::uint32_t source_of(std::uint64_t number) {
        return static_cast<std::uint32_t>(number >> source_shift) & (source_end - 1);
    }
    static host_id host_of(std::uint64_t number) {
        return static_cast<host_id>(number >> count_bits) & (host_end - 1);
    }
    static std::uint32_t count_of(std::uint64_t number) {
        return static_cast<std::uint32_t>(number) & count_mask;
    }
};

/// An identity's published_at for a message whose age says nothing about the network: one that
/// was retained before its receiver subscribed.
inline constexpr instant no_latency = instant::min();

}  // namespace fleetarium::sim::detail
