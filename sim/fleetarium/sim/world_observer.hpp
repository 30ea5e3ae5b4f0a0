#pragma once

#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/session/message.hpp>

#include <cstdint>
#include <string_view>

namespace fleetarium::sim {

/// Is told what becomes of clients and messages in a world, in the order of its events: what a
/// recording is made of. It changes nothing in the run. Every member does nothing by default.
///
/// Clients are numbers of hosts (world::host_name), brokers are counted from 0. A message has one
/// number from its publisher to its last acknowledgement; `base_number` makes those of its
/// deliveries equal to it. Views are valid during the call. Called on the world's thread, from
/// inside of events: it must not call the world, but for host_name and its like.
class world_observer {
public:
    static constexpr std::uint32_t nobody = 0xFFFF'FFFF;

    virtual ~world_observer() = default;

    /// A broker takes a message on; its decision `received` follows, if it is not refused.
    /// `publisher` is `nobody` where the broker makes it itself.
    virtual void on_message(std::uint32_t broker, std::uint32_t publisher, const publish& message,
                            const message_identity& identity, instant now);
    /// A decision of a broker; `client` is whose connection or session it is about.
    virtual void on_decision(std::uint32_t broker, std::uint32_t client,
                             const broker::broker_event& decision);

    /// A client has a message. `repeated`: it had it before. Of one that was retained before its
    /// receiver subscribed, `published_at` is instant::min().
    virtual void on_received(std::uint32_t client, const message_identity& message, bool repeated,
                             instant now);
    /// A publisher learns that its QoS 1 or 2 message is complete.
    virtual void on_acknowledged(std::uint32_t publisher, std::uint64_t number, instant now);
    /// A QoS 0 message breaks off with its link, on the way to the client.
    virtual void on_lost(std::uint32_t client, std::uint64_t number, instant now);

    /// A fault begins or ends; `which` counts the world's faults from 0.
    virtual void on_fault(std::uint32_t which, bool ends, instant now);

    /// The number of a message, whatever the QoS of a delivery, and however often it came.
    static std::uint64_t base_number(std::uint64_t number);
    /// Of a message's number: whether the broker had taken it on before.
    static bool is_copy(std::uint64_t number);
};

}  // namespace fleetarium::sim
