#pragma once

#include <fleetarium/core/distribution.hpp>
#include <fleetarium/sim/behaviour.hpp>
#include <fleetarium/sim/behaviour_type.hpp>
#include <fleetarium/sim/behaviour_values.hpp>
#include <fleetarium/sim/device_text.hpp>
#include <fleetarium/sim/generator_set.hpp>
#include <fleetarium/sim/memory_network.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fleetarium::sim::detail {

/// What a text shows: generators, and values of the behaviour.
struct content_plan {
    static constexpr std::uint32_t of_generator = 0xFFFF'FFFF;

    generator_set::plan generators;
    /// For each use of the text: a number of machine_value and up, or of_generator for the next of
    /// `generators.uses`. Empty: the behaviour is not asked.
    std::vector<std::uint32_t> values;

    bool is_empty() const { return generators.uses.empty() && values.empty(); }
};

/// What templates know of a behaviour, in this order; variables follow.
enum class machine_value : std::uint32_t { state, step, progress, cohort };
inline constexpr std::uint32_t machine_values = 4;

/// The names of machine_value and of the variables, as templates know them.
std::vector<generator_names> names_of(const behaviour_spec& spec);

/// Of a device with a behaviour, what it is about. Behind it in memory are its variable_slots, or
/// of a custom behaviour its timers and its state.
struct behaviour_place {
    static constexpr std::uint16_t not_begun = 0xFFFF;

    instant until = never;  ///< the next step, or the end of the stay
    instant check = never;  ///< the next transition with a time
    instant entered{};
    std::uint32_t draws = 0;
    std::uint32_t messages = 0;  ///< made by the behaviour
    std::uint16_t state = not_begun;
    std::uint16_t steps = 0;    ///< done
    std::uint16_t network = 0;  ///< of the present link, in machine::networks
    std::uint16_t wanted_network = 0;
    std::uint16_t cohort = 0;  ///< 0: none, else number + 1
    std::uint8_t goes = 0;     ///< custom: a behaviour_link
};

/// A fleet's behaviour made ready to use: plain values, without any device.
struct behaviour_machine {
    struct text {
        device_text body;
        content_plan plan;
    };
    enum class comparison : std::uint8_t {
        less,
        less_equal,
        greater,
        greater_equal,
        unequal,
        equal
    };
    struct condition {
        comparison how = comparison::equal;
        std::uint32_t value = 0;  ///< machine_value and up, or content_plan::of_generator
        content_plan generator;   ///< with one use
        std::string member;       ///< of a payload
        text operand;
        bool operand_bare = false;
    };
    struct choice {
        std::uint16_t to = 0;
        double weight = 1;
        std::vector<condition> conditions;
    };
    struct message {
        const behaviour_message* spec = nullptr;
        text topic;
        text payload;
        std::uint32_t source = 0;
        std::uint32_t first_walk = 0;
    };
    struct taking {
        std::uint32_t variable;
        std::string member;
    };
    struct assignment {
        std::uint32_t variable;
        text value;
        bool bare;
        bool lone;  ///< keeps the kind of what it shows
    };
    struct adding {
        std::uint32_t variable;
        double by;
    };
    struct action {
        std::vector<taking> takes;
        std::vector<assignment> sets;
        std::vector<adding> adds;
        std::vector<std::uint32_t> messages;  ///< in machine.messages
    };
    struct transition {
        const transition_spec* spec = nullptr;
        std::uint32_t number = 0;  ///< in the behaviour
        std::optional<device_text> on;
        std::uint32_t publication = 0;  ///< on_reply, on_timeout
        std::vector<condition> where;
        std::vector<condition> conditions;
        action does;
        std::vector<choice> to;
    };
    struct state {
        const state_spec* spec = nullptr;
        std::vector<bool> runs;  ///< by publication; empty: all
        std::uint16_t network = 0;
        action enter;
        action step;
        std::vector<choice> then;
        std::vector<transition> transitions;
        std::uint64_t entered = 0;  ///< times, over all devices
    };

    std::vector<generator_names> names;  ///< of generators, then machine_value and up
    std::size_t generator_count = 0;
    std::vector<choice> initial;
    std::vector<state> states;
    std::vector<transition> transitions;
    std::vector<message> messages;
    std::vector<const network*> networks;  ///< the fleet's, then others
    bool has_timeouts = false;             ///< a transition waits for a reply that does not come
    std::unique_ptr<const behaviour_type> custom;
    std::uint32_t custom_source = 0;

    variable_pool pool;
    // Of the device in hand
    std::vector<generator_value> shown;
    std::string value_text;
    std::string member_text;
    std::string topic_text;
    std::string payload_text;
    std::vector<std::uint32_t> missed;  ///< publications whose requests have not been answered
};

}  // namespace fleetarium::sim::detail
