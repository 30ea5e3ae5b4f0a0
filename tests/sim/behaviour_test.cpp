#include <fleetarium/sim/behaviour_type.hpp>
#include <fleetarium/sim/behaviour_values.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <variant>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

/// A fleet "devices" with the behaviour given as JSON, what it publishes seen by a probe.
struct stage {
    explicit stage(const std::string& behaviour, const std::string& more = "", int count = 1) {
        const std::string text =
            R"({"name": "t", "duration": "1h",
               "networks": [{"name": "a"}, {"name": "b", "latency": "5ms"}],
               "fleets": [{"name": "devices", "count": )" +
            std::to_string(count) + R"(, "subscriptions": [{"filter": "to/{index}/#"}], )" + more +
            R"("behaviour": )" + behaviour + "}]}";
        const auto read = parse_scenario(text, "t.json");
        if (const auto* wrong = std::get_if<std::vector<problem>>(&read)) {
            for (const auto& each : *wrong) {
                problems.push_back(to_string(each));
            }
            return;
        }
        broker = &world.add_broker();
        probe = &world.add_client("probe");
        probe->connect(*broker);
        probe->subscribe("#", qos::at_least_once);
        world.settle();
        for (const network_spec& each : std::get<scenario>(read).networks) {
            world.add_network(each);
        }
        world.add_fleet(std::get<scenario>(read).fleets.front());
    }

    std::vector<std::string> said() {
        std::vector<std::string> out;
        for (const received_message& each : probe->take_messages()) {
            out.push_back(each.topic + " " + each.payload);
        }
        return out;
    }

    sim::world world{{.seed = 3}};
    virtual_broker* broker = nullptr;
    client* probe = nullptr;
    std::vector<std::string> problems;
};

using texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a device goes from state to state, and is offline in those that say so", "[behaviour]") {
    stage at(R"({"states": {
        "awake": {"enter": {"publish": [{"topic": "s/{index}", "payload": "{state}"}]},
                  "for": "10s", "then": "asleep"},
        "asleep": {"link": "goodbye", "for": "50s", "then": "awake"}}})");
    REQUIRE(at.problems == texts{});
    at.world.run_for(5s);
    CHECK(at.said() == texts{"s/0 awake"});
    CHECK(at.world.report().fleets[0].connected == 1);
    at.world.run_for(20s);
    CHECK(at.world.report().fleets[0].connected == 0);
    at.world.run_for(10min);
    const auto report = at.world.report().fleets[0];
    CHECK(report.states[0].entered == 11);
    CHECK(report.disconnects >= 10);
    CHECK(report.links_cut == 0);
    CHECK(at.said().size() == 10);
}

TEST_CASE("a message starts a transition if its payload is as the condition says", "[behaviour]") {
    stage at(R"({"variables": {"firmware": "1.9"}, "states": {
        "running": {"transitions": [
            {"on": "to/{index}/update", "where": {"a.version": ">{firmware}"},
             "takes": {"firmware": "a.version"}, "to": "updated"}]},
        "updated": {"enter": {"publish": [{"topic": "now", "payload": {"v": "{firmware}"}}]},
                    "final": true}}})");
    REQUIRE(at.problems == texts{});
    at.world.run_for(1s);
    at.probe->publish("to/0/update", R"({"a": {"version": "1.8"}})", qos::at_least_once);
    at.probe->publish("to/0/update", R"({"version": "2.0"})", qos::at_least_once);
    at.probe->publish("to/0/update", R"(no JSON)", qos::at_least_once);
    at.world.run_for(1s);
    CHECK(at.world.report().fleets[0].states[0].devices == 1);
    at.said();
    // In natural order, 1.10 is after 1.9.
    at.probe->publish("to/0/update", R"({"b": [1, "}"], "a": {"x": {}, "version": "1.10"}})",
                      qos::at_least_once);
    at.world.run_for(1s);
    CHECK(at.said().back() == R"(now {"v":"1.10"})");
    CHECK(at.world.report().fleets[0].states[1].devices == 1);
}

TEST_CASE("steps count, and variables are set, added to and shown", "[behaviour]") {
    stage at(R"({"variables": {"tries": 0, "before": "x"}, "states": {
        "work": {"steps": {"count": 4, "every": "1s", "adds": {"tries": 1},
                           "publish": [{"topic": "p", "payload":
                               {"n": "{step}", "pct": "{progress}", "tries": "{tries}"}}]},
                 "then": "done"},
        "done": {"enter": {"sets": {"before": "{tries}"},
                           "publish": [{"topic": "d/{before}", "payload": "{state} {progress}"}]},
                 "final": true}}})");
    REQUIRE(at.problems == texts{});
    at.world.run_for(1min);
    CHECK(at.said() == texts{R"(p {"n":1,"pct":25,"tries":1})", R"(p {"n":2,"pct":50,"tries":2})",
                             R"(p {"n":3,"pct":75,"tries":3})", R"(p {"n":4,"pct":100,"tries":4})",
                             "d/4 done 0"});
}

