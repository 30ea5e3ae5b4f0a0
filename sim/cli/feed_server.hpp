#pragma once

#include <fleetarium/feed/feed_service.hpp>
#include <fleetarium/server/http_server.hpp>

#include <memory>
#include <string>

namespace fleetarium::cli {

/// Opens the page and the API of a feed, and prints where. Throws usage_error for an address that
/// is none or needs a token, std::runtime_error if it cannot listen there. All must outlive it.
std::unique_ptr<broker::http_server> open_feed_server(boost::asio::io_context& context,
                                                      const std::string& address,
                                                      const std::string& token,
                                                      feed::feed_service& feed);

}  // namespace fleetarium::cli
