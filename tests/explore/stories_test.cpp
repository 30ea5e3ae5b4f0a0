#include <fleetarium/explore/trial.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <support/case_share.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <variant>

using namespace fleetarium::sim;

TEST_CASE("the stories that scenarios tell come out as they say", "[explore][scenario]") {
    const std::string name = GENERATE(
        take(fleetarium::test::share_of(11U),
             values<std::string>({"power_cut", "sleepy_sensors", "firmware_rollout",
                                  "broker_restart", "worker_crash", "configuration_rollout",
                                  "fleet_of_trucks", "sparkplug_plant", "slow_dashboard",
                                  "certificate_expiry", "broker_power_cut"})));
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
