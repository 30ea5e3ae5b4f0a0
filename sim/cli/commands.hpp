#pragma once

namespace CLI {
class App;
}

/// The subcommands of the binary, a source file each. Every `add_...` registers one; its status
/// goes to `exit_status` when it has run.
namespace fleetarium::cli {

inline constexpr int exit_success = 0;             ///< all expectations met
inline constexpr int exit_expectation_failed = 1;  ///< an expectation or invariant failed
inline constexpr int exit_bad_input = 2;           ///< bad input or use
inline constexpr int exit_not_carried_out = 3;     ///< the run could not be carried out

void add_run(CLI::App& app, int& exit_status);     // run.cpp
void add_check(CLI::App& app, int& exit_status);   // check.cpp
void add_explore(CLI::App& app, int& exit_status); // explore.cpp
void add_info(CLI::App& app, int& exit_status);    // info.cpp
void add_record(CLI::App& app, int& exit_status);  // record.cpp
void add_replay(CLI::App& app, int& exit_status);  // replay.cpp
void add_diff(CLI::App& app, int& exit_status);    // diff.cpp
void add_export(CLI::App& app, int& exit_status);  // export.cpp
void add_learn(CLI::App& app, int& exit_status);   // learn.cpp
void add_schema(CLI::App& app, int& exit_status);  // schema.cpp
void add_bench(CLI::App& app, int& exit_status);   // bench.cpp
void add_certs(CLI::App& app, int& exit_status);   // certs.cpp
void add_broker(CLI::App& app, int& exit_status);  // broker.cpp
void add_passwd(CLI::App& app, int& exit_status);  // passwd.cpp
void add_pub(CLI::App& app, int& exit_status);     // pub.cpp
void add_sub(CLI::App& app, int& exit_status);     // sub.cpp
void add_dashboard(CLI::App& app, int& exit_status);  // dashboard.cpp

}  // namespace fleetarium::cli
