// What the broker tells about itself under `$SYS/`, retained, as most brokers do.

#include <fleetarium/broker/broker_core.hpp>

#include <array>
#include <numeric>
#include <string>
#include <utility>

namespace fleetarium::broker {

void broker_core::publish_sys_topics(instant now) {
    const auto total = [](const auto& counters) {
        return std::accumulate(counters.begin(), counters.end(), std::uint64_t{0});
    };
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now - *started_).count();
    const std::array<std::pair<std::string_view, std::uint64_t>, 14> values{{
        {"$SYS/broker/uptime", static_cast<std::uint64_t>(seconds)},
        {"$SYS/broker/clients/connected", connected_count()},
        {"$SYS/broker/clients/total", session_count()},
        {"$SYS/broker/subscriptions/count", subscription_count()},
        {"$SYS/broker/retained/count", retained_.size()},
        {"$SYS/broker/bytes/received", metrics_.bytes_received},
        {"$SYS/broker/bytes/sent", metrics_.bytes_sent},
        {"$SYS/broker/publish/messages/received", total(metrics_.publish_received)},
        {"$SYS/broker/publish/messages/sent",
         total(metrics_.publish_sent) + total(metrics_.publish_resent)},
        {"$SYS/broker/publish/messages/dropped",
         total(metrics_.dropped) -
             metrics_.dropped[static_cast<std::size_t>(drop_reason::no_subscriber)]},
        {"$SYS/broker/messages/stored", deliveries_waiting()},
        {"$SYS/broker/connections/opened", metrics_.connections_opened},
        {"$SYS/broker/connections/refused", metrics_.connections_refused},
        {"$SYS/broker/protocol_violations", metrics_.protocol_violations},
    }};
    for (const auto& [topic, value] : values) {
        const std::string text = std::to_string(value);
        fleetarium::publish message;
        message.topic = topic;
        message.payload = as_bytes_view(text);
        message.retain = options_.retain_available;
        take_on(message, no_session, no_connection, now);
    }
}

}  // namespace fleetarium::broker
