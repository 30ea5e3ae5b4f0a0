#include <fleetarium/server/listener_origins.hpp>

#include <fleetarium/server/http_access.hpp>

#include <boost/beast/core/string.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::broker {

net::origin_check origin_check_of(const listener_options& of) {
    const bool all = std::find(of.origins.begin(), of.origins.end(), "*") != of.origins.end();
    const std::string host =
        of.url.host.find(':') == std::string::npos ? of.url.host : '[' + of.url.host + ']';
    if (all || (of.origins.empty() && !is_loopback_host(host))) {
        return {};
    }
    if (of.origins.empty()) {
        // What listens for this machine alone is not for the pages of strangers that somebody on it
        // looks at.
        return [](std::string_view origin) { return is_loopback_host(host_of_origin(origin)); };
    }
    return [origins = of.origins](std::string_view origin) {
        return std::any_of(origins.begin(), origins.end(), [&](const std::string& each) {
            return boost::beast::iequals(each, {origin.data(), origin.size()});
        });
    };
}

}  // namespace fleetarium::broker
