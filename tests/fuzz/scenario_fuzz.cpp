#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/bytes.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// A text as a scenario; what is before a zero byte are overrides of the command line, one a line.
// Comes out a scenario that a second look finds nothing wrong with, or problems that say where.

namespace {

using namespace fleetarium;

void check_problems(const std::vector<sim::problem>& problems, std::string_view text) {
    FLEETARIUM_ASSERT(!problems.empty());
    const auto lines = static_cast<std::uint32_t>(std::count(text.begin(), text.end(), '\n') +
                                                  std::count(text.begin(), text.end(), '\r') + 1);
    for (const sim::problem& each : problems) {
        FLEETARIUM_ASSERT(!each.file.empty());
        FLEETARIUM_ASSERT(each.line <= lines || each.file != "fuzz.json");
        FLEETARIUM_ASSERT(each.pointer.empty() || each.pointer.front() == '/');
        FLEETARIUM_ASSERT(!each.found.empty() && !each.expected.empty());
        FLEETARIUM_ASSERT(!sim::to_string(each).empty());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text = as_text({data, size});
    std::vector<std::string> overrides;
    const std::size_t zero = text.find('\0');
    if (zero != std::string_view::npos) {
        for (std::string_view left = text.substr(0, zero); !left.empty();) {
            const std::size_t end = std::min(left.find('\n'), left.size());
            overrides.emplace_back(left.substr(0, end));
            left.remove_prefix(std::min(end + 1, left.size()));
        }
        text.remove_prefix(zero + 1);
    }
    // Files that it names are not read.
    sim::scenario_inputs inputs(sim::scenario_inputs::files{{"series.csv", "1,2\n3,4\n"}});
    const auto read = sim::parse_scenario(text, "fuzz.json", overrides, &inputs);
    if (const auto* const problems = std::get_if<std::vector<sim::problem>>(&read)) {
        check_problems(*problems, text);
    } else {
        FLEETARIUM_ASSERT(sim::check_scenario(std::get<sim::scenario>(read)).empty());
    }
    const auto fault = sim::parse_fault(text, "fuzz.json");
    if (const auto* const problems = std::get_if<std::vector<sim::problem>>(&fault)) {
        check_problems(*problems, text);
    }
    return 0;
}
