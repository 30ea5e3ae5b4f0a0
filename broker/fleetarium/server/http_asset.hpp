#pragma once

#include <fleetarium/server/http_exchange.hpp>

#include <string_view>
#include <vector>

namespace fleetarium::broker {

/// A file of a web page, in memory. What its views refer to outlives the routes.
struct http_asset {
    std::string_view path{};          ///< "/app.js"
    std::string_view content_type{};  ///< "text/javascript; charset=utf-8"
    std::string_view bytes{};
    std::string_view etag{};  ///< with its quotes; changes with the bytes
};

/// GET for each asset, open: without the server's token, so it holds no data that needs one. A
/// path that ends in "/index.html" is served at its folder as well. Browsers keep them and ask
/// each time whether there are new ones (ETag, 304); a page may load and reach nothing but this
/// server (Content-Security-Policy).
std::vector<http_route> asset_routes(const std::vector<http_asset>& assets);

}  // namespace fleetarium::broker
