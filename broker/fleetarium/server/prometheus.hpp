#pragma once

#include <fleetarium/broker/broker_core.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetarium::broker {

/// The Content-Type of what is written here: Prometheus' text exposition format 0.0.4.
inline constexpr std::string_view prometheus_content_type =
    "text/plain; version=0.0.4; charset=utf-8";

enum class metric_kind : std::uint8_t { counter, gauge };

struct metric_sample {
    std::vector<std::pair<std::string, std::string>> labels{};
    double value = 0;
};

/// A metric beside those of the core: all its samples under one name.
struct metric_family {
    std::string name{};  ///< `[a-zA-Z_:][a-zA-Z0-9_:]*`; that of a counter ends in `_total`
    std::string help{};  ///< one sentence
    metric_kind kind = metric_kind::gauge;
    std::vector<metric_sample> samples{};
};

/// What a core holds at one instant.
struct broker_gauges {
    std::size_t connections = 0;
    std::size_t clients_connected = 0;
    std::size_t sessions = 0;
    std::size_t subscriptions = 0;
    std::size_t retained_messages = 0;
    std::size_t retained_bytes = 0;
    std::size_t deliveries_waiting = 0;
    std::size_t memory_bytes = 0;
    std::size_t memory_max = 0;   ///< see memory_ceiling
    std::size_t memory_used = 0;  ///< likewise
    std::size_t memory_step = 0;  ///< number of the step of shedding
};

/// Linear in the number of sessions.
broker_gauges gauges_of(const broker_core& core);

/// All counters and gauges of a core, and `extra` after them, in Prometheus' text format.
/// Throws std::invalid_argument for an extra name that is none, or is taken.
std::string prometheus_text(const broker_core& core, std::span<const metric_family> extra = {});
std::string prometheus_text(const broker_metrics& counters, const broker_gauges& gauges,
                            std::span<const metric_family> extra = {});

/// The `process_...` metrics that Prometheus' own client libraries have: processor time, memory,
/// file descriptors, start time. Empty where the system does not tell.
std::vector<metric_family> process_metrics();

}  // namespace fleetarium::broker
