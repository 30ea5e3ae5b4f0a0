#pragma once

#include <fleetarium/client/publish_options.hpp>
#include <fleetarium/core/clock.hpp>

#include <chrono>
#include <concepts>
#include <type_traits>
#include <utility>

namespace fleetarium {

/// How a request is made: how long to wait for its response, and how its message is published. A
/// time alone will do: `client.async_request("add", "1 2", 5s)`.
class request_options {
public:
    request_options() = default;
    template <class Rep, class Period>
    request_options(std::chrono::duration<Rep, Period> timeout) : timeout_(timeout) {}

    /// The request expires with it, so that nobody serves it later. 30 seconds by default.
    request_options& timeout(duration time) {
        timeout_ = time;
        return *this;
    }
    /// QoS 1 by default. Response topic, correlation data and expiry are set by the client.
    request_options& message(publish_options options) {
        message_ = std::move(options);
        return *this;
    }

    duration timeout() const { return timeout_; }
    const publish_options& message() const { return message_; }

private:
    duration timeout_ = std::chrono::seconds{30};
    publish_options message_{qos::at_least_once};
};

/// How a client takes its leave (MQTT 5; MQTT 3.1.1 knows only the plain DISCONNECT and refuses
/// what is set here with not_in_this_version).
class disconnect_options {
public:
    disconnect_options() = default;

    /// The server publishes the will all the same.
    disconnect_options& with_will(bool on = true) {
        with_will_ = on;
        return *this;
    }
    /// How long the server keeps the session from now on, instead of what the configuration says.
    disconnect_options& session_expiry(std::chrono::seconds time) {
        session_expiry_ = time;
        return *this;
    }
    disconnect_options& reason(std::string text) {
        reason_ = std::move(text);
        return *this;
    }

    bool with_will() const { return with_will_; }
    std::optional<std::chrono::seconds> session_expiry() const { return session_expiry_; }
    const std::optional<std::string>& reason() const { return reason_; }

private:
    bool with_will_ = false;
    std::optional<std::chrono::seconds> session_expiry_{};
    std::optional<std::string> reason_{};
};

static_assert(!std::is_aggregate_v<request_options> && !std::is_aggregate_v<disconnect_options>);

}  // namespace fleetarium
