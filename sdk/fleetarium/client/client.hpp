#pragma once

#include <fleetarium/client/client_config.hpp>
#include <fleetarium/client/client_metrics.hpp>
#include <fleetarium/client/environment.hpp>
#include <fleetarium/client/operation.hpp>
#include <fleetarium/client/publish_options.hpp>
#include <fleetarium/client/reason_error.hpp>
#include <fleetarium/client/received_message.hpp>
#include <fleetarium/client/request_options.hpp>
#include <fleetarium/client/subscribe_options.hpp>
#include <fleetarium/client/subscription.hpp>
#include <fleetarium/core/result.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetarium {

/// An MQTT 3.1.1 and 5.0 client: it connects, comes back by itself when a connection breaks, and
/// keeps what is under way meanwhile.
///
///     boost::asio::awaitable<void> run(client& lamp) {
///         co_await lamp.async_connect();
///         auto orders = co_await lamp.async_subscribe("lamps/7/set", qos::at_least_once);
///         for (;;) {
///             const auto order = co_await orders.async_receive();
///             co_await lamp.async_publish("lamps/7/state", order.text(), qos::at_least_once);
///         }
///     }
///
///     boost::asio::io_context context;
///     real_environment network(context);
///     client lamp(network, client_config("mqtt://localhost").id("lamp-7"));
///     boost::asio::co_spawn(context, run(lamp), boost::asio::detached);
///     context.run();
///
/// Operations (`async_...`) take any completion token of Boost.Asio as their last argument, and
/// make an awaitable without one. What they have in common:
/// - Handlers are posted to their associated executor, by default the environment's; never called
///   from inside a call of the client.
/// - A failure code of the server is an error (reason_error.hpp): `why == reason_code::banned`.
/// - Each heeds its cancellation slot, with operation_aborted. `total` cancels as long as nothing
///   was sent for it; `partial` and `terminal` end the wait, and what was sent takes its course.
/// - `client.within(5s)`, as the token, limits the time, with the error timed_out:
///   `co_await lamp.async_publish("a", "b", qos::at_least_once, lamp.within(5s))`.
/// - Without a connection they wait for the next one, and the wait is limited only as said above.
///   When the client stops they fail: with operation_aborted after async_disconnect and when the
///   client is destroyed, else with the reason for which it stopped.
///
/// QoS 1 and 2 messages under way when a connection breaks are resumed with the session. If the
/// server has lost that, QoS 1 messages are sent anew; QoS 2 messages of which the server had not
/// confirmed the receipt end with session_lost.
///
/// The client stops for good when the server refuses it for a reason that another attempt does not
/// mend (not authorized, bad user name or password, bad client id, ...), at each server in turn if
/// there are several; when its authenticator does; or after backoff::attempts.
///
/// Destroying it is safe at any time and says nothing to the server, which publishes the will:
/// `async_disconnect` is the orderly end. The environment must outlive it.
///
/// Thread rule: everything on the environment's executor; destroy it there too, or when nobody runs
/// that any more.
class client {
public:
    using executor_type = boost::asio::any_io_executor;

    /// Nothing happens before async_connect, async_run or start. Throws std::invalid_argument if
    /// the configuration contradicts itself or the protocol version; std::runtime_error, with a
    /// sentence that names the file, if a certificate or key cannot be used.
    client(environment& in, client_config config);
    client(client&&) noexcept = default;
    client& operator=(client&& other) noexcept;
    ~client();

    executor_type get_executor() const;
    /// The time of the client's environment.
    instant now() const;
    const client_config& config() const;
    bool is_connected() const;
    /// The last connection that was accepted.
    const connection_info& connection() const;
    const client_metrics& metrics() const;
    /// Messages that wait to be sent, and QoS 1 and 2 messages sent and not acknowledged.
    std::size_t queued() const;
    std::size_t in_flight() const;

    // Connection

    /// Begins to connect, if it has not: as async_connect, without waiting.
    void start();

    /// Begins to connect, if it has not, and waits for the first connection that is accepted:
    /// void(error_code, connection_info). Failures that may mend are tried again meanwhile.
    template <detail::token_for<void(boost::system::error_code, connection_info)> Token =
                  boost::asio::use_awaitable_t<>>
    auto async_connect(Token token = {}) {
        return begin<void(boost::system::error_code, connection_info)>(
            token, [](auto waiting, duration limit, const core_ptr& core) {
                begin_connect(std::move(waiting), limit, core);
            });
    }

    /// Begins to connect, if it has not, and waits until the client stops: void(error_code), no
    /// error after async_disconnect. Cancellation ends the wait, not the client.
    template <
        detail::token_for<void(boost::system::error_code)> Token = boost::asio::use_awaitable_t<>>
    auto async_run(Token token = {}) {
        return begin<void(boost::system::error_code)>(
            token, [](auto waiting, duration limit, const core_ptr& core) {
                begin_run(std::move(waiting), limit, core);
            });
    }

