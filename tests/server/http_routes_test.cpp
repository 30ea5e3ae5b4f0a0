#include <fleetarium/server/http_access.hpp>
#include <fleetarium/server/http_exchange.hpp>
#include <fleetarium/server/http_path.hpp>

#include <support/http_text.hpp>
#include <support/websocket_frames.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;
using namespace fleetarium::test;

namespace {

http_route make_route(std::string method, std::string path, std::string tells) {
    http_route route;
    route.method = std::move(method);
    route.path = std::move(path);
    route.what = "is there";
    route.handle = [tells = std::move(tells)](const http_request& request) {
        std::string body = tells;
        for (const http_parameter& each : request.parameters) {
            body += ' ' + each.name + '=' + each.value;
        }
        return http_response{200, "text/plain", body, {}};
    };
    return route;
}

/// A service with a small tree of routes, a page that is open and a WebSocket.
http_service make_service(std::string token = {}) {
    http_service service;
    service.token = std::move(token);
    service.routes = {make_route("GET", "/api/devices/{name}", "device"),
                      make_route("DELETE", "/api/devices/{name}", "no more device"),
                      make_route("GET", "/api/devices/all", "all devices"),
                      make_route("PUT", "/api/{kind}/{name}/state", "state"),
                      make_route("POST", "/api/messages", "message"),
                      make_route("GET", "/files/{path...}", "file"),
                      make_route("GET", "/", "page")};
    service.routes.back().access = http_access::open;
    websocket_route feed;
    feed.path = "/feed/{fleet}";
    feed.what = "the feed";
    feed.subprotocols = {"fleetarium.feed.v2", "fleetarium.feed.v1"};
    service.websockets.push_back(feed);
    return service;
}

/// The subprotocol that is agreed on for these headers, "none", or the status line that refuses.
std::string agreed(const http_service& service, const std::string& request) {
    http_exchange exchange(service);
    exchange.handle_bytes(as_bytes_view(request));
    const std::string answer = exchange.poll_transmit();
    const auto made = exchange.poll_upgrade();
    if (!made) {
        return status_line(answer).substr(9, 3);
    }
    CHECK(answer.empty());
    CHECK_FALSE(exchange.should_close());
    return made->subprotocol.empty() ? "none" : made->subprotocol;
}

std::string agreed_to(const http_service& service, std::string_view headers) {
    return agreed(service, upgrade_to("/feed/a", headers));
}

std::string refusal_of_path(const std::string& path) {
    try {
        check_route_path(path);
        return {};
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
}

}  // namespace

TEST_CASE("a path has parameters, which are decoded", "[http]") {
    const http_service service = make_service();
    const auto body = [&](std::string_view method, std::string_view path) {
        return body_of(answer_to(service, request_text(method, path)));
    };
    CHECK(body("GET", "/api/devices/meter-7") == "device name=meter-7");
    CHECK(body("GET", "/api/devices/caf%C3%A9%20%2f%251") == "device name=café /%1");
    CHECK(body("DELETE", "/api/devices/a+b?x=y") == "no more device name=a+b");
    CHECK(body("PUT", "/api/fleets/north/state") == "state kind=fleets name=north");
    CHECK(body("GET", "/files/a/b%2Fc/") == "file path=a/b/c/");
    CHECK(body("GET", "/files/") == "file path=");
    CHECK(body("GET", "/%61pi/devices/x") == "device name=x");
}

TEST_CASE("of routes that match the same path the closest is meant", "[http]") {
    const http_service service = make_service();
    CHECK(body_of(answer_to(service, get("/api/devices/all"))) == "all devices");
    CHECK(body_of(answer_to(service, request_text("DELETE", "/api/devices/all"))) ==
          "no more device name=all");
    CHECK(is_closer_route_path("/a/b", "/a/{x}"));
    CHECK(is_closer_route_path("/a/{x}", "/a/{x...}"));
    CHECK(is_closer_route_path("/a/{x}/c", "/{y}/b/c"));
    CHECK_FALSE(is_closer_route_path("/a/{x}", "/a/{y}"));
    CHECK_FALSE(is_closer_route_path("/a/{x}", "/a/b"));
}

TEST_CASE("what matches no route is not there", "[http]") {
    const http_service service = make_service();
    for (const char* const path : {"/api/devices", "/api/devices/", "/api/devices/a/b", "/files",
                                   "/api//devices/a", "//", "/api/devices/a/"}) {
        CAPTURE(path);
        CHECK(status_line(answer_to(service, get(path))) == "HTTP/1.1 404 Not Found");
    }
    const std::string text = body_of(answer_to(service, get("/nowhere")));
    CHECK(text.find("  PUT /api/{kind}/{name}/state  is there\n") != std::string::npos);
    CHECK(text.find("  WebSocket /feed/{fleet}  the feed\n") != std::string::npos);
}

TEST_CASE("a known path with another method tells which it knows", "[http]") {
    const http_service service = make_service();
    std::string answer = answer_to(service, request_text("PUT", "/api/devices/a"));
    CHECK(status_line(answer) == "HTTP/1.1 405 Method Not Allowed");
    CHECK(has_header(answer, "Allow: GET, HEAD, DELETE"));
    answer = answer_to(service, get("/api/messages"));
    CHECK(status_line(answer) == "HTTP/1.1 405 Method Not Allowed");
    CHECK(has_header(answer, "Allow: POST"));
}

TEST_CASE("a target that is not encoded well is refused", "[http]") {
    const http_service service = make_service();
    for (const char* const path : {"/files/%", "/files/%4", "/files/%zz", "/files/a?b=%f",
                                   "/files/%FF", "/files/%00", "/files/%C3", "/%ED%A0%80"}) {
        CAPTURE(path);
        CHECK(status_line(answer_to(service, get(path))) == "HTTP/1.1 400 Bad Request");
    }
}

TEST_CASE("a query is read by name", "[http]") {
    const std::string_view query = "name=a+b%2Bc&empty=&flag&x=1&x=2&caf%C3%A9=%26=%&&=nothing";
    CHECK(query_value(query, "name") == "a b+c");
    CHECK(query_value(query, "empty") == "");
    CHECK(query_value(query, "flag") == "");
    CHECK(query_value(query, "x") == "1");
    CHECK(query_value(query, "café") == "&=%");
    CHECK(query_value(query, "") == "nothing");
    CHECK_FALSE(query_value(query, "nam"));
    CHECK_FALSE(query_value("", ""));
}

TEST_CASE("a path that no route can have is refused with a sentence", "[http]") {
    for (const char* const path :
         {"/", "/metrics", "/a/{b}/c/{d...}", "/{a}", "/{a...}", "/.well-known/x", "/a/"}) {
        CAPTURE(path);
        CHECK(refusal_of_path(path).empty());
    }
    for (const char* const path : {"", "metrics", "/a{b}", "/{a", "/{}", "/{...}", "/{a...}/b",
                                   "/{a}/{a}", "/a?b", "/a#b", "/{{a}}"}) {
        CAPTURE(path);
        CHECK_FALSE(refusal_of_path(path).empty());
    }
}

TEST_CASE("a route sees the headers of the request, but no secret", "[http][threat/secrets]") {
    http_service service;
    http_request seen;
    service.token = "secret";
    service.routes.push_back({"GET", "/", "", [&](const http_request& request) {
                                  seen = request;
                                  return http_response{};
                              }});
    answer_to(service,
              "GET / HTTP/1.1\r\nHost: a.example\r\nAuthorization: Bearer secret\r\n"
              "accept: text/html\r\nAccept: text/plain\r\nCookie: secret\r\n"
              "If-None-Match:  \"1\"  \r\nSec-WebSocket-Protocol: bearer.secret\r\n\r\n");
    CHECK(seen.header("Accept") == "text/html, text/plain");
    CHECK(seen.header("if-none-match") == "\"1\"");
    CHECK(seen.header("Content-Type").empty());
    REQUIRE_FALSE(seen.headers.empty());
    for (const http_header& each : seen.headers) {
        CAPTURE(each.name);
        CHECK(each.value.find("secret") == std::string::npos);
    }
}

TEST_CASE("an answer has the headers that its route gives it", "[http]") {
    http_service service;
    http_response given;
    service.routes.push_back({"GET", "/", "", [&](const http_request&) { return given; }});
    CHECK(has_header(answer_to(service, get("/")), "Cache-Control: no-store"));
    given.headers = {{"ETag", "\"7\""}, {"cache-control", "max-age=60"}};
    std::string answer = answer_to(service, get("/"));
    CHECK(has_header(answer, "ETag: \"7\""));
    CHECK(has_header(answer, "cache-control: max-age=60"));
    CHECK_FALSE(has_header(answer, "Cache-Control: no-store"));

    SECTION("but none that would begin another") {
        given.headers = {{"Location", "/\r\nSet-Cookie: a=b"}};
        answer = answer_to(service, get("/"));
        CHECK(status_line(answer) == "HTTP/1.1 500 Internal Server Error");
        CHECK(answer.find("Set-Cookie") == std::string::npos);
    }
    SECTION("and 304 and 204 have no body") {
        given.status = GENERATE(204U, 304U);
        given.body = "body";
        answer = answer_to(service, get("/"));
        CHECK(answer.find("Content-Length") == std::string::npos);
        CHECK(body_of(answer).empty());
    }
}

TEST_CASE("an open route needs no token, whatever else is asked for does", "[http][threat/token]") {
    const http_service service = make_service("secret");
    const auto status = [&](const std::string& request) {
        return status_line(answer_to(service, request)).substr(9, 3);
    };
    CHECK(status(get("/")) == "200");
    CHECK(status(request_text("HEAD", "/")) == "200");
    CHECK(status(request_text("POST", "/")) == "401");
    CHECK(status(get("/api/devices/a")) == "401");
    CHECK(status(get("/nowhere")) == "401");
    CHECK(status(get("/api/devices/a", "Authorization: Bearer secret\r\n")) == "200");
    // A subprotocol shows the token for a WebSocket only.
    CHECK(status(get("/api/devices/a", "Sec-WebSocket-Protocol: bearer.secret\r\n")) == "401");
}

TEST_CASE("with a token a page of another origin is refused", "[http][threat/web_page]") {
    const http_service service = make_service("secret");
    const auto status = [&](std::string_view host, std::string_view origin) {
        return status_line(
                   answer_to(service, "GET /files/a HTTP/1.1\r\nHost: " + std::string(host) +
                                          "\r\nOrigin: " + std::string(origin) +
                                          "\r\nAuthorization: Bearer secret\r\n\r\n"))
            .substr(9, 3);
    };
    CHECK(status("broker.example", "http://broker.example") == "200");
    CHECK(status("broker.example:9090", "http://BROKER.example:9090") == "200");
    CHECK(status("broker.example:443", "https://broker.example") == "200");
    CHECK(status("broker.example", "http://broker.example:80") == "200");
    CHECK(status("broker.example:9090", "http://broker.example") == "403");
    CHECK(status("broker.example", "http://broker.example.evil") == "403");
    CHECK(status("broker.example", "http://evil.example") == "403");
    CHECK(status("broker.example", "null") == "403");
    CHECK(status("null", "null") == "403");
}

TEST_CASE("a WebSocket is asked for with one of its subprotocols, or with none", "[http]") {
    const http_service service = make_service();
    CHECK(agreed_to(service, "Sec-WebSocket-Protocol: fleetarium.feed.v1\r\n") ==
          "fleetarium.feed.v1");
    CHECK(agreed_to(service,
                    "Sec-WebSocket-Protocol: x ,fleetarium.feed.v1\r\n"
                    "Sec-WebSocket-Protocol: fleetarium.feed.v2\r\n") == "fleetarium.feed.v1");
    CHECK(agreed_to(service, "") == "none");
    CHECK(agreed_to(service, "Sec-WebSocket-Protocol: mqtt\r\n") == "400");

    http_exchange exchange(service);
    exchange.handle_bytes(as_bytes_view(upgrade_to("/feed/a%2Fb?from=1", "") + "rest"));
    const auto made = exchange.poll_upgrade();
    REQUIRE(made);
    CHECK(made->route == &service.websockets.front());
    CHECK(made->key == "dGhlIHNhbXBsZSBub25jZQ==");
    CHECK(made->request.parameter("fleet") == "a/b");
    CHECK(query_value(made->request.query, "from") == "1");
    CHECK(made->rest == "rest");
    CHECK_FALSE(exchange.poll_upgrade());
}

TEST_CASE("a request for a WebSocket that is not one is told what is there", "[http]") {
    const http_service service = make_service();
    const std::string answer = answer_to(service, get("/feed/a"));
    CHECK(status_line(answer) == "HTTP/1.1 426 Upgrade Required");
    CHECK(has_header(answer, "Upgrade: websocket"));
    CHECK(has_header(answer, "Sec-WebSocket-Version: 13"));
    const std::string good = upgrade_to("/feed/a", "");
    const auto with = [&](std::string_view from, std::string_view to) {
        std::string request = good;
        request.replace(request.find(from), from.size(), to);
        return agreed(service, request);
    };
    CHECK(with("", "") == "none");
    CHECK(with("GET ", "POST ") == "426");
    CHECK(with("Version: 13", "Version: 8") == "426");
    CHECK(with("HTTP/1.1", "HTTP/1.0") == "426");
    CHECK(with("dGhl", "") == "400");
    CHECK(with("dGhl", "dG l") == "400");
    CHECK(with("Sec-WebSocket-Key", "X-Key") == "400");
    CHECK(with("Host: localhost", "Host: localhost\r\nContent-Length: 3") == "400");
    CHECK(with("/feed/a", "/feed") == "404");
    // Where there is no WebSocket the wish for one is let go.
    CHECK(with("/feed/a", "/files/a") == "200");
}

TEST_CASE("without a token a WebSocket is for pages of this machine only",
          "[http][threat/web_page]") {
    const http_service service = make_service();
    CHECK(agreed_to(service, "Origin: http://localhost:8000\r\n") == "none");
    CHECK(agreed_to(service, "Origin: https://evil.example\r\n") == "403");
    CHECK(agreed_to(service, "Origin: null\r\n") == "403");
    std::string rebound = upgrade_to("/feed/a", "");
    rebound.replace(rebound.find("localhost"), 9, "evil.example");
    CHECK(agreed(service, rebound) == "403");
}

TEST_CASE("a page shows the token as a subprotocol", "[http]") {
    const http_service service = make_service("open sesame");
    const auto with = [&](std::string_view offered) {
        return agreed_to(service, "Sec-WebSocket-Protocol: " + std::string(offered) + "\r\n");
    };
    CHECK(base64url("open sesame") == "b3BlbiBzZXNhbWU");
    CHECK(with("fleetarium.feed.v1, bearer.b3BlbiBzZXNhbWU") == "fleetarium.feed.v1");
    CHECK(with("bearer.b3BlbiBzZXNhbWU,fleetarium.feed.v1") == "fleetarium.feed.v1");
    CHECK(with("fleetarium.feed.v1, bearer.open sesame") == "fleetarium.feed.v1");
    CHECK(with("fleetarium.feed.v1, bearer.wrong, bearer.b3BlbiBzZXNhbWU") == "fleetarium.feed.v1");
    CHECK(with("bearer.b3BlbiBzZXNhbWU") == "400");  // it is none that can be agreed on
    for (const char* const wrong :
         {"fleetarium.feed.v1", "fleetarium.feed.v1, bearer.",
          "fleetarium.feed.v1, bearer.b3BlbiBzZXNhbWUx",
          "fleetarium.feed.v1, bearer.B3BlbiBzZXNhbWU", "fleetarium.feed.v1, b3BlbiBzZXNhbWU"}) {
        CAPTURE(wrong);
        CHECK(with(wrong) == "401");
    }
    CHECK(agreed_to(service, "Authorization: Bearer open sesame\r\n") == "none");
    CHECK(agreed_to(service,
                    "Authorization: Bearer open sesame\r\n"
                    "Origin: http://other.example\r\n") == "403");
}

TEST_CASE("base64url is that of RFC 4648, without padding", "[http]") {
    CHECK(base64url("").empty());
    CHECK(base64url("f") == "Zg");
    CHECK(base64url("fo") == "Zm8");
    CHECK(base64url("foo") == "Zm9v");
    CHECK(base64url("foob") == "Zm9vYg");
    CHECK(base64url("\xfb\xff\xfe") == "-__-");
}

TEST_CASE("requests ahead of one for a WebSocket are answered before it", "[http]") {
    const http_service service = make_service();
    http_exchange exchange(service);
    exchange.handle_bytes(as_bytes_view(get("/files/a") + upgrade_to("/feed/a", "") + "\x81"));
    CHECK(body_of(exchange.poll_transmit()) == "file path=a");
    const auto made = exchange.poll_upgrade();
    REQUIRE(made);
    CHECK(made->rest == "\x81");
}
