#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/random.hpp>
#include <fleetarium/sim/behaviour.hpp>
#include <fleetarium/sim/generator_type.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fleetarium::sim {

/// A device in the hands of its behaviour: what it knows and what it can do. Valid during the call
/// that it was given to.
class behaving_device {
public:
    virtual ~behaving_device() = default;

    virtual std::uint32_t index() const = 0;  ///< in its fleet
    virtual std::string_view client_id() const = 0;
    virtual instant now() const = 0;                 ///< by the device's clock
    virtual bool is_connected() const = 0;           ///< CONNACK has said yes
    virtual std::size_t unacknowledged() const = 0;  ///< messages of QoS 1 and 2

    /// What behaviour_type::state_size() asked for, all 0 at first; aligned as doubles are.
    virtual std::span<std::byte> memory() = 0;

    /// The memory as a plain struct of that size or less.
    template <class State>
    State& state() {
        static_assert(std::is_trivially_copyable_v<State> && alignof(State) <= alignof(double));
        return *reinterpret_cast<State*>(memory().data());
    }

    /// Draws of this device for its behaviour: they depend on the seed, the fleet, the device, and
    /// how many were made before.
    virtual std::uint64_t random_bits() = 0;
    double random_unit() { return unit_interval(random_bits()); }  ///< [0, 1)

    /// As by a publication of the fleet: lost with QoS 0 while not connected, else it waits.
    virtual void publish(std::string_view topic, std::string_view payload,
                         enum qos qos = qos::at_most_once, bool retain = false) = 0;
    /// Asks the broker now; nothing while not connected. With a session that is new the fleet's own
    /// subscriptions are made anew, those made here are not: make them in `connected`.
    virtual void subscribe(std::string_view filter, enum qos qos = qos::at_least_once) = 0;
    virtual void unsubscribe(std::string_view filter) = 0;

    /// Wants to be online from now on; a connection that breaks is made anew.
    virtual void connect() = 0;
    /// Says DISCONNECT and stays away, once all callbacks of the instant are done.
    virtual void disconnect() = 0;
    /// Breaks the link without a farewell and stays away.
    virtual void vanish() = 0;

    /// Calls `timer(which)` after `delay`, at least 1 ms, in place of what it was set to before.
    virtual void after(duration delay, std::uint32_t which = 0) = 0;
    virtual void cancel(std::uint32_t which = 0) = 0;
};

/// A message that has come. The views are valid during the call.
struct message_view {
    std::string_view topic{};
    std::string_view payload{};
    enum qos qos = qos::at_most_once;
    bool retain = false;
};

/// A behaviour with its parameters: one object for all devices of a fleet, which keeps nothing
/// itself. What a device has to remember is in behaving_device::memory().
///
/// What it does must follow from what it is given, by arithmetic that is the same on every machine
/// (generator_type.hpp says which), or traces differ.
/// Thread rule: const calls from any thread, for different devices.
class behaviour_type {
public:
    virtual ~behaviour_type() = default;

    /// Bytes that a device has to remember.
    virtual std::size_t state_size() const { return 0; }
    /// How many timers a device has.
    virtual std::uint32_t timer_count() const { return 1; }

    /// The device is to connect for the first time: it is offline until this says `connect`.
    virtual void begin(behaving_device& device) const { device.connect(); }
    virtual void connected(behaving_device&, bool /*session_present*/) const {}
    /// An attempt to connect failed, or a connection was lost; not after the behaviour's own
    /// `disconnect` or `vanish`.
    virtual void disconnected(behaving_device&) const {}
    virtual void message(behaving_device&, const message_view&) const {}
    virtual void timer(behaving_device&, std::uint32_t /*which*/) const {}
    /// No message of QoS 1 or 2 waits for an acknowledgement any more.
    virtual void delivered(behaving_device&) const {}
};

/// Makes a behaviour for a fleet. Throws std::invalid_argument for parameters that are wrong; the
/// text is shown as what was expected.
using behaviour_factory =
    std::function<std::unique_ptr<const behaviour_type>(const generator_parameters&)>;

/// Lets scenarios of this process say `{"custom": {"behaviour": NAME, ...}}`.
/// Throws std::invalid_argument for a name in use, or none.
/// Thread rule: as register_generator.
void register_behaviour(std::string name, behaviour_factory factory);

namespace detail {

/// In the order of names.
std::vector<std::string_view> registered_behaviours();

/// Null if there is no such name. Throws what the factory throws.
std::unique_ptr<const behaviour_type> make_custom_behaviour(const custom_behaviour& spec);

}  // namespace detail

}  // namespace fleetarium::sim
