// The code of README.md, run.

#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

using namespace fleetarium;
using namespace std::chrono_literals;

TEST_CASE("a display shows every door, also those that reported before it came") {
    sim::world world({.seed = 7});
    auto& broker = world.add_broker();
    world.add_network({.name = "radio", .up = {.latency = distribution::uniform(20e6, 80e6)}});

    sim::fleet_spec doors{.name = "doors", .count = 20, .network = "radio"};
    doors.publications.push_back({.topic = "doors/{index}/state",
                                  .period = distribution::constant(1800e9),  // nanoseconds
                                  .qos = qos::at_least_once,
                                  .retain = true,
                                  .payload = R"({"open": {choice:true,false}})"});
    world.add_fleet(doors);
    world.run_for(2h);

    auto& display = world.add_client("display");
    display.connect(broker);
    display.subscribe("doors/+/state", qos::at_least_once);
    world.settle();
    CHECK(display.messages().size() == 20);
    CHECK(display.messages().front().retain);

    display.cut();  // the link breaks; the fleet goes on
    world.run_for(30min);
    CHECK(broker.metrics().publish_received[1] == 20 * 5);
}
