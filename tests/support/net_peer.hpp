#pragma once

#include "support/net_thread.hpp"

#include <fleetarium/net/socket_handle.hpp>
#include <fleetarium/net/url.hpp>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

namespace fleetarium::test {

inline net::url url_of(std::string_view text) {
    const auto read = net::parse_url(text);
    if (!read.problem.empty()) {
        throw std::invalid_argument(read.problem);
    }
    return read.value;
}

inline boost::asio::generic::stream_protocol::endpoint endpoint_of(const net::url& at) {
    if (at.scheme == net::scheme::unix_socket) {
        return boost::asio::local::stream_protocol::endpoint(at.path);
    }
    return boost::asio::ip::tcp::endpoint(boost::asio::ip::make_address(at.host), at.port);
}

/// A bare blocking socket, bounded in time by the operating system: what any foreign client is.
class net_peer {
public:
    net_peer() = default;  // IPv4
    explicit net_peer(const net::url& to) { connect(to); }

    void connect(const net::url& to) {
        const auto endpoint = endpoint_of(to);
        if (endpoint.data()->sa_family != AF_INET) {
            socket_ = make(endpoint.data()->sa_family);
        }
        check(::connect(socket_.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())));
    }

    void send(std::string_view text) const {
        check(static_cast<int>(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL)));
    }

    /// `count` bytes, or fewer if the other end closes before.
    std::string receive(std::size_t count) const {
        std::string got(count, '\0');
        const ssize_t size = ::recv(socket_.get(), got.data(), count, MSG_WAITALL);
        got.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return got;
    }

private:
    static int check(int result) {
        if (result < 0) {
            throw std::system_error(errno, std::generic_category(), "net_peer");
        }
        return result;
    }
    static net::socket_handle make(int family) {
        net::socket_handle made(check(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)));
        const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
        ::setsockopt(made.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        return made;
    }

    net::socket_handle socket_ = make(AF_INET);
};

/// A bare socket that listens, and leaves its path where it is.
class net_peer_listener {
public:
    explicit net_peer_listener(const net::url& at) {
        const auto endpoint = endpoint_of(at);
        socket_ =
            net::socket_handle(::socket(endpoint.data()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::bind(socket_.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0 ||
            ::listen(socket_.get(), 16) != 0) {
            throw std::system_error(errno, std::generic_category(), "net_peer_listener");
        }
    }

private:
    net::socket_handle socket_;
};

inline bool machine_has_ipv6() {
    const net::socket_handle probe(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const boost::asio::ip::tcp::endpoint loopback(boost::asio::ip::address_v6::loopback(), 0);
    return probe &&
           ::bind(probe.get(), loopback.data(), static_cast<socklen_t>(loopback.size())) == 0;
}

/// This process may have so many open descriptors only, while it lives.
class fewer_descriptors {
public:
    explicit fewer_descriptors(rlim_t count) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit now = before_;
        now.rlim_cur = count;
        ::setrlimit(RLIMIT_NOFILE, &now);
    }
    ~fewer_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    fewer_descriptors(const fewer_descriptors&) = delete;
    fewer_descriptors& operator=(const fewer_descriptors&) = delete;

private:
    rlimit before_{};
};

/// Waits for what other threads bring about.
template <class Predicate>
bool eventually(Predicate done) {
    const instant deadline = net::real_now() + patience;
    while (!done()) {
        if (net::real_now() >= deadline) {
            return false;
        }
        std::this_thread::yield();
    }
    return true;
}

}  // namespace fleetarium::test
