#include <fleetarium/explore/finding_files.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fleetarium::sim {

namespace {

/// In one line of a comment.
std::string in_a_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

/// A delimiter of a raw string that does not occur in it.
std::string raw_string(const std::string& text) {
    std::string delimiter = "json";
    while (text.find(")" + delimiter + "\"") != std::string::npos) {
        delimiter += 'x';
    }
    return "R\"" + delimiter + "(" + text + ")" + delimiter + "\"";
}

}  // namespace

std::string finding_scenario_text(const config::json_value& document, const finding_facts& facts) {
    return fmt::format(
        "// Found by `fleetarium explore {}`, seed {}, and made small.\n"
        "// Breaks {}:\n// {}\n{}\n",
        in_a_line(facts.scenario_file), facts.seed, in_a_line(facts.why.rule),
        in_a_line(facts.why.what), config::json_pretty(document));
}

std::string finding_test_text(const config::json_value& document, const finding_facts& facts) {
    return fmt::format(
        R"(// Found by `fleetarium explore {0}`, seed {1}, and made small.
// {2}

#include <fleetarium/explore/trial.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <catch2/catch.hpp>

#include <variant>

TEST_CASE("{3} holds: {0}, seed {1}", "[found]") {{
    using namespace fleetarium::sim;
    const auto read = parse_scenario({4}, "found.json");
    const auto* const wrong = std::get_if<std::vector<problem>>(&read);
    INFO((wrong == nullptr ? "" : to_string(*wrong)));
    REQUIRE(wrong == nullptr);
    const trial run = try_scenario(std::get<scenario>(read));
    for (const failure& each : run.failures) {{
        FAIL_CHECK(each.rule << ": " << each.what);
    }}
}}
)",
        in_a_line(facts.scenario_file), facts.seed, in_a_line(facts.why.what),
        in_a_line(facts.why.rule), raw_string(config::json_pretty(document)));
}

}  // namespace fleetarium::sim
