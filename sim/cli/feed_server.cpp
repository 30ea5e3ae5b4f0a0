#include "feed_server.hpp"

#include "run_live.hpp"

#include <iostream>

namespace fleetarium::cli {

std::unique_ptr<broker::http_server> open_feed_server(boost::asio::io_context& context,
                                                      const std::string& address,
                                                      const std::string& token,
                                                      feed::feed_service& feed) {
    broker::http_options options;
    options.address = address;
    options.token = token;
    std::unique_ptr<broker::http_server> made;
    try {
        made = std::make_unique<broker::http_server>(context, options, feed.routes(),
                                                     feed.websockets());
    } catch (const broker::bad_http_address& error) {
        throw usage_error(error.what());
    }
    std::cout << "listening on http://" << made->listening() << std::endl;
    return made;
}

}  // namespace fleetarium::cli
