#include <fleetarium/net/deadline.hpp>

#include <boost/asio/steady_timer.hpp>

#include <utility>

namespace fleetarium::net {

struct deadline::pending {
    explicit pending(const boost::asio::any_io_executor& executor) : timer(executor) {}
    boost::asio::steady_timer timer;
    std::function<void()> passed;
};

deadline::~deadline() = default;

void deadline::start(const boost::asio::any_io_executor& executor, duration after,
                     std::function<void()> passed) {
    pending_ = std::make_shared<pending>(executor);
    pending_->timer.expires_after(after);
    pending_->passed = std::move(passed);
    // A timer that has fired may wait for its turn when it is cancelled: the pointer tells.
    pending_->timer.async_wait(
        [waiting = std::weak_ptr<pending>(pending_)](boost::system::error_code error) {
            const std::shared_ptr<pending> still = waiting.lock();
            if (!error && still != nullptr) {
                const std::function<void()> call = std::move(still->passed);
                call();
            }
        });
}

void deadline::cancel() noexcept { pending_.reset(); }

}  // namespace fleetarium::net