    /// Takes leave in order and stops: void(error_code), when the connection is closed. It can be
    /// started again. What waits to be sent is given up, see async_flush. Errors:
    /// not_in_this_version, invalid_argument (a session expiry where the connection had none).
    template <
        detail::token_for<void(boost::system::error_code)> Token = boost::asio::use_awaitable_t<>>
    auto async_disconnect(disconnect_options options, Token token = {}) {
        return begin<void(boost::system::error_code)>(
            token,
            [](auto waiting, duration limit, const core_ptr& core, const disconnect_options& by) {
                begin_disconnect(std::move(waiting), limit, core, by);
            },
            std::move(options));
    }
    template <
        detail::token_for<void(boost::system::error_code)> Token = boost::asio::use_awaitable_t<>>
    auto async_disconnect(Token token = {}) {
        return async_disconnect(disconnect_options(), std::move(token));
    }

    /// Does not wait for the next attempt to connect any longer, and begins the back-off anew.
    void retry_now();

    /// Authenticates again on the present connection, by the authenticator of the configuration:
    /// void(error_code). Errors: not_connected, invalid_argument (there is no authenticator, or an
    /// authentication is under way), not_in_this_version; if the connection ends, why.
    template <
        detail::token_for<void(boost::system::error_code)> Token = boost::asio::use_awaitable_t<>>
    auto async_reauthenticate(Token token = {}) {
        return begin<void(boost::system::error_code)>(
            token, [](auto waiting, duration limit, const core_ptr& core) {
                begin_reauthenticate(std::move(waiting), limit, core);
            });
    }

    // Messages to the server

    /// Publishes and waits until that is done: void(error_code, reason_code). QoS 0: handed to the
    /// transport, code success. QoS 1 and 2: acknowledged, with the server's code, which may be
    /// no_matching_subscribers. Told once, whatever happens. Topic and payload are copied in the
    /// call.
    /// Errors: those of client_session::publish; queue_full, not_connected (QoS 0, if so
    /// configured), message_expired, session_lost, or the server's failure code.
    template <detail::token_for<void(boost::system::error_code, reason_code)> Token =
                  boost::asio::use_awaitable_t<>>
    auto async_publish(std::string_view topic, payload_view payload, const publish_options& options,
                       Token token = {}) {
        return begin<void(boost::system::error_code, reason_code)>(
            token,
            [](auto waiting, duration limit, const core_ptr& core, result<message_ptr> message) {
                begin_publish(std::move(waiting), limit, core, std::move(message));
            },
            prepare(topic, payload, options));
    }
    template <detail::token_for<void(boost::system::error_code, reason_code)> Token =
                  boost::asio::use_awaitable_t<>>
    auto async_publish(std::string_view topic, payload_view payload, Token token = {}) {
        return async_publish(topic, payload, publish_options(), std::move(token));
    }

    /// Publishes, or queues, and does not ask what becomes of it; the fastest way. What is
    /// published in one go of the application goes out together. Later failures are counted
    /// (metrics) and logged. Errors: as async_publish, as far as they are known at once.
    result<void> publish(std::string_view topic, payload_view payload,
                         const publish_options& options = {});

    /// Waits until nothing waits to be sent, nothing is unacknowledged, and the transport has taken
    /// all: void(error_code).
    template <
        detail::token_for<void(boost::system::error_code)> Token = boost::asio::use_awaitable_t<>>
    auto async_flush(Token token = {}) {
        return begin<void(boost::system::error_code)>(
            token, [](auto waiting, duration limit, const core_ptr& core) {
                begin_flush(std::move(waiting), limit, core);
            });
    }

    // Messages from the server

    /// Subscribes and waits for the server's answer: void(error_code, subscription); the codes are
    /// in subscription::codes. Messages come to one stream for all the filters, each once where the
    /// server says by subscription identifiers for what it sends it. A filter may be shared
    /// (`$share/NAME/FILTER`). If it is cancelled or fails there is no subscription.
    /// Errors: those of client_session::subscribe; the server's code if it refuses each filter.
    template <detail::token_for<void(boost::system::error_code, subscription)> Token =
                  boost::asio::use_awaitable_t<>>
    auto async_subscribe(std::vector<std::string> filters, subscribe_options options,
                         Token token = {}) {
        return begin<void(boost::system::error_code, subscription)>(
            token,
            [](auto waiting, duration limit, const core_ptr& core, std::vector<std::string> to,
               subscribe_options by) {
                begin_subscribe(std::move(waiting), limit, core, std::move(to), std::move(by));
            },
            std::move(filters), std::move(options));
    }
    template <detail::token_for<void(boost::system::error_code, subscription)> Token =
                  boost::asio::use_awaitable_t<>>
    auto async_subscribe(const std::string& filter, subscribe_options options, Token token = {}) {
        return async_subscribe(std::vector<std::string>(1, filter), std::move(options),
                               std::move(token));
    }
    template <detail::token_for<void(boost::system::error_code, subscription)> Token =
                  boost::asio::use_awaitable_t<>>
    auto async_subscribe(const std::string& filter, Token token = {}) {
        return async_subscribe(filter, subscribe_options(), std::move(token));
    }

