#include <fleetarium/server/broker_routes.hpp>

#include <memory>
#include <utility>

namespace fleetarium::broker {

namespace {

http_response tell_metrics(const broker_view& view) {
    std::vector<metric_family> extra = process_metrics();
    extra.push_back({"fleetarium_uptime_seconds",
                     "Time since the broker was started.",
                     metric_kind::gauge,
                     {{{}, std::chrono::duration<double>(view.uptime()).count()}}});
    if (view.more_metrics) {
        for (metric_family& each : view.more_metrics()) {
            extra.push_back(std::move(each));
        }
    }
    broker_metrics counters;
    broker_gauges gauges;
    view.inspect([&](const broker_core& core) {
        counters = core.metrics();
        gauges = gauges_of(core);
    });
    return {200, std::string(prometheus_content_type), prometheus_text(counters, gauges, extra)};
}

http_response tell_health(const broker_view& view) {
    const bool stopping = view.is_stopping();
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(view.uptime()).count();
    std::string text = stopping ? R"({"status":"stopping")" : R"({"status":"ok")";
    const auto add = [&](std::string_view name, const std::string& value) {
        text += ",\"";
        text += name;
        text += "\":";
        text += value;
    };
    const std::string fraction = std::to_string(1000 + milliseconds % 1000).substr(1);
    add("uptime_seconds", std::to_string(milliseconds / 1000) + '.' + fraction);
    view.inspect([&](const broker_core& core) {
        add("connections", std::to_string(core.connection_count()));
        add("clients_connected", std::to_string(core.connected_count()));
        add("sessions", std::to_string(core.session_count()));
        add("subscriptions", std::to_string(core.subscription_count()));
        add("retained_messages", std::to_string(core.retained().size()));
    });
    text += "}\n";
    return {stopping ? 503U : 200U, "application/json", std::move(text)};
}

}  // namespace

std::vector<http_route> broker_routes(broker_view view) {
    const auto shared = std::make_shared<const broker_view>(std::move(view));
    std::vector<http_route> out;
    out.push_back({"GET", "/health", "whether the broker serves, and how many clients, as JSON",
                   [shared](const http_request&) { return tell_health(*shared); }});
    out.push_back({"GET", "/metrics", "counters and gauges, for Prometheus",
                   [shared](const http_request&) { return tell_metrics(*shared); }});
    return out;
}

}  // namespace fleetarium::broker
