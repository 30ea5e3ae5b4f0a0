#include "bench.hpp"

#include <fleetarium/feed/source_link.hpp>
#include <fleetarium/feed/world_source.hpp>
#include <fleetarium/sim/world.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

namespace fleetarium::cli::bench {

namespace {

using namespace std::chrono_literals;

constexpr double messages_per_second = 100'000;  // virtual ones

double wall_seconds() {
    static const auto begin = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
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
        const double began = thread_seconds();
        look_now();
        seconds_ += thread_seconds() - began;
    }

    std::uint64_t answers() const { return answers_; }
    /// Processor time of its looks.
    double seconds() const { return seconds_; }

private:
    void look_now() {
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
        link_.serve(source_, 64, 0.02);
        link_.receive();
    }

    template <class Question>
    void ask(const Question& question) {
        link_.ask(question, [this](const auto& found) { answers_ += found.answer != nullptr; });
    }

    feed::world_source source_;
    feed::thread_link link_;
    double ticked_ = 0;
    double seconds_ = 0;
    unsigned rounds_ = 0;
    std::uint64_t answers_ = 0;
};

double median(std::vector<double> of) {
    const auto middle = of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2);
    std::nth_element(of.begin(), middle, of.end());
    return *middle;
}

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
    sim::world of = sim::world::from(busy_fleet(devices));
    // Everybody is connected, and has published once or more.
    const auto warm_up = std::chrono::ceil<std::chrono::seconds>(
        std::chrono::duration<double>(2 + 1.5 * devices / messages_per_second));
    of.run_until(instant{warm_up});
    const std::uint64_t before = resident_bytes();
    std::uint64_t after = before;

    // One world, which is looked at and left alone in turns: two would differ by where their memory
    // lies, and what else the machine does meanwhile meets both.
    constexpr int turns = 16;
    constexpr duration stretch = 1s;
    std::vector<double> without{time_of_stretch(of, stretch, nullptr)};
    std::vector<double> with;
    std::vector<double> ratios;
    double answering = 0;
    std::uint64_t answers = 0;
    for (int i = 0; i < turns; ++i) {
        {
            viewer by(of);
            time_of_stretch(of, warm_up, &by);  // it knows all devices and topics
            const double before_it = by.seconds();
            const double took = time_of_stretch(of, stretch, &by);
            answering += by.seconds() - before_it;
            with.push_back(took - (by.seconds() - before_it));
            answers += by.answers();
            after = std::max(after, resident_bytes());
        }
        time_of_stretch(of, stretch / 4, nullptr);
        without.push_back(time_of_stretch(of, stretch, nullptr));
        ratios.push_back(with.back() * 2 / (without.back() + without[without.size() - 2]));
    }
    // Few answers fall into one stretch: they are added up.
    const double share = answering / std::accumulate(with.begin(), with.end(), 0.0);
    const double slower = median(ratios) * (1 + share);
    const double messages = messages_per_second * std::chrono::duration<double>(stretch).count();
    const auto memory = static_cast<double>(after - before);
    std::vector<figure> out;
    out.push_back({fmt::format("a run of {} devices while somebody looks", devices),
                   rate_text(messages / median(with) / (1 + share)),
                   fmt::format("while nobody does: {}", rate_text(messages / median(without))),
                   1 / slower, "0.95", 1 / slower >= 0.95});
    out.push_back({"  of that", fmt::format("events {:.1f} %", (median(ratios) - 1) * 100),
                   fmt::format("answers {:.1f} %, {} in all", share * 100, answers),
                   1 / median(ratios), "", true});
    out.push_back({"memory for that", fmt::format("{:.1f} MiB", memory / 1048576.0),
                   fmt::format("{:.0f} bytes a device", memory / devices), memory / 1048576.0 / 256,
                   "below 256 MiB", after - before < std::uint64_t{256} << 20});
    return out;
}

}  // namespace fleetarium::cli::bench
