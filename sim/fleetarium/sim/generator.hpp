#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/distribution.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// What devices measure, as plain values: `fleet_spec::generators`.
///
/// Each device has each generator of its fleet to itself. A payload asks for its value as {name},
/// or as {name.field} where it has several; whatever a device says at one instant agrees, since
/// the value at an instant is made once. The state moves on with virtual time, from one asking to
/// the next, by steps that are exact for any length of time.
///
/// Draws are a function of (seed, fleet, device, name of the generator, instant): a generator more
/// changes no other, and a generator that nothing asks for costs memory and no time. Sines, series
/// and Markov chains do not depend on when they are asked; the path of a walk or of an
/// Ornstein-Uhlenbeck process does, its law does not.
///
/// On each value there may be noise, spikes, stretches of being stuck, gaps, and a range; in this
/// order. Generators that read another one see it without all these: the world, not the sensor.
namespace fleetarium::sim {

class value_series;

/// A number, or the value of a generator further up in the list: `name` or `name.field`.
struct generator_input {
    double value = 0;
    std::string from{};  ///< empty: `value`

    bool operator==(const generator_input&) const = default;
};

/// Always the same.
struct constant_generator {
    double value = 0;
    double spread = 0;  ///< each device's own value is up to this far from it
};

/// Counts messages, or time.
struct counter_generator {
    double start = 0;
    double step = 1;
    /// One step each time this is over; none: one step from each asking instant to the next.
    std::optional<duration> every{};
    std::optional<double> wrap{};  ///< begins again at `start` after so many steps
};

/// A random walk between two walls that throw it back: Brownian motion.
struct walk_generator {
    double min = 0;
    double max = 1;
    double step = 0.1;  ///< standard deviation of the change within `every`
    duration every = std::chrono::minutes{1};
    std::optional<double> start{};  ///< none: anywhere between the walls
};

/// Noise that returns to its mean: fluctuations that have a memory.
struct ornstein_uhlenbeck_generator {
    double mean = 0;
    double deviation = 1;                               ///< standard deviation in the long run
    duration time_constant = std::chrono::minutes{10};  ///< how long it remembers
};

struct season_spec {
    double amplitude = 1;
    duration period = std::chrono::hours{24 * 365};
    duration peak{};  ///< when it is highest, from the beginning of the run
};

/// A wave, and a slower one on top.
struct sine_generator {
    double mean = 0;
    double amplitude = 1;
    duration period = std::chrono::hours{24};
    duration peak{};  ///< when it is highest, from the beginning of the run
    std::optional<season_spec> season{};
    duration spread{};  ///< each device is late by up to this much
};

struct state_change {
    std::string to{};
    double weight = 1;  ///< >= 0; only the ratios matter
};

struct generator_state {
    std::string name{};
    double value = 0;                  ///< {generator.value}
    distribution stay{};               ///< how long it lasts; at least 1 ms
    std::vector<state_change> next{};  ///< empty: it lasts for ever
};

/// A Markov chain in time. {generator} is the name of the state, {generator.value} its value,
/// {generator.since} the seconds since it began.
struct states_generator {
    std::vector<generator_state> states{};
    std::string start{};  ///< empty: the first
};

/// A battery. {generator} is the charge in percent, {generator.charge} in units, {generator.volts}
/// on the line from empty to full, {generator.charging} true or false.
struct battery_generator {
    double capacity = 1;           ///< in any unit, such as mAh
    generator_input drain{};       ///< units an hour, at all times
    double drain_per_message = 0;  ///< units for each message that the device sends
    double charge = 0;             ///< units an hour while charging
    double charge_below = 20;      ///< percent: charging begins
    double charge_until = 100;     ///< percent: charging ends
    double start = 100;            ///< percent
    double spread = 0;             ///< percent points: devices begin with up to this less
    double volts_empty = 3.0;
    double volts_full = 4.2;
};

/// Something warm in something cold, with a thermostat: {generator} is the temperature,
/// {generator.heating} true or false, {generator.ambient} what is around it.
struct thermal_generator {
    generator_input ambient{};
    duration time_constant = std::chrono::hours{1};  ///< to lose 63 % of a difference
    double heater = 0;              ///< degrees above ambient that a heater on for ever gives
    double setpoint = 20;           ///< what the thermostat keeps
    double hysteresis = 0.5;        ///< on at half of it below, off at half of it above
    std::optional<double> start{};  ///< none: ambient at the beginning
};

struct route_point {
    double lat = 0;  ///< latitude in degrees, -90..90
    double lon = 0;  ///< longitude in degrees, -180..180
};

enum class route_end : std::uint8_t {
    loop,  ///< on to the first point, and again
    turn,  ///< back the same way
    stop,  ///< stay there
};

/// A way on a map: {generator.lat}, {generator.lon}, {generator.heading} (degrees clockwise from
/// north), {generator.speed} (m/s), {generator.distance} (m since the beginning).
/// Between points the way is straight on a map whose scale is right at its middle: right to 1 %
/// where neighbours are up to some hundred kilometres apart.
struct route_generator {
    std::vector<route_point> points{};
    generator_input speed{};  ///< m/s; below 0 counts as 0
    route_end end = route_end::loop;
    bool anywhere = false;  ///< each device begins somewhere on the way
};

enum class series_end : std::uint8_t { loop, hold };

/// A column of a CSV file as it was measured.
struct series_generator {
    std::string file{};  ///< relative to the scenario's folder; C++: to the process's
    std::string column{};
    std::string time{};   ///< column of times; empty: rows are `period` apart
    duration period{};    ///< also from the last row to the first of a loop
    bool between = true;  ///< straight from row to row; else each lasts to the next
    series_end end = series_end::loop;
    duration spread{};  ///< each device is ahead by up to this much
    /// What is in the file: the loader of scenarios puts it here, for all worlds to share. Null:
    /// the file is read when the fleet is added to a world.
    std::shared_ptr<const value_series> values{};
};

struct sum_term {
    std::string of{};  ///< a generator further up: `name` or `name.field`
    double times = 1;
};

/// A linear combination: how fields hang together.
struct sum_generator {
    double offset = 0;
    std::vector<sum_term> terms{};
};

/// A generator of the user's own; generator_type.hpp.
struct custom_generator {
    using parameter = std::pair<std::string, std::variant<double, std::string>>;

