#include <fleetarium/core/mutant.hpp>
#include <fleetarium/explore/explorer.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
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

/// What escapes so far: nobody in the lab does what would show it, or no invariant looks at it.
/// One that is found must leave this list.
constexpr std::array escapes{
    mutant::expiry_not_counted_down,
    mutant::full_queue_drops_in_silence,
    mutant::unsubscribe_without_effect,
    mutant::subscription_identifier_lost,
    mutant::retain_as_published_ignored,
    mutant::will_not_retained,
    mutant::shared_given_to_absent_member,
    mutant::shared_lost_with_its_member,
    mutant::take_over_leaves_old_connection,
    mutant::keep_alive_without_grace,
    mutant::keep_alive_not_enforced,
    mutant::client_discards_dup,
    mutant::client_pubrel_never_sent,
    mutant::client_receive_maximum_ignored,
    mutant::client_maximum_packet_size_ignored,
    mutant::client_full_queue_drops_in_silence,
    mutant::client_pings_late,
};

bool escapes_so_far(mutant which) {
    return std::find(escapes.begin(), escapes.end(), which) != escapes.end();
}

/// Mutants in eight parts, so that they can be hunted side by side.
constexpr std::size_t parts = 8;

}  // namespace

TEST_CASE("the hunt finds the mutants", "[oracle]") {
    const std::size_t part = GENERATE(range(std::size_t{0}, parts));
    const scenario lab = protocol_lab();
    for (std::size_t i = part; i < std::size(mutants); i += parts) {
        const mutant_description& one = mutants[i];
        const bool escaping = escapes_so_far(one.which);
        switch_on(one.which);
        const exploration found = explore(lab, hunt_for(escaping ? 20 : 600));
        switch_on(mutant::none);
        INFO(one.name << ": " << one.bug);
        CHECK(found.findings.size() == (escaping ? 0 : 1));
    }
}

TEST_CASE("nobody is accused without a mutant", "[oracle]") {
    const exploration found = explore(protocol_lab(), hunt_for(400));
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
