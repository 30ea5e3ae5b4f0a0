#include <fleetarium/server/server_config.hpp>

#include <fleetarium/server/server_config_fields.hpp>

#include <support/schema_validator.hpp>

#include <boost/pfr.hpp>
#include <catch2/catch.hpp>

#include <unistd.h>
#include <concepts>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;
using namespace std::chrono_literals;

namespace {

server_config config_of(const server_config_or_problems& read) {
    if (const auto* problems = std::get_if<std::vector<config::problem>>(&read)) {
        FAIL(config::to_string(*problems));
    }
    return std::get<server_config>(read);
}

std::string problems_of(const server_config_or_problems& read) {
    const auto* problems = std::get_if<std::vector<config::problem>>(&read);
    return problems == nullptr ? "none" : config::to_string(*problems);
}

std::string problems_of(std::string_view text, const server_settings& settings = {}) {
    return problems_of(parse_server_config(text, "broker.json", settings));
}

// Fields of structs, whatever they are called: a field added later is looked at without a change
// here.

template <class T>
constexpr bool is_optional = false;
template <class T>
constexpr bool is_optional<std::optional<T>> = true;
/// Code, which no file can hold.
template <class T>
constexpr bool is_code = std::is_same_v<T, log_sink> || std::is_same_v<T, http_additions>;
template <class T>
constexpr bool is_vector = false;
template <class T>
constexpr bool is_vector<std::vector<T>> = true;

/// Gives each field another value than it has by default, one that is in its range.
template <class T>
void change(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
        value = !value;
    } else if constexpr (std::is_enum_v<T>) {
        value = static_cast<T>(value == T{} ? 1 : 0);
    } else if constexpr (std::is_integral_v<T>) {
        value = static_cast<T>(value / 2 + 3);
    } else if constexpr (std::is_same_v<T, duration>) {
        value += 1500ms + 1ns;
    } else if constexpr (std::is_same_v<T, std::string>) {
        value = "changed \"text\"\n\xC3\xA4";
    } else if constexpr (std::is_same_v<T, net::url>) {
        value = net::parse_url("wss://[::1]:444/some/path").value;
    } else if constexpr (is_code<T>) {
        // Code, which no file can hold.
    } else if constexpr (is_optional<T>) {
        typename T::value_type inner{};
        if constexpr (std::is_integral_v<typename T::value_type> &&
                      !std::is_same_v<typename T::value_type, bool>) {
            inner = 1000;
        }
        change(inner);
        value = inner;
    } else if constexpr (is_vector<T>) {
        change(value.emplace_back());
    } else {
        boost::pfr::for_each_field(value, [](auto& field) { change(field); });
    }
}

/// The places where two values differ: ".1.0" is the first field of the second.
template <class T>
void differences(const T& left, const T& right, const std::string& at,
                 std::vector<std::string>& found) {
    if constexpr (is_code<T>) {
        // Not comparable.
    } else if constexpr (is_vector<T>) {
        if (left.size() != right.size()) {
            found.push_back(at);
            return;
        }
        for (std::size_t i = 0; i < left.size(); ++i) {
            differences(left[i], right[i], at + "[" + std::to_string(i) + "]", found);
        }
    } else if constexpr (std::equality_comparable<T>) {
        if (!(left == right)) {
            found.push_back(at);
        }
    } else {
        boost::pfr::for_each_field(left, [&](const auto& field, auto index) {
            differences(field, boost::pfr::get<index()>(right), at + "." + std::to_string(index()),
                        found);
        });
    }
}

template <class T>
std::vector<std::string> differences(const T& left, const T& right) {
    std::vector<std::string> found;
    differences(left, right, "", found);
    return found;
}

/// How many values that differences() compares there are in it.
template <class T>
std::size_t count_fields(const T& value) {
    if constexpr (is_code<T>) {
        return 0;
    } else if constexpr (std::equality_comparable<T> && !is_vector<T>) {
        return 1;
    } else if constexpr (is_vector<T>) {
        return 1;  // their sizes differ
    } else {
        std::size_t count = 0;
        boost::pfr::for_each_field(value, [&](const auto& field) { count += count_fields(field); });
        return count;
    }
}

