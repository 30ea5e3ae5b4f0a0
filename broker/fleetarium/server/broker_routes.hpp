#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/server/http_exchange.hpp>
#include <fleetarium/server/prometheus.hpp>

#include <functional>
#include <string>
#include <vector>

namespace fleetarium::broker {

/// What the routes need of a running broker. All are called on the HTTP server's thread.
struct broker_view {
    /// Calls its argument with the core while nothing else happens in it.
    std::function<void(const std::function<void(const broker_core&)>&)> inspect{};
    std::function<duration()> uptime{};
    std::function<bool()> is_stopping{};
    /// Metrics beside those of the core and the process; empty: none.
    std::function<std::vector<metric_family>()> more_metrics{};
};

/// GET /metrics, for Prometheus, and GET /health: 200, or 503 while the broker stops, with JSON:
/// `{"status": "ok" | "stopping", "uptime_seconds": 12.5, "connections": 2, "clients_connected": 2,
/// "sessions": 3, "subscriptions": 5, "retained_messages": 1}`.
std::vector<http_route> broker_routes(broker_view view);

}  // namespace fleetarium::broker
