#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace fleetarium::cli::bench {

/// What `fleetarium bench --against` is asked to do.
struct against_options {
    std::string against{};           ///< HOST:PORT, or "mosquitto" to start that
    std::vector<pid_t> pids{};       ///< of the other broker; none: who holds its listening socket
    std::string broker_arguments{};  ///< for the broker that is started here
    bool without_ours = false;       ///< measure the other one alone
    std::vector<std::string> only{};
    double seconds = 1;  ///< of each measurement
    double scale = 1;    ///< of seconds and idle connections
    unsigned rounds = 3;
    std::string version = "3.1.1";  ///< of MQTT: "3.1.1" or "5"
    std::string json{};             ///< file for all figures; empty: none
};

/// Puts our broker and another one under the same loads in turns and prints the figures side by
/// side. Returns the exit status.
int run_against(const against_options& options);

/// Names of the loads, each with what it is, a line each.
std::string list_of_loads();

}  // namespace fleetarium::cli::bench
