#include <fleetarium/net/listener.hpp>

#include <fleetarium/net/socket_stream.hpp>
#include <fleetarium/net/tls_stream.hpp>
#include <fleetarium/net/websocket_stream.hpp>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <unistd.h>
#include <cerrno>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace fleetarium::net {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using local = asio::local::stream_protocol;
using boost::system::error_code;

// Connections that came while others were accepted.
constexpr int backlog = 4096;
// A crowd that connects has the thread for this many, then others have theirs.
constexpr int accepts_per_turn_max = 64;
// Without file descriptors left, accepting again at once would only burn the processor.
constexpr std::chrono::milliseconds rest_without_descriptors{100};

[[noreturn]] void fail(const url& at, const std::string& what) {
    throw std::runtime_error(to_string(at) + ": cannot listen: " + what);
}

[[noreturn]] void fail(const url& at, const error_code& why) {
    if (why == asio::error::address_in_use) {
        fail(at,
             "the address is in use; stop what listens there, or choose another port "
             "(0 takes a free one)");
    }
    if (why == asio::error::access_denied) {
        fail(at, at.scheme == scheme::unix_socket
                     ? "no permission for this path"
                     : "no permission; ports below 1024 need privileges");
    }
    if (why.value() == EADDRNOTAVAIL) {
        fail(at, "this machine has no such address");
    }
    fail(at, why.message());
}

void require_done(const url& at, const error_code& why) {
    if (why) {
        fail(at, why);
    }
}

template <class Protocol>
class acceptor_listener final : public listener {
public:
    acceptor_listener(asio::io_context& context, url at, tls_context tls)
        : at_(std::move(at)), tls_(std::move(tls)), acceptor_(context), rest_(context) {}
    ~acceptor_listener() override { acceptor_listener::stop(); }

    void open(const typename Protocol::endpoint& endpoint) {
        error_code why;
        acceptor_.open(endpoint.protocol(), why);
        require_done(at_, why);
        if constexpr (std::is_same_v<Protocol, tcp>) {
            acceptor_.set_option(tcp::acceptor::reuse_address(true), why);
            require_done(at_, why);
            if (endpoint.address().is_v6()) {
                // [::] and an empty host mean every address, those of IPv4 too.
                acceptor_.set_option(asio::ip::v6_only(!endpoint.address().is_unspecified()), why);
                require_done(at_, why);
            }
        }
        acceptor_.bind(endpoint, why);
        require_done(at_, why);
        if constexpr (std::is_same_v<Protocol, local>) {
            path_to_remove_ = at_.path;
        } else {
            at_.port = acceptor_.local_endpoint().port();
        }
        acceptor_.listen(backlog, why);
        require_done(at_, why);
        acceptor_.native_non_blocking(true, why);
        require_done(at_, why);
    }

    const url& bound() const override { return at_; }

    void start(context_picker pick, accept_handler accepted) override {
        pick_ = std::move(pick);
        accepted_ = std::make_shared<accept_handler>(std::move(accepted));
        wait();
    }

    void use_tls(const tls_context& tls) override { tls_ = tls; }

    void stop() noexcept override {
        error_code ignored;
        acceptor_.close(ignored);
        rest_.cancel();
        if (!path_to_remove_.empty()) {
            ::unlink(path_to_remove_.c_str());
            path_to_remove_.clear();
        }
    }

private:
    void wait() {
        acceptor_.async_wait(asio::socket_base::wait_read, [this](error_code stopped) {
            if (!stopped) {
                accept_some();
            }
        });
    }

    void accept_some() {
        for (int i = 0; i < accepts_per_turn_max; ++i) {
            typename Protocol::endpoint peer;
            auto size = static_cast<socklen_t>(peer.capacity());
            const int made = ::accept4(acceptor_.native_handle(), peer.data(), &size,
                                       SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (made >= 0) {
                peer.resize(size);
                hand_over(socket_handle(made), peer);
                continue;
            }
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                rest_.expires_after(rest_without_descriptors);
                rest_.async_wait([this](error_code stopped) {
                    if (!stopped) {
                        wait();
                    }
                });
                return;
            }
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                break;
            }
            // Anything else is the fault of the connection that is gone by now.
        }
        wait();
    }

    void hand_over(socket_handle made, const typename Protocol::endpoint& peer) {
        if constexpr (std::is_same_v<Protocol, tcp>) {
            const int on = 1;
            ::setsockopt(made.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            ::setsockopt(made.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        }
        asio::io_context& context = pick_();
        asio::post(context, [&context, accepted = accepted_, tls = tls_, socket = std::move(made),
                             websocket = at_.is_websocket(), path = at_.path,
                             peer = asio::generic::stream_protocol::endpoint(peer)]() mutable {
            auto stream = make_socket_stream(context, std::move(socket), peer);
            if (tls) {
                stream = make_tls_server_stream(std::move(stream), context.get_executor(), tls);
            }
            if (websocket) {
                stream =
                    make_websocket_server_stream(std::move(stream), context.get_executor(), path);
            }
            (*accepted)(std::move(stream), context);
        });
    }

    url at_;
    tls_context tls_;
    typename Protocol::acceptor acceptor_;
    asio::steady_timer rest_;
    context_picker pick_;
    std::shared_ptr<accept_handler> accepted_;
    std::string path_to_remove_;
};

/// A socket file that nobody listens on any more, left by a process that was killed.
void remove_stale_socket(asio::io_context& context, const url& at) {
    struct stat found {};
    if (::lstat(at.path.c_str(), &found) != 0) {
        return;
    }
    if (!S_ISSOCK(found.st_mode)) {
        fail(at, "there is a file of that name, and it is no socket");
    }
    local::socket probe(context);
    error_code why;
    probe.connect(local::endpoint(at.path), why);
    if (!why) {
        fail(at, error_code(asio::error::address_in_use));
    }
    ::unlink(at.path.c_str());
}

tcp::endpoint resolve(asio::io_context& context, const url& at) {
    if (at.host.empty()) {
        // Every address; a machine without IPv6 has those of IPv4.
        error_code why;
        tcp::socket probe(context);
        probe.open(tcp::v6(), why);
        return {why ? tcp::v4() : tcp::v6(), at.port};
    }
    error_code why;
    tcp::resolver resolver(context);
    const auto found =
        resolver.resolve(at.host, std::to_string(at.port), tcp::resolver::passive, why);
    if (why || found.empty()) {
        fail(at, "no address of \"" + at.host + "\" is known");
    }
    return found.begin()->endpoint();
}

}  // namespace

std::unique_ptr<listener> make_listener(asio::io_context& context, const url& at,
                                        const tls_context& tls) {
    if (at.is_tls() && !tls) {
        fail(at, "TLS needs a certificate and its private key");
    }
    if (at.scheme == scheme::unix_socket) {
        if (at.path.size() >= sizeof(sockaddr_un::sun_path)) {
            fail(at, "the path is longer than " +
                         std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes");
        }
        remove_stale_socket(context, at);
        auto made = std::make_unique<acceptor_listener<local>>(context, at, tls);
        made->open(local::endpoint(at.path));
        return made;
    }
    auto made = std::make_unique<acceptor_listener<tcp>>(context, at, tls);
    made->open(resolve(context, at));
    return made;
}

}  // namespace fleetarium::net
