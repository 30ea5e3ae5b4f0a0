#pragma once

#include <fleetarium/core/clock.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <memory>

namespace fleetarium::net {

/// A bound on something that may never come: calls back once, unless it is cancelled or destroyed
/// before. Costs a pointer until it is started.
/// Thread rule: the executor's thread.
class deadline {
public:
    deadline() = default;
    deadline(const deadline&) = delete;
    deadline& operator=(const deadline&) = delete;
    ~deadline();

    void start(const boost::asio::any_io_executor& executor, duration after,
               std::function<void()> passed);
    void cancel() noexcept;

private:
    struct pending;
    std::shared_ptr<pending> pending_;
};

}  // namespace fleetarium::net
