#include <fleetarium/client/client_service.hpp>

#include <fleetarium/client/client_core.hpp>

#include <boost/asio/query.hpp>

#include <utility>
#include <vector>

namespace fleetarium::detail {

namespace {

/// What the context knows of it; the clients hold the rest, which may outlive the context.
class context_service final : public boost::asio::execution_context::service {
public:
    static inline boost::asio::execution_context::id id;

    explicit context_service(boost::asio::execution_context& context)
        : boost::asio::execution_context::service(context) {}

    const std::shared_ptr<client_service> clients = std::make_shared<client_service>();

private:
    void shutdown() noexcept override { clients->shut_down(); }
};

}  // namespace

std::shared_ptr<client_service> client_service::of(const boost::asio::any_io_executor& executor) {
    auto& context = boost::asio::query(executor, boost::asio::execution::context);
    return boost::asio::use_service<context_service>(context).clients;
}

void client_service::add(client_core& one) {
    const std::lock_guard lock(mutex_);
    clients_.insert(&one);
}

void client_service::remove(client_core& one) noexcept {
    const std::lock_guard lock(mutex_);
    clients_.erase(&one);
}

void client_service::shut_down() noexcept {
    // One may be destroyed by what another lets go of.
    std::vector<std::weak_ptr<client_core>> all;
    {
        const std::lock_guard lock(mutex_);
        for (client_core* const one : clients_) {
            all.push_back(one->weak_from_this());
        }
    }
    for (const auto& weak : all) {
        if (const auto live = weak.lock()) {
            live->abandon();
        }
    }
}

}  // namespace fleetarium::detail
