#include <fleetarium/net/listening_socket.hpp>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <sys/socket.h>
#include <sys/stat.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace fleetarium::net {

namespace {

using boost::asio::ip::tcp;
using local = boost::asio::local::stream_protocol;
using any_endpoint = boost::asio::generic::stream_protocol::endpoint;

// Connections that came while others were accepted; the system may hold fewer.
constexpr int waiting_connections_max = 4096;

// A free port of one address may be taken at another: how often to look for one free at all.
constexpr int free_port_attempts = 16;

[[noreturn]] void fail(const url& at, const std::string& what) {
    throw std::runtime_error("cannot listen on " + to_string(at) + ": " + what);
}

[[noreturn]] void fail_to_bind(const url& at, int number) {
    const bool is_path = at.scheme == scheme::unix_socket;
    switch (number) {
        case EADDRINUSE:
            fail(at, is_path ? "another process listens on this socket; stop it, or choose another "
                               "path"
                             : "the address is in use; stop the process that listens there, or "
                               "choose another port (0 takes a free one)");
        case EACCES:
        case EPERM:
            fail(at, is_path ? "no permission to make a socket in this folder"
                             : "no permission; ports below 1024 need privileges, choose another "
                               "port");
        case EADDRNOTAVAIL:
            fail(at, "this machine does not have the address \"" + at.host +
                         "\"; without a host it listens on every address it has");
        case ENOENT:
        case ENOTDIR: fail(at, "the folder of the socket does not exist; make it first");
        default:
            fail(at, boost::system::error_code(number, boost::system::system_category()).message());
    }
}

void set_option(int socket, int level, int name, int value) {
    ::setsockopt(socket, level, name, &value, sizeof value);
}

/// The listening socket, or none and errno.
socket_handle listen_at(const any_endpoint& endpoint) {
    const int family = endpoint.data()->sa_family;
    socket_handle made(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made) {
        return {};
    }
    if (family != AF_UNIX) {
        // Else connections of a server that has just ended would hold its port.
        set_option(made.get(), SOL_SOCKET, SO_REUSEADDR, 1);
        set_connection_options(made.get());  // accepted sockets have them from it
    }
    if (family == AF_INET6) {
        set_option(made.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);  // [::] is for IPv4 too
    }
    if (::bind(made.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0 ||
        ::listen(made.get(), waiting_connections_max) != 0) {
        return {};
    }
    return made;
}

std::uint16_t port_of(const socket_handle& bound) {
    tcp::endpoint endpoint;
    auto size = static_cast<socklen_t>(endpoint.capacity());
    ::getsockname(bound.get(), endpoint.data(), &size);
    return endpoint.port();
}

std::vector<tcp::endpoint> addresses_of(const url& at) {
    if (at.host.empty()) {
        return {{tcp::v6(), at.port}};
    }
    boost::asio::io_context context;
    boost::system::error_code wrong;
    tcp::resolver resolver(context);
    const auto found =
        resolver.resolve(at.host, std::to_string(at.port), tcp::resolver::passive, wrong);
    if (wrong || found.empty()) {
        fail(at, "no address is known for the name \"" + at.host + "\" (" + wrong.message() + ")");
    }
    std::vector<tcp::endpoint> addresses;
    for (const auto& each : found) {
        if (std::find(addresses.begin(), addresses.end(), each.endpoint()) == addresses.end()) {
            addresses.push_back(each.endpoint());
        }
    }
    return addresses;
}

bool is_no_address_here(int number) {
    return number == EADDRNOTAVAIL || number == EAFNOSUPPORT || number == EPROTONOSUPPORT;
}

/// All addresses with one port. A machine may know a name's address and not have it, say without
/// IPv6: one will do. Empty and errno if there is none.
std::vector<socket_handle> listen_at_all(std::vector<tcp::endpoint> addresses) {
    std::vector<socket_handle> made;
    int missing = 0;
    for (tcp::endpoint& each : addresses) {
        if (!made.empty()) {
            each.port(port_of(made.front()));
        }
        if (socket_handle listening = listen_at(each)) {
            made.push_back(std::move(listening));
        } else if (is_no_address_here(errno)) {
            missing = errno;
        } else {
            const int wrong = errno;
            made.clear();
            errno = wrong;
            return made;
        }
    }
    errno = missing;
    return made;
}

bound_sockets bind_tcp(const url& at) {
    std::vector<tcp::endpoint> addresses = addresses_of(at);
    bound_sockets bound{.at = at};
    for (int attempt = 0; attempt < free_port_attempts && bound.sockets.empty(); ++attempt) {
        bound.sockets = listen_at_all(addresses);
        if (bound.sockets.empty() && at.host.empty() && is_no_address_here(errno)) {
            addresses = {{tcp::v4(), at.port}};  // a machine without IPv6
        } else if (at.port != 0 || errno != EADDRINUSE) {
            break;
        }
    }
    if (bound.sockets.empty()) {
        fail_to_bind(at, errno);
    }
    bound.at.port = port_of(bound.sockets.front());
    return bound;
}

/// A socket that nobody listens on is what a process left that was killed.
void remove_stale_socket(const url& at, const local::endpoint& endpoint) {
    struct stat found {};
    if (::lstat(at.path.c_str(), &found) != 0) {
        return;
    }
    if (!S_ISSOCK(found.st_mode)) {
        fail(at,
             "there is a file of that name that is no socket; remove it, or choose another "
             "path");
    }
    const socket_handle probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::connect(probe.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0 &&
        errno == ECONNREFUSED) {
        ::unlink(at.path.c_str());
    }
    // Else `bind` says that it is in use.
}

bound_sockets bind_path(const url& at) {
    constexpr std::size_t path_size_max = sizeof(sockaddr_un::sun_path) - 1;
    if (at.path.size() > path_size_max) {
        fail(at, "the path has " + std::to_string(at.path.size()) +
                     " bytes, and the system takes " + std::to_string(path_size_max) +
                     " at most; choose a shorter one");
    }
    const local::endpoint endpoint(at.path);
    remove_stale_socket(at, endpoint);
    socket_handle listening = listen_at(endpoint);
    if (!listening) {
        fail_to_bind(at, errno);
    }
    bound_sockets bound{.at = at, .path = socket_path(at.path)};
    bound.sockets.push_back(std::move(listening));
    return bound;
}

}  // namespace

socket_path::socket_path(const std::string& bound) : path_(bound) {
    struct stat found {};
    if (::lstat(path_.c_str(), &found) == 0) {
        device_ = found.st_dev;
        inode_ = found.st_ino;
    }
}

socket_path::socket_path(socket_path&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

socket_path& socket_path::operator=(socket_path&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(device_, other.device_);
    std::swap(inode_, other.inode_);
    return *this;
}

void socket_path::remove() noexcept {
    struct stat found {};
    if (!path_.empty() && ::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ &&
        found.st_ino == inode_) {
        ::unlink(path_.c_str());
    }
    path_.clear();
}

bound_sockets bind_sockets(const url& at) {
    return at.scheme == scheme::unix_socket ? bind_path(at) : bind_tcp(at);
}

void set_connection_options(int tcp_socket) noexcept {
    set_option(tcp_socket, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(tcp_socket, SOL_SOCKET, SO_KEEPALIVE, 1);
}

}  // namespace fleetarium::net
