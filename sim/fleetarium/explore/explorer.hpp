#pragma once

#include <fleetarium/explore/trial.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim {

struct explore_options {
    std::uint64_t first_seed = 1;
    std::uint64_t seeds = 1'000;  ///< how many; one run each
    unsigned jobs = 1;            ///< threads, 1 and up
    bool keep_going = false;      ///< after a failure; else no seed beyond the lowest that fails
    bool draw_faults = true;      ///< besides those of the scenario, see fault_plan.hpp
    trial_options judge{};
};

/// A seed whose run breaks a rule.
struct finding {
    std::uint64_t seed = 0;
    scenario what{};  ///< with the seed, and the faults drawn for it: the run, to be repeated
    std::vector<failure> failures{};
};

struct explore_progress {
    std::uint64_t runs = 0;
    std::uint64_t findings = 0;
};

struct exploration {
    std::vector<finding> findings{};  ///< in the order of seeds
    coverage seen{};
    bool stopped = false;  ///< by `watch`
};

/// Runs the scenario under one seed after the other, on `jobs` threads at once, and finds those
/// that break a rule. What is found does not depend on the number of threads.
///
/// `watch` is called on the calling thread about ten times a second; false stops the hunt when the
/// runs under way are done. The scenario is assumed to have passed check_scenario.
exploration explore(const scenario& what, const explore_options& options,
                    const std::function<bool(const explore_progress&)>& watch = {});

}  // namespace fleetarium::sim
