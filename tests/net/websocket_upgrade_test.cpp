// How a WebSocket begins: what is asked, and what is said to those who ask for something else.

#include <fleetarium/core/random.hpp>
#include <fleetarium/net/websocket_stream.hpp>

#include <support/memory_carrier.hpp>
#include <support/websocket_frames.hpp>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <string>

using namespace fleetarium;
using namespace fleetarium::net;
using namespace fleetarium::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using side = carrier_pair::side;

namespace {

struct outcome {
    std::string answer;
    boost::system::error_code why;
    int closed = 0;
    std::string received;
};

/// What becomes of `bytes` at a server's side, in pieces.
outcome at_server(const std::string& bytes, std::size_t piece = 1U << 20,
                  const origin_check& may_ask = {}) {
    boost::asio::io_context context(1);
    carrier_pair carriers;
    told_events events;
    const auto stream = make_websocket_server_stream(carriers.make(side::server),
                                                     context.get_executor(), "/mqtt", may_ask);
    stream->start(events);
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        carriers.inject(side::server, bytes.substr(at, piece));
    }
    outcome made;
    made.answer = carriers.take_sent(side::server);
    carriers.deliver();
    made.why = events.why;
    made.closed = events.closed;
    made.received = events.received;
    return made;
}

/// What becomes of a client when the server answers `bytes`.
outcome at_client(const std::string& bytes) {
    boost::asio::io_context context(1);
    carrier_pair carriers;
    told_events events;
    const auto stream = make_websocket_client_stream(carriers.make(side::client),
                                                     context.get_executor(), "localhost", "/mqtt");
    stream->start(events);
    carriers.take_sent(side::client);
    carriers.inject(side::client, bytes);
    outcome made;
    made.answer = carriers.take_sent(side::client);
    carriers.deliver();
    made.why = events.why;
    made.closed = events.closed;
    return made;
}

std::string without(std::string request, const std::string& line_start) {
    const std::size_t at = request.find(line_start);
    REQUIRE(at != std::string::npos);
    return request.erase(at, request.find("\r\n", at) + 2 - at);
}

}  // namespace

TEST_CASE("who asks for no WebSocket gets an HTTP answer that says what this port is",
          "[websocket]") {
    struct question {
        std::string request;
        std::string status;
        websocket_error why;
    };
    const std::vector<question> questions = {
        {"GET /mqtt HTTP/1.1\r\nHost: broker\r\n\r\n", "426 Upgrade Required",
         websocket_error::not_an_upgrade},
        {"GET / HTTP/1.1\r\nHost: broker\r\n\r\n", "404 Not Found", websocket_error::wrong_path},
        {"HEAD /mqtt HTTP/1.0\r\n\r\n", "426 Upgrade Required", websocket_error::not_an_upgrade},
        {"POST /mqtt HTTP/1.1\r\nHost: broker\r\n\r\n", "426 Upgrade Required",
         websocket_error::not_an_upgrade},
        {"POST /mqtt HTTP/1.1\r\nHost: broker\r\nContent-Length: 5\r\n\r\nhello", "400 Bad Request",
         websocket_error::bad_request},
        {upgrade_request("/other"), "404 Not Found", websocket_error::wrong_path},
        {upgrade_request("/mqtt/"), "404 Not Found", websocket_error::wrong_path},
        {upgrade_request("/mqtt", ""), "400 Bad Request", websocket_error::no_subprotocol},
        {upgrade_request("/mqtt", "chat"), "400 Bad Request", websocket_error::no_subprotocol},
        {upgrade_request("/mqtt", "mqttv3.1"), "400 Bad Request", websocket_error::no_subprotocol},
        {without(upgrade_request(), "Sec-WebSocket-Version"), "426 Upgrade Required",
         websocket_error::not_an_upgrade},
        {without(upgrade_request(), "Upgrade"), "426 Upgrade Required",
         websocket_error::not_an_upgrade},
        {without(upgrade_request(), "Sec-WebSocket-Key"), "400 Bad Request",
         websocket_error::bad_request},
        {without(upgrade_request(), "Host"), "400 Bad Request", websocket_error::bad_request},
        {"GET /mqtt\r\n\r\n", "400 Bad Request", websocket_error::bad_request},
        {"NONSENSE\r\n\r\n", "400 Bad Request", websocket_error::bad_request},
    };
    for (const question& one : questions) {
        for (const std::size_t piece : {std::size_t{1}, std::size_t{1} << 20}) {
            CAPTURE(one.request, piece);
            const outcome made = at_server(one.request, piece);
            CHECK_THAT(made.answer, StartsWith("HTTP/1.1 " + one.status + "\r\n"));
            CHECK(made.closed == 1);
            CHECK(made.why == one.why);
            CHECK(made.why.message().size() > 20);
            CHECK(made.received.empty());
        }
    }
    const std::string text = at_server(questions[0].request).answer;
    CHECK_THAT(text, Contains("Upgrade: websocket\r\n") && Contains("Connection: close\r\n") &&
                         Contains("Sec-WebSocket-Protocol: mqtt\r\n"));
    const std::string body = text.substr(text.find("\r\n\r\n") + 4);
    CHECK(body == "This is MQTT over WebSocket at the path /mqtt; connect with an MQTT client.\n");
    CHECK_THAT(text, Contains("Content-Length: " + std::to_string(body.size()) + "\r\n"));
}

