#include <fleetarium/server/refusal_log.hpp>

#include <fmt/format.h>

#include <utility>

namespace fleetarium::broker {

namespace {

constexpr duration between_lines = std::chrono::seconds{10};

struct bound {
    std::uint64_t count;
    std::string_view what;
};

std::string_view does_what(shedding step) {
    switch (step) {
        case shedding::none: return "nothing is refused for it any more";
        case shedding::connections: return "no more clients are let in";
        case shedding::growth: return "no more subscriptions and retained messages either";
        case shedding::qos_0: return "QoS 0 for slow clients is dropped";
        case shedding::queues: return "the queues of absent clients lose their oldest messages";
        case shedding::publishers: return "PUBLISH is refused";
    }
    return {};
}

}  // namespace

std::vector<std::string> refusal_log::poll(const broker_core& core,
                                           const server_counters& of_server, instant now) {
    const broker_metrics& counted = core.metrics();
    const auto dropped = [&](drop_reason why) {
        return counted.dropped[static_cast<std::size_t>(why)];
    };
    const auto shed = [&](shedding step) { return counted.shed[index_of(step)]; };
    const bound bounds[] = {
        {of_server.rate_refused, "connections refused: connection_rate_max of a listener"},
        {of_server.address_rate_refused,
         "connections refused: address_connection_rate_max of a listener"},
        {of_server.address_connections_refused,
         "connections refused: address_connections_max of a listener"},
        {of_server.password_checks_refused, "connections refused: password_checks_max"},
        {counted.connect_timeouts, "connections closed: no CONNECT within connect_timeout"},
        {counted.sessions_denied, "connections refused: the session is another user's"},
        {counted.subscriptions_refused,
         "subscriptions refused: access rules, features that are off, topic_levels_max, "
         "topic_bytes_max or subscriptions_per_session_max"},
        {dropped(drop_reason::queue_full),
         "messages dropped for slow or absent clients: queue_messages_max or queue_bytes_max"},
        {dropped(drop_reason::retained_full),
         "messages not retained: retained_messages_max or retained_bytes_max"},
        {dropped(drop_reason::topic_name_invalid),
         "messages refused: topic_levels_max, topic_bytes_max, or a topic below $share"},
        {dropped(drop_reason::not_authorized), "messages refused: access rules"},
        {shed(shedding::connections), "connections refused: memory_max is near"},
        {shed(shedding::growth), "subscriptions and retained messages refused: memory_max is near"},
        {shed(shedding::qos_0), "QoS 0 messages dropped for slow clients: memory_max is near"},
        {shed(shedding::queues), "messages dropped from queues: memory_max is near"},
        {shed(shedding::publishers), "PUBLISH packets refused: memory_max is reached"},
    };
    std::vector<std::string> lines;
    if (const shedding step = core.memory().step(); step != std::exchange(step_, step)) {
        lines.push_back(fmt::format("memory: {} of {} bytes are in use: {}", core.memory().used(),
                                    core.memory().ceiling(), does_what(step)));
    }
    watched_.resize(std::size(bounds));
    for (std::size_t i = 0; i < std::size(bounds); ++i) {
        watch(i, bounds[i].count, bounds[i].what, now, lines);
    }
    return lines;
}

void refusal_log::watch(std::size_t place, std::uint64_t count, std::string_view what, instant now,
                        std::vector<std::string>& lines) {
    watched& of = watched_[place];
    if (count == of.told || now < of.next) {
        return;
    }
    lines.push_back(fmt::format("{} {}", count - of.told, what));
    of.told = count;
    of.next = now + between_lines;
}

}  // namespace fleetarium::broker
