#include <fleetarium/server/http_asset.hpp>

#include <support/http_text.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::test {

// The files of tests/server/page, embedded by the build.
std::vector<broker::http_asset> page_assets();

}  // namespace fleetarium::test

using namespace fleetarium;
using namespace fleetarium::broker;
using namespace fleetarium::test;

namespace {

http_service make_service() {
    http_service service;
    service.token = "secret";
    service.routes = asset_routes(page_assets());
    return service;
}

http_asset asset_at(std::string_view path) {
    const std::vector<http_asset> assets = page_assets();
    const auto found = std::find_if(assets.begin(), assets.end(),
                                    [&](const http_asset& each) { return each.path == path; });
    REQUIRE(found != assets.end());
    return *found;
}

std::string file(const std::string& name) {
    std::ifstream in(std::string(FLEETARIUM_SOURCE_DIR) + "/tests/server/page/" + name,
                     std::ios::binary);
    REQUIRE(in);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("embedded files are byte for byte those of the folder", "[http]") {
    for (const char* const name :
         {"index.html", "app.js", "empty.txt", "icon.png", "parts/style.css"}) {
        CAPTURE(name);
        CHECK(asset_at('/' + std::string(name)).bytes == file(name));
    }
    CHECK(page_assets().size() == 6);
    CHECK(asset_at("/app.js").content_type == "text/javascript; charset=utf-8");
    CHECK(asset_at("/icon.png").content_type == "image/png");
    CHECK(asset_at("/app.js").etag != asset_at("/index.html").etag);
    CHECK(asset_at("/app.js").etag.size() == 18);
}

TEST_CASE("a page's files need no token, and may reach nothing but this server", "[http]") {
    const http_service service = make_service();
    const std::string answer = answer_to(service, get("/app.js"));
    CHECK(status_line(answer) == "HTTP/1.1 200 OK");
    CHECK(body_of(answer) == file("app.js"));
    CHECK(has_header(answer, "Content-Type: text/javascript; charset=utf-8"));
    CHECK(has_header(answer, "Cache-Control: no-cache"));
    CHECK(has_header(answer, "X-Content-Type-Options: nosniff"));
    CHECK(has_header(answer, "Referrer-Policy: no-referrer"));
    CHECK(has_header(answer,
                     "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src "
                     "'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws: wss:; "
                     "base-uri 'none'; frame-ancestors 'none'; form-action 'none'"));
}

TEST_CASE("a folder is served by its index.html", "[http]") {
    const http_service service = make_service();
    CHECK(body_of(answer_to(service, get("/"))) == file("index.html"));
    CHECK(body_of(answer_to(service, get("/index.html"))) == file("index.html"));
    CHECK(body_of(answer_to(service, get("/parts/"))) == file("parts/index.html"));
    CHECK(status_line(answer_to(service, get("/parts"))) == "HTTP/1.1 401 Unauthorized");
}

TEST_CASE("a browser that has the newest file is told so, without the file", "[http]") {
    const http_service service = make_service();
    const std::string etag(asset_at("/app.js").etag);
    const std::string answer = answer_to(service, get("/app.js"));
    CHECK(has_header(answer, "ETag: " + etag));
    const auto status = [&](const std::string& known) {
        return status_line(answer_to(service, get("/app.js", "If-None-Match: " + known + "\r\n")));
    };
    CHECK(status(etag) == "HTTP/1.1 304 Not Modified");
    CHECK(status("W/" + etag) == "HTTP/1.1 304 Not Modified");
    CHECK(status("\"other\", " + etag) == "HTTP/1.1 304 Not Modified");
    CHECK(status("*") == "HTTP/1.1 304 Not Modified");
    CHECK(status("\"other\"") == "HTTP/1.1 200 OK");
    const std::string known = answer_to(service, get("/app.js", "If-None-Match: " + etag + "\r\n"));
    CHECK(has_header(known, "ETag: " + etag));
    CHECK(body_of(known).empty());
}
