#include <fleetarium/server/server_config_fields.hpp>

#include <fleetarium/broker/broker_options_fields.hpp>
#include <fleetarium/core/limits.hpp>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

namespace fleetarium::broker::detail {

using namespace config;
using namespace config::detail;

namespace {

constexpr std::size_t connections_max = 1'000'000'000;
constexpr std::uint32_t rate_max = 1'000'000;  // a second: more is no bound

value_type<net::url> url_to_listen_on() {
    static constexpr std::string_view expected =
        "a URL to listen on, such as \"mqtt://127.0.0.1:1883\"";
    value_type<net::url> type;
    type.expected = expected;
    type.read = [](reading& in, const json_value& value, net::url& result) {
        if (value.kind != json_kind::string) {
            in.report(value, std::string(expected));
            return;
        }
        auto parsed = net::parse_url(value.text);
        if (parsed.problem.empty()) {
            result = std::move(parsed.value);
            return;
        }
        // Of the sentence, what follows the text itself.
        constexpr std::string_view before = " is no URL of a broker: ";
        const auto at = parsed.problem.find(before);
        in.report(value.position, quoted(value.text),
                  "a URL to listen on: " + (at == std::string::npos
                                                ? parsed.problem
                                                : parsed.problem.substr(at + before.size())));
    };
    type.schema = [](definitions&) {
        return schema_of({schema_member("type", json_string("string")),
                          schema_member("pattern", json_string("^(mqtts?|wss?|unix)://"))});
    };
    type.show = [](const net::url& value) { return std::optional(json_string(to_string(value))); };
    return type;
}

bool is_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

value_type<std::string> host_and_port() {
    auto type = text();
    type.expected = R"(HOST:PORT, such as "127.0.0.1:9090", or a port)";
    type.read = [expected = type.expected](reading& in, const json_value& value,
                                           std::string& result) {
        const auto colon = value.text.rfind(':');
        const bool has_host = colon != std::string::npos;
        const auto host = has_host ? value.text.substr(0, colon) : std::string();
        const auto port = has_host ? value.text.substr(colon + 1) : value.text;
        if (value.kind == json_kind::string &&
            (value.text.empty() ||
             (is_port(port) && net::parse_url("mqtt://" + host).problem.empty()))) {
            result = value.text;
        } else {
            in.report(value, expected);
        }
    };
    return type;
}

/// A field without a default in the schema: its description tells what holds without it.
template <class Object>
field<Object> without_preset(field<Object> made) {
    made.preset = [] { return std::optional<json_value>(); };
    return made;
}

field<listener_options> tls_field() {
    auto made = make_field<listener_options>(
        "tls", object_of(tls_type()), &listener_options::tls, "For mqtts:// and wss://.",
        R"({"certificate": "server.pem", "private_key": "server.key"})");
    made.write = [write = made.write](const listener_options& listener) {
        auto written = write(listener);
        // Where there is no TLS, nobody wants to read of its defaults.
        if (!listener.url.is_tls() && json_compact(*written) == json_compact(*write({}))) {
            written.reset();
        }
        return written;
    };
    return made;
}

/// A field for a member of the server's options.
template <class T, class Member>
field<server_config> option(std::string_view name, value_type<T> type, Member member,
                            std::string_view description, std::string_view example) {
    return make_field<server_config>(
        name, std::move(type),
        [member](server_config & config) -> auto& { return config.server.*member; }, description,
        example);
}

/// A field for a member of how sessions are kept.
template <class T, class Member>
field<server_config> persistence(std::string_view name, value_type<T> type, Member member,
                                 std::string_view description, std::string_view example) {
    return make_field<server_config>(
        name, std::move(type),
        [member](server_config & config) -> auto& { return config.server.persistence.*member; },
        description, example);
}

std::vector<field<server_config>> server_fields() {
    using t = server_config;
    using o = server_options;
    std::vector<field<t>> fields{
        schema_field<t>(R"("./broker.schema.json")"),
        option("listeners", list_of(object_of(listener_type())), &o::listeners,
               "Where clients connect. Without it, mqtt://127.0.0.1:1883.",
               R"([{"url": "mqtt://:1883"}])"),
        without_preset(option("threads", integer<unsigned>(1, 256), &o::threads,
                              "Threads that read, write, encrypt and frame. Without it, one for "
                              "each core.",
                              "4")),
        without_preset(option("allow_anonymous", boolean(), &o::allow_anonymous,
                              "Whether clients without a user name may connect. Without it, they "
                              "may if there is no password_file.",
                              "false")),
        option("password_file", text(), &o::password_file,
               "Users and the hashes of their passwords, as fleetarium passwd writes them. Without "
               "it, every name and password is good.",
               R"("passwords")"),
        option("access_file", text(), &o::access_file,
               "Who may publish and subscribe to what. Without it, everybody may everything.",
               R"("access")"),
        persistence("persist_file", text(), &persistence_options::file,
                    "A file that keeps sessions and retained messages when the process ends or "
                    "dies; empty is none.",
                    R"("sessions.db")"),
        persistence("persist_sync", word<storage::sync_mode>({"full", "normal", "off"}),
                    &persistence_options::sync,
                    "What an acknowledgement waits for: full, until the disk has what it promises; "
                    "normal, until the operating system has it (a power cut may lose the last "
                    "moments); off, as normal, but a power cut may damage the file.",
                    R"("normal")"),
        persistence("persist_backlog_max", size<std::size_t>(65'536, std::size_t{1} << 40),
                    &persistence_options::backlog_max,
                    "Bytes of changes that may wait for the disk before nothing more is read from "
                    "clients that make changes.",
                    R"("16MB")"),
        option("password_checks_max", integer<std::size_t>(1, 1'000'000), &o::password_checks_max,
               "Passwords that are checked or wait for it, a quarter of them of one address; who "
               "comes then is told to come later.",
               "64"),
        option("output_bytes_max", size<std::size_t>(1024, std::size_t{1} << 40),
               &o::output_bytes_max,
               "Bytes that may wait for a slow client's socket; more messages wait in its session.",
               R"("256kB")"),
        option("stop_timeout", duration_from(duration(0)), &o::stop_timeout,
               "How long clients are waited for when the server stops.", R"("5s")"),
        option("http_address", host_and_port(), &o::http_address,
               "HOST:PORT of the HTTP server with /metrics and /health; empty is none.",
               R"("127.0.0.1:9090")"),
        option("http_token", text(), &o::http_token,
               "What HTTP clients have to show as a bearer token; needed where others than this "
               "machine can reach the address.",
               R"("a long random text")"),
        make_field<t>("log_level", word<enum log_level>({"debug", "info", "warning", "error"}),
                      &t::log_level, "The least that is logged.", R"("warning")"),
        make_field<t>("log_file", text(), &t::log_file,
                      "Lines are appended to it; empty is standard error.",
                      R"("/var/log/fleetarium.log")"),
        make_field<t>("http_token_file", text(), &t::http_token_file,
                      "A file whose first line is the http_token, instead of it; empty is none.",
                      R"("token")"),
    };
    for (const auto& each : broker_options_fields()) {
        fields.push_back(lifted<t>(
            each, [](server_config& config) -> broker_options& { return config.server.broker; }));
    }
    return fields;
}

}  // namespace

const object_type<net::tls_options>& tls_type() {
    using t = net::tls_options;
    static const object_type<t> type{
        "tls",
        "TLS options",
        "Certificates and keys: names of files, or PEM text that begins with -----BEGIN.",
        {make_field<t>("certificate", text(), &t::certificate,
                       "The server's certificate, with its chain.", R"("server.pem")"),
         make_field<t>("private_key", text(), &t::private_key, "The key of the certificate.",
                       R"("server.key")"),
         make_field<t>("authorities", text(), &t::authorities,
                       "Whose certificates clients may show.", R"("ca.pem")"),
         make_field<t>("require_client_certificate", boolean(), &t::require_client_certificate,
                       "Whether clients have to show a certificate.", "true"),
         make_field<t>("tls_1_2", boolean(), &t::tls_1_2,
                       "Whether TLS 1.2 is good enough; else 1.3 only.", "false"),
         make_field<t>("key_log_file", text(), &t::key_log_file,
                       "Secrets are appended to it for Wireshark. Whoever has them can read "
                       "everything.",
                       R"("keys.log")")}};
    return type;
}

const object_type<listener_options>& listener_type() {
    using t = listener_options;
    static const object_type<t> type{
        "listener",
        "a listener",
        "An address to listen on, and what holds for those who come that way.",
        {make_field<t>("url", url_to_listen_on(), &t::url,
                       "mqtt://HOST:PORT, mqtts://HOST:PORT, ws://HOST:PORT/PATH, "
                       "wss://HOST:PORT/PATH or unix:///PATH. Without HOST, every address; port 0 "
                       "is a free one.",
                       R"("mqtts://:8883")", need::required),
         tls_field(),
         make_field<t>("subject_as_user_name", boolean(), &t::subject_as_user_name,
                       "Whether the Common Name of the client's certificate is its user name, and "
                       "proof enough.",
                       "true"),
         make_field<t>("allow_anonymous", optional_of(boolean()), &t::allow_anonymous,
                       "Instead of the server's.", "false"),
         make_field<t>("connections_max", integer<std::size_t>(1, connections_max),
                       &t::connections_max, "Clients connected that way at once.", "1000"),
         make_field<t>("maximum_packet_size",
                       optional_of(size<std::uint32_t>(16, limits::packet_size_max)),
                       &t::maximum_packet_size, "Instead of the broker's.", R"("64kB")"),
         make_field<t>("connection_rate_max", integer<std::uint32_t>(0, rate_max),
                       &t::connection_rate_max,
                       "Connections in a second, and as many at once; 0 is no bound.", "500"),
         make_field<t>("address_connection_rate_max", integer<std::uint32_t>(0, rate_max),
                       &t::address_connection_rate_max,
                       "The same for one address (of IPv6, its first 64 bits).", "20"),
         make_field<t>("address_connections_max", integer<std::size_t>(0, connections_max),
                       &t::address_connections_max,
                       "Clients of one address connected that way at once; 0 is no bound.", "100"),
         make_field<t>("origins", list_of(text()), &t::origins,
                       "Web pages that may connect with ws:// or wss://; \"*\" is all. Without it, "
                       "where the URL names this machine, pages of this machine, else all.",
                       R"(["https://example.org"])")}};
    return type;
}

const object_type<server_config>& server_config_type() {
    static const object_type<server_config> type{
        "configuration", "a configuration",
        "A broker on a network: its listeners, limits and files.", server_fields()};
    return type;
}

}  // namespace fleetarium::broker::detail
