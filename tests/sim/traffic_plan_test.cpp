#include <fleetarium/sim/report.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/traffic_plan.hpp>
#include <fleetarium/sim/world.hpp>

#include <support/case_share.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>
#include <string>
#include <variant>

// What `check --plan` says of a scenario, against what a run of it does.

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

distribution every(duration period) {
    return distribution::constant(static_cast<double>(period.count()));
}

scenario load(const std::string& name, const std::vector<std::string>& overrides = {}) {
    const auto loaded =
        load_scenario(std::string(FLEETARIUM_SOURCE_DIR) + "/scenarios/" + name, overrides);
    const auto* const problems = std::get_if<std::vector<problem>>(&loaded);
    INFO((problems == nullptr ? "" : to_string(*problems)));
    REQUIRE(problems == nullptr);
    return std::get<scenario>(loaded);
}

const planned_messages* row_of(const traffic_plan& plan, const std::string& fleet,
                               const std::string& topic) {
    for (const planned_messages& each : plan.rows) {
        if (each.fleet == fleet && each.topic == topic) {
            return &each;
        }
    }
    return nullptr;
}

}  // namespace

TEST_CASE("a plan counts messages, deliveries and packets of a scenario", "[sim][plan]") {
    scenario s;
    s.name = "rooms";
    s.duration = 10min;
    fleet_spec sensors{.name = "sensors", .count = 30, .ramp_up = 10s};
    sensors.publications.push_back({.topic = "room/{index/10}/{index}",
                                    .period = every(10s),
                                    .phase = duration{5s},
                                    .qos = qos::at_least_once,
                                    .payload = "{filler:100}"});
    s.fleets.push_back(sensors);
    fleet_spec displays{.name = "displays", .count = 3};
    displays.subscriptions.push_back({.filter = "room/{index}/+", .qos = qos::at_most_once});
    displays.subscriptions.push_back({.filter = "room/0/#", .qos = qos::at_most_once});
    displays.replies.push_back(
        {.on = "room/0/+", .to = "answers", .qos = qos::at_most_once, .payload = "ok"});
    s.fleets.push_back(displays);
    fleet_spec workers{.name = "workers", .count = 4};
    workers.subscriptions.push_back({.filter = "$share/all/room/#", .qos = qos::exactly_once});
    s.fleets.push_back(workers);

    const traffic_plan plan = plan_traffic(s);
    CHECK(plan.devices == 37);
    CHECK(plan.subscriptions == 10);
    CHECK(plan.connects_per_second_max == 4);
    CHECK(plan.connected_after == 10s);
    const planned_messages* const readings = row_of(plan, "sensors", "room/{index/10}/{index}");
    REQUIRE(readings != nullptr);
    CHECK(readings->messages == 30 * 60);
    CHECK(readings->payload_bytes == 100);
    CHECK(readings->per_second_max == 30);  // all at one instant
    // A shared one, and one display; three in room 0, where one display has two subscriptions.
    CHECK(readings->fan_out == Approx(1 + (3 + 1 + 1) / 3.0));
    CHECK(readings->packets == Approx(30 * 60 * (2 + 2 + (3 + 1 + 1) / 3.0)));
    const planned_messages* const replies = row_of(plan, "displays", "replies to room/0/+");
    REQUIRE(replies != nullptr);
    CHECK(replies->messages == Approx(10 * 60 * 3));
    CHECK(replies->fan_out == 0);
    CHECK(plan.messages == Approx(30 * 60 + 10 * 60 * 3));
    CHECK(to_text(plan).find("in all 3,600 messages") != std::string::npos);
    CHECK(to_json(plan).find("\"messages\": 3600.0") != std::string::npos);
}

TEST_CASE("a plan follows stages and the hours of the day", "[sim][plan]") {
    scenario s;
    s.duration = 24h;
    fleet_spec doors{.name = "doors", .count = 10};
    diurnal_arrival day;
    day.per_hour.assign(24, 10);
    day.per_hour[12] = 3600;
    doors.publications.push_back(
        {.topic = "doors", .payload = "x", .arrival = arrival_spec{.diurnal = day}});
    s.fleets.push_back(doors);
    const traffic_plan plan = plan_traffic(s);
    // Up to 3,600 an hour and back within two hours.
    CHECK(plan.messages == Approx(10 * (22 * 10 + 3610)));
    CHECK(plan.messages_per_second_max == Approx(10).epsilon(0.05));
}

TEST_CASE("each shipped scenario can be planned", "[sim][plan]") {
    for (const auto& each :
         std::filesystem::directory_iterator(std::string(FLEETARIUM_SOURCE_DIR) + "/scenarios")) {
        if (each.path().extension() == ".json") {
            CAPTURE(each.path().filename().string());
            CHECK_NOTHROW(plan_traffic(load(each.path().filename().string())));
        }
    }
}

TEST_CASE("what shipped scenarios publish is what was planned", "[sim][plan]") {
    struct story {
        std::string name;
        std::vector<std::string> overrides;
        double published;  // the tolerance, as a share
        double delivered;
    };
    const auto& [name, overrides, published_within, delivered_within] = GENERATE(take(
        test::share_of(5U), values<story>({{"power_cut.json", {}, 0.01, 0.10},
                                          {"slow_dashboard.json", {}, 0.02, 0.05},
                                          {"fleet_of_trucks.json", {"/duration=4h"}, 0.05, 0.25},
                                          {"worker_crash.json", {}, 0.02, 0.05},
                                          {"utility_meters.json", {"/duration=4h"}, 0.02, 0.05}})));
    CAPTURE(name);
    scenario s = load(name, overrides);
    s.faults.clear();  // a plan knows nothing of them
    const traffic_plan plan = plan_traffic(s);
    world w = world::from(s);
    w.run_until(instant{s.duration});
    const run_report report = w.report();
    double published = 0;
    for (const publisher_counts& each : report.selections.front().publishers) {
        const source_report::kind kind = report.sources[each.source].what;
        if (kind == source_report::kind::publication || kind == source_report::kind::reply) {
            published += static_cast<double>(each.published);
        }
    }
    const flow_counts flows = sum_flows(report, report.selections.front(), {});
    INFO(to_text(plan) << published << " published, " << flows.due << " due");
    CHECK(std::abs(plan.messages / published - 1) < published_within);
    CHECK(std::abs(plan.deliveries / static_cast<double>(flows.due) - 1) < delivered_within);
}
