#pragma once

#include <fleetarium/net/socket_poller.hpp>

#include <memory>
#include <unordered_map>

namespace fleetarium::net {

/// Sockets watched one by one with waits of Asio's, on any system that Asio knows.
///
/// It is what `socket_poller::of` gives where there is no epoll, and, for tests, where the
/// io_context already has one.
class portable_poller final : public socket_poller {
public:
    using key_type = portable_poller;
    static boost::asio::execution_context::id id;

    explicit portable_poller(boost::asio::io_context& context);
    ~portable_poller() override;

private:
    struct watched;
    struct wait_again;
    using watched_ptr = std::shared_ptr<watched>;

    boost::system::error_code start_watching(entry& each, readiness wanted) override;
    boost::system::error_code change_watching(entry& each, readiness wanted) override;
    void stop_watching(entry& each) noexcept override;
    void drop_found(entry& each) noexcept override;
    void rest() noexcept override;
    void shutdown() noexcept override;

    void wait(const watched_ptr& each, readiness for_what);
    void handle_ready(const watched_ptr& each, readiness what);

    std::unordered_map<entry*, watched_ptr> watched_;
};

}  // namespace fleetarium::net
