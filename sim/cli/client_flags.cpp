#include "client_flags.hpp"

#include <fleetarium/config/document.hpp>
#include <fleetarium/config/quantities.hpp>

#include <CLI/CLI.hpp>

#include <iostream>
#include <stdexcept>

namespace fleetarium::cli {

namespace {

constexpr std::size_t password_file_size_max = 65'535 + 2;  // and an end of line

std::string read_password(const std::string& path) {
    auto read = config::read_text_file(path, password_file_size_max, "a password file");
    if (const auto* problems = std::get_if<std::vector<config::problem>>(&read)) {
        throw std::invalid_argument(config::to_string(*problems));
    }
    auto password = std::get<std::string>(std::move(read));
    while (!password.empty() && (password.back() == '\n' || password.back() == '\r')) {
        password.pop_back();
    }
    return password;
}

}  // namespace

void add_client_flags(CLI::App& command, client_flags& flags, const std::string& url) {
    command
        .add_option(url, flags.url,
                    "The broker: mqtt://HOST[:PORT], mqtts://, ws://HOST[:PORT][/PATH], wss:// or "
                    "unix:///PATH")
        ->required()
        ->type_name("URL");
    command.add_option("--id", flags.id, "Client id; without one the broker chooses")
        ->type_name("ID");
    command.add_option("--user", flags.user, "User name")->type_name("NAME");
    auto* const password =
        command.add_option("--password", flags.password, "Password; others can see it in ps")
            ->type_name("TEXT");
    command.add_option("--password-file", flags.password_file, "A file that holds nothing but it")
        ->type_name("FILE")
        ->excludes(password);
    command
        .add_option("--ca", flags.authorities,
                    "Certificates of the authorities to trust; without it those of the system")
        ->type_name("FILE.pem");
    auto* const certificate =
        command
            .add_option("--cert", flags.certificate, "Certificate of this client, with its chain")
            ->type_name("FILE.pem");
    auto* const key =
        command.add_option("--key", flags.private_key, "Its private key")->type_name("FILE.pem");
    certificate->needs(key);
    key->needs(certificate);
    command.add_flag("--insecure", flags.insecure,
                     "Take any certificate: whoever is in between can read and change all");
    command.add_option("--mqtt", flags.version, "Version of MQTT")
        ->check(CLI::IsMember({"3.1.1", "5"}))
        ->capture_default_str();
    command.add_option("--keep-alive", flags.keep_alive, "0s is off")
        ->check(check_duration_flag)
        ->type_name("DURATION")
        ->capture_default_str();
    command.add_option("--connect-timeout", flags.connect_timeout, "For each attempt to connect")
        ->check(check_duration_flag)
        ->type_name("DURATION")
        ->capture_default_str();
    command.add_flag("--keep-session", flags.keep_session,
                     "Resume the session that --id has at the broker, and leave it there");
    command.add_flag("--retry", flags.retry, "Try to connect for ever");
    command.add_flag("--verbose", flags.verbose, "Say on standard error what the client does");
}

client_config config_of(const client_flags& flags, std::string_view name) {
    client_config config(flags.url);
    config.id(flags.id);
    config.version(flags.version == "5" ? protocol_version::v5 : protocol_version::v3_1_1);
    if (!flags.password_file.empty() || flags.password) {
        const std::string password =
            flags.password ? *flags.password : read_password(flags.password_file);
        if (!flags.user && flags.version != "5") {
            throw std::invalid_argument(
                "found a password without a user name; MQTT 3.1.1 has none, expected --user");
        }
        if (flags.user) {
            config.user(*flags.user, password);
        } else {
            config.user({}, password);
        }
    } else if (flags.user) {
        config.user(*flags.user);
    }
    const bool tls_given =
        !flags.authorities.empty() || !flags.certificate.empty() || flags.insecure;
    if (tls_given && !config.urls().front().is_tls()) {
        throw std::invalid_argument(
            "--ca, --cert, --key and --insecure are for mqtts:// and "
            "wss://, found " +
            flags.url);
    }
    net::tls_options tls;
    tls.authorities = flags.authorities;
    tls.certificate = flags.certificate;
    tls.private_key = flags.private_key;
    tls.verify_peer = !flags.insecure;
    config.tls(std::move(tls));
    config.keep_alive(std::chrono::ceil<std::chrono::seconds>(duration_of(flags.keep_alive)));
    config.connect_timeout(duration_of(flags.connect_timeout));
    if (flags.keep_session) {
        if (flags.id.empty()) {
            throw std::invalid_argument(
                "--keep-session needs --id, by which the broker knows the "
                "session");
        }
        config.clean_start(false);
        if (flags.version == "5") {
            config.session_expiry(std::chrono::seconds::max());
        }
    }
    config.reconnect(backoff().attempts(flags.retry ? 0 : 1));
    const auto least = flags.verbose ? log_severity::debug : log_severity::error;
    config.log([least, name = std::string(name)](log_severity severity, std::string_view line) {
        if (severity >= least) {
            complain(name, line);
        }
    });
    return config;
}

enum qos qos_of(const std::string& text) { return static_cast<enum qos>(text.front() - '0'); }

std::string check_duration_flag(const std::string& text) {
    return config::parse_duration(text)
               ? std::string()
               : "found \"" + text + "\", expected a duration such as 500ms, 90s, 24h";
}

duration duration_of(const std::string& text) { return config::parse_duration(text).value(); }

void complain(std::string_view name, std::string_view text) {
    std::cerr << "fleetarium " << name << ": " << text << '\n';
}

}  // namespace fleetarium::cli
