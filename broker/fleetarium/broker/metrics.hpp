#pragma once

#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/broker/memory_ceiling.hpp>

#include <array>
#include <cstdint>

namespace fleetarium::broker {

/// Counters of a broker core since it was made. All count events; gauges are getters of the core.
struct broker_metrics {
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t connections_opened = 0;
    std::uint64_t connections_accepted = 0;
    std::uint64_t connections_refused = 0;  ///< closed by the broker before they were accepted
    std::uint64_t connections_closed = 0;
    std::uint64_t sessions_taken_over = 0;
    std::uint64_t sessions_resumed = 0;
    std::uint64_t sessions_expired = 0;
    std::uint64_t protocol_violations = 0;  ///< time-outs not counted
    std::uint64_t connect_timeouts = 0;
    std::uint64_t keep_alive_timeouts = 0;
    std::uint64_t subscriptions_made = 0;
    std::uint64_t subscriptions_refused = 0;  ///< answered by a failure in SUBACK
    std::uint64_t sessions_denied = 0;        ///< CONNECTs for a session of another user
    /// From clients and taken on, by QoS; no repeats, no wills.
    std::array<std::uint64_t, 3> publish_received{};
    std::uint64_t publish_routed = 0;                  ///< had at least one delivery
    std::array<std::uint64_t, 3> deliveries{};         ///< made by routing, by QoS of the delivery
    std::array<std::uint64_t, 3> publish_sent{};       ///< by QoS, resends not counted
    std::array<std::uint64_t, 3> publish_resent{};     ///< by QoS
    std::array<std::uint64_t, 3> acknowledged{};       ///< by QoS; [0] stays 0
    std::array<std::uint64_t, drop_reason_count> dropped{};  ///< by drop_reason
    std::uint64_t retained_sent = 0;
    std::uint64_t wills_published = 0;
    /// By step of the memory ceiling: CONNECTs refused; subscriptions and retained messages
    /// refused; deliveries of QoS 0 dropped; deliveries dropped from queues; PUBLISHes and packets
    /// under way refused.
    std::array<std::uint64_t, shedding_step_count> shed{};
};

}  // namespace fleetarium::broker
