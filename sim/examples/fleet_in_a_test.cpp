// A Catch2 test of a back end against a thousand simulated sensors: two hours of them in virtual
// time, in milliseconds, and the same every time.

#include <fleetarium/sim/world.hpp>
#include <fleetarium/testing/catch2.hpp>
#include <fleetarium/testing/message_probe.hpp>

#include <catch2/catch.hpp>

using namespace fleetarium;
using namespace std::chrono_literals;

TEST_CASE("each sensor reports its temperature every minute") {
    sim::world world({.seed = 7});
    auto& broker = world.add_broker();
    world.add_network({.name = "radio", .up = {.latency = distribution::uniform(20e6, 80e6)}});
    testing::message_probe probe(world, broker);

    sim::fleet_spec sensors{.name = "sensors", .count = 1000, .network = "radio"};
    sensors.publications.push_back({.topic = "room/{index}/celsius",
                                    .period = distribution::constant(60e9),  // nanoseconds
                                    .qos = qos::at_least_once,
                                    .payload = "{walk:18.0..24.0:0.1}"});
    world.add_fleet(sensors);

    const auto reports = FLEETARIUM_WAIT_FOR_COUNT(probe, "room/+/celsius", 120'000, 3h);
    CHECK(reports.front().topic.starts_with("room/"));
    FLEETARIUM_EXPECT_NONE(probe, "alarms/#", 1h);
}
