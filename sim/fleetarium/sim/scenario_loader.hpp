#pragma once

#include <fleetarium/config/problem.hpp>
#include <fleetarium/sim/scenario.hpp>
#include <fleetarium/sim/scenario_inputs.hpp>

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fleetarium::sim {

using config::problem;
using config::to_string;

/// A scenario, or everything that is wrong with it, in the order of the text.
using scenario_or_problems = std::variant<scenario, std::vector<problem>>;

/// Reads a scenario file.
///
/// Each override is `PATH=VALUE` and replaces or adds a value before anything is checked. The
/// path is a JSON pointer (`/fleets/0/count`) or names with dots between them
/// (`fleets.thermostats.count`), in which an element of a list is its number or its "name". The
/// value is JSON, or else text: `seed=7`, `duration=2h`. Problems of an override name it as
/// `--set PATH=VALUE`.
/// Files that the scenario names come from `inputs`, which keeps them; null: from where they lie.
/// Errors: a file that cannot be read is a problem too. Thread rule: any thread.
scenario_or_problems load_scenario(const std::string& path,
                                   std::span<const std::string> overrides = {},
                                   scenario_inputs* inputs = nullptr);

/// The same with the text at hand; `file_name` is for the problems.
scenario_or_problems parse_scenario(std::string_view text, std::string_view file_name,
                                    std::span<const std::string> overrides = {},
                                    scenario_inputs* inputs = nullptr);

/// The text of a scenario file with its overrides in their places, as JSON without comments.
/// Throws std::runtime_error for what load_scenario has problems with reading.
std::string scenario_document(const std::string& path, std::span<const std::string> overrides = {});

/// A fault as a scenario's `faults` have it, alone; what it says of fleets and brokers is not
/// checked. `name` is for the problems.
std::variant<fault_spec, std::vector<problem>> parse_fault(std::string_view text,
                                                           std::string_view name);

/// What is wrong with a scenario as a whole, whether read or built by hand: names that nothing
/// has, templates, topics and filters that are not valid, what MQTT 3.1.1 or the broker's options
/// do not allow, values that contradict each other. Problems have pointers but no lines.
/// Takes O(n log n) for n devices: all client ids are compared.
std::vector<problem> check_scenario(const scenario& checked);

/// The JSON Schema (draft 2020-12) of scenario files.
std::string scenario_schema();

}  // namespace fleetarium::sim
