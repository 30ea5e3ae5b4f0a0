#pragma once

#include <fleetarium/net/real_clock.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>
#include <utility>

namespace fleetarium::test {

/// Far beyond what anything takes on a slow machine under a sanitizer: who waits longer hangs.
inline constexpr std::chrono::seconds patience{60};

/// An io_context and the one thread that runs it.
class net_thread {
public:
    net_thread() : work_(context_.get_executor()), thread_([this] { context_.run(); }) {}
    ~net_thread() {
        context_.stop();
        thread_.join();
    }
    net_thread(const net_thread&) = delete;
    net_thread& operator=(const net_thread&) = delete;

    boost::asio::io_context& context() { return context_; }

    /// Runs `what` on the thread, and returns what it returns, or throws what it throws.
    template <class Function>
    auto call(Function what) {
        using result = decltype(what());
        std::packaged_task<result()> task(std::move(what));
        auto made = task.get_future();
        boost::asio::post(context_, [&task] { task(); });
        if (made.wait_for(patience) != std::future_status::ready) {
            std::terminate();  // `task` is still in use: nothing can be told in order
        }
        return made.get();
    }

private:
    boost::asio::io_context context_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::thread thread_;
};

/// Runs the context until `done()`; false if that takes too long.
template <class Predicate>
bool run_until(boost::asio::io_context& context, Predicate done) {
    const instant deadline = net::real_now() + patience;
    while (!done()) {
        const instant now = net::real_now();
        if (now >= deadline) {
            return false;
        }
        if (context.stopped()) {
            context.restart();
        }
        context.run_one_for(std::chrono::milliseconds(100));
    }
    return true;
}

}  // namespace fleetarium::test
