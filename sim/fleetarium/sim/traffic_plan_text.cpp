#include <fleetarium/sim/report_text.hpp>
#include <fleetarium/sim/traffic_plan.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace fleetarium::sim {

namespace {

std::string rounded(double value) {
    return value < 10 && value != std::floor(value)
               ? fmt::format("{:.2g}", value)
               : with_thousands(static_cast<std::uint64_t>(std::llround(value)));
}

std::string bytes_text(double bytes) {
    constexpr double step = 1024;
    if (bytes < step) {
        return rounded(bytes) + " B";
    }
    const char* unit = "KiB";
    bytes /= step;
    for (const char* const next : {"MiB", "GiB", "TiB"}) {
        if (bytes < step) {
            break;
        }
        bytes /= step;
        unit = next;
    }
    return bytes < 100 ? fmt::format("{:.3g} {}", bytes, unit)
                       : fmt::format("{:.0f} {}", bytes, unit);
}

}  // namespace

std::string to_text(const traffic_plan& plan) {
    std::string out = fmt::format("{}: the traffic of {}, without faults, gaps and limits\n",
                                  plan.scenario, readable_duration(plan.run));
    out += fmt::format(
        "  {} devices and {} subscriptions, all there after {}; up to {} connects a second\n",
        with_thousands(plan.devices), with_thousands(plan.subscriptions),
        readable_duration(plan.connected_after), rounded(plan.connects_per_second_max));
    out += fmt::format("  {:>12} {:>10} {:>8} {:>8} {:>13}\n", "messages", "a second", "bytes",
                       "fan-out", "deliveries");
    for (const planned_messages& each : plan.rows) {
        out += fmt::format(
            "  {:>12} {:>10} {:>8} {:>8} {:>13}  {}: {}, QoS {}\n", rounded(each.messages),
            rounded(each.per_second_max), rounded(each.payload_bytes), rounded(each.fan_out),
            rounded(each.deliveries), each.fleet, each.topic, static_cast<int>(each.qos));
    }
    out += fmt::format(
        "  in all {} messages and {} deliveries in {} packets with {} of payload, "
        "up to {} messages a second\n",
        rounded(plan.messages), rounded(plan.deliveries), rounded(plan.packets),
        bytes_text(plan.payload_bytes), rounded(plan.messages_per_second_max));
    out += fmt::format("  memory: {} for the devices; what waits and what is retained is on top\n",
                       bytes_text(static_cast<double>(plan.memory_bytes)));
    return out;
}

std::string to_json(const traffic_plan& plan) {
    using json = nlohmann::ordered_json;
    json rows = json::array();
    for (const planned_messages& each : plan.rows) {
        rows.push_back({{"fleet", each.fleet},
                        {"topic", each.topic},
                        {"qos", static_cast<int>(each.qos)},
                        {"devices", each.devices},
                        {"messages", each.messages},
                        {"per_second_max", each.per_second_max},
                        {"payload_bytes", each.payload_bytes},
                        {"fan_out", each.fan_out},
                        {"deliveries", each.deliveries},
                        {"packets", each.packets}});
    }
    const auto seconds = [](duration value) {
        return std::chrono::duration<double>(value).count();
    };
    return json{{"scenario", plan.scenario},
                {"run", seconds(plan.run)},
                {"devices", plan.devices},
                {"subscriptions", plan.subscriptions},
                {"connected_after", seconds(plan.connected_after)},
                {"connects_per_second_max", plan.connects_per_second_max},
                {"rows", std::move(rows)},
                {"messages", plan.messages},
                {"messages_per_second_max", plan.messages_per_second_max},
                {"deliveries", plan.deliveries},
                {"packets", plan.packets},
                {"payload_bytes", plan.payload_bytes},
                {"memory_bytes", plan.memory_bytes}}
               .dump(2) +
           '\n';
}

}  // namespace fleetarium::sim
