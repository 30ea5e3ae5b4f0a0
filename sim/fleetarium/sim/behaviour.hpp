#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/distribution.hpp>
#include <fleetarium/sim/generator.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What devices do over time, as plain values: `fleet_spec::behaviour`.
///
/// Each device is in one state at a time. A state says whether the device is online and over which
/// network, which of its fleet's publications run, what it says when the state begins, and how the
/// state ends: after a time, after a number of steps, or by a transition that something starts.
/// What a device remembers are variables: texts or numbers that templates show as {name}, beside
/// {state}, {step}, {progress} (percent of the steps) and {cohort}.
///
/// The behaviour of a device begins when the device is to connect for the first time. Draws are a
/// function of (seed, fleet, device, count): the behaviour of one fleet changes nothing of another.
namespace fleetarium::sim {

/// A value as JSON tells them apart: a text, or what stands bare (a number, true, false, null).
struct variable_value {
    std::string text{};
    bool bare = false;

    bool operator==(const variable_value&) const = default;
};

struct variable_spec {
    std::string name{};      ///< letters, digits and _; not that of a placeholder or generator
    variable_value value{};  ///< at the beginning; a text is taken as it is
};

/// A comparison. Numbers compare as numbers; texts in their natural order, in which digits count
/// as numbers: 1.10 is after 1.9.
struct condition_spec {
    /// In `conditions`: a variable, a generator or one of its fields (`name.field`), `state`,
    /// `cohort`. In `where`: a member of the payload, such as `state.desired.version`.
    std::string of{};
    /// `<`, `<=`, `>`, `>=`, `!=` or `=` and a template; without a sign, equality.
    variable_value is{};
};

/// A state to go to, one of several.
struct choice_spec {
    std::string to{};
    double weight = 1;                         ///< >= 0; only the ratios matter
    std::vector<condition_spec> conditions{};  ///< all must hold for it to be among the choices
};

struct behaviour_message {
    std::string name{};     ///< for the report; empty: the topic template
    std::string topic{};    ///< template
    std::string payload{};  ///< template
    enum qos qos = qos::at_least_once;
    bool retain = false;
};

struct assignment_spec {
    std::string variable{};
    /// Template. A lone placeholder of a variable keeps whether that is a text or stands bare.
    variable_value value{};
};

struct taking_spec {
    std::string variable{};
    std::string member{};  ///< of the payload, such as `state.desired.version`; empty: all of it
};

struct adding_spec {
    std::string variable{};
    double by = 1;
};

/// What a device does at an instant, in this order.
struct action_spec {
    std::vector<taking_spec> takes{};  ///< from the payload of the message; all, or no transition
    std::vector<assignment_spec> sets{};
    std::vector<adding_spec> adds{};  ///< to a variable that is a number; to any other: from 0
    std::vector<behaviour_message> publish{};
};

/// A stretch of equal steps.
struct steps_spec {
    std::uint16_t count = 10;
    distribution every{};  ///< from one to the next, the first comes after one; at least 1 ms
    action_spec action{};  ///< of each; {step} is 1 at the first
};

enum class behaviour_link : std::uint8_t {
    online,   ///< connected, or trying to be
    goodbye,  ///< says DISCONNECT and stays away
    cut,      ///< away without a farewell; what is under way is lost
};

/// What happens to a device's connection.
enum class behaviour_occasion : std::uint8_t {
    connected,     ///< CONNACK said yes
    refused,       ///< an attempt to connect has failed
    disconnected,  ///< the connection was lost, or closed by the broker
    delivered,     ///< the last unacknowledged message of QoS 1 or 2 was acknowledged
};

/// Days of a week, Monday first. A run begins on Saturday, 2000-01-01, at 00:00.
enum class weekday : std::uint8_t { mon, tue, wed, thu, fri, sat, sun };

struct day_window {
    duration from{};   ///< time of day
    duration until{};  ///< time of day; before `from`: on the next day
};

/// What makes a device leave its state, or act without leaving it. Exactly one of the first six.
struct transition_spec {
    std::optional<std::string> on{};          ///< filter template: a message that matches comes
    std::optional<std::string> on_reply{};    ///< a publication that asks for replies: one came
    std::optional<std::string> on_timeout{};  ///< the same: none came within reply_timeout
    std::optional<behaviour_occasion> on_link{};
    std::optional<duration> every{};  ///< again and again, from the state's beginning on; >= 1 ms
    std::optional<duration> at{};     ///< time of day, each day

    std::vector<condition_spec> where{};  ///< of the message or reply
    std::vector<condition_spec> conditions{};
    std::optional<day_window> between{};
    std::vector<weekday> days{};  ///< only on these; empty: on all
    duration spread{};            ///< `at`: each device is late by up to this much
    double probability = 1;       ///< 0..1, drawn each time when all else holds

    action_spec action{};
    std::vector<choice_spec> to{};  ///< empty: the state goes on
};

struct state_spec {
    std::string name{};
    behaviour_link link = behaviour_link::online;
    std::optional<std::string> network{};  ///< of the scenario; none: the fleet's
    /// Names (or topic templates) of the fleet's publications that run; none: all.
    std::optional<std::vector<std::string>> publications{};
    action_spec enter{};
    std::optional<distribution> lasts{};  ///< at least 1 ms; then `then`
    std::optional<steps_spec> steps{};    ///< in place of `lasts`
    /// Where it goes afterwards; at once if there are neither `lasts` nor `steps`.
    std::vector<choice_spec> then{};
    std::vector<transition_spec> transitions{};  ///< the first that applies is taken
    bool final = false;                          ///< has no way out
};

/// Devices of a fleet that begin with other values than the rest.
struct cohort_spec {
    std::string name{};
    std::optional<std::uint32_t> first_device{};  ///< index, with last_device: these devices
    std::optional<std::uint32_t> last_device{};
    /// 0..1: so many of the devices that no cohort names by index, each drawn.
    std::optional<double> share{};
    std::vector<variable_spec> variables{};
};

/// A behaviour of the user's own; behaviour_type.hpp.
struct custom_behaviour {
    std::string behaviour{};  ///< as it was registered
    std::vector<custom_generator::parameter> parameters{};
};

/// What the devices of a fleet do over time: states, or code of the user's own.
struct behaviour_spec {
    std::vector<variable_spec> variables{};
    std::vector<cohort_spec> cohorts{};
    std::vector<choice_spec> initial{};  ///< empty: the first state
    std::vector<state_spec> states{};
    std::vector<transition_spec> transitions{};  ///< of all states, behind their own
    std::optional<custom_behaviour> custom{};
};

}  // namespace fleetarium::sim
