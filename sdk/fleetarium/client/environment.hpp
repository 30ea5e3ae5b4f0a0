#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/net/connector.hpp>
#include <fleetarium/net/tls_context.hpp>
#include <fleetarium/net/url.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <memory>

namespace fleetarium {

/// Where a client lives: its clock, its timers, and its way to brokers. A real network is one
/// (`real_environment`), an in-process broker's pipes are one (`server::pipe_environment`), and so
/// is a world in virtual time (`sim::virtual_environment`): the same client, and the same
/// coroutine of its user, runs in each.
/// Thread rule: all calls from the executor's thread. Must outlive its clients, timers and streams.
class environment {
public:
    /// A deadline that calls back once.
    class timer {
    public:
        virtual ~timer() = default;
        /// Calls `fired` on the executor at or after `due`, instead of what was set before.
        virtual void start(instant due, std::function<void()> fired) = 0;
        /// What was set is not called any more.
        virtual void cancel() noexcept = 0;
    };

    virtual ~environment() = default;

    virtual boost::asio::any_io_executor executor() = 0;
    virtual instant now() const = 0;
    virtual std::unique_ptr<timer> make_timer() = 0;

    /// As net::connect_stream: `done` is called once, on the executor, never from inside the call.
    virtual std::unique_ptr<net::connect_attempt> connect(const net::url& to,
                                                          const net::tls_context& tls,
                                                          net::connect_handler done) = 0;

    /// Different for each call, and the same from run to run in a world: for jitter.
    virtual std::uint64_t next_seed() = 0;
};

/// The real network, driven by an io_context that one thread runs.
class real_environment final : public environment {
public:
    explicit real_environment(boost::asio::io_context& context) : context_(context) {}

    boost::asio::any_io_executor executor() override { return context_.get_executor(); }
    instant now() const override;
    std::unique_ptr<timer> make_timer() override;
    std::unique_ptr<net::connect_attempt> connect(const net::url& to, const net::tls_context& tls,
                                                  net::connect_handler done) override;
    std::uint64_t next_seed() override;

private:
    boost::asio::io_context& context_;
};

}  // namespace fleetarium
