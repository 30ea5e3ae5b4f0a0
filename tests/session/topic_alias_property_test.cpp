#include <fleetarium/session/topic_alias.hpp>

#include "support/property.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <map>
#include <string>

using namespace fleetarium;
using namespace fleetarium::test;

namespace {

std::string topic_of(std::uint32_t number) {
    return std::string(number % 40 / 10 * 9, 'x') + std::to_string(number % 40);
}

/// One side chooses aliases; the other is told, and reads what comes by what it was told.
std::string outbound_differs(property_steps steps) {
    outbound_topic_aliases chooses;
    std::map<std::uint16_t, std::string> told;
    const auto maximum = static_cast<std::uint16_t>(
        steps.empty() ? 1 : 1 + steps[0].b % (steps[0].c % 2 == 0 ? 4 : 60));
    for (const property_step& step : steps) {
        const std::string topic = topic_of(step.a);
        const auto choice = chooses.choose(topic, maximum);
        if (choice.alias == 0 || choice.alias > maximum) {
            return "alias " + std::to_string(choice.alias) + " of " + std::to_string(maximum);
        }
        if (choice.known && told[choice.alias] != topic) {
            return "the peer is to know " + topic + " and does not";
        }
        if (step.kind == 1) {
            chooses.revoke(choice.alias);  // not sent after all
            continue;
        }
        told[choice.alias] = topic;
        const auto again = chooses.choose(topic, maximum);
        if (!again.known || again.alias != choice.alias) {
            return topic + " is not known right after it was sent";
        }
    }
    return {};
}

std::string inbound_differs(property_steps steps) {
    inbound_topic_aliases real;
    std::map<std::uint16_t, std::string> plain;
    for (const property_step& step : steps) {
        const auto alias = static_cast<std::uint16_t>(1 + step.b % 300);
        if (step.kind == 0) {
            real.set(alias, topic_of(step.a));
            plain[alias] = topic_of(step.a);
        } else if (real.find(alias) != (plain.contains(alias) ? plain[alias] : std::string())) {
            return "alias " + std::to_string(alias) + " stands for " +
                   std::string(real.find(alias));
        }
    }
    return {};
}

}  // namespace

TEST_CASE("a topic left out in favour of its alias is the one that the peer was told last",
          "[topic_alias][property]") {
    check_property({
        .name = "outbound topic alias",
        .kinds = {{"send", 8}, {"choose and revoke", 2}},
        .cases = 500,
        .steps_max = 300,
        .broken_by = outbound_differs,
    });
}

TEST_CASE("an inbound alias stands for what it was set to last, whatever was set elsewhere",
          "[topic_alias][property]") {
    check_property({
        .name = "inbound topic alias",
        .kinds = {{"set", 4}, {"find", 6}},
        .cases = 300,
        .steps_max = 300,
        .broken_by = inbound_differs,
    });
}