/// A configuration of which every field that a file can hold is not as by default.
server_config changed_config() {
    server_config config;
    change(config);
    config.server.http_address = "127.0.0.1:9091";
    net::tls_options& tls = config.server.listeners.front().tls;
    const net::tls_options preset;
    // These are for clients.
    tls.verify_peer = preset.verify_peer;
    tls.server_name = preset.server_name;
    tls.application_protocol = preset.application_protocol;
    return config;
}

}  // namespace

TEST_CASE("a configuration that is printed reads back as the same, field by field",
          "[server][config]") {
    const auto config = changed_config();
    // Else the comparison below would prove nothing of a field.
    CHECK(differences(config, server_config()).size() == count_fields(config));
    const auto text = server_config_text(config);
    INFO(text);
    auto again = config_of(parse_server_config(text, "printed"));
    // No file has these: one is drawn, the other follows from output_bytes_max.
    again.server.broker.hash_seed = config.server.broker.hash_seed;
    again.server.broker.output_bytes_per_turn_max = config.server.broker.output_bytes_per_turn_max;
    CHECK(differences(config, again) == std::vector<std::string>{});
    CHECK(server_config_text(again) == text);
}

TEST_CASE("the default configuration reads back as the same", "[server][config]") {
    const server_config config;
    const auto text = server_config_text(config);
    CHECK(differences(config, config_of(parse_server_config(text, "printed"))) ==
          std::vector<std::string>{});
    CHECK(differences(config, config_of(parse_server_config("{}", "empty"))) ==
          std::vector<std::string>{});
}

TEST_CASE("a configuration has listeners with options of their own, and every limit of the broker",
          "[server][config]") {
    const auto config = config_of(parse_server_config(R"(// the broker of the house
{
    "$schema": "./broker.schema.json",
    "listeners": [
        {"url": "mqtt://:1884", "connections_max": 10, "allow_anonymous": false},
        /* for phones */ {"url": "wss://0.0.0.0/mqtt", "maximum_packet_size": "64kB",
         "subject_as_user_name": true,
         "tls": {"certificate": "c.pem", "private_key": "k.pem", "authorities": "ca.pem"}}
    ],
    "threads": 3,
    "password_file": "passwords",
    "stop_timeout": "1m30s",
    "log_level": "debug",
    "queue_messages_max": 7,
    "session_expiry_maximum": "12h"
})",
                                                      "broker.json"));
    REQUIRE(config.server.listeners.size() == 2);
    const auto& first = config.server.listeners[0];
    CHECK(to_string(first.url) == "mqtt://:1884");
    CHECK(first.connections_max == 10);
    CHECK(first.allow_anonymous == false);
    CHECK(first.maximum_packet_size == std::nullopt);
    const auto& second = config.server.listeners[1];
    CHECK(to_string(second.url) == "wss://0.0.0.0:443/mqtt");
    CHECK(second.tls.certificate == "c.pem");
    CHECK(second.tls.private_key == "k.pem");
    CHECK(second.tls.authorities == "ca.pem");
    CHECK(second.maximum_packet_size == 64'000U);
    CHECK(second.subject_as_user_name);
    CHECK(config.server.threads == 3);
    CHECK(config.server.stop_timeout == 90s);
    CHECK(config.log_level == log_level::debug);
    CHECK(config.server.broker.queue_messages_max == 7);
    CHECK(config.server.broker.session_expiry_maximum == 12 * 3600);
    CHECK(config.server.broker.receive_maximum == broker_options().receive_maximum);
}

TEST_CASE("a password file keeps out clients without a user name, unless told otherwise",
          "[server][config]") {
    const auto allows = [](std::string_view text) {
        return config_of(parse_server_config(text, "x")).server.allow_anonymous;
    };
    CHECK(allows("{}"));
    CHECK_FALSE(allows(R"({"password_file": "p"})"));
    CHECK(allows(R"({"password_file": "p", "allow_anonymous": true})"));
    CHECK_FALSE(allows(R"({"password_file": "p", "allow_anonymous": false})"));
}

