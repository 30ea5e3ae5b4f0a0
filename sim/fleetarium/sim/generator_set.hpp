#pragma once

#include <fleetarium/sim/generator_type.hpp>
#include <fleetarium/sim/text_template.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fleetarium::sim::detail {

/// The generators of a fleet, ready to use.
///
/// A device's state is one stretch of numbers, 8 bytes each, all 0 at first. Each generator takes:
/// nothing if its type remembers nothing (constant, counter of time, sine, csv, sum); else 8 bytes
/// for the last instant, and walk 8, ornstein_uhlenbeck 8, counter of messages 8, states 32,
/// battery 32, thermal 24, route 16; 16 for stuck and 8 more for each of its fields; 16 for gaps.
/// Thread rule: the fleet's.
class generator_set {
public:
    /// What a template needs: the generators in an order in which each comes after those it
    /// reads, and the fields that are shown.
    struct plan {
        std::vector<std::uint32_t> order;
        std::vector<generator_use> uses;
        std::vector<std::uint32_t> shown;  ///< generators whose fields are shown, each once
    };

    struct device_moment {
        instant now{};
        instant begin{};             ///< when the fleet came to be
        random_key device{};         ///< of (seed, fleet, device)
        std::uint64_t messages = 0;  ///< sent by the device
    };

    generator_set() = default;

    /// Throws std::invalid_argument with the first of the problems that check_generators finds.
    explicit generator_set(std::span<const generator_spec> specs);

    std::span<const generator_names> names() const { return names_; }

    /// Numbers of state for each device.
    std::size_t state_size() const { return state_size_; }

    plan plan_for(std::span<const generator_use> uses) const;

    /// Moves the generators of the plan on to the moment, and gives the values of plan.uses, valid
    /// until the next call; fewer than uses, none at all, if the message is to be skipped.
    /// Allocates nothing once the largest plan has been seen.
    std::span<const generator_value> evaluate(const plan& wanted, const device_moment& moment,
                                              std::span<double> state);

private:
    struct member {
        std::unique_ptr<const generator_type> type;
        generator_spec spec;
        std::uint64_t name_hash = 0;
        std::size_t first_field = 0;  // in truth_ and shown_
        std::size_t field_count = 0;
        std::vector<generator_use> inputs;  // those of type->inputs() that name a generator
        std::size_t begin = 0;              // of its state: the last instant, the type's,
        std::size_t stuck = 0;              // from here: stuck,
        std::size_t gap = 0;                // from here: gaps
    };

    void add(const generator_spec& spec);
    void advance(const member& one, const device_moment& moment, std::span<double> state);
    bool measure(const member& one, const device_moment& moment, std::span<double> state);
    void hold_if_stuck(const member& one, const generator_moment& moment, std::span<double> state);
    static random_key key_of(const member& one, const device_moment& moment) {
        return {combine(moment.device.value, one.name_hash)};
    }

    std::vector<member> members_;
    std::vector<generator_names> names_;
    std::size_t state_size_ = 0;
    // Of the device in hand, by field: what is, and what its sensors make of it.
    std::vector<double> truth_;
    std::vector<double> shown_;
    std::vector<std::uint8_t> missing_;  // by generator
    std::vector<double> inputs_;
    std::vector<generator_value> values_;
};

}  // namespace fleetarium::sim::detail
