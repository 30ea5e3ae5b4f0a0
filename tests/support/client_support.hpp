#pragma once

#include <fleetarium/client/client.hpp>

#include <support/memory_broker.hpp>
#include <support/virtual_network.hpp>

#include <catch2/catch.hpp>

#include <optional>
#include <string>
#include <vector>

// What tests of the client have in common.
namespace fleetarium::test {

/// A back-off whose waits a test can foretell.
inline backoff steady() { return backoff().first(1s).max(8s).factor(2).jitter(0); }

inline client_config usual(protocol_version version = protocol_version::v5) {
    return client_config("mqtt://broker").id("c").version(version).reconnect(steady());
}

/// What an operation completed with, once.
struct outcome {
    bool done = false;
    boost::system::error_code why{};
    std::optional<reason_code> code{};

    bool succeeded() const { return done && !why; }
};

inline auto note(outcome& into) {
    return [&into](boost::system::error_code why, auto&&... results) {
        CHECK(!into.done);
        into.done = true;
        into.why = why;
        [[maybe_unused]] const auto keep = [&](const auto& one) {
            if constexpr (std::is_same_v<std::decay_t<decltype(one)>, reason_code>) {
                into.code = one;
            }
        };
        (keep(results), ...);
    };
}

/// What the events of a client said.
struct event_log {
    std::vector<connection_info> connected;
    std::vector<disconnection_info> disconnected;

    client_config& listen(client_config& config) {
        return config
            .on_connected([this](const connection_info& info) { connected.push_back(info); })
            .on_disconnected(
                [this](const disconnection_info& info) { disconnected.push_back(info); });
    }
};

/// Everything that a subscription has, as "topic=payload".
inline std::vector<std::string> take_all(subscription& from) {
    std::vector<std::string> taken;
    while (const auto message = from.try_receive()) {
        taken.push_back(std::string(message->topic()) + '=' + std::string(message->text()));
    }
    return taken;
}

}  // namespace fleetarium::test
