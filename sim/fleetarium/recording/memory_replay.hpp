#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/recording/replay_schedule.hpp>
#include <fleetarium/recording/traffic_source.hpp>
#include <fleetarium/sim/world.hpp>

#include <cstdint>
#include <functional>
#include <utility>

namespace fleetarium::recording {

/// Where a replay without sockets goes.
class traffic_sink {
public:
    virtual ~traffic_sink() = default;
    /// Time goes on; `now` never falls.
    virtual void advance(instant now) = 0;
    /// Errors: those of whoever takes the message.
    virtual result<void> publish(const traffic_message& message, instant now) = 0;
};

/// A broker core: what its clients are to get is given to `carry`.
class core_sink final : public traffic_sink {
public:
    explicit core_sink(broker::broker_core& to,
                       std::function<void(broker::broker_output&&)> carry = {})
        : to_(to), carry_(std::move(carry)) {}

    void advance(instant now) override;
    result<void> publish(const traffic_message& message, instant now) override;

private:
    void carry_outputs();

    broker::broker_core& to_;
    std::function<void(broker::broker_output&&)> carry_;
};

/// A broker in a world, which runs on between the messages.
class world_sink final : public traffic_sink {
public:
    world_sink(sim::world& in, sim::virtual_broker& to) : in_(in), to_(to) {}

    void advance(instant now) override;
    result<void> publish(const traffic_message& message, instant now) override;

private:
    sim::world& in_;
    sim::virtual_broker& to_;
};

struct memory_replay_sums {
    std::uint64_t published = 0;
    std::uint64_t refused = 0;
};

/// Publishes all that is left in `from`, in virtual time: the first message at `begin`, the others
/// after it as recorded, `speed` times as fast; at replay_schedule::as_fast_as_possible all of
/// them at `begin`. Throws recording_error.
memory_replay_sums replay_into(traffic_sink& to, traffic_source& from, instant begin = {},
                               double speed = 1);

}  // namespace fleetarium::recording
