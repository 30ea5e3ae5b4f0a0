#define CATCH_CONFIG_EXTERNAL_INTERFACES  // the list of test cases
#include "with_mutant.hpp"

#include <algorithm>
#include <iterator>
#include <set>

namespace fleetarium::test {
namespace {

TEST_CASE("mutants are found by their names") {
    std::set<std::string_view> names;
    std::size_t place = 0;
    for (const mutant_description& one : mutants) {
        INFO(one.name);
        CHECK(static_cast<std::size_t>(one.which) == ++place);
        CHECK(name_of(one.which) == one.name);
        CHECK(find_mutant(one.name) == one.which);
        CHECK(side_of(one.which) == one.side);
        CHECK(one.name.starts_with("client_") == (one.side == mutant_side::client));
        CHECK_FALSE(one.bug.empty());
        CHECK_FALSE(one.invariant.empty());
        names.insert(one.name);
    }
    CHECK(names.size() == std::size(mutants));
    CHECK(find_mutant("none") == mutant::none);
    CHECK(find_mutant("pubrel_not_resen") == mutant::none);
    CHECK(name_of(mutant::none) == "none");
}

TEST_CASE("a mutant names one invariant or several") {
    mutant_description one;
    one.invariant = "conservation stalled";
    CHECK(is_convicted_by(one, "conservation"));
    CHECK(is_convicted_by(one, "stalled"));
    CHECK_FALSE(is_convicted_by(one, "stall"));
    CHECK_FALSE(is_convicted_by(one, "conservation stalled"));
    CHECK_FALSE(is_convicted_by(one, ""));
}

TEST_CASE("no mutant is on unless it is switched on, and then only that one") {
    for (const mutant_description& one : mutants) {
        CHECK_FALSE(is_on(one.which));
    }
    switch_on(mutant::pubrel_not_resent);
    CHECK(is_on(mutant::pubrel_not_resent));
    CHECK_FALSE(is_on(mutant::publish_not_resent));
    switch_on(mutant::none);
    CHECK_FALSE(is_on(mutant::pubrel_not_resent));
}

TEST_CASE("each mutant has a test that shows it") {
    std::set<std::string> tags;
    for (const auto& each : Catch::getRegistryHub().getTestCaseRegistry().getAllTests()) {
        tags.insert(each.tags.begin(), each.tags.end());
    }
    for (const mutant_description& one : mutants) {
        INFO(one.name);
        CHECK(tags.count(std::string(one.name)) == 1);
    }
}

}  // namespace
}  // namespace fleetarium::test
