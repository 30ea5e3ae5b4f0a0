#pragma once

#include <fleetarium/core/exact_math.hpp>
#include <fleetarium/core/random.hpp>
#include <fleetarium/sim/generator_type.hpp>

#include <cmath>
#include <memory>

/// The built-in kinds of generators: what generator.hpp describes, put to work.
namespace fleetarium::sim::detail {

/// Of a spec with exactly one kind whose parameters make sense (check_generators).
/// Throws std::invalid_argument where a custom type is not registered or refuses its parameters.
std::unique_ptr<const generator_type> make_generator(const generator_spec& spec);

// generator_models.cpp: what has physics.
std::unique_ptr<const generator_type> make_battery(const battery_generator& spec);
std::unique_ptr<const generator_type> make_thermal(const thermal_generator& spec);
std::unique_ptr<const generator_type> make_route(const route_generator& spec);

/// Draws of a generator, each under a number of its own; added to at the end only.
enum class generator_draw : std::uint64_t { value, noise, spike, spike_size, missing, stuck, gap };

/// A fresh draw for a purpose at a moment.
inline random_stream draws_for(random_key key, generator_draw what) {
    return random_stream(random_key{combine(key.value, static_cast<std::uint64_t>(what))});
}

/// A draw from the standard normal distribution.
inline double normal_draw(random_stream& draws) {
    // Within (0, 1): never an infinity.
    const double part = (static_cast<double>(draws.next_u64() >> 12) + 0.5) * 0x1p-52;
    return exact_math::normal_quantile(part);
}

inline double seconds_of(duration span) { return static_cast<double>(span.count()) / 1e9; }
inline double hours_of(duration span) { return static_cast<double>(span.count()) / 3600e9; }

/// What is left of x after whole multiples of `length` > 0: within [0, length). Exact bits for any
/// machine: a division, a rounding down and a product.
inline double remainder_of(double x, double length) {
    const double left = x - std::floor(x / length) * length;
    return left >= 0 && left < length ? left : 0;
}

}  // namespace fleetarium::sim::detail
