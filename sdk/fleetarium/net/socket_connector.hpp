#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/net/deadline.hpp>
#include <fleetarium/net/socket_handle.hpp>
#include <fleetarium/net/socket_poller.hpp>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace fleetarium::net {

/// How long an address that does not answer is waited for while others are left to try.
inline constexpr duration address_timeout = std::chrono::seconds{3};

/// Connects a socket to the first of some endpoints that takes it.
/// Thread rule: the thread of the io_context.
class socket_connector final : private socket_poller::entry {
public:
    using endpoint = boost::asio::generic::stream_protocol::endpoint;
    using connected_handler =
        std::function<void(boost::system::error_code why, socket_handle, const endpoint& peer)>;

    explicit socket_connector(boost::asio::io_context& context);
    ~socket_connector() { cancel(); }

    /// Calls `done` once, never from inside the call, unless it is cancelled or destroyed before:
    /// with the socket and its peer, or with the error of the last endpoint. The connector may be
    /// destroyed from inside. There is at least one endpoint.
    void start(std::vector<endpoint> endpoints, connected_handler done);

    void cancel() noexcept;

private:
    void on_ready(socket_poller::readiness what, std::span<std::uint8_t> scratch) override;
    void on_due(std::span<std::uint8_t> scratch) override;
    void on_close_timeout() override {}

    /// Tries the endpoints from next_ on until one is connected or has to be waited for.
    void try_on();
    int begin_connecting(const endpoint& to);
    void handle_result(int number);
    bool is_connected_to_itself() const;

    socket_poller& poller_;
    std::vector<endpoint> endpoints_;
    std::size_t next_ = 0;
    int failure_ = 0;  // of the endpoint tried last
    connected_handler done_;
    deadline deadline_;
};

}  // namespace fleetarium::net
