#pragma once

#include <fleetarium/config/problem.hpp>
#include <fleetarium/sim/generator.hpp>
#include <fleetarium/sim/scenario_inputs.hpp>
#include <fleetarium/sim/text_template.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim::detail {

/// What is wrong with a fleet's generators, and what templates may say of them: where one has a
/// mistake, its fields are not known, and any will do.
struct generator_verdict {
    std::vector<config::problem> problems{};
    std::vector<generator_names> names{};
};

/// Whether it may be the name of a generator: letters, digits and _, no digit first.
bool is_generator_name(std::string_view text);

/// `pointer` leads to the list. Reads the files of series that nobody has read yet.
generator_verdict check_generators(std::span<const generator_spec> specs,
                                   const std::string& pointer);

/// The field that `name` or `name.field` means.
std::optional<generator_use> find_input(std::string_view text,
                                        std::span<const generator_names> among);

/// Reads the files of a fleet's csv generators for all worlds to share; a mistake has the file,
/// its line, and the pointer of the generator. `folder` is where relative paths begin; the files
/// come from `inputs`, or null: from where they lie.
std::vector<config::problem> load_series(std::span<generator_spec> specs,
                                         const std::string& pointer, const std::string& folder,
                                         scenario_inputs* inputs);

}  // namespace fleetarium::sim::detail
