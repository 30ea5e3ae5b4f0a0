#pragma once

#include <fleetarium/config/problem.hpp>
#include <fleetarium/server/server_options.hpp>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The configuration of `fleetarium broker`: a JSON file with comments, flags, or both.
///
///     {
///         "listeners": [
///             {"url": "mqtt://127.0.0.1:1883"},
///             {"url": "mqtts://:8883", "maximum_packet_size": "64kB",
///              "tls": {"certificate": "server.pem", "private_key": "server.key"}}
///         ],
///         "password_file": "passwords",
///         "queue_messages_max": 100
///     }
///
/// Every member of server_options and broker_options is a field; the options of the broker stand
/// beside those of the server, as in a scenario. Names of files are relative to the folder that the
/// process was started in.
namespace fleetarium::broker {

struct server_config {
    server_options server{};
    enum log_level log_level = log_level::info;
    std::string log_file{};  ///< empty: standard error
    /// A file whose first line is what server.http_token is to be; empty: none. Who serves reads
    /// it: a token in a file of its own is in no configuration, and no list of processes.
    std::string http_token_file{};
};

/// A value of the command line: `PATH=VALUE` as in config::detail::document::set, and what
/// problems call it, such as "--threads 0".
struct config_setting {
    std::string assignment{};
    std::string label{};
};

/// What the command line says. It has the last word.
struct server_settings {
    std::vector<std::string> listen{};  ///< URLs, instead of the file's listeners
    std::string listen_otherwise{};     ///< a URL, where neither names one; empty: none
    std::vector<config_setting> listeners_with_tls{};  ///< paths in each listener that has TLS
    std::vector<config_setting> others{};              ///< paths in the whole; after the above
};

/// A configuration, or everything that is wrong with it, in the order of the text.
using server_config_or_problems = std::variant<server_config, std::vector<config::problem>>;

/// Reads a configuration file; without a path, the settings alone. `defaults` is for what neither
/// says. With a password file and not a word about it, clients without a user name are kept out.
/// Errors: a file that cannot be read is a problem too. Thread rule: any thread.
server_config_or_problems load_server_config(const std::string& path,
                                             const server_settings& settings = {},
                                             const server_config& defaults = {});

/// The same with the text at hand; `file_name` is for the problems.
server_config_or_problems parse_server_config(std::string_view text, std::string_view file_name,
                                              const server_settings& settings = {},
                                              const server_config& defaults = {});

/// What is wrong with a configuration as a whole, whether read or built in C++: listeners that
/// contradict themselves or each other, TLS without a certificate, an HTTP server that anybody can
/// reach, a rule that lets nobody or everybody in. Problems have pointers but no lines.
std::vector<config::problem> check_server_config(const server_config& checked);

/// The whole configuration as JSON, which reads back as the same. The log's sink is left out; what
/// is "none" has no field.
std::string server_config_text(const server_config& written);

/// The JSON Schema (draft 2020-12) of configuration files.
std::string server_config_schema();

}  // namespace fleetarium::broker
