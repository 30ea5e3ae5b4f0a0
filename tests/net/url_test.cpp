#include <fleetarium/net/url.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace fleetarium;
using net::parse_url;
using net::scheme;
using net::url;

namespace {

url parsed(std::string_view text) {
    const auto read = parse_url(text);
    INFO(text);
    CHECK(read.problem.empty());
    return read.value;
}

struct refused {
    const char* text;
    const char* part_of_the_problem;
};

}  // namespace

TEST_CASE("a URL says scheme, host, port and path", "[url]") {
    CHECK(parsed("mqtt://broker.example:1884") == url{scheme::mqtt, "broker.example", 1884, ""});
    CHECK(parsed("MQTTS://10.0.0.1:1") == url{scheme::mqtts, "10.0.0.1", 1, ""});
    CHECK(parsed("ws://a:8080/x/y?key=1") == url{scheme::ws, "a", 8080, "/x/y?key=1"});
    CHECK(parsed("mqtt://[::1]:0") == url{scheme::mqtt, "::1", 0, ""});
    CHECK(parsed("unix:///run/my_broker.sock") ==
          url{scheme::unix_socket, "", 0, "/run/my_broker.sock"});
}

TEST_CASE("what a URL leaves out has its usual value", "[url]") {
    CHECK(parsed("mqtt://a") == url{scheme::mqtt, "a", 1883, ""});
    CHECK(parsed("mqtt://a/") == url{scheme::mqtt, "a", 1883, ""});
    CHECK(parsed("mqtts://[fe80::1]") == url{scheme::mqtts, "fe80::1", 8883, ""});
    CHECK(parsed("ws://a") == url{scheme::ws, "a", 80, "/mqtt"});
    CHECK(parsed("wss://a/") == url{scheme::wss, "a", 443, "/"});
    CHECK(parsed("wss://a?token=t") == url{scheme::wss, "a", 443, "/?token=t"});
    CHECK(parsed("mqtt://") == url{scheme::mqtt, "", 1883, ""});
    CHECK(parsed("mqtt://:0") == url{scheme::mqtt, "", 0, ""});
}

TEST_CASE("schemes say what is on top of the socket", "[url]") {
    CHECK_FALSE(parsed("mqtt://a").is_tls());
    CHECK(parsed("mqtts://a").is_tls());
    CHECK(parsed("wss://a").is_tls());
    CHECK(parsed("wss://a").is_websocket());
    CHECK(parsed("ws://a").is_websocket());
    CHECK_FALSE(parsed("mqtts://a").is_websocket());
    CHECK_FALSE(parsed("unix:///a").is_websocket());
}

TEST_CASE("a URL printed reads back as the same", "[url]") {
    for (const char* text : {"mqtt://a:1", "mqtts://[::]:8883", "ws://h:80/mqtt", "wss://:443/",
                             "unix:///tmp/a b.sock", "mqtt://:0"}) {
        CHECK(net::to_string(parsed(text)) == text);
    }
    CHECK(net::to_string(parsed("mqtt://lamp")) == "mqtt://lamp:1883");
}

TEST_CASE("what is no URL is told with what was found and what was expected", "[url]") {
    const std::vector<refused> all{
        {"", "no \"://\""},
        {"localhost:1883", "expected mqtt://HOST:PORT"},
        {"tcp://a:1883", "here it is called \"mqtt\""},
        {"ftp://a", "the scheme is \"ftp\""},
        {"mqtt://me:secret@a", "options of their own"},
        {"mqtt://a:65536", "the port is \"65536\""},
        {"mqtt://a:", "the port is \"\""},
        {"mqtt://a:-1", "the port is \"-1\""},
        {"mqtt://a:80x", "the port is \"80x\""},
        {"mqtt://::1:1883", "in brackets"},
        {"mqtt://[::1", "no \"]\""},
        {"mqtt://[::1]1883", "after \"]\""},
        {"mqtt://[lamp]:1", "no IPv6 address"},
        {"mqtt://a/topic", "only ws and wss have a path"},
        {"mqtt://a,b", "not \",\""},
        {"mqtt://b\xc3\xbcro", "punycode"},
        {"ws://a/x#y", "%23"},
        {"ws://a/\xc3\xbc", "%XX"},
        {"mqtt://a b", "a space"},
        {"mqtt://a\n", "a control character"},
        {"unix://run/mqtt.sock", "begins with \"/\""},
        {"unix:///run/", "ends in \"/\""},
    };
    for (const refused& each : all) {
        const auto read = parse_url(each.text);
        CAPTURE(each.text);
        CHECK_THAT(read.problem, Catch::Matchers::Contains(each.part_of_the_problem));
    }
    const auto long_name = parse_url("mqtt://" + std::string(254, 'a'));
    CHECK_THAT(long_name.problem, Catch::Matchers::Contains("254 characters"));
}
