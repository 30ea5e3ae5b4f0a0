#include <fleetarium/server/server.hpp>

#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/server/http_access.hpp>
#include <fleetarium/server/listener_origins.hpp>
#include <fleetarium/server/log_line.hpp>
#include <fleetarium/server/password_file.hpp>

#include <support/temporary_folder.hpp>
#include <support/wire_peer.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <memory>
#include <mutex>
#include <vector>

// What a server refuses on the way in, on real ports of this machine.

namespace fleetarium::test {
namespace {

using broker::server;
using broker::server_options;

server_options on_port() { return broker::listen_on("mqtt://127.0.0.1:0"); }

TEST_CASE("above a listener's rate CONNECT is answered with 0x9F, and soon no more",
          "[server][bounds][threat/connection_flood]") {
    server_options options = on_port();
    options.listeners[0].connection_rate_max = 2;
    server given(options);
    given.start();
    wire_peer first(given.listening().front());
    CHECK(first.connect("1") == reason_code::success);
    wire_peer second(given.listening().front(), protocol_version::v3_1_1);
    CHECK(second.connect("2") == reason_code::success);
    wire_peer third(given.listening().front());
    CHECK(third.connect("3") == reason_code::connection_rate_exceeded);
    CHECK(third.is_closed_by_server());
    wire_peer pipe(given);  // no listener, no bound
    CHECK(pipe.connect("4") == reason_code::success);
    // Whoever waits without a word to be refused has 64 places; others are closed at once.
    std::vector<std::unique_ptr<wire_peer>> silent;
    for (int i = 0; i < 80; ++i) {
        silent.push_back(std::make_unique<wire_peer>(given.listening().front()));
    }
    CHECK(silent.back()->is_closed_by_server());
    first.send(pingreq{});
    first.take<pingresp>();
}

TEST_CASE("above an address's bounds its CONNECT is refused by what the standard has for it",
          "[server][bounds][threat/connection_flood]") {
    server_options options = on_port();
    const bool by_rate = GENERATE(true, false);
    auto& listener = options.listeners[0];
    (by_rate ? listener.address_connection_rate_max : listener.connection_rate_max) =
        by_rate ? 1 : 0;
    listener.address_connections_max = by_rate ? 0 : 1;
    server given(options);
    given.start();
    wire_peer first(given.listening().front());
    CHECK(first.connect("1") == reason_code::success);
    wire_peer second(given.listening().front());
    CHECK(second.connect("2") ==
          (by_rate ? reason_code::connection_rate_exceeded : reason_code::quota_exceeded));
    wire_peer old(given.listening().front(), protocol_version::v3_1_1);
    CHECK(old.connect("3") == reason_code::server_unavailable);
}

TEST_CASE("a connection that has gone makes room for another of its address", "[server][bounds]") {
    server_options options = on_port();
    options.listeners[0].address_connections_max = 1;
    server given(options);
    given.start();
    for (int i = 0; i < 20; ++i) {
        wire_peer one(given.listening().front());
        CHECK(one.connect("c") == reason_code::success);
        one.send(disconnect{});
        CHECK(one.is_closed_by_server());
    }
}

TEST_CASE("who guesses passwords has a bounded number of them looked at",
          "[server][passwords][threat/password_flood]") {
    temporary_folder folder;
    const std::string path = folder.path() + "/passwords";
    // Many rounds, so that they are still being counted when the others come.
    std::ofstream(path) << broker::password_line("ann", "secret", 400'000) << '\n'
                        << broker::password_line("bob", "known", 1000) << '\n';
    server_options options = on_port();
    options.password_file = path;
    options.broker.connect_timeout = std::chrono::minutes{1};
    options.password_checks_max = 4;  // one of an address
    server given(options);
    given.start();
    wire_peer bob(given.listening().front());
    CHECK(bob.connect("b", true, "bob", "known") == reason_code::success);

    wire_peer slow(given.listening().front());
    fleetarium::connect request;
    request.client_id = "s";
    request.user_name = "ann";
    request.password = as_bytes_view("guess");
    slow.send(request);
    bob.send(pingreq{});
    bob.take<pingresp>();  // what slow said has come, too
    wire_peer refused(given.listening().front());
    CHECK(refused.connect("r", true, "ann", "another") == reason_code::server_busy);
    // What is remembered as right costs nothing and needs no place.
    wire_peer again(given.listening().front());
    CHECK(again.connect("b2", true, "bob", "known") == reason_code::success);
    CHECK(slow.take<connack>().code == reason_code::bad_user_name_or_password);
    wire_peer later(given.listening().front());
    CHECK(later.connect("l", true, "ann", "secret") == reason_code::success);
}

TEST_CASE("a CONNECT that does not end counts for the memory ceiling, passwords or not",
          "[server][passwords][threat/memory]") {
    temporary_folder folder;
    const std::string path = folder.path() + "/passwords";
    std::ofstream(path) << broker::password_line("ann", "secret", 1000) << '\n';
    server_options options = on_port();
    options.password_file = path;
    options.broker.memory_max = 4 * 1024 * 1024;
    options.broker.connect_timeout = std::chrono::minutes{1};
    server given(options);
    given.start();
    const auto log_in = [&] {
        return wire_peer(given.listening().front()).connect("c", true, "ann", "secret");
    };
    REQUIRE(log_in() == reason_code::success);

    // when
    std::vector<std::unique_ptr<wire_peer>> crowd;
    const std::vector<std::uint8_t> part(600'000, 'x');
    for (int i = 0; i < 30; ++i) {
        crowd.push_back(std::make_unique<wire_peer>(given.listening().front()));
        crowd.back()->send_hex("10 FF FF 2F").send_bytes(part);
    }
    std::size_t most = 0;
    std::ptrdiff_t cut_off = 0;
    const instant begun = net::real_now();
    while (cut_off < 20 && net::real_now() < begun + std::chrono::seconds{20}) {
        cut_off = std::count_if(crowd.begin(), crowd.end(),
                                [](const auto& each) { return each->has_been_closed(); });
        log_in();  // whatever the answer
        given.inspect(
            [&](const broker::broker_core& core) { most = std::max(most, core.memory().used()); });
    }

    // then
    CHECK(cut_off >= 20);
    CHECK(most > 2'000'000);  // of 18 MB
    CHECK(most < 8'000'000);
    crowd.clear();
    reason_code after = reason_code::server_busy;
    while (after != reason_code::success && net::real_now() < begun + std::chrono::seconds{40}) {
        after = log_in();
    }
    CHECK(after == reason_code::success);
}

TEST_CASE("a flood of connections that are refused does not flood the log",
          "[server][log][threat/log_flood]") {
    server_options options = on_port();
    options.allow_anonymous = false;
    std::mutex mutex;
    std::size_t lines = 0;
    options.log = [&](broker::log_level, std::string_view text) {
        const std::lock_guard alone(mutex);
        lines += text.find("refused") != std::string_view::npos;
    };
    const instant began = net::real_now();
    {
        server given(options);
        given.start();
        for (int i = 0; i < 300; ++i) {
            wire_peer each(given.listening().front());
            CHECK(each.connect("c") == reason_code::not_authorized);
        }
    }
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(net::real_now() - began).count();
    CHECK(lines >= 20);
    CHECK(lines <= 20 + 20 * static_cast<std::size_t>(seconds));
}

TEST_CASE("a client id of 64 KiB takes a line of the log of one",
          "[server][log][threat/log_flood]") {
    const std::string id(65'000, 'i');
    const std::string line =
        broker::log_line(broker::log_level::info, 0, "10.0.0.1:5: \"" + id + "\" connected");
    CHECK(line.size() < 1200);
    CHECK_THAT(line, Catch::Contains("10.0.0.1:5: \"iii") && Catch::EndsWith("iii\" connected\n") &&
                         Catch::Contains("bytes left out]"));
    // Not within a letter.
    std::string umlauts = "x";
    for (int i = 0; i < 2000; ++i) {
        umlauts += "\xC3\xA4";
    }
    CHECK(broker::log_line(broker::log_level::info, 0, umlauts).find("\\x") == std::string::npos);
    CHECK_THAT(broker::log_line(broker::log_level::info, 0, std::string(1024, 'a')),
               Catch::EndsWith(" info " + std::string(1024, 'a') + "\n"));
}

TEST_CASE("a listener of this machine is for pages of this machine, unless it says otherwise",
          "[server][threat/web_page]") {
    broker::listener_options listener;
    const auto may = [&](std::string_view url, std::string_view origin) {
        listener.url = net::parse_url(url).value;
        const auto check = origin_check_of(listener);
        return !check || check(origin);
    };
    for (const char* url : {"ws://127.0.0.1:80/mqtt", "ws://localhost:80", "ws://[::1]:80"}) {
        CAPTURE(url);
        CHECK(may(url, "http://localhost:5173"));
        CHECK(may(url, "http://127.0.0.1"));
        CHECK_FALSE(may(url, "https://evil.example"));
        CHECK_FALSE(may(url, "https://localhost.evil.example"));
        CHECK_FALSE(may(url, "https://127.evil.example"));
        CHECK_FALSE(may(url, "null"));
        CHECK_FALSE(may(url, ""));
    }
    CHECK(may("wss://:443", "https://anywhere.example"));
    listener.origins = {"https://Example.org"};
    CHECK(may("wss://:443", "https://example.org"));
    CHECK_FALSE(may("wss://:443", "http://example.org"));
    CHECK_FALSE(may("wss://:443", "https://example.org.evil.example"));
    CHECK_FALSE(may("ws://127.0.0.1:80", "http://localhost"));
    listener.origins = {"*"};
    CHECK(may("ws://127.0.0.1:80", "https://anywhere.example"));
}

TEST_CASE("a token is compared whole, and nothing else is one", "[server][http][threat/token]") {
    CHECK(broker::has_token("Bearer secret", "secret"));
    CHECK(broker::has_token("bEARER secret", "secret"));
    for (const char* wrong :
         {"", "Bearer", "Bearer ", "Bearer s", "Bearer secre", "Bearer secret ",
          "Bearer secretsecret", "Bearer Secret", "Basic secret", "secret", "Bearer  secret"}) {
        CAPTURE(wrong);
        CHECK_FALSE(broker::has_token(wrong, "secret"));
    }
    CHECK_FALSE(broker::has_token("Bearer ", ""));
}

}  // namespace
}  // namespace fleetarium::test