    /// Subscribes without waiting: the stream is there at once, and the server is told when there
    /// is a connection. Made before `start`, it misses nothing that a kept session has collected.
    /// Errors: invalid_topic_filter, invalid_argument, not_in_this_version; why the client stopped.
    result<subscription> subscribe(std::vector<std::string> filters,
                                   subscribe_options options = {});
    result<subscription> subscribe(const std::string& filter, subscribe_options options = {}) {
        return subscribe(std::vector<std::string>(1, filter), std::move(options));
    }

    // Requests (MQTT 5)

    /// Publishes a request and waits for its response: void(error_code, received_message). One
    /// subscription, made with the first request, serves them all.
    /// Errors: as async_publish and async_subscribe; no_responder where the server says that nobody
    /// subscribes to the topic; timed_out.
    template <detail::token_for<void(boost::system::error_code, received_message)> Token =
                  boost::asio::use_awaitable_t<>>
    auto async_request(std::string topic, payload_view payload, request_options options,
                       Token token = {}) {
        return begin<void(boost::system::error_code, received_message)>(
            token,
            [](auto waiting, duration limit, const core_ptr& core, const std::string& to,
               const std::vector<std::uint8_t>& what, const request_options& by) {
                begin_request(std::move(waiting), limit, core, to, what, by);
            },
            std::move(topic),
            std::vector<std::uint8_t>(payload.bytes().begin(), payload.bytes().end()),
            std::move(options));
    }
    template <detail::token_for<void(boost::system::error_code, received_message)> Token =
                  boost::asio::use_awaitable_t<>>
    auto async_request(std::string topic, payload_view payload, Token token = {}) {
        return async_request(std::move(topic), payload, request_options(), std::move(token));
    }

    /// Publishes the response to a request that was received, to its response topic and with its
    /// correlation data. Errors: as publish; invalid_argument if it has no response topic.
    result<void> reply(const received_message& request, payload_view payload,
                       const publish_options& options = qos::at_least_once);

    // Time

    /// Waits in the client's time: void(error_code). So a coroutine runs unchanged in the virtual
    /// time of a world.
    template <
        detail::token_for<void(boost::system::error_code)> Token = boost::asio::use_awaitable_t<>>
    auto async_wait_until(instant due, Token token = {}) {
        return begin<void(boost::system::error_code)>(
            token,
            [](auto waiting, duration limit, const core_ptr& core, instant until) {
                begin_wait(std::move(waiting), limit, core, until);
            },
            due);
    }
    template <
        detail::token_for<void(boost::system::error_code)> Token = boost::asio::use_awaitable_t<>>
    auto async_wait_for(duration time, Token token = {}) {
        return async_wait_until(saturating_add(now(), time), std::move(token));
    }

    /// The token with a time limit on the operation, in the client's time.
    template <class Token = boost::asio::use_awaitable_t<>>
    token_with_limit<Token> within(duration limit, Token token = {}) const {
        return token_with_limit<Token>(limit, std::move(token));
    }

private:
    using core_ptr = std::shared_ptr<detail::client_core>;
    template <class... Results>
    using waiting_ptr = detail::operation_ptr<Results...>;

    template <class Signature, class Token, class Start, class... Arguments>
    auto begin(Token& token, Start start, Arguments... arguments) {
        return detail::initiate<Signature>(token, get_executor(), std::move(start), core_,
                                           std::move(arguments)...);
    }

    result<message_ptr> prepare(std::string_view topic, payload_view payload,
                                const publish_options& options) const;
    static void begin_connect(waiting_ptr<connection_info> waiting, duration limit,
                              const core_ptr& core);
    static void begin_run(waiting_ptr<> waiting, duration limit, const core_ptr& core);
    static void begin_disconnect(waiting_ptr<> waiting, duration limit, const core_ptr& core,
                                 const disconnect_options& options);
    static void begin_reauthenticate(waiting_ptr<> waiting, duration limit, const core_ptr& core);
    static void begin_publish(waiting_ptr<reason_code> waiting, duration limit,
                              const core_ptr& core, result<message_ptr> message);
    static void begin_flush(waiting_ptr<> waiting, duration limit, const core_ptr& core);
    static void begin_subscribe(waiting_ptr<subscription> waiting, duration limit,
                                const core_ptr& core, std::vector<std::string> filters,
                                subscribe_options options);
    static void begin_request(waiting_ptr<received_message> waiting, duration limit,
                              const core_ptr& core, std::string_view topic, bytes_view payload,
                              const request_options& options);
    static void begin_wait(waiting_ptr<> waiting, duration limit, const core_ptr& core,
                           instant due);

    core_ptr core_;
};

}  // namespace fleetarium
