#include <fleetarium/net/socket_connector.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/net/listening_socket.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace fleetarium::net {

namespace {

// A Unix socket refuses who comes while its queue is full, and tells nobody when it is not.
constexpr duration full_queue_rest = std::chrono::milliseconds{10};

bool is_unix(const socket_connector::endpoint& each) { return each.data()->sa_family == AF_UNIX; }

}  // namespace

socket_connector::socket_connector(boost::asio::io_context& context)
    : entry(socket_handle()), poller_(socket_poller::of(context)) {}

void socket_connector::start(std::vector<endpoint> endpoints, connected_handler done) {
    FLEETARIUM_ASSERT(!endpoints.empty() && endpoints_.empty());
    endpoints_ = std::move(endpoints);
    done_ = std::move(done);
    try_on();
}

void socket_connector::cancel() noexcept {
    done_ = nullptr;
    deadline_.cancel();
    poller_.remove(*this);
    close_socket();
}

void socket_connector::try_on() {
    for (; next_ < endpoints_.size(); ++next_) {
        failure_ = begin_connecting(endpoints_[next_]);
        if (failure_ == 0) {
            break;
        }
        const auto& executor = poller_.context().get_executor();
        if (failure_ == EAGAIN && is_unix(endpoints_[next_])) {
            deadline_.start(executor, full_queue_rest, [this] { try_on(); });
            return;
        }
        if (failure_ == EINPROGRESS || failure_ == EINTR) {
            failure_ = poller_.watch(*this, socket_poller::writable).value();
            if (failure_ == 0) {
                if (next_ + 1 < endpoints_.size()) {
                    deadline_.start(executor, address_timeout,
                                    [this] { handle_result(ETIMEDOUT); });
                }
                return;
            }
        }
    }
    poller_.tell_soon(*this);
}

/// Returns an errno: 0 if it is connected already.
int socket_connector::begin_connecting(const endpoint& to) {
    const int family = to.data()->sa_family;
    replace_socket(socket_handle(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
    if (!has_socket()) {
        return errno;
    }
    if (!is_unix(to)) {
        set_connection_options(socket());
    }
    return ::connect(socket(), to.data(), static_cast<socklen_t>(to.size())) == 0 ? 0 : errno;
}

void socket_connector::on_ready(socket_poller::readiness, std::span<std::uint8_t>) {
    int number = 0;
    socklen_t size = sizeof number;
    ::getsockopt(socket(), SOL_SOCKET, SO_ERROR, &number, &size);
    handle_result(number);
}

void socket_connector::handle_result(int number) {
    deadline_.cancel();
    poller_.remove(*this);
    failure_ = number;
    if (number == 0) {
        poller_.tell_soon(*this);
    } else {
        ++next_;
        try_on();
    }
}

void socket_connector::on_due(std::span<std::uint8_t>) {
    if (next_ < endpoints_.size() && is_connected_to_itself()) {
        handle_result(ECONNREFUSED);
        return;
    }
    const auto done = std::move(done_);
    if (next_ == endpoints_.size()) {
        done({failure_, boost::system::system_category()}, {}, {});
    } else {
        const endpoint peer = endpoints_[next_];
        done({}, take_socket(), peer);  // which may destroy this
    }
}

/// A free port of this machine that nobody listens on may be chosen as the port to connect from,
/// and TCP then connects the socket with itself.
bool socket_connector::is_connected_to_itself() const {
    if (is_unix(endpoints_[next_])) {
        return false;
    }
    endpoint own;
    auto size = static_cast<socklen_t>(own.capacity());
    ::getsockname(socket(), own.data(), &size);
    own.resize(size);
    return own == endpoints_[next_];
}

}  // namespace fleetarium::net
