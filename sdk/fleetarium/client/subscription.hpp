#pragma once

#include <fleetarium/client/operation.hpp>
#include <fleetarium/client/received_message.hpp>
#include <fleetarium/codec/reason_code.hpp>

#include <boost/asio/use_awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fleetarium {

namespace detail {
class client_core;
class subscription_stream;
}  // namespace detail

/// A subscription of a client and the stream of its messages, to be received one by one.
///
/// It outlives connections: after a reconnect without a session the client subscribes again. When
/// the handle is destroyed the client unsubscribes, unless it has a session that is to be kept
/// (client_config::clean_start off), where messages go on to be collected for the next run.
/// Movable. May outlive its client, and then still gives what had come.
///
///     subscription doors = co_await client.async_subscribe("doors/#", qos::at_least_once);
///     for (;;) {
///         const received_message message = co_await doors.async_receive();
///         note(message.topic(), message.text());
///     }
///
/// Thread rule: that of the client.
class subscription {
public:
    /// Of nothing: receiving from it fails with subscription_ended.
    subscription() = default;
    explicit subscription(std::shared_ptr<detail::subscription_stream> stream);
    subscription(subscription&& other) noexcept = default;
    subscription& operator=(subscription&& other) noexcept;
    ~subscription();

    explicit operator bool() const { return stream_ != nullptr; }

    /// The next message: void(error_code, received_message).
    /// Several receivers get messages in turn. Errors: subscription_ended when all that had come
    /// before the end is received; operation_aborted when the client disconnects, is destroyed, or
    /// the wait is cancelled (any cancellation type; no message is lost); why the client stopped,
    /// if it did; timed_out.
    template <detail::token_for<void(boost::system::error_code, received_message)> Token =
                  boost::asio::use_awaitable_t<>>
    auto async_receive(Token token = {}) {
        using signature = void(boost::system::error_code, received_message);
        return detail::initiate<signature>(
            token, executor(),
            [](auto waiting, duration limit, std::shared_ptr<detail::subscription_stream> from) {
                begin_receive(std::move(waiting), limit, from);
            },
            stream_);
    }

    /// The next message if one waits.
    std::optional<received_message> try_receive();

    /// Unsubscribes: void(error_code, std::vector<reason_code>), a code for each filter; what has
    /// come can still be received. A filter that another subscription of the client has too stays.
    /// Without a connection it waits for the next one. Errors: a reason code if each filter was
    /// refused; operation_aborted; timed_out.
    /// Cancellation: total as long as nothing is sent; terminal and partial end the wait only.
    template <detail::token_for<void(boost::system::error_code, std::vector<reason_code>)> Token =
                  boost::asio::use_awaitable_t<>>
    auto async_unsubscribe(Token token = {}) {
        using signature = void(boost::system::error_code, std::vector<reason_code>);
        return detail::initiate<signature>(
            token, executor(),
            [](auto waiting, duration limit, std::shared_ptr<detail::subscription_stream> from) {
                begin_unsubscribe(std::move(waiting), limit, from);
            },
            stream_);
    }

    /// Waits for the server's answer to a subscription made by client::subscribe:
    /// void(error_code, std::vector<reason_code>). Errors: a reason code, or an error of this side,
    /// if each filter was refused; operation_aborted; timed_out.
    template <detail::token_for<void(boost::system::error_code, std::vector<reason_code>)> Token =
                  boost::asio::use_awaitable_t<>>
    auto async_answer(Token token = {}) {
        using signature = void(boost::system::error_code, std::vector<reason_code>);
        return detail::initiate<signature>(
            token, executor(),
            [](auto waiting, duration limit, std::shared_ptr<detail::subscription_stream> from) {
                begin_answer(std::move(waiting), limit, from);
            },
            stream_);
    }

    const std::vector<std::string>& filters() const;
    /// What the server answered to each filter the last time; empty before it has.
    std::vector<reason_code> codes() const;
    /// Messages that wait to be received.
    std::size_t buffered() const;
    /// Messages dropped because the stream was full.
    std::uint64_t dropped() const;

private:
    using stream_ptr = std::shared_ptr<detail::subscription_stream>;
    using codes_operation = detail::operation_ptr<std::vector<reason_code>>;

    boost::asio::any_io_executor executor() const;
    static void begin_receive(detail::operation_ptr<received_message> waiting, duration limit,
                              const stream_ptr& from);
    static void begin_unsubscribe(codes_operation waiting, duration limit, const stream_ptr& from);
    static void begin_answer(codes_operation waiting, duration limit, const stream_ptr& from);
    void release() noexcept;

    stream_ptr stream_;
};

}  // namespace fleetarium
