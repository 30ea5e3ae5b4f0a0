#pragma once

#include <fleetarium/net/socket_handle.hpp>
#include <fleetarium/net/url.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace fleetarium::net {

/// The path of a Unix socket that listens. It is removed with this value, unless another socket
/// has taken its place meanwhile.
class socket_path {
public:
    socket_path() = default;
    explicit socket_path(const std::string& bound);
    socket_path(socket_path&& other) noexcept;
    socket_path& operator=(socket_path&& other) noexcept;
    ~socket_path() { remove(); }

    void remove() noexcept;

private:
    std::string path_;
    std::uint64_t device_ = 0;
    std::uint64_t inode_ = 0;
};

/// Sockets that listen on all addresses that a URL means.
struct bound_sockets {
    url at{};  ///< with the port that was taken if the URL said 0
    std::vector<socket_handle> sockets{};
    socket_path path{};
};

/// Binds and listens. Throws std::runtime_error with a sentence, as make_listener says.
bound_sockets bind_sockets(const url& at);

/// What TCP connections need for messages: they go out at once, and a peer that vanished is
/// noticed some day. Errors are left to the first read or write.
void set_connection_options(int tcp_socket) noexcept;

}  // namespace fleetarium::net
