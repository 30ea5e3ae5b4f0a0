#pragma once

#include <fleetarium/feed/source_link.hpp>
#include <fleetarium/feed/world_source.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace fleetarium::test {

/// A run of a minute in which something of everything happens: all QoS, a reader that hangs and
/// loses messages, links that are cut.
inline constexpr const char* small_scenario = R"({
  "name": "Small run",
  "seed": 5,
  "duration": "1m",
  "brokers": [{"name": "cloud", "queue_messages_max": 50, "queue_policy": "drop_oldest"}],
  "networks": [{"name": "air", "latency": {"lognormal": {"median": "20ms", "sigma": 0.6}}}],
  "fleets": [
    {
      "name": "meters", "count": 40, "ramp_up": "5s",
      "publications": [
        {"name": "level", "topic": "site/{index/8}/meter/{index}/level", "period": "1s", "qos": 0,
         "payload": {"level": "{walk:0..100:2}"}},
        {"name": "alarm", "topic": "site/{index/8}/meter/{index}/alarm", "period": "4s", "qos": 1,
         "payload": {"n": "{seq}"}},
        {"name": "bill", "topic": "site/{index/8}/meter/{index}/bill", "period": "9s", "qos": 2,
         "retain": true, "payload": {"n": "{seq}"}}
      ]
    },
    {"name": "archive", "subscriptions": [{"filter": "site/#", "qos": 2}]},
    {"name": "desk", "keep_alive": "0s",
     "subscriptions": [{"filter": "site/+/meter/+/alarm", "qos": 1}]}
  ],
  "faults": [
    {"name": "desk hangs", "kind": "slow_reader", "fleet": "desk", "at": "20s", "for": "20s"},
    {"name": "cuts", "kind": "cut", "fleet": "meters", "share": 0.3, "at": "30s"}
  ]
})";

/// A world, its feed, and a link to it that is served when a test says so.
class small_run {
public:
    small_run()
        : scenario_(parsed()), world_(sim::world::from(scenario_)), source_(world_, facts(), {}) {
        source_.tick(0, false);
    }

    /// Runs on; the run takes a tenth of the time.
    void run_until(double seconds) {
        while (now() < seconds) {
            const double next = std::min(seconds, now() + 0.5);
            world_.run_until(instant{duration{static_cast<duration::rep>(next * 1e9)}});
            source_.tick(next / 10, false);
        }
    }
    double now() const {
        return std::chrono::duration<double>(world_.now().time_since_epoch()).count();
    }

    /// Answers what is asked until nothing is.
    void serve() {
        while (link_.serve(source_) != 0) {
        }
    }

    sim::world& world() { return world_; }
    feed::world_source& source() { return source_; }
    feed::thread_link& link() { return link_; }

private:
    static sim::scenario parsed() {
        auto out = sim::parse_scenario(small_scenario, "small_run.json");
        if (const auto* wrong = std::get_if<std::vector<sim::problem>>(&out)) {
            throw std::runtime_error(sim::to_string(*wrong));
        }
        return std::get<sim::scenario>(std::move(out));
    }
    static feed::world_source::facts facts() {
        feed::world_source::facts out;
        out.title = "Small run";
        out.version = "1.2.3";
        out.command = "fleetarium run small_run.json --seed 5";
        out.seed = 5;
        out.length = std::chrono::minutes{1};
        return out;
    }

    sim::scenario scenario_;
    sim::world world_;
    feed::world_source source_;
    feed::thread_link link_;
};

}  // namespace fleetarium::test
