#include <fleetarium/net/connector.hpp>

#include <fleetarium/net/socket_connector.hpp>
#include <fleetarium/net/socket_stream.hpp>
#include <fleetarium/net/tls_stream.hpp>
#include <fleetarium/net/websocket_stream.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>

#include <sys/un.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fleetarium::net {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using any_endpoint = socket_connector::endpoint;

/// As the Host header has it: with the port if that is not the scheme's own.
std::string authority_of(const url& to) {
    const bool bracketed = to.host.find(':') != std::string::npos;
    const std::string host = bracketed ? "[" + to.host + "]" : to.host;
    const std::uint16_t usual = to.is_tls() ? 443 : 80;
    return to.port == usual ? host : host + ":" + std::to_string(to.port);
}

/// Resolves, connects, and puts the layers on top. Handlers that may come late look whether the
/// attempt is still there.
class url_attempt final : public connect_attempt {
public:
    url_attempt(boost::asio::io_context& context, const url& to, const tls_context& tls,
                connect_handler done)
        : context_(context), to_(to), tls_(tls), done_(std::move(done)), connector_(context) {
        begin();
    }
    ~url_attempt() override { url_attempt::cancel(); }

    void cancel() noexcept override {
        done_ = nullptr;
        here_.reset();
        connector_.cancel();
        if (resolver_.has_value()) {
            resolver_->cancel();
        }
    }

private:
    void begin() {
        if (to_.is_tls() && !tls_) {
            fail_soon(boost::asio::error::invalid_argument);
        } else if (to_.scheme == scheme::unix_socket) {
            if (to_.path.size() >= sizeof(sockaddr_un::sun_path)) {
                fail_soon(boost::asio::error::name_too_long);
            } else {
                connect({boost::asio::local::stream_protocol::endpoint(to_.path)});
            }
        } else if (to_.host.empty()) {
            // To listen there means every address; the nearest of them serve.
            connect({tcp::endpoint(boost::asio::ip::address_v4::loopback(), to_.port),
                     tcp::endpoint(boost::asio::ip::address_v6::loopback(), to_.port)});
        } else {
            error_code is_name;
            const auto address = boost::asio::ip::make_address(to_.host, is_name);
            if (is_name) {
                resolve();
            } else {
                connect({tcp::endpoint(address, to_.port)});
            }
        }
    }

    void resolve() {
        resolver_.emplace(context_);
        resolver_->async_resolve(to_.host, std::to_string(to_.port),
                                 [this, here = std::weak_ptr(here_)](
                                     error_code why, const tcp::resolver::results_type& found) {
                                     if (here.expired()) {
                                         return;
                                     }
                                     if (why) {
                                         finish(why, nullptr);
                                         return;
                                     }
                                     std::vector<any_endpoint> endpoints;
                                     for (const auto& each : found) {
                                         endpoints.emplace_back(each.endpoint());
                                     }
                                     connect(std::move(endpoints));
                                 });
    }

    void connect(std::vector<any_endpoint> endpoints) {
        connector_.start(std::move(endpoints),
                         [this](error_code why, socket_handle socket, const any_endpoint& peer) {
                             finish(why, why ? nullptr : layers_on(std::move(socket), peer));
                         });
    }

    std::unique_ptr<byte_stream> layers_on(socket_handle socket, const any_endpoint& peer) {
        const auto executor = context_.get_executor();
        auto stream = make_socket_stream(context_, std::move(socket), peer);
        if (to_.is_tls()) {
            stream = make_tls_client_stream(std::move(stream), executor, tls_, to_.host);
        }
        if (to_.is_websocket()) {
            stream = make_websocket_client_stream(std::move(stream), executor, authority_of(to_),
                                                  to_.path);
        }
        return stream;
    }

    void fail_soon(error_code why) {
        boost::asio::post(context_, [this, why, here = std::weak_ptr(here_)] {
            if (!here.expired()) {
                finish(why, nullptr);
            }
        });
    }

    void finish(error_code why, std::unique_ptr<byte_stream> stream) {
        const auto done = std::exchange(done_, nullptr);
        done(why, std::move(stream));  // which may destroy this
    }

    boost::asio::io_context& context_;
    url to_;
    tls_context tls_;
    connect_handler done_;
    std::shared_ptr<bool> here_ = std::make_shared<bool>();
    std::optional<tcp::resolver> resolver_;
    socket_connector connector_;
};

}  // namespace

std::unique_ptr<connect_attempt> connect_stream(boost::asio::io_context& context, const url& to,
                                                const tls_context& tls, connect_handler done) {
    return std::make_unique<url_attempt>(context, to, tls, std::move(done));
}

}  // namespace fleetarium::net
