#include <fleetarium/sim/scenario_inputs.hpp>

#include <fleetarium/config/document.hpp>

#include <utility>
#include <vector>

namespace fleetarium::sim {

std::variant<std::string_view, config::problem> scenario_inputs::read(const std::string& name,
                                                                      const std::string& path,
                                                                      std::size_t size_max,
                                                                      std::string_view noun) {
    auto found = held_.find(name);
    if (found == held_.end()) {
        if (!reads_) {
            return config::problem{.file = path,
                                   .found = "nothing: it is not among the files kept with it",
                                   .expected = std::string(noun)};
        }
        auto text = config::read_text_file(path, size_max, noun);
        if (auto* const problems = std::get_if<std::vector<config::problem>>(&text)) {
            return std::move(problems->front());
        }
        found = held_.emplace(name, std::get<std::string>(std::move(text))).first;
    }
    return std::string_view(found->second);
}

}  // namespace fleetarium::sim
