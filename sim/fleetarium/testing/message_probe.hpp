#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/net/tls_context.hpp>
#include <fleetarium/testing/probed_message.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::broker {
class server;
}

namespace fleetarium::sim {
class virtual_broker;
class world;
}  // namespace fleetarium::sim

namespace fleetarium::testing {

struct probe_options {
    std::string client_id{};  ///< empty: the broker assigns one
    /// What the probe subscribes to as it begins. `#` is all but topics that begin with `$`.
    std::vector<std::string> filters{"#"};
    enum qos qos = qos::exactly_once;
    std::string user_name{};
    std::string password{};
    net::tls_options tls{};  ///< for mqtts and wss
    duration begin_within = std::chrono::seconds{10};
    /// Messages kept; of more the oldest are forgotten.
    std::size_t messages_max = 100'000;
};

/// What a wait came to.
struct probe_outcome {
    std::vector<probed_message> messages{};
    /// Why it failed: what was waited for, and what did arrive. Empty if it did not fail.
    std::string failure{};

    explicit operator bool() const { return failure.empty(); }
};

/// A wait that failed; `what()` tells what did arrive.
class probe_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A client of its own that hears what a broker says, for tests that wait for messages.
///
/// It is subscribed when the constructor returns, so nothing published after is missed. A wait
/// finds messages that have arrived before it, too; each message is returned by one wait only, so
/// the next wait for the same filter finds the next message, and order between filters does not
/// matter.
///
///     testing::message_probe probe(server);        // broker::server, through a pipe in memory
///     testing::message_probe probe(world, broker); // sim::world: waiting lets the world run
///     testing::message_probe probe("mqtt://127.0.0.1:1883");
///
///     ... what is tested opens a door ...
///     auto state = probe.wait_for("doors/+/state",
///                                 [](const auto& m) { return m.payload == "open"; }, 2s);
///     probe.expect_none("alarms/#", 100ms);
///
/// Time is that of the broker: virtual in a world, real elsewhere. <fleetarium/testing/catch2.hpp>
/// turns failures into those of Catch2.
/// Thread rule: one thread at a time; in a world the world's. The broker or world must outlive it.
class message_probe {
public:
    /// All throw probe_error if the probe is not subscribed in time, std::invalid_argument for
    /// filters or URLs that are none.
    message_probe(sim::world& world, sim::virtual_broker& broker,
                  const probe_options& options = {});
    explicit message_probe(broker::server& server, const probe_options& options = {});
    explicit message_probe(std::string_view url, const probe_options& options = {});
    ~message_probe();
    message_probe(message_probe&&) noexcept;
    message_probe& operator=(message_probe&&) noexcept;

    /// The first message not returned before whose topic matches the filter and for which `wanted`
    /// is true. Throws probe_error if none arrives in time.
    probed_message wait_for(std::string_view filter, duration within);
    probed_message wait_for(std::string_view filter, const message_predicate& wanted,
                            duration within);

    /// The first `count` of them.
    std::vector<probed_message> wait_for_count(std::string_view filter, std::size_t count,
                                               duration within);
    std::vector<probed_message> wait_for_count(std::string_view filter, std::size_t count,
                                               const message_predicate& wanted, duration within);

    /// Throws probe_error if such a message has arrived, and no wait has returned it, or arrives
    /// during that time.
    void expect_none(std::string_view filter, duration during);
    void expect_none(std::string_view filter, const message_predicate& wanted, duration during);

    // The same without exceptions; an empty `wanted` is every message

    probe_outcome try_wait_for(std::string_view filter, std::size_t count,
                               const message_predicate& wanted, duration within);
    probe_outcome try_expect_none(std::string_view filter, const message_predicate& wanted,
                                  duration during);

    /// All that has arrived and is kept, returned or not.
    std::vector<probed_message> messages() const;

    /// Forgets what has arrived: waits find what arrives from now on.
    void clear();

private:
    class implementation;
    std::unique_ptr<implementation> implementation_;
};

}  // namespace fleetarium::testing
