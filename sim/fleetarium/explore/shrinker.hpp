#pragma once

#include <fleetarium/config/json_document.hpp>
#include <fleetarium/explore/explorer.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace fleetarium::sim {

/// The scenario document that repeats a finding: as it was written, with the seed and the faults
/// drawn for it. `text` is the scenario's file, whose overrides are `overrides`.
config::json_value document_of(std::string_view text, std::span<const std::string> overrides,
                               const finding& found);

struct shrunk {
    config::json_value document{};
    failure why{};             ///< of the smallest
    std::uint64_t trials = 0;  ///< runs that it took
    std::uint64_t steps = 0;   ///< of them, those that made it smaller
    std::uint64_t devices = 0;
    std::uint64_t faults = 0;
};

struct shrink_options {
    std::string file_name{};  ///< of the scenario: series are looked for beside it
    trial_options judge{};
    /// Asked before each run; false ends it with the smallest so far.
    std::function<bool()> may_go_on{};
};

/// Makes the document smaller as long as its run breaks the same rule: less time, fewer faults,
/// fleets, devices, publications and subscriptions, fewer messages, and whatever else can be left
/// out. To do with fewer devices and faults, it may take another seed, and let devices publish more
/// often. What comes out cannot be made smaller by any one of these steps, unless it was stopped.
shrunk shrink(config::json_value document, const failure& why, const shrink_options& options);

}  // namespace fleetarium::sim
