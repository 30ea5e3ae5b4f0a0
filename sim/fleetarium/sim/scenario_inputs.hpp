#pragma once

#include <fleetarium/config/problem.hpp>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace fleetarium::sim {

/// The files that a scenario reads besides its own, series of numbers, by the names that it has for
/// them: with them and its text it can be run again when the files have changed or gone.
/// Thread rule: one thread at a time.
class scenario_inputs {
public:
    using files = std::map<std::string, std::string, std::less<>>;

    /// Has none yet: files are read where they lie, and kept.
    scenario_inputs() = default;
    /// Has these, and reads nothing: a file that is not among them is a problem.
    explicit scenario_inputs(files held) : held_(std::move(held)), reads_(false) {}

    /// The bytes of the file that the scenario calls `name` and that lies at `path`, of at most
    /// `size_max`; `noun` is for the problem: "a file of a csv generator".
    std::variant<std::string_view, config::problem> read(const std::string& name,
                                                         const std::string& path,
                                                         std::size_t size_max,
                                                         std::string_view noun);

    const files& held() const { return held_; }

private:
    files held_;
    bool reads_ = true;
};

}  // namespace fleetarium::sim
