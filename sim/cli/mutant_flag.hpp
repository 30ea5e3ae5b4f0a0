#pragma once

namespace CLI {
class App;
}

namespace fleetarium::cli {

/// Adds --mutant NAME, which switches that bug on in all brokers and clients of the process, where
/// the build has them (FLEETARIUM_MUTANTS); else nothing.
void add_mutant_flag(CLI::App& command);

}  // namespace fleetarium::cli