TEST_CASE("flags have the last word over the file", "[server][config]") {
    const std::string file = R"({
        "listeners": [{"url": "mqtt://:1"}, {"url": "mqtts://:2", "tls": {"certificate": "a",
        "private_key": "b"}, "connections_max": 5}],
        "threads": 2, "queue_messages_max": 10
    })";
    server_settings settings;
    settings.listen_otherwise = "mqtt://127.0.0.1:1883";
    settings.listeners_with_tls = {{"tls/certificate=\"c\"", "--cert c"}};
    settings.others = {{"threads=4", "--threads 4"},
                       {"listeners.1.connections_max=9", "--set ..."},
                       {"/queue_messages_max=11", "--set ..."}};
    const auto config = config_of(parse_server_config(file, "x", settings));
    REQUIRE(config.server.listeners.size() == 2);
    CHECK(config.server.listeners[0].tls.certificate.empty());
    CHECK(config.server.listeners[1].tls.certificate == "c");
    CHECK(config.server.listeners[1].tls.private_key == "b");
    CHECK(config.server.listeners[1].connections_max == 9);
    CHECK(config.server.threads == 4);
    CHECK(config.server.broker.queue_messages_max == 11);

    settings.listen = {"mqtts://:3", "unix:///tmp/x"};
    settings.listeners_with_tls.push_back({"tls/private_key=\"d\"", "--key d"});
    settings.others.clear();
    const auto other = config_of(parse_server_config(file, "x", settings));
    REQUIRE(other.server.listeners.size() == 2);
    CHECK(to_string(other.server.listeners[0].url) == "mqtts://:3");
    CHECK(other.server.listeners[0].tls.private_key == "d");
    CHECK(to_string(other.server.listeners[1].url) == "unix:///tmp/x");
}

TEST_CASE("what neither file nor flags say comes from the caller", "[server][config]") {
    server_settings settings;
    settings.listen_otherwise = "mqtt://127.0.0.1:1883";
    server_config defaults;
    defaults.server.threads = 8;
    const auto config = config_of(load_server_config("", settings, defaults));
    REQUIRE(config.server.listeners.size() == 1);
    CHECK(to_string(config.server.listeners[0].url) == "mqtt://127.0.0.1:1883");
    CHECK(config.server.threads == 8);
    CHECK(config_of(parse_server_config(R"({"listeners": []})", "x", settings))
              .server.listeners.size() == 1);
    settings.others = {{"listeners.0.connections_max=3", "--set"}};
    CHECK(config_of(load_server_config("", settings)).server.listeners[0].connections_max == 3);
}

