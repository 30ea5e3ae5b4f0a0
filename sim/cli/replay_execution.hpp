#pragma once

#include <string>

namespace CLI {
class App;
}

namespace fleetarium::cli {

/// The options of `replay` that are about running a scenario once more.
struct execution_flags {
    std::string recording;    ///< keep the run's recording here
    std::string report_file;  ///< the result as JSON
    bool json = false;        ///< the same on standard output, instead of words
    bool hash_only = false;   ///< compare no rows

    void add_to(CLI::App& command);
};

/// Runs the scenario of a recording once more and says whether the same has happened; returns the
/// exit status: 0 it has, 1 it differs, 2 the recording cannot be run again, 3 it was not carried
/// out.
int replay_execution(const std::string& file, const execution_flags& flags);

}  // namespace fleetarium::cli
