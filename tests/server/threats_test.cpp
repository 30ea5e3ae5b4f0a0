#include <fleetarium/server/server.hpp>

#include <fleetarium/server/http_asset.hpp>
#include <fleetarium/server/http_exchange.hpp>
#include <fleetarium/server/password_file.hpp>
#include <fleetarium/server/snapshot.hpp>

#include <support/temporary_folder.hpp>
#include <support/wire_peer.hpp>

#include <catch2/catch.hpp>

#include <ctime>
#include <fstream>
#include <set>
#include <string>

// Attempts of broker/security.md that no other test makes. Each threat there names its tests.

namespace fleetarium::test {
namespace {

using broker::server;
using broker::server_options;

std::string written(const temporary_folder& in, const std::string& name, const std::string& text) {
    std::string path = in.path() + '/' + name;
    std::ofstream(path) << text;
    return path;
}

TEST_CASE("what a user may not do it may not do on any way", "[server][access][threat/access]") {
    const temporary_folder folder;
    server_options options;
    options.access_file = written(folder, "access",
                                  "user ann\n"
                                  "topic readwrite home/#\n"
                                  "topic deny home/attic/#\n"
                                  "topic read news/#\n");
    options.broker.sys_interval = std::chrono::seconds{1};
    server given(options);
    given.start();
    REQUIRE(given.publish("home/attic/safe", "0000", qos::at_most_once, true));
    REQUIRE(given.publish("other", "1", qos::at_most_once, true));
    REQUIRE(given.publish("news/today", "rain", qos::at_most_once, true));
    wire_peer ann(given);
    REQUIRE(ann.connect("a", true, "ann") == reason_code::success);

    const auto subscribe = [&](std::string_view filter) {
        const subscription_request one{filter, {}};
        fleetarium::subscribe request;
        request.packet_id = 9;
        request.requests = subscription_requests({&one, 1});
        ann.send(request);
        return ann.take<suback>().codes[0];
    };
    for (const char* filter :
         {"#", "+/#", "home/#", "home/+/safe", "home/attic/safe", "+/attic/safe", "other", "$SYS/#",
          "$SYS/broker/uptime", "$share/g/#", "$share/g/home/attic/#", "$share/g/other",
          "$share/g/$SYS/#"}) {
        CAPTURE(filter);
        CHECK(subscribe(filter) == reason_code::not_authorized);
    }
    CHECK(subscribe("home/kitchen") == reason_code::success);

    std::uint16_t id = 0;
    const auto publish = [&](std::string_view topic, std::optional<std::uint16_t> alias = {},
                             bool retain = false) {
        fleetarium::publish message;
        message.topic = topic;
        message.topic_alias = alias;
        message.retain = retain;
        message.qos = qos::at_least_once;
        message.packet_id = ++id;
        message.payload = as_bytes_view("x");
        ann.send(message);
        return ann.take<puback>().code;
    };
    for (const char* topic :
         {"home/attic/safe", "other", "news/today", "$SYS/broker/uptime", "$SYS", "$own/topic"}) {
        CAPTURE(topic);
        CHECK(publish(topic, {}, true) == reason_code::not_authorized);
    }
    // An alias is asked about as the topic that it stands for.
    CHECK(publish("home/attic/safe", 1) == reason_code::not_authorized);
    CHECK(publish("", 1) == reason_code::not_authorized);
    CHECK_FALSE(is_failure(publish("home/hall", 1)));
    CHECK_FALSE(is_failure(publish("", 1)));

    // A will and a retained will.
    for (const bool retain : {false, true}) {
        wire_peer with_will(given);
        fleetarium::will last;
        last.topic = "home/attic/safe";
        last.retain = retain;
        fleetarium::connect request;
        request.client_id = "w";
        request.user_name = "ann";
        request.will = last;
        with_will.send(request);
        CHECK(with_will.take<connack>().code == reason_code::not_authorized);
    }
    // Who gives no name, or another, has none of her rights.
    for (const auto& user : {std::optional<std::string_view>("bob"), {}}) {
        wire_peer stranger(given);
        REQUIRE(stranger.connect("s", true, user) == reason_code::success);
        const subscription_request one{"home/kitchen", {}};
        fleetarium::subscribe request;
        request.packet_id = 9;
        request.requests = subscription_requests({&one, 1});
        stranger.send(request);
        CHECK(stranger.take<suback>().codes[0] == reason_code::not_authorized);
    }
    given.inspect([](const broker::broker_core& core) {
        const auto payload = [&](std::string_view topic) {
            const message_ptr* const kept = core.retained().find(topic);
            return kept == nullptr ? std::string() : std::string(as_text((*kept)->payload()));
        };
        CHECK(payload("home/attic/safe") == "0000");
        CHECK(payload("other") == "1");
        CHECK(payload("news/today") == "rain");
        CHECK(payload("$own/topic").empty());
    });
}

TEST_CASE("no client publishes what the broker says about itself", "[server][threat/access]") {
    server given;
    given.start();
    wire_peer any(given);
    any.connect("c");
    fleetarium::publish message;
    message.topic = "$SYS/broker/uptime";
    message.qos = qos::at_least_once;
    message.packet_id = 1;
    any.send(message);
    CHECK(any.take<puback>().code == reason_code::not_authorized);
}

TEST_CASE("an unknown user takes the time of a wrong password", "[server][threat/user_names]") {
    broker::password_list users;
    const std::string line = broker::password_line("ann", "secret", 100'000);
    const auto parsed = broker::parse_passwords(line, "passwords");
    const auto& known = std::get<broker::password_list>(parsed);
    // Of the processor, which others do not slow down.
    const auto seconds_of = [&](std::string_view user) {
        timespec from{};
        timespec to{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);  // tidy: allow(clock) it measures
        CHECK_FALSE(known.verify(user, "guess"));
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);  // tidy: allow(clock) it measures
        return static_cast<double>(to.tv_sec - from.tv_sec) +
               static_cast<double>(to.tv_nsec - from.tv_nsec) / 1e9;
    };
    seconds_of("ann");  // warm
    const double of_known = seconds_of("ann");
    const double of_unknown = seconds_of("nobody");
    CHECK(of_unknown > of_known / 2);
    CHECK(of_unknown < of_known * 2);
    CHECK(of_known > 0.001);
}

TEST_CASE("client ids that the server gives cannot be guessed", "[server][threat/session]") {
    server given;
    given.start();
    std::set<std::string> seen;
    for (int i = 0; i < 20; ++i) {
        wire_peer each(given);
        fleetarium::connect request;
        each.send(request);
        const std::string id(each.take<connack>().assigned_client_identifier.value());
        CHECK(seen.insert(id).second);
        CHECK(id.size() > 18);  // "auto-" and some 60 random bits, almost always
    }
}

TEST_CASE("no two servers hash names alike, and none tells how",
          "[server][snapshot][threat/collisions]") {
    std::set<std::uint64_t> seeds;
    for (int i = 0; i < 3; ++i) {
        const server given;
        given.inspect([&](const broker::broker_core& core) {
            seeds.insert(core.options().hash_seed);
            CHECK(broker::snapshot_json(core, {}).find(
                      std::to_string(core.options().hash_seed)) == std::string::npos);
        });
    }
    CHECK(seeds.size() == 3);
    CHECK(seeds.count(0) == 0);
}

TEST_CASE("no path of a page's files leads out of them", "[server][http][threat/paths]") {
    broker::http_service service;
    service.routes = broker::asset_routes({{"/index.html", "text/html", "page", "\"1\""},
                                           {"/parts/main.js", "text/javascript", "code", "\"2\""}});
    const auto ask = [&](const std::string& target) {
        broker::http_exchange exchange(service);
        exchange.handle_bytes(
            as_bytes_view("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        return exchange.poll_transmit();
    };
    CHECK_THAT(ask("/parts/main.js"), Catch::StartsWith("HTTP/1.1 200 "));
    for (const char* target :
         {"/../etc/passwd", "/parts/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
          "/parts/..%2f..%2fetc/passwd", "/..%5c..%5cetc/passwd", "//etc/passwd",
          "/parts/main.js/../../../etc/passwd", "/parts/main.js%00.html", "/parts/",
          "/....//etc/passwd", "http://localhost/../etc/passwd"}) {
        CAPTURE(target);
        const std::string answer = ask(target);
        CHECK((answer.starts_with("HTTP/1.1 404 ") || answer.starts_with("HTTP/1.1 400 ")));
        CHECK(answer.find("root:") == std::string::npos);
    }
    // What a page may load, and who may put it in a frame, is said with it.
    const std::string page = ask("/");
    CHECK_THAT(page, Catch::Contains("Content-Security-Policy: default-src 'none'; "
                                     "script-src 'self';") &&
                         Catch::Contains("frame-ancestors 'none'") &&
                         Catch::Contains("X-Content-Type-Options: nosniff"));
}

TEST_CASE("a request without an end costs a bounded amount", "[server][http][threat/slow_http]") {
    broker::http_service service;
    service.routes = {{"POST", "/thing", "a thing",
                       [](const broker::http_request&) { return broker::http_response{}; }}};
    const auto flood = [&](const std::string& head, const std::string& more) {
        broker::http_exchange exchange(service);
        exchange.handle_bytes(as_bytes_view(head));
        std::size_t sent = head.size();
        while (!exchange.should_close() && sent < 8'000'000) {
            exchange.handle_bytes(as_bytes_view(more));
            sent += more.size();
        }
        return std::pair(sent, exchange.poll_transmit().substr(0, 12));
    };
    const std::string piece(1000, 'a');
    using answer = std::pair<std::size_t, std::string>;
    const auto within = [](const answer& got, std::size_t bytes, std::string_view status) {
        CAPTURE(got.first, got.second);
        CHECK(got.first <= bytes);
        CHECK(got.second == "HTTP/1.1 " + std::string(status));
    };
    within(flood("GET /", piece), 20'000, "431");
    within(flood("GET / HTTP/1.1\r\nHost: localhost\r\nX: ", piece), 20'000, "431");
    within(flood("GET / HTTP/1.1\r\nHost: localhost\r\n", "X: y\r\n"), 20'000, "431");
    const std::string post = "POST /thing HTTP/1.1\r\nHost: localhost\r\n";
    within(flood(post + "Content-Length: 99999999999\r\n\r\n", piece), 1'100'000, "413");
    within(flood(post + "Transfer-Encoding: chunked\r\n\r\n", "3e8\r\n" + piece + "\r\n"),
           1'100'000, "413");
    // Chunks of a byte, as many as come at once: each costs itself, not all that is behind it.
    std::string chunks;
    for (int i = 0; i < 20'000; ++i) {
        chunks += "1\r\na\r\n";
    }
    within(flood(post + "Transfer-Encoding: chunked\r\n\r\n", chunks), 6'500'000, "413");
}

}  // namespace
}  // namespace fleetarium::test