TEST_CASE("a mistake in a configuration has its place, what was found and what was expected",
          "[server][config]") {
    std::string text;
    std::string message;
    std::tie(text, message) = GENERATE(table<std::string, std::string>({
        {"[]", "broker.json:1:1: found an empty list, expected a configuration in braces\n"},
        {"{\"threads\": 2,}",
         "broker.json:1:14: found \",\" before \"}\", expected no comma after the last value\n"},
        {"{} {}",
         "broker.json:1:4: found \"{\", expected the end of the text: a configuration is one JSON "
         "value\n"},
        {"{\n\"thraeds\": 2}",
         "broker.json:2:1: /thraeds: found the unknown field \"thraeds\", expected a field of a "
         "configuration (did you mean \"threads\"?)\n"},
        {R"({"threads": 0})",
         "broker.json:1:13: /threads: found 0, expected a whole number from 1 to 256\n"},
        {R"({"listeners": [{}]})",
         "broker.json:1:16: /listeners/0/url: found a listener without \"url\", expected a URL to "
         "listen on, such as \"mqtt://127.0.0.1:1883\"\n"},
        {R"({"listeners": [{"url": 1883}]})",
         "broker.json:1:24: /listeners/0/url: found 1883, expected a URL to listen on, such as "
         "\"mqtt://127.0.0.1:1883\"\n"},
        {R"({"listeners": [{"url": "tcp://:1883"}]})",
         "broker.json:1:24: /listeners/0/url: found \"tcp://:1883\", expected a URL to listen on: "
         "the scheme is \"tcp\"; here it is called \"mqtt\"\n"},
        {R"({"listeners": [{"url": "mqtts://:1"}]})",
         "broker.json:1:16: /listeners/0/tls: found \"mqtts://:1\" without certificate and "
         "private_key, expected both: --cert FILE and --key FILE, or a URL without TLS\n"},
        {R"({"listeners": [{"url": "wss://:1", "tls": {"certificate": "c"}}]})",
         "broker.json:1:43: /listeners/0/tls: found \"wss://:1/mqtt\" without private_key, "
         "expected "
         "both: --cert FILE and --key FILE, or a URL without TLS\n"},
        {R"({"listeners": [{"url": "mqtt://:1", "tls": {"certificate": "c"}}]})",
         "broker.json:1:44: /listeners/0/tls: found TLS options for \"mqtt://:1\", expected "
         "mqtts://\n"},
        {R"({"listeners": [{"url": "ws://:1", "subject_as_user_name": true}]})",
         "broker.json:1:59: /listeners/0/subject_as_user_name: found subject_as_user_name for "
         "\"ws://:1/mqtt\", expected wss://, with client certificates\n"},
        {R"({"listeners": [{"url": "mqtts://:1", "subject_as_user_name": true,
"tls": {"certificate": "c", "private_key": "k", "require_client_certificate": true}}]})",
         "broker.json:1:62: /listeners/0/subject_as_user_name: found subject_as_user_name without "
         "authorities, expected authorities, whose certificates are good: --ca FILE\n"
         "broker.json:2:79: /listeners/0/tls/require_client_certificate: found "
         "require_client_certificate without authorities, expected authorities, whose certificates "
         "are good: --ca FILE\n"},
        {R"({"listeners": [{"url": "mqtt://:1"}, {"url": "mqtt://:1"}]})",
         "broker.json:1:46: /listeners/1/url: found \"mqtt://:1\" a second time, expected each URL "
         "once\n"},
        {R"({"listeners": [{"url": "mqtt://:1", "cert": "c"}]})",
         "broker.json:1:37: /listeners/0/cert: found the unknown field \"cert\", expected one of "
         "url, tls, subject_as_user_name, allow_anonymous, connections_max, maximum_packet_size, "
         "connection_rate_max, address_connection_rate_max, address_connections_max or "
         "origins\n"},
        {R"({"listeners": [{"url": "mqtts://:1", "tls": {"certificat": "c"}}]})",
         "broker.json:1:46: /listeners/0/tls/certificat: found the unknown field \"certificat\", "
         "expected a field of TLS options (did you mean \"certificate\"?)\n"},
        {R"({"log_level": "warn"})",
         "broker.json:1:15: /log_level: found \"warn\", expected \"debug\", \"info\", \"warning\" "
         "or \"error\" (did you mean \"warning\"?)\n"},
        {R"({"listeners": [{"url": "mqtt://:1"}], "allow_anonymous": false})",
         "broker.json:1:58: /allow_anonymous: found allow_anonymous false without a password_file: "
         "any user name would do, expected a password_file, which fleetarium passwd makes, or "
         "client certificates\n"},
        {R"({"listeners": [{"url": "mqtt://:1", "allow_anonymous": false}]})",
         "broker.json:1:56: /listeners/0/allow_anonymous: found allow_anonymous false without a "
         "password_file: any user name would do, expected a password_file, which fleetarium passwd "
         "makes, or client certificates\n"},
        {R"({"http_address": "0.0.0.0:9090"})",
         "broker.json:1:18: /http_address: found \"0.0.0.0:9090\", which others can reach, "
         "expected "
         "an address of this machine alone, such as 127.0.0.1:9090, or a token: "
         "--http-token-file FILE\n"},
        {R"({"http_address": "[::]:9090"})",
         "broker.json:1:18: /http_address: found \"[::]:9090\", which others can reach, expected "
         "an address of this machine alone, such as 127.0.0.1:9090, or a token: "
         "--http-token-file FILE\n"},
        {R"({"http_address": "localhost:70000"})",
         "broker.json:1:18: /http_address: found \"localhost:70000\", expected HOST:PORT, such as "
         "\"127.0.0.1:9090\", or a port\n"},
        {R"({"http_address": "::1:9090"})",
         "broker.json:1:18: /http_address: found \"::1:9090\", expected HOST:PORT, such as "
         "\"127.0.0.1:9090\", or a port\n"},
        {R"({"response_information": "a\u0000b"})",
         "broker.json:1:26: /response_information: found \"a\\u0000b\", expected text of at most "
         "65,535 bytes without U+0000\n"},
        {R"({"stop_timeout": "2 s"})",
         "broker.json:1:18: /stop_timeout: found \"2 s\", expected a duration such as \"250ms\" or "
         "\"1h30m\"\n"},
        {R"({"output_bytes_max": 10})",
         "broker.json:1:22: /output_bytes_max: found 10, expected bytes from 1024 to "
         "1099511627776, or a size such as \"64kB\"\n"},
    }));
    CHECK(problems_of(text) == message);
}

