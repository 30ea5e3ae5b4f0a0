#pragma once

#include "client_flags.hpp"

#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace fleetarium::cli {

/// The options of `replay` that are about publishing recorded messages again; all need --to.
struct traffic_flags {
    client_flags target;  ///< its url is --to
    std::string speed = "1";
    std::string from;
    std::string until;
    std::string loop;
    CLI::Option* loop_option = nullptr;  ///< given, perhaps without a value
    std::vector<std::string> filters{};
    std::vector<std::string> topic_rewrites{};
    std::vector<std::string> client_rewrites{};
    bool as_clients = false;
    bool paused = false;
    std::string http;
    std::string http_token_file;

    bool is_given() const { return !target.url.empty(); }
    /// The command must not outlive this.
    void add_to(CLI::App& command);
};

/// Publishes the messages of a recording to `flags.target`; `report_file` gets the report as JSON,
/// unless it is empty. Returns the exit status: 0 all was published, or the user has ended it; 2
/// bad input; 3 not carried out, or messages were lost or refused.
int replay_traffic(const std::string& file, const traffic_flags& flags,
                   const std::string& report_file);

}  // namespace fleetarium::cli
