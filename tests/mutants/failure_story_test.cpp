#include <fleetarium/capture/message_journey.hpp>
#include <fleetarium/capture/packet_log.hpp>
#include <fleetarium/core/mutant.hpp>
#include <fleetarium/explore/explorer.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <variant>

// A violation of the ledger is told with the packets around it, and with the way of its message.

namespace fleetarium::sim {

TEST_CASE("the packets around a violation have the one that breaks the rule", "[oracle]") {
    const auto read =
        load_scenario(std::string(FLEETARIUM_SOURCE_DIR) + "/tests/mutants/protocol_lab.json");
    const auto* const lab = std::get_if<scenario>(&read);
    REQUIRE(lab != nullptr);
    const auto which = GENERATE(mutant::dup_missing_on_resend, mutant::no_local_ignored);
    switch_on(which);
    const exploration found =
        explore(*lab, {.seeds = 600, .jobs = 2, .judge = {.expectations = false}});
    REQUIRE(found.findings.size() == 1);
    const scenario& run = found.findings.front().what;
    const trial tried = try_scenario(run);
    REQUIRE_FALSE(tried.report.ledger.violations.empty());
    const ledger_violation& first = tried.report.ledger.violations.front();
    const auto packets = capture::packets_around(run, first);
    const auto story = capture::find_message(run, {first.publisher, first.message});
    switch_on(mutant::none);

    INFO(to_string(first) << '\n' << to_string(story));
    std::string text;
    for (const capture::logged_packet& each : packets) {
        text += to_string(each) + '\n';
    }
    INFO(text);
    CHECK(std::any_of(packets.begin(), packets.end(), [&](const auto& each) {
        return each.at == first.at && each.what.starts_with("PUBLISH");
    }));
    CHECK(std::any_of(story.steps.begin(), story.steps.end(),
                      [&](const auto& each) { return each.at == first.at; }));
}

}  // namespace fleetarium::sim
