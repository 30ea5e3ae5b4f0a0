#include <fleetarium/net/connector.hpp>

#include <fleetarium/net/socket_stream.hpp>
#include <fleetarium/net/tls_stream.hpp>
#include <fleetarium/net/websocket_stream.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>

#include <string>
#include <utility>

namespace fleetarium::net {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using local = asio::local::stream_protocol;
using boost::system::error_code;

/// What goes on after the caller may have given up; the attempt holds it, handlers only look.
struct attempt_state : std::enable_shared_from_this<attempt_state> {
    attempt_state(asio::io_context& with, const url& target, const tls_context& use,
                  connect_handler call)
        : context(with),
          to(target),
          tls(use),
          done(std::move(call)),
          resolver(with),
          tcp_socket(with),
          local_socket(with) {}

    template <class Handle>
    auto guarded(Handle handle) {
        return [weak = weak_from_this(), handle](error_code why, const auto& what) {
            if (const auto self = weak.lock()) {
                handle(*self, why, what);
            }
        };
    }

    void begin() {
        if (to.scheme == scheme::unix_socket) {
            error_code why;
            local_socket.connect(local::endpoint(to.path), why);  // does not block
            asio::post(context, [weak = weak_from_this(), why] {
                if (const auto self = weak.lock()) {
                    self->finish(self->local_socket, why);
                }
            });
            return;
        }
        const std::string host = to.host.empty() ? "localhost" : to.host;
        resolver.async_resolve(
            host, std::to_string(to.port),
            guarded([](attempt_state& self, error_code why, const tcp::resolver::results_type& at) {
                if (why) {
                    self.fail(why);
                } else {
                    self.connect(at);
                }
            }));
    }

    void connect(const tcp::resolver::results_type& at) {
        asio::async_connect(
            tcp_socket, at, guarded([](attempt_state& self, error_code why, const tcp::endpoint&) {
                if (!why) {
                    self.tcp_socket.set_option(tcp::no_delay(true), why);
                    self.tcp_socket.set_option(asio::socket_base::keep_alive(true), why);
                    why = {};
                }
                self.finish(self.tcp_socket, why);
            }));
    }

    template <class Socket>
    void finish(Socket& socket, error_code why) {
        if (why) {
            fail(why);
            return;
        }
        const asio::generic::stream_protocol::endpoint peer = socket.remote_endpoint(why);
        socket.native_non_blocking(true, why);
        auto stream = make_socket_stream(
            context, socket_handle(socket.release()),
            to.scheme == scheme::unix_socket ? asio::generic::stream_protocol::endpoint() : peer);
        if (to.is_tls()) {
            stream =
                make_tls_client_stream(std::move(stream), context.get_executor(), tls, to.host);
        }
        if (to.is_websocket()) {
            const bool usual = to.port == (to.is_tls() ? 443 : 80);
            const std::string name =
                to.host.find(':') == std::string::npos ? to.host : "[" + to.host + "]";
            stream = make_websocket_client_stream(
                std::move(stream), context.get_executor(),
                usual ? name : name + ":" + std::to_string(to.port), to.path);
        }
        std::exchange(done, nullptr)({}, std::move(stream));
    }

    void fail(error_code why) { std::exchange(done, nullptr)(why, nullptr); }

    asio::io_context& context;
    url to;
    tls_context tls;
    connect_handler done;
    tcp::resolver resolver;
    tcp::socket tcp_socket;
    local::socket local_socket;
};

class attempt final : public connect_attempt {
public:
    explicit attempt(std::shared_ptr<attempt_state> state) : state_(std::move(state)) {
        state_->begin();
    }
    ~attempt() override { attempt::cancel(); }
    void cancel() noexcept override { state_.reset(); }

private:
    std::shared_ptr<attempt_state> state_;
};

}  // namespace

std::unique_ptr<connect_attempt> connect_stream(asio::io_context& context, const url& to,
                                                const tls_context& tls, connect_handler done) {
    return std::make_unique<attempt>(
        std::make_shared<attempt_state>(context, to, tls, std::move(done)));
}

}  // namespace fleetarium::net
