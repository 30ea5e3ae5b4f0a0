#include "bench.hpp"
#include "ideal_relay.hpp"

#include <fleetarium/core/block_pool.hpp>
#include <fleetarium/sim/report_text.hpp>
#include <fleetarium/sim/world.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <malloc.h>
#include <string>
#include <unistd.h>

namespace fleetarium::cli::bench {

namespace {

using namespace std::chrono_literals;

distribution every(duration period) {
    return distribution::constant(static_cast<double>(period.count()));  // nanoseconds
}

sim::network_spec network_of(duration latency) {
    sim::network_spec out;
    out.up.latency = every(latency);
    out.down.latency = every(latency);
    return out;
}

/// Devices that each subscribe to a command topic of their own and send 64 bytes to the command
/// topic of another device, any of them, `messages_each` times in `span`.
sim::fleet_spec talking_fleet(std::uint32_t devices, enum qos qos, std::uint64_t messages_each,
                              duration ramp_up, duration span) {
    sim::fleet_spec out;
    out.name = "devices";
    out.count = devices;
    out.client_id = "device-{index:07}";
    out.keep_alive = 0s;
    out.ramp_up = ramp_up;
    sim::subscription_spec commands;
    commands.filter = "devices/{index:07}/command";
    commands.qos = qos::exactly_once;
    out.subscriptions.push_back(commands);
    if (messages_each != 0) {
        sim::publication_spec telling;
        telling.to = sim::target_spec{"devices", "devices/{index:07}/command", sim::pick::random};
        telling.period = every(span / static_cast<std::int64_t>(messages_each));
        telling.start = ramp_up + 1s;
        telling.qos = qos;
        telling.payload = std::string(64, 'x');
        out.publications.push_back(telling);
    }
    return out;
}

struct measured_world {
    std::uint64_t messages = 0;
    double seconds = 0;
};

/// Connects a talking fleet, then measures the time in which it talks.
measured_world run_talking_fleet(std::uint32_t devices, enum qos qos, std::uint64_t messages) {
    const std::uint64_t each = std::max<std::uint64_t>(1, messages / devices);
    const duration ramp_up = std::max<duration>(1s, devices * 50us);
    const duration span = 10s;
    sim::world w({.seed = 1});
    sim::virtual_broker& b = w.add_broker();
    w.add_network(network_of(5ms));
    w.add_fleet(talking_fleet(devices, qos, each, ramp_up, span));
    w.run_for(ramp_up + 1s);
    measured_world out;
    out.seconds = time_of([&] { w.run_for(span); });
    const auto level = static_cast<std::size_t>(qos);
    out.messages = b.metrics().publish_sent[level];
    return out;
}

/// Meters that each send a reading a minute to one back end.
measured_world run_meters(std::uint32_t devices, duration span, bool ledger) {
    sim::world w({.seed = 1, .ledger = ledger});
    sim::virtual_broker& b = w.add_broker();
    w.add_network(network_of(20ms));
    sim::fleet_spec meters;
    meters.name = "meters";
    meters.count = devices;
    meters.ramp_up = 60s;
    sim::publication_spec reading;
    reading.topic = "meters/{index}/reading";
    reading.period = every(60s);
    reading.qos = qos::at_least_once;
    reading.payload = R"({"seq":{seq},"value":{random:0..1000}})";
    meters.publications.push_back(reading);
    w.add_fleet(meters);
    sim::fleet_spec back_end;
    back_end.name = "back_end";
    sim::subscription_spec all;
    all.filter = "meters/+/reading";
    back_end.subscriptions.push_back(all);
    w.add_fleet(back_end);
    measured_world out;
    out.seconds = time_of([&] { w.run_for(span); });
    out.messages = b.metrics().publish_received[1];
    return out;
}

}  // namespace

std::uint64_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t total = 0;
    std::uint64_t resident = 0;
    statm >> total >> resident;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::string rate_text(double per_second) {
    if (per_second >= 1e6) {
        return fmt::format("{:.2f} M/s", per_second / 1e6);
    }
    return fmt::format("{:.0f} k/s", per_second / 1e3);
}

double talking_fleet_rate(std::uint32_t devices, enum qos qos, std::uint64_t messages) {
    const measured_world talked = run_talking_fleet(devices, qos, messages);
    return static_cast<double>(talked.messages) / talked.seconds;
}

std::vector<figure> measure_fleet_day(const scale& size) {
    const auto devices = static_cast<std::uint32_t>(size.of(10'000));
    const measured_world day = run_meters(devices, 24h, true);
    const auto messages = static_cast<double>(day.messages);
    const double limit = ideal_relay_rate(devices, size.of(4'000'000));
    double with_ledger = 0;
    double without_ledger = 0;
    for (int i = 0; i < 3; ++i) {
        // In turns, so that a slower stretch of the machine is everybody's.
        with_ledger += run_meters(devices, 2h, true).seconds;
        without_ledger += run_meters(devices, 2h, false).seconds;
    }
    const double overhead = (with_ledger / without_ledger - 1) * 100;
    return {{fmt::format("{} devices, 24 h, a QoS 1 message a minute", devices),
             fmt::format("{:.2f} s ({})", day.seconds, rate_text(messages / day.seconds)),
             fmt::format("ideal relay, QoS 0: {}", rate_text(limit)),
             messages / day.seconds / limit, "30 s, aim 10", day.seconds < 30 * size.factor},
            {"the ledger in two hours of it", fmt::format("{:.1f} % more time", overhead),
             fmt::format("no ledger: {:.2f} s", without_ledger / 3), without_ledger / with_ledger,
             "30 %, aim 10 %", overhead <= 30}};
}

std::vector<figure> measure_memory(const scale& size) {
    const auto devices = static_cast<std::uint32_t>(size.of(1'000'000));
    malloc_trim(0);
    const std::uint64_t before = resident_bytes();
    const duration ramp_up = std::max<duration>(1s, devices * 50us);
    std::uint64_t bytes = 0;
    std::uint32_t connected = 0;
    double seconds = 0;
    {
        sim::world w({.seed = 1});
        w.add_broker();
        w.add_network(network_of(5ms));
        sim::fleet_spec spec = talking_fleet(devices, qos::at_most_once, 0, ramp_up, 1s);
        spec.keep_alive = 60s;
        sim::fleet& all = w.add_fleet(spec);
        seconds = time_of([&] { w.run_for(ramp_up + 1s); });
        connected = all.connected();
        bytes = resident_bytes() - before;
    }
    malloc_trim(0);
    const double each = static_cast<double>(bytes) / devices;
    const auto objects = static_cast<double>(sizeof(client_session) + sizeof(server_session));
    return {{fmt::format("memory of a device, {} connected and subscribed", connected),
             fmt::format("{:.0f} B", each),
             fmt::format("both session objects alone: {:.0f} B", objects), objects / each,
             "1,536 B, aim 1,024", each <= 1536 && connected == devices},
            {fmt::format("connecting {} devices", devices), fmt::format("{:.2f} s", seconds),
             fmt::format("{} a device", sim::readable_duration(std::chrono::nanoseconds(
                                            static_cast<std::int64_t>(seconds * 1e9 / devices)))),
             1, "30 s", seconds < 30 * size.factor}};
}

std::vector<figure> measure_flat_cost(const scale& size) {
    std::vector<figure> out;
    for (const std::uint64_t whole : {1'000ull, 10'000ull, 100'000ull, 1'000'000ull}) {
        const auto devices = static_cast<std::uint32_t>(size.of(whole));
        const double limit = ideal_relay_rate(devices, size.of(4'000'000));
        const double rate = talking_fleet_rate(devices, qos::at_most_once, size.of(4'000'000));
        const bool hardest = whole == 1'000'000;
        out.push_back({fmt::format("QoS 0 messages among {} devices", devices), rate_text(rate),
                       fmt::format("ideal relay: {}", rate_text(limit)), rate / limit,
                       hardest ? "600 k/s, aim 1 M/s" : "", !hardest || rate >= 600e3});
    }
    return out;
}

}  // namespace fleetarium::cli::bench
