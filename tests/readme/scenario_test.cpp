// The scenarios shown in READMEs are scenarios.

#include <fleetarium/sim/scenario_loader.hpp>

#include <catch2/catch.hpp>

#include <fstream>
#include <string>
#include <variant>
#include <vector>

using namespace fleetarium;

namespace {

std::vector<std::string> json_blocks(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::string> blocks;
    bool inside = false;
    for (std::string line; std::getline(file, line);) {
        if (inside && line == "```") {
            inside = false;
        } else if (inside) {
            blocks.back() += line + "\n";
        } else if (line == "```json") {
            inside = true;
            blocks.emplace_back();
        }
    }
    return blocks;
}

}  // namespace

TEST_CASE("each scenario that a README shows passes the check") {
    const std::string name =
        GENERATE("README.md", "sim/presets.md", "sim/behaviours.md", "sim/faults.md");
    const auto blocks = json_blocks(FLEETARIUM_SOURCE_DIR "/" + name);
    REQUIRE_FALSE(blocks.empty());
    for (const auto& block : blocks) {
        const auto read = sim::parse_scenario(block, name);
        if (const auto* problems = std::get_if<std::vector<sim::problem>>(&read)) {
            FAIL(sim::to_string(*problems));
        }
    }
}
