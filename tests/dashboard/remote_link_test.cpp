#include "small_run.hpp"

#include <fleetarium/feed/feed_service.hpp>
#include <fleetarium/feed/remote_link.hpp>
#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/server/http_server.hpp>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

using namespace fleetarium;
using namespace fleetarium::feed;
using state = source_link::state;

namespace {

/// A small run, served over HTTP by this thread.
struct served {
    explicit served(const std::string& address = "127.0.0.1:0", const std::string& token = {}) {
        run.run_until(30);
        broker::http_options options;
        options.address = address;
        options.token = token;
        server = std::make_unique<broker::http_server>(context, options, feed.routes(),
                                                       feed.websockets());
    }

    /// Serves until something is so, for ten seconds at most.
    bool until(source_link& link, const std::function<bool()>& is_so) {
        const instant end = net::real_now() + std::chrono::seconds{10};
        while (!is_so()) {
            if (net::real_now() > end) {
                return false;
            }
            context.run_one_for(std::chrono::milliseconds{5});
            feed.poll(std::chrono::duration<double>(net::real_now().time_since_epoch()).count());
            link.receive();
        }
        return true;
    }

    test::small_run run{};
    boost::asio::io_context context{};
    feed_service feed{[this](const auto& use) { use(run.source()); }};
    std::unique_ptr<broker::http_server> server;
};

}  // namespace

TEST_CASE("the address of a feed is understood as people write it", "[remote]") {
    CHECK(parse_feed_address("http://127.0.0.1:8080").text() == "127.0.0.1:8080");
    CHECK(parse_feed_address("ws://server.example:80/feed").text() == "server.example:80");
    CHECK(parse_feed_address("localhost:9").host == "localhost");
    CHECK(parse_feed_address("http://[::1]:8080/").host == "::1");
    CHECK(parse_feed_address("http://[::1]:8080/").text() == "[::1]:8080");
    CHECK_THROWS_WITH(parse_feed_address("mqtt://broker:1883"),
                      Catch::Contains("found \"mqtt://broker:1883\", expected http://HOST:PORT"));
    CHECK_THROWS_WITH(parse_feed_address("https://broker:443"), Catch::Contains("tunnel"));
    for (const char* each : {"", "host", "host:", ":80", "host:0", "host:65536", "host:http"}) {
        CHECK_THROWS_AS(parse_feed_address(each), std::invalid_argument);
    }
}

TEST_CASE("a feed over a WebSocket answers as one in the same process", "[remote]") {
    served by;
    remote_link link(parse_feed_address(by.server->listening()));
    std::optional<totals> found;
    std::string refused;
    link.ask<totals_question>({}, [&](const outcome<totals>& told) {
        REQUIRE(told.answer != nullptr);
        found = *told.answer;
    });
    fleet_answer fleet;
    link.ask<fleet_question>({}, [&](const outcome<fleet_answer>& told) {
        REQUIRE(told.answer != nullptr);
        fleet = *told.answer;
    });
    history_question wrong;
    wrong.points = 1;
    link.ask<history_question>(wrong,
                               [&](const outcome<history_answer>& told) { refused = told.error; });
    REQUIRE(by.until(link, [&] { return link.awaited() == 0; }));
    CHECK(link.connection() == state::connected);
    const totals here = by.run.source().totals({});
    CHECK(found->qos[1].published == here.qos[1].published);
    CHECK(found->latency == here.latency);
    REQUIRE(!fleet.groups.empty());
    CHECK(fleet.groups.front().cells == by.run.source().fleet({}).groups.front().cells);
    CHECK(refused == "points: expected 2 to 4,000");
}

TEST_CASE("more questions than a connection may have open are all answered", "[remote]") {
    served by;
    remote_link link(parse_feed_address(by.server->listening()));
    int answers = 0;
    for (int i = 0; i < 200; ++i) {
        totals_question wanted;
        wanted.at = i * 0.1;
        link.ask<totals_question>(
            wanted, [&](const outcome<totals>& told) { answers += told.answer != nullptr; });
    }
    REQUIRE(by.until(link, [&] { return link.awaited() == 0; }));
    CHECK(answers == 200);
}

TEST_CASE("a feed that is lost is found again, and what was asked is answered then", "[remote]") {
    auto first = std::make_unique<served>();
    const std::string address = first->server->listening();
    remote_link link(parse_feed_address(address));
    REQUIRE(first->until(link, [&] { return link.connection() == state::connected; }));
    first.reset();
    served second(address);
    REQUIRE(second.until(link, [&] { return link.connection() == state::lost; }));
    CHECK(link.trouble().find("trying again") != std::string::npos);
    bool is_answered = false;
    link.ask<description_question>(
        {}, [&](const outcome<description>& told) { is_answered = told.answer != nullptr; });
    REQUIRE(second.until(link, [&] { return is_answered; }));
    CHECK(link.connection() == state::connected);
    CHECK(link.trouble().empty());
}

TEST_CASE("a feed that wants a token is told it, or says so", "[remote]") {
    const std::string token = "open, sesame; \"ö\"";  // no subprotocol has such characters
    served by("127.0.0.1:0", token);
    const feed_address address = parse_feed_address(by.server->listening());
    remote_link without(address);
    REQUIRE(by.until(without, [&] { return without.connection() == state::lost; }));
    CHECK(without.trouble().find("wants a token: --token-file FILE") != std::string::npos);
    remote_link with(address, token);
    CHECK(by.until(with, [&] { return with.connection() == state::connected; }));
    remote_link wrong(address, "guessed");
    REQUIRE(by.until(wrong, [&] { return wrong.connection() == state::lost; }));
    CHECK(wrong.trouble().find("does not take this token") != std::string::npos);
}
