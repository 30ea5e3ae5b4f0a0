#include <fleetarium/server/http_asset.hpp>

#include <fleetarium/server/http_access.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace fleetarium::broker {

namespace {

constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'none'";

/// Whether `If-None-Match` names this one; a weak one is as good (RFC 9110 section 13.1.2).
bool has_etag(std::string_view if_none_match, std::string_view etag) {
    const std::vector<std::string_view> known = split_list(if_none_match);
    return std::any_of(known.begin(), known.end(), [&](std::string_view each) {
        if (each.starts_with("W/")) {
            each.remove_prefix(2);
        }
        return each == etag || each == "*";
    });
}

http_response serve(const http_asset& asset, const http_request& request) {
    http_response answer;
    answer.headers = {{"ETag", std::string(asset.etag)},
                      {"Cache-Control", "no-cache"},
                      {"Referrer-Policy", "no-referrer"},
                      {"Content-Security-Policy", std::string(content_security_policy)}};
    if (has_etag(request.header("If-None-Match"), asset.etag)) {
        answer.status = 304;
        return answer;
    }
    answer.content_type = asset.content_type;
    answer.body = asset.bytes;
    return answer;
}

}  // namespace

std::vector<http_route> asset_routes(const std::vector<http_asset>& assets) {
    constexpr std::string_view index = "index.html";
    std::vector<http_route> out;
    for (const http_asset& asset : assets) {
        http_route route;
        route.path = asset.path;
        route.access = http_access::open;
        route.handle = [asset](const http_request& request) { return serve(asset, request); };
        out.push_back(route);
        if (asset.path.ends_with(std::string(1, '/') + std::string(index))) {
            route.path = asset.path.substr(0, asset.path.size() - index.size());
            out.push_back(std::move(route));
        }
    }
    return out;
}

}  // namespace fleetarium::broker
