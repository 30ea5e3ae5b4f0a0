#include <fleetarium/sim/scenario_loader.hpp>

#include <fleetarium/config/document.hpp>
#include <fleetarium/core/limits.hpp>
#include <fleetarium/sim/generator_check.hpp>
#include <fleetarium/sim/scenario_fields.hpp>

#include <filesystem>
#include <iterator>
#include <stdexcept>

namespace fleetarium::sim {

scenario_or_problems parse_scenario(std::string_view text, std::string_view file_name,
                                    std::span<const std::string> overrides,
                                    scenario_inputs* inputs) {
    config::detail::document document(text, file_name, "a scenario", "fleets.doors.count=10");
    for (const auto& option : overrides) {
        document.set(option, "--set " + option);
    }
    scenario made;
    document.read(detail::scenario_type(), made);
    const std::string folder = std::filesystem::path(file_name).parent_path().string();
    std::vector<problem> of_series;
    for (std::size_t i = 0; i < made.fleets.size(); ++i) {
        auto wrong =
            detail::load_series(made.fleets[i].generators,
                                config::pointer_to("/fleets", i) + "/generators", folder, inputs);
        std::move(wrong.begin(), wrong.end(), std::back_inserter(of_series));
    }
    document.add_checked(check_scenario(made));
    auto problems = document.take_problems();
    std::move(of_series.begin(), of_series.end(), std::back_inserter(problems));
    if (problems.empty()) {
        return made;
    }
    return problems;
}

scenario_or_problems load_scenario(const std::string& path, std::span<const std::string> overrides,
                                   scenario_inputs* inputs) {
    auto text = config::read_text_file(path, limits::scenario_size_max, "a scenario file");
    if (auto* problems = std::get_if<std::vector<problem>>(&text)) {
        return std::move(*problems);
    }
    return parse_scenario(std::get<std::string>(text), path, overrides, inputs);
}

std::variant<fault_spec, std::vector<problem>> parse_fault(std::string_view text,
                                                           std::string_view name) {
    config::detail::document document(text, name, "a fault", "lasts=10s");
    fault_spec made;
    document.read(detail::fault_type(), made);
    auto problems = document.take_problems();
    if (problems.empty()) {
        return made;
    }
    return problems;
}

std::string scenario_document(const std::string& path, std::span<const std::string> overrides) {
    auto text = config::read_text_file(path, limits::scenario_size_max, "a scenario file");
    if (const auto* problems = std::get_if<std::vector<problem>>(&text)) {
        throw std::runtime_error(to_string(*problems));
    }
    config::detail::document document(std::get<std::string>(text), path, "a scenario",
                                      "fleets.doors.count=10");
    for (const std::string& each : overrides) {
        document.set(each, "--set " + each);
    }
    if (document.root() == nullptr) {
        throw std::runtime_error(to_string(document.take_problems()));
    }
    return config::json_compact(*document.root());
}

std::string scenario_schema() {
    return config::detail::schema_text("Fleetarium scenario", detail::scenario_type());
}

}  // namespace fleetarium::sim