TEST_CASE("a device leaves one network and connects over the other", "[behaviour]") {
    stage at(R"({"states": {
        "depot": {"network": "a", "for": "1m", "then": "road"},
        "road": {"network": "b", "for": "1m", "then": "depot"}}})");
    REQUIRE(at.problems == texts{});
    at.world.run_for(10min + 30s);
    const auto report = at.world.report().fleets[0];
    CHECK(report.links_cut == 10);
    CHECK(report.connects_accepted == 11);
    CHECK(report.connected == 1);
    CHECK(at.world.report().ledger.violations.empty());
}

TEST_CASE("a request that nobody answers starts a transition after its time", "[behaviour]") {
    stage at(R"({"variables": {"tries": 0}, "states": {
        "asking": {"publications": ["ask"], "transitions": [
            {"on_timeout": "ask", "if": {"tries": "<2"}, "adds": {"tries": 1}},
            {"on_timeout": "ask", "to": "given up"},
            {"on_reply": "ask", "to": "answered"}]},
        "answered": {"final": true},
        "given up": {"enter": {"publish": [{"topic": "gave", "payload": "{tries}"}]},
                     "publications": [], "final": true}}})",
             R"("publications": [{"name": "ask", "topic": "ask", "period": "10s", "phase": "0s",
                  "qos": 1, "response_topic": "to/{index}/r", "reply_timeout": "3s"}],)");
    REQUIRE(at.problems == texts{});
    at.world.run_for(1min);
    CHECK(at.said().back() == "gave 2");
    CHECK(at.world.report().fleets[0].states[2].devices == 1);
}

TEST_CASE("transitions come at a time of day, on the days named", "[behaviour]") {
    stage at(R"({"states": {
        "day": {"transitions": [{"at": "22:00", "to": "night"}]},
        "night": {"link": "goodbye",
                  "transitions": [{"at": "06:00", "days": ["mon"], "to": "day"}]}}})");
    REQUIRE(at.problems == texts{});
    const auto in = [&](std::size_t state) {
        return at.world.report().fleets[0].states[state].devices;
    };
    at.world.run_for(22h - 1s);
    CHECK(in(0) == 1);
    at.world.run_for(2s);
    CHECK(in(1) == 1);
    at.world.run_for(31h);  // Sunday's morning, and Monday 05:00
    CHECK(in(1) == 1);
    at.world.run_for(1h + 1min);
    CHECK(in(0) == 1);
}

TEST_CASE("a generator that crosses a bound starts a transition", "[behaviour]") {
    stage at(R"({"states": {
        "working": {"transitions": [{"every": "1m", "if": {"battery": "<50"}, "to": "saving"}]},
        "saving": {"final": true}}})",
             R"("generators": [{"name": "battery", "battery": {"capacity": 100, "drain": 100}}],)");
    REQUIRE(at.problems == texts{});
    at.world.run_for(29min);
    CHECK(at.world.report().fleets[0].states[0].devices == 1);
    at.world.run_for(3min);
    CHECK(at.world.report().fleets[0].states[1].devices == 1);
}

TEST_CASE("cohorts begin with values of their own, and choices follow weights", "[behaviour]") {
    stage at(R"({"variables": {"loader": 2},
        "cohorts": [{"name": "old", "first_device": 0, "last_device": 9,
                     "variables": {"loader": 1}},
                    {"name": "beta", "share": 0.5}],
        "states": {
          "begin": {"then": [{"to": "stuck", "if": {"loader": "<2"}},
                             {"to": "left", "weight": 3, "if": {"loader": ">=2"}},
                             {"to": "right", "if": {"loader": ">=2"}}]},
          "stuck": {"final": true}, "left": {"final": true}, "right": {"final": true}}})",
             "", 1010);
    REQUIRE(at.problems == texts{});
    at.world.run_for(1min);
    const auto report = at.world.report().fleets[0];
    CHECK(report.cohorts[0].devices == 10);
    CHECK(report.cohorts[1].devices > 430);
    CHECK(report.cohorts[1].devices < 570);
    CHECK(report.states[1].devices == 10);
    CHECK(report.states[1].by_cohort[0] == 10);
    CHECK(report.states[2].devices > 690);
    CHECK(report.states[2].devices < 810);
    CHECK(report.states[2].devices + report.states[3].devices == 1000);
}

TEST_CASE("an expired certificate is refused at the next connect, not before", "[behaviour]") {
    stage at(R"({"variables": {"until": "10m"}, "states": {
        "working": {"transitions": [{"when": "refused", "to": "locked out"}]},
        "locked out": {"transitions": [{"when": "connected", "to": "working"}]}},
        "transitions": [{"on": "to/{index}/renew", "takes": {"until": "until"}}]})",
             R"("certificates": {"seed": 1, "expires": "{until}"},
                "online": {"up": "9m", "down": "10s"},)");
    REQUIRE(at.problems == texts{});
    at.world.run_for(12min);
    CHECK(at.world.report().fleets[0].connected == 1);
    at.world.run_for(7min);
    auto report = at.world.report().fleets[0];
    CHECK(report.connected == 0);
    CHECK(report.certificates_refused > 1);
    CHECK(report.states[1].devices == 1);
}

