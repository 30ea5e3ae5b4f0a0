#include <fleetarium/core/mutant.hpp>
#include <fleetarium/explore/explorer.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <support/case_share.hpp>

#include <catch2/catch.hpp>

#include <iterator>
#include <string>
#include <variant>

// The ledger and the faults are as good as the bugs that they find: each mutant is hunted in the
// protocol lab with faults drawn from one seed after the other, and a clean build is never accused.

namespace fleetarium::sim {
namespace {

scenario protocol_lab() {
    const auto read =
        load_scenario(std::string(FLEETARIUM_SOURCE_DIR) + "/tests/mutants/protocol_lab.json");
    const auto* const lab = std::get_if<scenario>(&read);
    REQUIRE(lab != nullptr);
    return *lab;
}

explore_options hunt_for(std::uint64_t seeds) {
    return {.seeds = seeds, .jobs = 2, .judge = {.expectations = false}};
}

/// Mutants in eight parts, so that they can be hunted side by side.
constexpr std::size_t parts = 8;

}  // namespace

TEST_CASE("the hunt finds the mutants", "[oracle]") {
    const std::size_t part = GENERATE(range(std::size_t{0}, parts));
    const scenario lab = protocol_lab();
    for (std::size_t i = part; i < std::size(mutants); i += parts * test::one_case_in()) {
        const mutant_description& one = mutants[i];
        switch_on(one.which);
        const exploration found = explore(lab, hunt_for(600));
        switch_on(mutant::none);
        INFO(one.name << ": " << one.bug);
        CHECK(found.findings.size() == 1);
        for (const finding& each : found.findings) {
            // The first rule that it is seen to break; others may follow from that.
            INFO("seed " << each.seed << ": " << each.failures.front().what);
            CHECK(is_convicted_by(one, each.failures.front().rule));
        }
    }
}

TEST_CASE("nobody is accused without a mutant", "[oracle]") {
    const exploration found = explore(protocol_lab(), hunt_for(test::share_of(400U)));
    for (const finding& each : found.findings) {
        for (const failure& one : each.failures) {
            FAIL_CHECK("seed " << each.seed << ": " << one.what);
        }
    }
}

TEST_CASE("nobody is accused without a mutant, in ten thousand seeds", "[.oracle_nightly]") {
    const exploration found = explore(protocol_lab(), hunt_for(10'000));
    for (const finding& each : found.findings) {
        for (const failure& one : each.failures) {
            FAIL_CHECK("seed " << each.seed << ": " << one.what);
        }
    }
}

}  // namespace fleetarium::sim
