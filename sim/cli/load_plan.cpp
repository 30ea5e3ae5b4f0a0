#include "load_plan.hpp"

#include <fmt/format.h>

#include <array>

namespace fleetarium::cli::load {

namespace {

constexpr std::array<enum qos, 3> every_qos{qos::at_most_once, qos::at_least_once,
                                            qos::exactly_once};

plan messages(std::string name, std::string what, traffic load, goal asked) {
    plan out;
    out.name = std::move(name);
    out.what = std::move(what);
    out.traffic = std::move(load);
    out.asked = asked;
    return out;
}

/// Pairs with many messages under way, as many at each QoS as `windows` says: enough to be
/// gathered. Fewer at QoS 2, where brokers take in all that is under way before they give any of it
/// out, and some search what they hold.
void add_pairs(std::vector<plan>& out, std::size_t payload_size,
               const std::array<std::uint32_t, 3>& windows, const std::array<goal, 3>& asked) {
    for (const enum qos level : every_qos) {
        const auto number = static_cast<std::size_t>(level);
        const std::uint32_t window = windows.at(number);
        out.push_back(messages(
            fmt::format("pairs-q{}-{}", number, payload_size),
            fmt::format("20 pairs, {} under way each, QoS {}, {} B", window, number, payload_size),
            pairs(20, level, payload_size, window), asked.at(number)));
    }
}

}  // namespace

traffic pairs(std::uint32_t count, enum qos qos, std::size_t payload_size, std::uint32_t window) {
    traffic out;
    for (std::uint32_t i = 0; i < count; ++i) {
        out.topics.push_back(fmt::format("pairs/{:04}/state", i));
        out.filters.push_back({out.topics.back()});
    }
    out.qos = qos;
    out.payload_size = payload_size;
    out.window = window;
    return out;
}

traffic fan_out(std::uint32_t subscribers, enum qos qos, std::uint32_t window) {
    traffic out;
    out.topics = {"fan/out/state"};
    out.filters.assign(subscribers, out.topics);
    out.qos = qos;
    out.window = window;
    return out;
}

traffic fan_in(std::uint32_t publishers, enum qos qos, std::uint32_t window) {
    traffic out;
    out.filters.emplace_back();
    for (std::uint32_t i = 0; i < publishers; ++i) {
        out.topics.push_back(fmt::format("fan/in/{:04}/state", i));
        out.filters.back().push_back(out.topics.back());
    }
    out.qos = qos;
    out.window = window;
    return out;
}

traffic wildcards(std::uint32_t window) {
    constexpr std::uint32_t lines = 10;
    constexpr std::uint32_t machines = 10;
    constexpr std::uint32_t others = 25;
    traffic out;
    for (std::uint32_t line = 0; line < lines; ++line) {
        for (std::uint32_t machine = 0; machine < machines; ++machine) {
            out.topics.push_back(fmt::format("plant/{}/machine/{}/state", line, machine));
        }
    }
    const auto subscriber = [&out](std::string filter) {
        std::vector<std::string> all{std::move(filter)};
        for (std::uint32_t i = 0; i < others; ++i) {
            all.push_back(fmt::format("plant/{}/+/{}/alarm", i, out.filters.size()));
        }
        out.filters.push_back(std::move(all));
    };
    for (std::uint32_t line = 0; line < lines; ++line) {
        subscriber(fmt::format("plant/{}/#", line));
        subscriber(fmt::format("plant/{}/machine/+/state", line));
    }
    for (std::uint32_t machine = 0; machine < machines; ++machine) {
        subscriber(fmt::format("plant/+/machine/{}/#", machine));
        subscriber(fmt::format("+/+/+/{}/state", machine));
    }
    out.window = window;
    return out;
}

std::vector<plan> suite() {
    std::vector<plan> out;
    // First of all, while the brokers are fresh.
    plan idle;
    idle.name = "idle";
    idle.what = "10,000 idle connections with a subscription, memory of each";
    idle.kind = kind::idle;
    idle.connections = 10'000;
    idle.asked = {1'500, 0, 1'763};
    out.push_back(idle);

    add_pairs(out, 64, {500, 500, 200}, {goal{3e6, 30, 0}, goal{2e6, 40, 0}, goal{1e6, 38, 0}});
    add_pairs(out, 16, {500, 500, 200}, {});
    add_pairs(out, 1'024, {50, 50, 50}, {});
    out.push_back(messages("socket", "200 pairs, one message a socket, QoS 0, 64 B",
                           pairs(200, qos::at_most_once, 64, 1), {110e3, 2, 0}));
    out.push_back(messages("fan-out", "1 publisher to 1,000 subscribers, QoS 0, 64 B",
                           fan_out(1'000, qos::at_most_once, 20), {600e3, 6, 0}));
    out.push_back(messages("fan-in", "1,000 publishers to 1 subscriber, QoS 1, 64 B",
                           fan_in(1'000, qos::at_least_once, 10), {600e3, 11, 0}));
    out.push_back(messages("wildcards", "100 publishers to 40 wildcard subscribers, QoS 0, 64 B",
                           wildcards(1), {250e3, 2.9, 0}));

    plan storm;
    storm.name = "connects";
    storm.what = "5,000 clients come at once and stay";
    storm.kind = kind::storm;
    storm.connections = 5'000;
    storm.asked = {60e3, 0, 0};
    out.push_back(storm);

    plan visits;
    visits.name = "visits";
    visits.what = "connect, CONNACK, DISCONNECT, end; 50 at a time";
    visits.kind = kind::visits;
    visits.connections = 50;
    out.push_back(visits);

    plan latency = messages("latency", "20,000 messages a second in 100 pairs, QoS 0, 64 B",
                            pairs(100, qos::at_most_once, 64, 0), {});
    latency.kind = kind::latency;
    latency.traffic.rate = 20'000;
    out.push_back(latency);
    return out;
}

bool is_named(const plan& one, std::string_view wanted) {
    return one.name == wanted ||
           (one.name.size() > wanted.size() && one.name.compare(0, wanted.size(), wanted) == 0 &&
            one.name[wanted.size()] == '-');
}

}  // namespace fleetarium::cli::load
