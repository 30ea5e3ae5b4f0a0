#include "bench.hpp"

#include <fleetarium/feed/source_link.hpp>
#include <fleetarium/feed/world_source.hpp>
#include <fleetarium/sim/world.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace fleetarium::cli::bench {

namespace {

using namespace std::chrono_literals;

constexpr double messages_per_second = 100'000;  // virtual ones

double wall_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// Devices that each hear what they say themselves, QoS 1 both ways.
sim::scenario busy_fleet(std::uint32_t devices) {
    sim::scenario out;
    out.name = "busy";
    out.duration = 1h;
    out.networks.push_back({.name = "net",
                            .up = {.latency = distribution::constant(5e6)},
                            .down = {.latency = distribution::constant(5e6)}});
    out.brokers.push_back({.name = "broker"});
    sim::fleet_spec fleet{.name = "devices", .count = devices};
    sim::publication_spec said;
    said.topic = "d/{index}";
    said.qos = qos::at_least_once;
    said.period = distribution::constant(devices / messages_per_second * 1e9);
    said.payload = R"({"c": 21.5, "n": {seq}})";
    fleet.publications.push_back(said);
    fleet.subscriptions.push_back({.filter = "d/{index}", .qos = qos::at_least_once});
    out.fleets.push_back(fleet);
    return out;
}

/// A viewer as the window is one: totals ten times a second, pictures twice.
class viewer {
public:
    explicit viewer(sim::world& of) : source_(of, {.title = "bench"}, {}) {}

    /// Between two stretches of events, as a run does it.
    void look() {
        const double now = wall_seconds();
        if (now - ticked_ >= 0.1) {
            ticked_ = now;
            source_.tick(now, false);
            ask(feed::totals_question{});
            if (++rounds_ % 5 == 0) {
                ask(feed::history_question{});
                ask(feed::topics_question{.parent = "d", .order = feed::topic_order::messages});
                ask(feed::fleet_question{});
            }
        }
        link_.serve(source_);
        link_.receive();
    }

    std::uint64_t answers() const { return answers_; }

private:
    template <class Question>
    void ask(const Question& question) {
        link_.ask(question, [this](const auto& found) { answers_ += found.answer != nullptr; });
    }

    feed::world_source source_;
    feed::thread_link link_;
    double ticked_ = 0;
    unsigned rounds_ = 0;
    std::uint64_t answers_ = 0;
};

/// Processor time of a stretch of a run, in small steps, as paced_run goes.
double time_of_stretch(sim::world& of, duration length, viewer* by) {
    constexpr std::uint64_t events_at_once = 5'000;
    const instant end = of.now() + length;
    return time_of([&] {
        while (!of.run_until(end, events_at_once)) {
            if (by != nullptr) {
                by->look();
            }
        }
    });
}

}  // namespace

std::vector<figure> measure_feed(const scale& size) {
    const auto devices = static_cast<std::uint32_t>(size.of(100'000));
    const sim::scenario described = busy_fleet(devices);
    sim::world alone = sim::world::from(described);
    sim::world seen = sim::world::from(described);
    // Everybody is connected, and has published once or more.
    const auto warm_up = std::chrono::ceil<std::chrono::seconds>(
        std::chrono::duration<double>(2 + 1.5 * devices / messages_per_second));
    alone.run_until(instant{warm_up});
    seen.run_until(instant{warm_up});

    const std::uint64_t before = resident_bytes();
    viewer by(seen);
    constexpr int rounds = 5;
    constexpr duration stretch = 2s;
    // Both grow to what they need, and the feed to what it keeps.
    time_of_stretch(alone, stretch, nullptr);
    time_of_stretch(seen, stretch, &by);
    double without = 1e9;
    double with = 1e9;
    for (int i = 0; i < rounds; ++i) {
        without = std::min(without, time_of_stretch(alone, stretch, nullptr));
        with = std::min(with, time_of_stretch(seen, stretch, &by));
    }
    const std::uint64_t after = std::max(resident_bytes(), before);
    const double messages = messages_per_second * std::chrono::duration<double>(stretch).count();
    const double ratio = without / with;
    std::vector<figure> out;
    out.push_back({fmt::format("a run of {} devices while somebody looks", devices),
                   rate_text(messages / with),
                   fmt::format("while nobody does: {}", rate_text(messages / without)), ratio,
                   "0.95", ratio >= 0.95});
    out.push_back(
        {fmt::format("memory for that, {} answers given", by.answers()),
         fmt::format("{:.1f} MiB", static_cast<double>(after - before) / 1048576.0),
         fmt::format("{:.0f} bytes a device", static_cast<double>(after - before) / devices),
         static_cast<double>(after - before) / 1048576.0 / 256, "below 256 MiB",
         after - before < std::uint64_t{256} << 20});
    return out;
}

}  // namespace fleetarium::cli::bench
