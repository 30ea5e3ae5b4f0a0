#pragma once

#include <fleetarium/net/socket_poller.hpp>

#include <boost/asio/detail/config.hpp>

#if defined(BOOST_ASIO_HAS_EPOLL)
#define FLEETARIUM_HAS_EPOLL 1

#include <fleetarium/net/socket_handle.hpp>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <sys/epoll.h>

namespace fleetarium::net {

/// All sockets of an io_context in one epoll set of its own, which Asio watches as one descriptor.
class epoll_poller final : public socket_poller {
public:
    using key_type = epoll_poller;
    static boost::asio::execution_context::id id;

    explicit epoll_poller(boost::asio::io_context& context);

private:
    class batch;
    using wait_descriptor =
        boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;

    boost::system::error_code start_watching(entry& each, readiness wanted) override;
    boost::system::error_code change_watching(entry& each, readiness wanted) override;
    void stop_watching(entry& each) noexcept override;
    void drop_found(entry& each) noexcept override;
    void rest() noexcept override;
    void shutdown() noexcept override;

    void wait();
    void run_turn();

    wait_descriptor set_;
    std::span<epoll_event> found_{};  // and not yet told
    bool waits_ = false;
};

}  // namespace fleetarium::net

#endif
