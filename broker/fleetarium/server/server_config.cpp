#include <fleetarium/server/server_config.hpp>

#include <fleetarium/config/document.hpp>
#include <fleetarium/core/limits.hpp>
#include <fleetarium/server/server_config_fields.hpp>

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace fleetarium::broker {

using namespace config;

namespace {

/// Puts what the command line says into the tree of the file.
class setter {
public:
    setter(config::detail::document& document, const server_settings& settings)
        : document_(document), settings_(settings) {}

    void run() {
        if (document_.root() == nullptr || document_.root()->kind != json_kind::object) {
            return;  // the problem known is that of the whole
        }
        set_listeners();
        set_tls();
        for (const auto& each : settings_.others) {
            document_.set(each.assignment, each.label);
        }
    }

private:
    const json_value* listeners() const { return document_.root()->find("listeners"); }

    void set_listeners() {
        const auto add = [&](const std::string& url, const std::string& label) {
            document_.set("/listeners/-/url=" + json_quoted(url), label);
        };
        if (!settings_.listen.empty()) {
            document_.set("/listeners=[]", "--listen");
            for (const std::string& url : settings_.listen) {
                add(url, "--listen " + url);
            }
        } else if (listeners() == nullptr ||
                   (listeners()->kind == json_kind::array && listeners()->elements.empty())) {
            document_.set("/listeners=[]", "the listener without --listen");
            if (!settings_.listen_otherwise.empty()) {
                add(settings_.listen_otherwise, "the listener without --listen");
            }
        }
    }

    void set_tls() {
        if (settings_.listeners_with_tls.empty() || listeners()->kind != json_kind::array) {
            return;
        }
        bool all_known = true;
        std::vector<std::size_t> with_tls;
        for (std::size_t i = 0; i < listeners()->elements.size(); ++i) {
            const json_value* const url = listeners()->elements[i].find("url");
            const auto parsed = net::parse_url(url != nullptr ? url->text : "");
            all_known = all_known && parsed.problem.empty();
            if (parsed.problem.empty() && parsed.value.is_tls()) {
                with_tls.push_back(i);
            }
        }
        for (const auto& each : settings_.listeners_with_tls) {
            for (const std::size_t i : with_tls) {
                document_.set("/listeners/" + std::to_string(i) + '/' + each.assignment,
                              each.label);
            }
            if (with_tls.empty() && all_known) {
                document_.report(each.label, "no listener with TLS",
                                 "--listen mqtts://HOST:PORT or wss://HOST:PORT");
            }
        }
    }

    config::detail::document& document_;
    const server_settings& settings_;
};

class checker {
public:
    explicit checker(const server_config& config) : config_(config) {}

    std::vector<problem> run() {
        std::set<std::string> urls;
        for (std::size_t i = 0; i < config_.server.listeners.size(); ++i) {
            const auto& listener = config_.server.listeners[i];
            const auto at = pointer_to("/listeners", i);
            const auto url = to_string(listener.url);
            const bool is_free_port =
                listener.url.port == 0 && listener.url.scheme != net::scheme::unix_socket;
            if (!urls.insert(url).second && !is_free_port) {
                report(at + "/url", quoted(url) + " a second time", "each URL once");
            }
            if (listener.url.is_tls()) {
                check_tls(listener, url, at);
            } else {
                check_no_tls(listener, url, at);
            }
        }
        check_users();
        check_http();
        return std::move(problems_);
    }

private:
    void report(std::string pointer, std::string found, std::string expected) {
        problems_.push_back(
            {{}, 0, 0, std::move(pointer), std::move(found), std::move(expected), {}});
    }

    void check_tls(const listener_options& listener, const std::string& url,
                   const std::string& at) {
        const auto& tls = listener.tls;
        if (tls.certificate.empty() || tls.private_key.empty()) {
            const bool neither = tls.certificate.empty() && tls.private_key.empty();
            report(at + "/tls",
                   quoted(url) + (neither                   ? " without certificate and private_key"
                                  : tls.certificate.empty() ? " without certificate"
                                                            : " without private_key"),
                   "both: --cert FILE and --key FILE, or a URL without TLS");
        }
        if (tls.authorities.empty() && tls.require_client_certificate) {
            report(at + "/tls/require_client_certificate",
                   "require_client_certificate without authorities",
                   "authorities, whose certificates are good: --ca FILE");
        }
        if (tls.authorities.empty() && listener.subject_as_user_name) {
            report(at + "/subject_as_user_name", "subject_as_user_name without authorities",
                   "authorities, whose certificates are good: --ca FILE");
        }
    }

    /// TLS options without TLS: somebody believes that a connection is encrypted which is not.
    void check_no_tls(const listener_options& listener, const std::string& url,
                      const std::string& at) {
        const auto& tls = listener.tls;
        if (!tls.certificate.empty() || !tls.private_key.empty() || !tls.authorities.empty() ||
            !tls.key_log_file.empty() || tls.require_client_certificate || !tls.tls_1_2) {
            report(at + "/tls", "TLS options for " + quoted(url),
                   listener.url.is_websocket() ? "wss://" : "mqtts://");
        }
        if (listener.subject_as_user_name) {
            report(at + "/subject_as_user_name", "subject_as_user_name for " + quoted(url),
                   listener.url.is_websocket() ? "wss://, with client certificates"
                                               : "mqtts://, with client certificates");
        }
    }

    /// A rule that keeps out those without a name, where any name would do.
    void check_users() {
        const auto& server = config_.server;
        if (!server.password_file.empty()) {
            return;
        }
        for (std::size_t i = 0; i < server.listeners.size(); ++i) {
            const auto& listener = server.listeners[i];
            const bool allows = listener.allow_anonymous.value_or(server.allow_anonymous);
            if (!allows && !listener.subject_as_user_name &&
                !listener.tls.require_client_certificate) {
                const std::string field = "/allow_anonymous";
                report(listener.allow_anonymous ? pointer_to("/listeners", i) + field : field,
                       "allow_anonymous false without a password_file: any user name would do",
                       "a password_file, which fleetarium passwd makes, or client certificates");
                return;
            }
        }
    }

    void check_http() {
        const auto& address = config_.server.http_address;
        const auto colon = address.rfind(':');
        if (address.empty() || colon == std::string::npos || !config_.server.http_token.empty() ||
            !config_.http_token_file.empty()) {
            return;
        }
        std::string host = address.substr(0, colon);
        if (host.starts_with('[') && host.ends_with(']')) {
            host = host.substr(1, host.size() - 2);
        }
        boost::system::error_code is_name;  // which only the server resolves
        const auto ip = boost::asio::ip::make_address(host, is_name);
        if (!is_name && !ip.is_loopback()) {
            report("/http_address", quoted(address) + ", which others can reach",
                   "an address of this machine alone, such as 127.0.0.1:9090, or a token: "
                   "--http-token-file FILE");
        }
    }

    const server_config& config_;
    std::vector<problem> problems_;
};

}  // namespace

server_config_or_problems parse_server_config(std::string_view text, std::string_view file_name,
                                              const server_settings& settings,
                                              const server_config& defaults) {
    config::detail::document document(text, file_name, "a configuration", "queue_messages_max=100");
    setter(document, settings).run();
    server_config made = defaults;
    document.read(detail::server_config_type(), made);
    if (document.root() != nullptr && document.root()->find("allow_anonymous") == nullptr) {
        made.server.allow_anonymous =
            made.server.allow_anonymous && made.server.password_file.empty();
    }
    document.add_checked(check_server_config(made));
    auto problems = document.take_problems();
    if (problems.empty()) {
        return made;
    }
    return problems;
}

server_config_or_problems load_server_config(const std::string& path,
                                             const server_settings& settings,
                                             const server_config& defaults) {
    if (path.empty()) {
        return parse_server_config("{}", "the command line", settings, defaults);
    }
    auto text = read_text_file(path, limits::server_file_size_max, "a configuration file");
    if (auto* problems = std::get_if<std::vector<problem>>(&text)) {
        return std::move(*problems);
    }
    return parse_server_config(std::get<std::string>(text), path, settings, defaults);
}

std::vector<problem> check_server_config(const server_config& checked) {
    return checker(checked).run();
}

std::string server_config_text(const server_config& written) {
    return json_pretty(config::detail::write_object(detail::server_config_type(), written)) + '\n';
}

std::string server_config_schema() {
    return config::detail::schema_text("Fleetarium broker configuration",
                                       detail::server_config_type());
}

}  // namespace fleetarium::broker
