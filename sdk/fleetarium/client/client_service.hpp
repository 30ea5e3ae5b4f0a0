#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>

#include <memory>
#include <mutex>
#include <set>

namespace fleetarium::detail {

class client_core;

/// The clients of an execution context that have handlers of it. A coroutine that waits for its own
/// client owns it, and is owned by it: when the context is destroyed, as a whole, this lets go of
/// the handlers, as the sockets of the context do of theirs.
class client_service {
public:
    /// That of the executor's context.
    static std::shared_ptr<client_service> of(const boost::asio::any_io_executor& executor);

    void add(client_core& one);
    void remove(client_core& one) noexcept;
    /// The context goes away.
    void shut_down() noexcept;

private:
    std::mutex mutex_;  // clients of one context may be made in different threads
    std::set<client_core*> clients_;
};

}  // namespace fleetarium::detail
