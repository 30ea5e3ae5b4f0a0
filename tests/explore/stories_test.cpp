#include <fleetarium/explore/trial.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <variant>

using namespace fleetarium::sim;

TEST_CASE("the stories that scenarios tell come out as they say", "[explore][scenario]") {
    const std::string name =
        GENERATE("power_cut", "slow_dashboard", "firmware_rollout", "broker_restart",
                 "worker_crash", "broker_power_cut", "configuration_rollout", "fleet_of_trucks",
                 "sparkplug_plant",
                 "sleepy_sensors", "certificate_expiry");
    CAPTURE(name);
    const auto read =
        load_scenario(std::string(FLEETARIUM_SOURCE_DIR) + "/scenarios/" + name + ".json");
    const auto* const told = std::get_if<scenario>(&read);
    REQUIRE(told != nullptr);
    const trial run = try_scenario(*told);
    for (const failure& each : run.failures) {
        FAIL_CHECK(each.rule << ": " << each.what);
    }
}
