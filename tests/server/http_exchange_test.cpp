#include <fleetarium/core/random.hpp>
#include <fleetarium/server/http_exchange.hpp>

#include <support/hex.hpp>
#include <support/http_text.hpp>

#include <catch2/catch.hpp>

#include <stdexcept>

using namespace fleetarium;
using namespace fleetarium::broker;
using namespace fleetarium::test;

namespace {

/// A service with a page that tells what it was asked, one that takes a body, one that fails, and
/// a large one.
http_service make_service(std::string token = {}) {
    http_service service;
    service.token = std::move(token);
    service.routes.push_back(
        {"GET", "/ask", "tells what it was asked", [](const auto& request) {
             return http_response{200, "text/plain", request.method + ' ' + request.query};
         }});
    service.routes.push_back({"POST", "/echo", "gives back what it gets", [](const auto& request) {
                                  return http_response{201, "text/plain", request.body};
                              }});
    service.routes.push_back({"GET", "/fail", "fails", [](const auto&) -> http_response {
                                  throw std::runtime_error("the cellar is under water");
                              }});
    service.routes.push_back({"GET", "/large", "is large", [](const auto&) {
                                  return http_response{200, "text/plain", std::string(40'000, 'x')};
                              }});
    return service;
}

}  // namespace

TEST_CASE("a request is answered, and the connection kept for the next", "[http]") {
    const http_service service = make_service();
    http_exchange exchange(service);
    exchange.handle_bytes(as_bytes_view(get("/ask?color=red")));
    std::string answer = exchange.poll_transmit();
    CHECK(status_line(answer) == "HTTP/1.1 200 OK");
    CHECK(has_header(answer, "Content-Type: text/plain"));
    CHECK(has_header(answer, "Content-Length: 13"));
    CHECK(body_of(answer) == "GET color=red");
    CHECK_FALSE(exchange.should_close());
    CHECK(exchange.is_idle());

    exchange.handle_bytes(as_bytes_view(get("/ask", "Connection: close\r\n")));
    answer = exchange.poll_transmit();
    CHECK(body_of(answer) == "GET ");
    CHECK(has_header(answer, "Connection: close"));
    CHECK(exchange.should_close());
    CHECK(exchange.requests_answered() == 2);
}

TEST_CASE("a body of no chunks may come byte by byte", "[http]") {
    const http_service service = make_service();
    http_exchange exchange(service);
    const std::string request =
        request_text("POST", "/echo", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n";
    for (const char& each : request) {
        CHECK(exchange.poll_transmit().empty());
        exchange.handle_bytes(as_bytes_view({&each, 1}));
    }
    const std::string answer = exchange.poll_transmit();
    CHECK(status_line(answer) == "HTTP/1.1 201 Created");
    CHECK(body_of(answer).empty());
    CHECK(exchange.is_idle());
}

TEST_CASE("a request may come in any pieces", "[http]") {
    const http_service service = make_service();
    const std::string request =
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello" + get("/ask?x");
    const std::string expected = answer_to(service, request);
    REQUIRE(expected.find("hello") != std::string::npos);
    REQUIRE(body_of(expected).find("GET x") != std::string::npos);
    for (std::size_t cut = 0; cut <= request.size(); ++cut) {
        http_exchange exchange(service);
        exchange.handle_bytes(as_bytes_view(request.substr(0, cut)));
        exchange.handle_bytes(as_bytes_view(request.substr(cut)));
        CAPTURE(cut);
        CHECK(exchange.poll_transmit() == expected);
    }
    http_exchange bytewise(service);
    for (const char each : request) {
        bytewise.handle_bytes(as_bytes_view({&each, 1}));
    }
    CHECK(bytewise.poll_transmit() == expected);
}

TEST_CASE("HEAD is answered as GET, without the body", "[http]") {
    const std::string answer =
        answer_to(make_service(), "HEAD /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(status_line(answer) == "HTTP/1.1 200 OK");
    CHECK(has_header(answer, "Content-Length: 40000"));
    CHECK(body_of(answer).empty());
}

TEST_CASE("HTTP/1.0 needs no Host, and is closed unless it asks otherwise", "[http]") {
    const http_service service = make_service();
    http_exchange exchange(service);
    exchange.handle_bytes(as_bytes_view("GET /ask HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    CHECK(has_header(exchange.poll_transmit(), "Connection: keep-alive"));
    CHECK_FALSE(exchange.should_close());
    exchange.handle_bytes(as_bytes_view("GET /ask HTTP/1.0\r\n\r\n"));
    CHECK(status_line(exchange.poll_transmit()) == "HTTP/1.1 200 OK");
    CHECK(exchange.should_close());
}

TEST_CASE("a body may be chunked", "[http]") {
    const std::string answer = answer_to(make_service(),
                                         "POST /echo HTTP/1.1\r\nHost: localhost\r\n"
                                         "Transfer-Encoding: chunked\r\n\r\n"
                                         "5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\n\r\n");
    CHECK(status_line(answer) == "HTTP/1.1 201 Created");
    CHECK(body_of(answer) == "hello, world");
}

TEST_CASE("a client that waits before it sends the body is told to go on", "[http]") {
    const http_service service = make_service();
    http_exchange exchange(service);
    exchange.handle_bytes(
        as_bytes_view("POST /echo HTTP/1.1\r\nHost: localhost\r\n"
                      "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
    CHECK(exchange.poll_transmit() == "HTTP/1.1 100 Continue\r\n\r\n");
    exchange.handle_bytes(as_bytes_view("ok"));
    CHECK(body_of(exchange.poll_transmit()) == "ok");

    SECTION("but not if the request is refused anyway") {
        exchange.handle_bytes(
            as_bytes_view("POST /nowhere HTTP/1.1\r\nHost: localhost\r\n"
                          "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
        CHECK(status_line(exchange.poll_transmit()) == "HTTP/1.1 404 Not Found");
        CHECK(exchange.should_close());
    }
}

TEST_CASE("who asks for what is not there is told what there is", "[http]") {
    const http_service service = make_service();
    http_exchange exchange(service);
    exchange.handle_bytes(as_bytes_view(get("/metricz")));
    std::string answer = exchange.poll_transmit();
    CHECK(status_line(answer) == "HTTP/1.1 404 Not Found");
    CHECK(body_of(answer) ==
          "There is nothing at /metricz. What there is:\n"
          "  GET /ask  tells what it was asked\n  POST /echo  gives back what it gets\n"
          "  GET /fail  fails\n  GET /large  is large\n");
    CHECK_FALSE(exchange.should_close());

    exchange.handle_bytes(as_bytes_view("DELETE /ask HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    answer = exchange.poll_transmit();
    CHECK(status_line(answer) == "HTTP/1.1 405 Method Not Allowed");
    CHECK(has_header(answer, "Allow: GET, HEAD"));
    CHECK(body_of(answer) == "/ask does not know the method DELETE, it knows GET, HEAD.\n");
    CHECK_FALSE(exchange.should_close());
}

TEST_CASE("a handler that fails costs a status 500 and a notice", "[http]") {
    const http_service service = make_service();
    http_exchange exchange(service);
    exchange.handle_bytes(as_bytes_view(get("/fail")));
    const std::string answer = exchange.poll_transmit();
    CHECK(status_line(answer) == "HTTP/1.1 500 Internal Server Error");
    CHECK(body_of(answer) == "the cellar is under water\n");
    CHECK(exchange.poll_notice() == "GET /fail failed: the cellar is under water");
    CHECK_FALSE(exchange.should_close());
}

TEST_CASE("without a token only requests for a loopback address are served",
          "[http][threat/web_page]") {
    const http_service service = make_service();
    const auto status_for = [&](std::string_view headers) {
        const std::string request = "GET /ask HTTP/1.1\r\n" + std::string(headers) + "\r\n";
        return status_line(answer_to(service, request));
    };
    for (const char* const host :
         {"localhost", "LOCALHOST:9090", "127.0.0.1", "127.9.8.7:1", "[::1]", "[::1]:9090"}) {
        CAPTURE(host);
        CHECK(status_for("Host: " + std::string(host) + "\r\n") == "HTTP/1.1 200 OK");
    }
    for (const char* const host :
         {"evil.example", "127.0.0.1.evil.example", "192.168.0.1", "[::2]", "[::1]evil", ""}) {
        CAPTURE(host);
        CHECK(status_for("Host: " + std::string(host) + "\r\n") == "HTTP/1.1 403 Forbidden");
    }
    CHECK(status_for("Host: localhost\r\nOrigin: http://localhost:8080\r\n") == "HTTP/1.1 200 OK");
    CHECK(status_for("Host: localhost\r\nOrigin: https://evil.example\r\n") ==
          "HTTP/1.1 403 Forbidden");
    CHECK(status_for("Host: localhost\r\nOrigin: null\r\n") == "HTTP/1.1 403 Forbidden");
    CHECK(status_for("") == "HTTP/1.1 400 Bad Request");
    CHECK(status_for("Host: localhost\r\nHost: localhost\r\n") == "HTTP/1.1 400 Bad Request");
}

TEST_CASE("with a token every request needs it, whatever it asks for", "[http][threat/token]") {
    const http_service service = make_service("open sesame");
    const auto answer_with = [&](std::string_view headers) {
        return answer_to(service, "GET /ask HTTP/1.1\r\nHost: broker.example\r\n" +
                                      std::string(headers) + "\r\n");
    };
    CHECK(status_line(answer_with("Authorization: Bearer open sesame\r\n")) == "HTTP/1.1 200 OK");
    CHECK(status_line(answer_with("authorization: bearer open sesame\r\n")) == "HTTP/1.1 200 OK");
    for (const char* const wrong :
         {"", "Authorization: Bearer\r\n", "Authorization: Bearer \r\n",
          "Authorization: Bearer open\r\n", "Authorization: Bearer open sesame open sesame\r\n",
          "Authorization: Bearer Open sesame\r\n", "Authorization: Basic open sesame\r\n"}) {
        CAPTURE(wrong);
        const std::string answer = answer_with(wrong);
        CHECK(status_line(answer) == "HTTP/1.1 401 Unauthorized");
        CHECK(has_header(answer, "WWW-Authenticate: Bearer realm=\"fleetarium\""));
    }
    CHECK(status_line(answer_to(service, get("/nowhere"))) == "HTTP/1.1 401 Unauthorized");
}

TEST_CASE("an MQTT client on the HTTP port is told so, and the connection closed", "[http]") {
    const http_service service = make_service();
    http_exchange exchange(service);
    exchange.handle_bytes(test::from_hex("10 0C 00 04 4D 51 54 54 04 02 00 3C 00 00"));
    const std::string answer = exchange.poll_transmit();
    CHECK(status_line(answer) == "HTTP/1.1 400 Bad Request");
    CHECK(body_of(answer) ==
          "This is the HTTP port of a Fleetarium broker, and what came is an MQTT CONNECT. MQTT "
          "clients connect to the URLs that the broker printed after \"listening on\".\n");
    CHECK(exchange.should_close());
    CHECK(exchange.poll_notice().find("MQTT CONNECT") != std::string::npos);
}

TEST_CASE("TLS and other bytes that are no HTTP are told so at once", "[http]") {
    const http_service service = make_service();
    http_exchange tls(service);
    tls.handle_bytes(test::from_hex("16 03 01 02 00"));
    CHECK(body_of(tls.poll_transmit()).find("TLS handshake") != std::string::npos);
    CHECK(tls.should_close());
    http_exchange zeros(service);
    zeros.handle_bytes(test::from_hex("00"));
    CHECK(status_line(zeros.poll_transmit()) == "HTTP/1.1 400 Bad Request");
    CHECK(zeros.should_close());
}

TEST_CASE("a request that breaks the rules or a limit ends the connection", "[http]") {
    http_service service = make_service();
    service.limits.header_bytes_max = 1000;
    service.limits.body_bytes_max = 100;
    const auto ends_with = [&](std::string_view request) {
        http_exchange exchange(service);
        exchange.handle_bytes(as_bytes_view(request));
        const std::string line = status_line(exchange.poll_transmit());
        return exchange.should_close() ? line : "still open, " + line;
    };
    CHECK(ends_with("GET /ask HTTP/2.0\r\n\r\n") == "HTTP/1.1 505 HTTP Version Not Supported");
    CHECK(ends_with("GET /ask\r\n\r\n") == "HTTP/1.1 400 Bad Request");
    CHECK(ends_with("hello there\r\n\r\n") == "HTTP/1.1 400 Bad Request");
    CHECK(ends_with("GET /ask HTTP/1.1\r\nHost localhost\r\n\r\n") == "HTTP/1.1 400 Bad Request");
    CHECK(ends_with("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n") ==
          "HTTP/1.1 400 Bad Request");
    CHECK(ends_with("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n") == "HTTP/1.1 400 Bad Request");
    CHECK(ends_with("POST /echo HTTP/1.1\r\nHost: localhost\r\n"
                    "Transfer-Encoding: chunked\r\n\r\nxyz\r\n") == "HTTP/1.1 400 Bad Request");

    CHECK(ends_with(get("/" + std::string(1000, 'a'))) ==
          "HTTP/1.1 431 Request Header Fields Too Large");
    CHECK(ends_with("GET /" + std::string(2000, 'a')) ==
          "HTTP/1.1 431 Request Header Fields Too Large");
    CHECK(ends_with("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 101\r\n\r\n") ==
          "HTTP/1.1 413 Payload Too Large");
    CHECK(ends_with("POST /echo HTTP/1.1\r\nHost: localhost\r\n"
                    "Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n") ==
          "HTTP/1.1 413 Payload Too Large");
    // What stands between chunks is bounded too.
    CHECK(ends_with("POST /echo HTTP/1.1\r\nHost: localhost\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n5;" +
                    std::string(2000, 'a')) == "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST_CASE("a body that nobody wants is not read", "[http]") {
    const http_service service = make_service();
    http_exchange exchange(service);
    exchange.handle_bytes(as_bytes_view(
        "POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nbegin"));
    CHECK(status_line(exchange.poll_transmit()) == "HTTP/1.1 405 Method Not Allowed");
    CHECK(exchange.should_close());
    exchange.handle_bytes(as_bytes_view("more"));
    CHECK(exchange.poll_transmit().empty());
}

TEST_CASE("requests sent ahead are answered in order, and held back while answers wait", "[http]") {
    http_service service = make_service();
    service.limits.output_bytes_max = 1000;
    std::string requests;
    for (int i = 0; i < 100; ++i) {
        requests += get("/ask?" + std::to_string(i));
    }
    http_exchange exchange(service);
    exchange.handle_bytes(as_bytes_view(requests));
    CHECK(exchange.is_blocked());
    std::string answers = exchange.poll_transmit();
    int turns = 1;
    for (; exchange.is_blocked(); ++turns) {
        CHECK(answers.size() < static_cast<std::size_t>(turns) * 1300);
        exchange.handle_written();
        answers += exchange.poll_transmit();
    }
    CHECK(turns > 10);
    CHECK(exchange.is_idle());
    CHECK(exchange.requests_answered() == 100);
    std::size_t at = 0;
    for (int i = 0; i < 100; ++i) {
        at = answers.find("GET " + std::to_string(i) + (i == 99 ? "" : "HTTP"), at);
        REQUIRE(at != std::string::npos);
    }
}

TEST_CASE("a client that is too slow is told, if it has begun", "[http]") {
    const http_service service = make_service();
    http_exchange begun(service);
    begun.handle_bytes(as_bytes_view("GET /ask HTTP/1.1\r\nHost: "));
    CHECK_FALSE(begun.is_idle());
    begun.handle_timeout();
    CHECK(status_line(begun.poll_transmit()) == "HTTP/1.1 408 Request Timeout");
    CHECK(begun.should_close());

    http_exchange idle(service);
    idle.handle_timeout();
    CHECK(idle.poll_transmit().empty());
    CHECK(idle.should_close());
}

TEST_CASE("who comes when there are too many is told so", "[http]") {
    const http_service service = make_service();
    http_exchange exchange(service);
    exchange.refuse_busy();
    CHECK(status_line(exchange.poll_transmit()) == "HTTP/1.1 503 Service Unavailable");
    CHECK(exchange.should_close());
}

TEST_CASE("whatever bytes come, the answer is HTTP and the memory bounded",
          "[http][threat/hostile_bytes]") {
    http_service service = make_service();
    service.limits.header_bytes_max = 300;
    service.limits.body_bytes_max = 300;
    service.websockets.push_back({"/feed/{name}", "feeds", {"a"}, {}, {}});
    // Pieces of requests in any order, and bytes of any value between them.
    const std::vector<std::string> pieces{"GET ",
                                          "POST ",
                                          "/ask",
                                          "/echo",
                                          " HTTP/1.1",
                                          " HTTP/1.0",
                                          "\r\n",
                                          "\r\n\r\n",
                                          "\n",
                                          ":",
                                          "Host: localhost\r\n",
                                          "Content-Length: 4\r\n",
                                          "Content-Length: 99999999999999999999\r\n",
                                          "Transfer-Encoding: chunked\r\n",
                                          "Expect: 100-continue\r\n",
                                          "Connection: close\r\n",
                                          "Connection: Upgrade\r\nUpgrade: websocket\r\n",
                                          "Sec-WebSocket-Version: 13\r\n"
                                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                                          "Sec-WebSocket-Protocol: a, , bearer.\r\n",
                                          "/feed/%4",
                                          upgrade_to("/feed/a"),
                                          "4\r\nabcd\r\n",
                                          "0\r\n\r\n",
                                          "FFFFFFFFFFFFFFFF\r\n",
                                          ";",
                                          " ",
                                          "\t",
                                          std::string(1, '\0'),
                                          std::string(64, 'a'),
                                          get("/ask"),
                                          get("/fail")};
    random_stream draws(42, 0, "pieces of requests");
    std::size_t served = 0;
    std::size_t upgraded = 0;
    for (int round = 0; round < 20'000; ++round) {
        http_exchange exchange(service);
        for (int i = 0; i < 20 && !exchange.should_close(); ++i) {
            std::string piece = pieces[draws.below(pieces.size())];
            if (draws.below(8) == 0) {
                piece[draws.below(piece.size())] = static_cast<char>(draws.below(256));
            }
            exchange.handle_bytes(as_bytes_view(piece));
            const std::string answer = exchange.poll_transmit();
            REQUIRE((answer.empty() || answer.starts_with("HTTP/1.1 ")));
            if (exchange.poll_upgrade()) {
                ++upgraded;
                break;
            }
            if (exchange.is_blocked()) {
                exchange.handle_written();
            }
        }
        served += exchange.requests_answered();
    }
    CHECK(served > 5'000);
    CHECK(upgraded > 100);
}