TEST_CASE("a web page of an origin that may not ask is refused, other programs are not asked",
          "[websocket][threat/web_page]") {
    const auto asked_by = [](const std::string& headers) {
        std::string request = upgrade_request();
        request.insert(request.find("Upgrade:"), headers);
        return at_server(request, 1U << 20,
                         [](std::string_view origin) { return origin == "https://good.example"; });
    };
    CHECK_THAT(asked_by("").answer, StartsWith("HTTP/1.1 101 "));
    CHECK_THAT(asked_by("Origin: https://good.example\r\n").answer, StartsWith("HTTP/1.1 101 "));
    for (const char* const headers :
         {"Origin: https://evil.example\r\n", "Origin: null\r\n",
          "origin: HTTPS://EVIL.EXAMPLE\r\n", "Origin:\r\n",
          "Origin: https://good.example\r\nOrigin: https://evil.example\r\n"}) {
        CAPTURE(headers);
        const outcome made = asked_by(headers);
        CHECK_THAT(made.answer, StartsWith("HTTP/1.1 403 "));
        CHECK(made.why == websocket_error::wrong_origin);
    }
}

TEST_CASE("a query behind the path does not matter", "[websocket]") {
    CHECK_THAT(at_server(upgrade_request("/mqtt?from=page")).answer, StartsWith("HTTP/1.1 101 "));
}

TEST_CASE("a peer that does not speak HTTP is told from its first byte", "[websocket]") {
    const auto why = [](const std::string& bytes) {
        const outcome made = at_server(bytes);
        CHECK(made.answer.empty());
        CHECK(made.closed == 1);
        return made.why;
    };
    CHECK(why(std::string("\x10\x0c\0\4MQTT\5\2\0\0\0\0", 14)) ==
          websocket_error::mqtt_without_websocket);
    CHECK(why(std::string("\x16\x03\x01\x02\0\1\0", 7)) == websocket_error::tls_instead);
    CHECK(why(std::string("\0\1\2", 3)) == websocket_error::not_http);
}

TEST_CASE("a header that never ends is refused at 8 KiB", "[websocket]") {
    std::string request = "GET /mqtt HTTP/1.1\r\n";
    while (request.size() < 8100) {
        request += "X-Field: value\r\n";
    }
    const std::size_t piece = GENERATE(1U, 100U, 1U << 20);
    const outcome quiet = at_server(request, piece);
    CHECK(quiet.answer.empty());
    CHECK(quiet.closed == 0);
    const outcome refused = at_server(request + std::string(10'000, 'x'), piece);
    CHECK_THAT(refused.answer, StartsWith("HTTP/1.1 431 "));
    CHECK(refused.why == websocket_error::header_too_large);
}

TEST_CASE("the client says what the server answered instead of a WebSocket", "[websocket]") {
    const auto message = [](const std::string& answer) {
        const outcome made = at_client(answer);
        CHECK(made.closed == 1);
        CHECK(made.answer.empty());
        return made.why.message();
    };
    CHECK(message("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") ==
          "the server answered the request for a WebSocket with HTTP status 404 (is the path "
          "right?)");
    CHECK(message("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy") ==
          "the server answered the request for a WebSocket with HTTP status 503");
    CHECK(message("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") ==
          "the server answered the request for a WebSocket with HTTP status 200");
    CHECK_THAT(message("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                       "Connection: upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n"),
               Contains("does not answer as a WebSocket server"));
    CHECK_THAT(message(std::string("\x20\2\0\0\r\n\r\n", 8)),
               Contains("does not answer as a WebSocket server"));
    CHECK_THAT(message("HTTP/1.1 101 Switching Protocols\r\n" + std::string(20'000, 'x')),
               Contains("does not answer as a WebSocket server"));
}

TEST_CASE("a connection cut in the WebSocket handshake says so", "[websocket]") {
    boost::asio::io_context context(1);
    carrier_pair carriers;
    told_events events;
    const auto stream = make_websocket_client_stream(carriers.make(side::client),
                                                     context.get_executor(), "localhost", "/mqtt");
    stream->start(events);
    carriers.cut(side::client, boost::asio::error::eof);
    CHECK(events.why == websocket_error::closed_in_handshake);
}

TEST_CASE("random bytes at a WebSocket's server end the stream, or wait for more, and cost little",
          "[websocket]") {
    for (std::uint64_t seed = 0; seed < 600; ++seed) {
        CAPTURE(seed);
        random_stream random(seed, 1, "garbage");
        std::string bytes;
        // A third without a handshake, a third behind one, a third is a handshake with damage.
        if (seed % 3 != 0) {
            bytes = upgrade_request();
        }
        if (seed % 3 == 2) {
            for (int i = 0; i < 5; ++i) {
                bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
            }
        }
        const std::size_t garbage = 200 + random.below(3000);
        for (std::size_t i = 0; i < garbage; ++i) {
            bytes += static_cast<char>(random.below(256));
        }
        const outcome made = at_server(bytes, 1 + random.below(500));
        CHECK(made.closed <= 1);
        CHECK(made.answer.size() < 8000);
        if (seed % 3 == 0) {
            CHECK(made.closed == 1);
            CHECK(made.received.empty());
        }
    }
}

TEST_CASE("random frames, whole and damaged, never bring a stream down", "[websocket]") {
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        CAPTURE(seed);
        random_stream random(seed, 2, "frames");
        std::string bytes = upgrade_request();
        std::string sent;
        bool sound = true;
        for (int i = 0; i < 20; ++i) {
            const auto op = static_cast<opcode>(random.below(4) == 0
                                                    ? random.below(16)
                                                    : static_cast<std::uint64_t>(opcode::binary));
            const std::string payload(random.below(4) == 0 ? random.below(3000) : random.below(130),
                                      static_cast<char>('a' + i));
            bytes += client_frame(op, payload, random.below(8) != 0);
            sound = sound && op == opcode::binary;
        }
        if (random.below(2) == 0) {
            bytes[upgrade_request().size() + random.below(200)] ^= 0x11;
        }
        const outcome made = at_server(bytes, 1 + random.below(3000));
        CHECK(made.closed <= 1);
    }
}
