#include <fleetarium/net/url.hpp>

#include <boost/asio/ip/address_v6.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace fleetarium::net {

namespace {

struct scheme_facts {
    std::string_view name;
    enum scheme value;
    std::uint16_t default_port;
};

constexpr std::array<scheme_facts, 5> schemes{{
    {"mqtt", scheme::mqtt, 1883},
    {"mqtts", scheme::mqtts, 8883},
    {"ws", scheme::ws, 80},
    {"wss", scheme::wss, 443},
    {"unix", scheme::unix_socket, 0},
}};

/// What other software calls the same thing.
constexpr std::array<std::array<std::string_view, 2>, 6> known_elsewhere{{
    {"tcp", "mqtt"},
    {"ssl", "mqtts"},
    {"tls", "mqtts"},
    {"mqtt+ssl", "mqtts"},
    {"http", "ws"},
    {"https", "wss"},
}};

constexpr std::string_view default_path = "/mqtt";

constexpr std::string_view expected_forms =
    "mqtt://HOST:PORT, mqtts://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH or "
    "unix:///PATH";

const scheme_facts& facts_of(enum scheme value) {
    return *std::find_if(schemes.begin(), schemes.end(),
                         [&](const scheme_facts& each) { return each.value == value; });
}

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string lower(std::string_view text) {
    std::string made(text);
    for (char& each : made) {
        if (each >= 'A' && each <= 'Z') {
            each = static_cast<char>(each - 'A' + 'a');
        }
    }
    return made;
}

/// What one URL is read into, part by part; the first problem ends it.
class parser {
public:
    explicit parser(std::string_view text) : text_(text) {}

    url_or_problem parse() {
        if (check_characters() && parse_scheme()) {
            if (read_.scheme == scheme::unix_socket) {
                parse_unix_path();
            } else {
                parse_authority_and_path();
            }
        }
        if (!problem_.empty()) {
            return {{}, std::move(problem_)};
        }
        return {std::move(read_), {}};
    }

private:
    bool fail(const std::string& what) {
        problem_ = quoted(text_) + " is no URL of a broker: " + what;
        return false;
    }

    bool check_characters() {
        const bool is_path = text_.starts_with("unix://");  // which may have spaces
        for (const char c : text_) {
            if (c == ' ' && !is_path) {
                return fail("it has a space in it");
            }
            if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
                return fail("it has a control character in it");
            }
        }
        return true;
    }

    bool parse_scheme() {
        const std::size_t end = text_.find("://");
        if (end == std::string_view::npos) {
            return fail("it has no \"://\"; expected " + std::string(expected_forms));
        }
        const std::string name = lower(text_.substr(0, end));
        for (const scheme_facts& each : schemes) {
            if (each.name == name) {
                read_.scheme = each.value;
                read_.port = each.default_port;
                rest_ = text_.substr(end + 3);
                return true;
            }
        }
        for (const auto& [elsewhere, here] : known_elsewhere) {
            if (elsewhere == name) {
                return fail("the scheme is " + quoted(name) + "; here it is called " +
                            quoted(here));
            }
        }
        return fail("the scheme is " + quoted(name) + "; expected " + std::string(expected_forms));
    }

    bool parse_unix_path() {
        if (rest_.empty() || rest_.front() != '/') {
            return fail("the path of a Unix socket begins with \"/\", as in unix:///run/mqtt.sock");
        }
        if (rest_.back() == '/') {
            return fail("the path of a Unix socket names a file, and this one ends in \"/\"");
        }
        read_.path = rest_;
        return true;
    }

    bool parse_authority_and_path() {
        const std::size_t end = std::min(rest_.find_first_of("/?#"), rest_.size());
        const std::string_view path = rest_.substr(end);
        return parse_authority(rest_.substr(0, end)) && parse_path(path);
    }

    bool parse_authority(std::string_view authority) {
        if (authority.find('@') != std::string_view::npos) {
            return fail("a user name and a password are options of their own, not part of it");
        }
        std::string_view port;
        if (authority.starts_with('[')) {
            const std::size_t end = authority.find(']');
            if (end == std::string_view::npos) {
                return fail("a \"[\" has no \"]\" after it");
            }
            port = authority.substr(end + 1);
            if (!port.empty() && port.front() != ':') {
                return fail("after \"]\" comes \":PORT\" or nothing, not " + quoted(port));
            }
            return parse_address(authority.substr(1, end - 1)) && parse_port(port);
        }
        const std::size_t colon = authority.find(':');
        if (colon != authority.rfind(':')) {
            return fail("an IPv6 address stands in brackets, as in mqtt://[::1]:1883");
        }
        if (colon != std::string_view::npos) {
            port = authority.substr(colon);
        }
        return parse_host(authority.substr(0, colon)) && parse_port(port);
    }

    bool parse_address(std::string_view address) {
        boost::system::error_code wrong;
        boost::asio::ip::make_address_v6(std::string(address), wrong);
        if (wrong) {
            return fail(quoted(address) + " in the brackets is no IPv6 address");
        }
        read_.host = address;
        return true;
    }

    bool parse_host(std::string_view host) {
        for (const char c : host) {
            if (static_cast<unsigned char>(c) >= 0x80) {
                return fail("the host has letters outside ASCII; write its punycode form, xn--...");
            }
            if (!is_letter(c) && !is_digit(c) && c != '-' && c != '.' && c != '_') {
                return fail("a host has letters, digits, \"-\", \".\" and \"_\", and not " +
                            quoted({&c, 1}));
            }
        }
        constexpr std::size_t host_size_max = 253;  // RFC 1035, without the dot at the end
        if (host.size() > host_size_max) {
            return fail("the host has " + std::to_string(host.size()) +
                        " characters; the longest name has 253");
        }
        read_.host = host;
        return true;
    }

    bool parse_port(std::string_view port) {
        if (port.empty()) {
            return true;
        }
        port.remove_prefix(1);
        const auto [end, wrong] =
            std::from_chars(port.data(), port.data() + port.size(), read_.port);
        if (port.empty() || wrong != std::errc() || end != port.data() + port.size()) {
            return fail("the port is " + quoted(port) + "; expected a number up to 65535");
        }
        return true;
    }

    bool parse_path(std::string_view path) {
        if (!read_.is_websocket()) {
            if (path.empty() || path == "/") {
                return true;
            }
            return fail("only ws and wss have a path, and this is " +
                        quoted(facts_of(read_.scheme).name) + " with " + quoted(path));
        }
        if (path.find('#') != std::string_view::npos) {
            return fail("a \"#\" has no meaning for a server; write it as %23");
        }
        for (const char c : path) {
            if (static_cast<unsigned char>(c) >= 0x80) {
                return fail("the path has letters outside ASCII; write their bytes as %XX");
            }
        }
        read_.path = path.empty() ? default_path : path;
        if (read_.path.front() == '?') {
            read_.path.insert(0, 1, '/');
        }
        return true;
    }

    std::string_view text_;
    std::string_view rest_;
    url read_;
    std::string problem_;
};

}  // namespace

url_or_problem parse_url(std::string_view text) { return parser(text).parse(); }

std::string to_string(const url& printed) {
    std::string text(facts_of(printed.scheme).name);
    text += "://";
    if (printed.scheme == scheme::unix_socket) {
        return text + printed.path;
    }
    const bool bracketed = printed.host.find(':') != std::string::npos;
    text += bracketed ? "[" + printed.host + "]" : printed.host;
    text += ":" + std::to_string(printed.port);
    return text + printed.path;
}

}  // namespace fleetarium::net
