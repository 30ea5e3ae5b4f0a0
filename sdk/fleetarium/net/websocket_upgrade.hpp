#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/net/websocket_origin.hpp>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/system/error_code.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace fleetarium::net {

/// Reads the HTTP request that a WebSocket begins with, and judges it.
class websocket_upgrade {
public:
    using request_type = boost::beast::http::request<boost::beast::http::empty_body>;

    struct verdict {
        boost::system::error_code refused{};  ///< none: `request` is to be accepted
        std::string answer{};                 ///< what to write to a peer that is refused
        request_type request{};
        std::string rest{};  ///< what came behind the request
    };

    /// `path` is the only one that is served. `may_ask` is as origin_check has it.
    explicit websocket_upgrade(std::string path, origin_check may_ask = {})
        : path_(std::move(path)), may_ask_(std::move(may_ask)) {}

    /// None as long as the request is not whole. Memory is bounded: a header that grows beyond
    /// 8 KiB is refused.
    std::optional<verdict> read(bytes_view bytes);

private:
    verdict judge(std::size_t header_size);

    std::string path_;
    origin_check may_ask_;
    std::string text_;
};

}  // namespace fleetarium::net