TEST_CASE("a fleet without behaviour pays nothing for it, one with it a known sum",
          "[behaviour][memory]") {
    sim::world world({.seed = 1});
    world.add_broker();
    const fleet_spec plain{.name = "plain", .count = 2};
    fleet_spec cyclic{.name = "cyclic", .count = 2};
    behaviour_spec& does = cyclic.behaviour.emplace();
    does.variables = {{.name = "firmware", .value = {.text = "a text that is longer than a slot"}}};
    does.states = {
        {.name = "awake", .lasts = distribution::constant(1e9), .then = {{.to = "asleep"}}},
        {.name = "asleep",
         .link = behaviour_link::goodbye,
         .lasts = distribution::constant(9e9),
         .then = {{.to = "awake"}}}};
    const auto without = world.add_fleet(plain).device(0).memory_bytes;
    const auto with = world.add_fleet(cyclic).device(0).memory_bytes;
    CHECK(with - without <= 64);  // 48, 16 for the variable
    world.run_for(1min);
    CHECK(world.report().fleets[1].states[0].entered == 14);  // seven times each
}

TEST_CASE("mistakes in a behaviour are told with their place and the nearest name",
          "[behaviour][scenario]") {
    const auto first = [](const std::string& behaviour) {
        const stage at(behaviour);
        return at.problems.empty() ? std::string() : at.problems.front();
    };
    using Catch::Contains;
    CHECK_THAT(first(R"({"states": {"awake": {"for": "1s", "then": "aslep"},
                     "asleep": {"for": "1s", "then": "awake"}}})"),
               Contains("/fleets/0/behaviour/states/awake/then") && Contains("\"asleep\""));
    CHECK_THAT(first(R"({"states": {"a": {"for": "1s", "then": "a"},
                     "b": {"for": "1s", "then": "a"}}})"),
               Contains("/states/b") && Contains("nothing leads"));
    CHECK_THAT(first(R"({"states": {"a": {"for": "1s", "then": "b"}, "b": {}}})"),
               Contains("no way out"));
    CHECK_THAT(first(R"({"states": {"a": {"then": "b"}, "b": {"then": "a"}}})"),
               Contains("without any time"));
    CHECK_THAT(first(R"({"states": {"a": {"for": "1s", "then": [{"to": "a", "weight": 0}]}}})"),
               Contains("weights that sum up to 0"));
    CHECK_THAT(first(R"({"variables": {"firmware": ""},
                     "states": {"a": {"enter": {"sets": {"firmwar": "x"}},
                                      "for": "1s", "then": "a"}}})"),
               Contains("firmwar") && Contains("\"firmware\""));
    CHECK_THAT(first(R"({"custom": {"behaviour": "elevatr"}})"), Contains("elevat"));
}

namespace {

struct lift final : behaviour_type {
    struct memory {
        std::uint64_t floor;
        std::uint64_t trips;
    };
    explicit lift(double floors) : floors_(floors) {}
    std::size_t state_size() const override { return sizeof(memory); }
    void connected(behaving_device& device, bool) const override { device.after(1s); }
    void timer(behaving_device& device, std::uint32_t) const override {
        memory& mine = device.state<memory>();
        mine.floor = static_cast<std::uint64_t>(device.random_unit() * floors_);
        ++mine.trips;
        device.publish("lift/" + std::to_string(device.index()), std::to_string(mine.floor),
                       qos::at_least_once);
        if (mine.trips == 5) {
            device.disconnect();
        } else {
            device.after(10s);
        }
    }
    void message(behaving_device& device, const message_view& what) const override {
        device.publish("echo", what.payload, qos::at_least_once);
    }

private:
    double floors_;
};

}  // namespace

TEST_CASE("code of the user's own is a behaviour, by its name", "[behaviour]") {
    register_behaviour("elevator", [](const generator_parameters& given) {
        return std::make_unique<lift>(given.number("floors"));
    });
    const auto run = [] {
        stage at(R"({"custom": {"behaviour": "elevator", "parameters": {"floors": 12}}})");
        REQUIRE(at.problems == texts{});
        at.world.run_for(15s);
        at.probe->publish("to/0/x", "hello", qos::at_least_once);
        at.world.run_for(2min);
        return std::pair(at.said(), at.world.report());
    };
    const auto [said, report] = run();
    CHECK(said.size() == 7);  // five floors, the probe's own message, and its echo
    CHECK(report.fleets[0].connected == 0);
    CHECK(report.fleets[0].disconnects == 1);
    CHECK(run().second.trace_hash == report.trace_hash);
}
