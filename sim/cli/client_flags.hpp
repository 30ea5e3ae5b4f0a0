#pragma once

#include <fleetarium/client/client_config.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace fleetarium::cli {

/// What `pub`, `sub` and `record` have in common: where to connect, and as whom.
struct client_flags {
    std::string url;
    std::string id;
    std::optional<std::string> user;
    std::optional<std::string> password;
    std::string password_file;
    std::string certificate;
    std::string private_key;
    std::string authorities;
    bool insecure = false;
    std::string version = "5";
    std::string keep_alive = "60s";
    std::string connect_timeout = "10s";
    bool keep_session = false;
    bool retry = false;
    bool verbose = false;
};

/// `url` is how the URL is given: a positional argument, or an option such as --from.
void add_client_flags(CLI::App& command, client_flags& flags, const std::string& url = "url");

/// The configuration that the flags ask for; its log goes to standard error, as `fleetarium NAME`.
/// Throws std::invalid_argument with a sentence for a person.
client_config config_of(const client_flags& flags, std::string_view name);

/// "0", "1" or "2".
enum qos qos_of(const std::string& text);

/// A check of a duration for CLI11, and its value.
std::string check_duration_flag(const std::string& text);
duration duration_of(const std::string& text);

/// One line on standard error: "fleetarium NAME: TEXT".
void complain(std::string_view name, std::string_view text);

}  // namespace fleetarium::cli
