#include <fleetarium/net/listener.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/net/listening_socket.hpp>
#include <fleetarium/net/socket_poller.hpp>
#include <fleetarium/net/socket_stream.hpp>
#include <fleetarium/net/tls_stream.hpp>
#include <fleetarium/net/websocket_stream.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fleetarium::net {

namespace {

// A crowd that connects has the thread for this many, then others have theirs.
constexpr int accepts_per_turn_max = 64;

// Without file descriptors left, accepting again at once would only burn the processor.
constexpr std::chrono::milliseconds rest_without_descriptors{100};

using any_endpoint = boost::asio::generic::stream_protocol::endpoint;

/// What connections need that are on their way to another thread: it may outlive the listener.
struct destination {
    listener::accept_handler accepted;
    bool websocket;
    std::string path;
    origin_check may_ask;
    std::atomic<bool> stopped = false;

    void deliver(boost::asio::io_context& context, socket_handle socket, const any_endpoint& peer,
                 const tls_context& tls) const {
        if (stopped) {
            return;
        }
        auto stream = make_socket_stream(context, std::move(socket), peer);
        if (tls) {
            stream = make_tls_server_stream(std::move(stream), context.get_executor(), tls);
        }
        if (websocket) {
            stream = make_websocket_server_stream(std::move(stream), context.get_executor(), path,
                                                  may_ask);
        }
        accepted(std::move(stream), context);
    }
};

/// -1 and errno, as the operating system has it; a connected socket is closed in child processes.
int accept_one(int listening, any_endpoint& peer) {
    auto size = static_cast<socklen_t>(peer.capacity());
#ifdef __linux__
    // It inherits the listening socket's options.
    const int accepted = ::accept4(listening, peer.data(), &size, SOCK_CLOEXEC);
#else
    const int accepted = ::accept(listening, peer.data(), &size);
    if (accepted >= 0) {
        set_connection_options(accepted);
    }
#endif
    if (accepted >= 0) {
        peer.resize(size);
    }
    return accepted;
}

class socket_listener final : public listener {
public:
    socket_listener(boost::asio::io_context& context, bound_sockets bound, const tls_context& tls)
        : context_(context),
          bound_(std::move(bound.at)),
          path_(std::move(bound.path)),
          tls_(tls),
          rest_(context) {
        for (socket_handle& each : bound.sockets) {
            acceptors_.push_back(std::make_unique<acceptor>(*this, std::move(each)));
        }
    }
    ~socket_listener() override { socket_listener::stop(); }

    const url& bound() const override { return bound_; }

    void check_origins(origin_check may_ask) override { may_ask_ = std::move(may_ask); }

    void start(context_picker pick, accept_handler accepted) override {
        FLEETARIUM_ASSERT(to_ == nullptr);
        pick_ = std::move(pick);
        to_ = std::make_shared<destination>();
        to_->accepted = std::move(accepted);
        to_->websocket = bound_.is_websocket();
        to_->path = bound_.path;
        to_->may_ask = may_ask_;
        for (const auto& each : acceptors_) {
            if (const auto wrong = each->watch()) {
                throw boost::system::system_error(wrong, to_string(bound_));
            }
        }
    }

    void use_tls(const tls_context& tls) override { tls_ = tls; }

    void stop() noexcept override {
        if (to_ != nullptr) {
            to_->stopped = true;
        }
        for (const auto& each : acceptors_) {
            each->stop();
        }
        rest_.cancel();
        path_.remove();
    }

private:
    /// One listening socket: a name may have several addresses.
    class acceptor final : public socket_poller::entry {
    public:
        acceptor(socket_listener& owner, socket_handle listening)
            : entry(std::move(listening)),
              owner_(owner),
              poller_(socket_poller::of(owner.context_)) {}
        ~acceptor() { stop(); }

        boost::system::error_code watch() {
            return has_socket() ? poller_.watch(*this, socket_poller::readable)
                                : boost::system::error_code();
        }

        void rest() noexcept {
            if (has_socket()) {
                poller_.unwatch(*this);
            }
        }

        void stop() noexcept {
            if (has_socket()) {
                poller_.remove(*this);
                close_socket();
            }
        }

    private:
        void on_ready(socket_poller::readiness, std::span<std::uint8_t>) override {
            socket_poller& poller = poller_;
            for (int i = 0; i < accepts_per_turn_max; ++i) {
                any_endpoint peer;
                socket_handle accepted(accept_one(socket(), peer));
                if (accepted) {
                    owner_.hand_over(std::move(accepted), peer);
                    if (!poller.is_telling(this)) {
                        return;  // stopped from inside
                    }
                } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
                    return;
                } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                           errno == ENOMEM) {
                    owner_.rest_for_a_while();
                    return;
                }
                // Anything else is the fault of a connection that is gone by now.
            }
        }
        void on_due(std::span<std::uint8_t>) override {}
        void on_close_timeout() override {}

        socket_listener& owner_;
        socket_poller& poller_;
    };

    void hand_over(socket_handle accepted, const any_endpoint& peer) {
        boost::asio::io_context& to = pick_();
        const tls_context tls = bound_.is_tls() ? tls_ : tls_context();
        if (&to == &context_) {
            const auto kept = to_;  // its handler may destroy the listener
            kept->deliver(to, std::move(accepted), peer, tls);
            return;
        }
        boost::asio::post(to, [&to, peer, tls, socket = std::move(accepted), kept = to_]() mutable {
            kept->deliver(to, std::move(socket), peer, tls);
        });
    }

    void rest_for_a_while() {
        for (const auto& each : acceptors_) {
            each->rest();
        }
        rest_.expires_after(rest_without_descriptors);
        // The wait may be over when the listener is stopped, and its handler still to be called.
        rest_.async_wait([this, to = to_](boost::system::error_code cancelled) {
            if (cancelled || to->stopped) {
                return;
            }
            for (const auto& each : acceptors_) {
                if (each->watch()) {  // no memory, or no place to watch one more
                    rest_for_a_while();
                    return;
                }
            }
        });
    }

    boost::asio::io_context& context_;
    url bound_;
    socket_path path_;
    tls_context tls_;
    boost::asio::steady_timer rest_;
    std::vector<std::unique_ptr<acceptor>> acceptors_;
    context_picker pick_;
    origin_check may_ask_;
    std::shared_ptr<destination> to_;
};

}  // namespace

std::unique_ptr<listener> make_listener(boost::asio::io_context& context, const url& at,
                                        const tls_context& tls) {
    if (at.is_tls() && !tls) {
        throw std::runtime_error("cannot listen on " + to_string(at) +
                                 ": TLS needs a certificate and its private key");
    }
    return std::make_unique<socket_listener>(context, bind_sockets(at), tls);
}

}  // namespace fleetarium::net