    std::string type{};  ///< as it was registered
    std::vector<parameter> parameters{};
};

struct spike_spec {
    double probability = 0;  ///< of each value
    double min = 0;          ///< what is added, evenly between these
    double max = 0;
};

/// Stretches in which the last value is given again and again.
struct stuck_spec {
    distribution every{};  ///< from the end of one to the beginning of the next
    distribution lasts{};
};

enum class missing_as : std::uint8_t {
    null,  ///< the placeholder is null
    skip,  ///< the message is not made
};

/// Values that are not there: now and then, or for stretches, or both.
struct missing_spec {
    double probability = 0;  ///< of each value
    std::optional<stuck_spec> gaps{};
    missing_as as = missing_as::null;
};

/// One generator: exactly one of the kinds, and what comes on top.
struct generator_spec {
    std::string name{};  ///< letters, digits and _; not that of a placeholder
    std::optional<constant_generator> constant{};
    std::optional<counter_generator> counter{};
    std::optional<walk_generator> walk{};
    std::optional<ornstein_uhlenbeck_generator> ornstein_uhlenbeck{};
    std::optional<sine_generator> sine{};
    std::optional<states_generator> states{};
    std::optional<battery_generator> battery{};
    std::optional<thermal_generator> thermal{};
    std::optional<route_generator> route{};
    std::optional<series_generator> csv{};
    std::optional<sum_generator> sum{};
    std::optional<custom_generator> custom{};

    std::optional<std::uint8_t> decimals{};  ///< 0..9; none: as the kind has it
    double noise = 0;                        ///< standard deviation of what a sensor adds
    std::optional<spike_spec> spikes{};
    std::optional<stuck_spec> stuck{};
    std::optional<missing_spec> missing{};
    std::optional<double> min{};  ///< of the sensor's range: what is below reads as this
    std::optional<double> max{};
};

}  // namespace fleetarium::sim
