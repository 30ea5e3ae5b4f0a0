#pragma once

#include <fleetarium/sim/report.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim {

/// A rule that a run broke: an invariant of the ledger, or an expectation of the scenario.
struct failure {
    /// Name of the invariant, or "expectation: ", its name, and how it failed: with nothing to
    /// measure, over time, or (nothing behind the name) out of its bounds at the end.
    std::string rule{};
    instant at{};        ///< when it came to light
    std::string what{};  ///< a sentence
};

/// What a run came to, for who looks for one that breaks a rule.
struct trial {
    std::vector<failure> failures{};  ///< the first of each rule, in the order of coming to light
    run_report report{};

    const failure* find(std::string_view rule) const;
};

struct trial_options {
    bool expectations = true;  ///< judge them, besides the invariants
};

/// Runs the scenario to its end. It is assumed to have passed check_scenario.
trial try_scenario(const scenario& what, const trial_options& options = {});

/// What runs went through: whether a hunt has been anywhere near what it hunts.
struct coverage {
    std::uint64_t runs = 0;
    std::uint64_t events = 0;
    std::array<std::uint64_t, fault_kind_count> faults{};  ///< that began, by kind
    std::uint64_t connects = 0;
    std::uint64_t sessions_resumed = 0;
    std::uint64_t links_broken = 0;
    std::uint64_t deliveries = 0;
    std::uint64_t duplicates = 0;      ///< further copies at receivers
    std::uint64_t received_again = 0;  ///< further copies at brokers
    std::uint64_t drops = 0;
    std::uint64_t wills = 0;
    std::uint64_t retained = 0;  ///< sent to new subscriptions
    std::uint64_t keep_alive_timeouts = 0;

    void add(const run_report& of);
};

}  // namespace fleetarium::sim