TEST_CASE("addresses of the HTTP server that are good", "[server][config]") {
    const std::string address =
        GENERATE("127.0.0.1:9090", "[::1]:0", "localhost:80", ":9090", "9090", "");
    CHECK(problems_of(R"({"http_address": ")" + address + "\"}") == "none");
    CHECK(problems_of(R"({"http_address": "0.0.0.0:1", "http_token": "t"})") == "none");
}

TEST_CASE("a mistake of a flag names the flag", "[server][config]") {
    server_settings settings;
    settings.listen = {"mqtts://:1", "tcp://:2"};
    settings.listeners_with_tls = {{"tls/certificate=\"c\"", "--cert c"}};
    settings.others = {{"threads=0", "--threads 0"},
                       {"queue_policy=drop_nwe", "--set queue_policy=drop_nwe"},
                       {"nonsense", "--set nonsense"}};
    CHECK(
        problems_of("{}", settings) ==
        "--set nonsense: found \"nonsense\", expected PATH=VALUE, such as "
        "queue_messages_max=100\n"
        "--listen tcp://:2: /listeners/1/url: found \"tcp://:2\", expected a URL to listen on: "
        "the scheme is \"tcp\"; here it is called \"mqtt\"\n"
        "--threads 0: /threads: found 0, expected a whole number from 1 to 256\n"
        "--set queue_policy=drop_nwe: /queue_policy: found \"drop_nwe\", expected \"drop_new\" or "
        "\"drop_oldest\" (did you mean \"drop_new\"?)\n"
        "--cert c: /listeners/0/tls: found \"mqtts://:1\" without private_key, expected both: "
        "--cert FILE and --key FILE, or a URL without TLS\n");
    settings = {};
    settings.listen = {"mqtt://:1"};
    settings.listeners_with_tls = {{"tls/certificate=\"c\"", "--cert c"}};
    CHECK(problems_of("{}", settings) ==
          "--cert c: found no listener with TLS, expected --listen mqtts://HOST:PORT or "
          "wss://HOST:PORT\n");
}

TEST_CASE("a file that is not there is a problem", "[server][config]") {
    const auto path =
        std::filesystem::temp_directory_path() / ("fleetarium-none-" + std::to_string(getpid()));
    CHECK(problems_of(load_server_config(path)) ==
          path.string() +
              ": found no file that can be read (No such file or directory), expected a "
              "configuration file\n");
    std::ofstream(path) << R"({"threads": 5})";
    CHECK(config_of(load_server_config(path)).server.threads == 5);
    std::filesystem::remove(path);
}

TEST_CASE("the configuration in the README is a good one", "[server][config]") {
    std::ifstream file(std::string(FLEETARIUM_SOURCE_DIR) + "/broker/README.md");
    const std::string readme((std::istreambuf_iterator<char>(file)), {});
    const auto begin = readme.find("```json\n") + 8;
    const auto text = readme.substr(begin, readme.find("```", begin) - begin);
    CHECK(config_of(parse_server_config(text, "README.md")).server.listeners.size() == 3);
    const auto root = test::tree(server_config_schema());
    CHECK(test::validator(root).check(test::tree(text)) == "");
}

TEST_CASE("the schema of configurations and the reader know the same fields, by the same table",
          "[server][config][schema]") {
    const auto root = test::tree(server_config_schema());
    const test::validator judge(root);
    test::compare_fields(judge, root, broker::detail::server_config_type());
    test::compare_fields(judge, root, broker::detail::listener_type());
    test::compare_fields(judge, root, broker::detail::tls_type());
    CHECK(judge.check(test::tree(server_config_text(changed_config()))) == "");
    CHECK(judge.check(test::tree(server_config_text({}))) == "");
    CHECK(judge.check(test::tree(R"({"thraeds": 2})")) != "");
    CHECK(judge.check(test::tree(R"({"listeners": [{"url": "tcp://:1"}]})")) != "");
}
