#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/random.hpp>
#include <fleetarium/sim/generator.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim {

/// How a field of a generator is shown.
enum class field_form : std::uint8_t {
    number,   ///< with `decimals`
    boolean,  ///< 0 is false, all else true
    name,     ///< one of generator_type::names(), by its number
};

struct generator_field {
    std::string_view name{};  ///< {generator.NAME}
    field_form form = field_form::number;
    std::uint8_t decimals = 2;  ///< unless generator_spec or placeholder say otherwise
    bool measured = true;       ///< noise, spikes and the range are for this field, too
};

/// The moment for which a device's value is wanted.
struct generator_moment {
    instant now{};               ///< virtual time
    duration since_begin{};      ///< since the device's fleet came to be
    duration elapsed{};          ///< since the last value; 0 again at an instant, or stateless
    random_key device{};         ///< of (seed, fleet, device, generator): what never changes
    random_key random{};         ///< of `device` and `now`: keys of draws for this moment
    std::uint64_t messages = 0;  ///< that the device has sent
    std::span<const double> inputs{};  ///< in the order of generator_type::inputs()
};

/// A kind of generator with its parameters: one object for all devices of a fleet, which keeps
/// nothing itself. What a device has to remember are numbers, of which there are as many as
/// state_size() says, at 8 bytes each.
///
/// Everything given must follow from the arguments alone, by arithmetic that is the same on every
/// machine: + - * /, std::sqrt, and core/exact_math.hpp; never <cmath>'s other functions, <random>
/// or a clock.
/// Thread rule: const calls from any thread, each with a state of its own.
class generator_type {
public:
    virtual ~generator_type() = default;

    /// What it gives; the first one is {generator} itself. Neither empty nor changing.
    virtual std::span<const generator_field> fields() const = 0;

    /// For fields of the form `name`.
    virtual std::span<const std::string> names() const { return {}; }

    /// How many numbers it remembers for each device; with any, the last instant is kept as well.
    virtual std::size_t state_size() const { return 0; }

    /// What it reads: generators further up, or numbers.
    virtual std::span<const generator_input> inputs() const { return {}; }

    /// Whether {generator} without a field has a meaning.
    virtual bool has_main_field() const { return true; }

    /// Makes the state at the moment the device's fleet came to be. `moment.inputs` are those of
    /// the first asking.
    virtual void start(const generator_moment&, std::span<double> /*state*/) const {}

    /// Moves the state on to the moment and gives a value for each field. Again for the same
    /// moment, with nothing elapsed, it must give the same. A value that is not a number counts
    /// as missing.
    virtual void advance(const generator_moment& moment, std::span<double> state,
                         std::span<double> values) const = 0;
};

/// The parameters that a scenario gives to a custom generator.
class generator_parameters {
public:
    explicit generator_parameters(const custom_generator& spec) : spec_(spec) {}

    /// Throw std::invalid_argument if there is no such parameter, or one of another kind.
    double number(std::string_view name) const;
    const std::string& text(std::string_view name) const;

    /// The same, but `otherwise` if there is no such parameter.
    double number(std::string_view name, double otherwise) const;

    /// Throws std::invalid_argument for a parameter that is none of these: a factory's last word.
    void expect_only(std::span<const std::string_view> names) const;

private:
    const std::variant<double, std::string>* find(std::string_view name) const;

    const custom_generator& spec_;
};

/// Makes a generator for a fleet. Throws std::invalid_argument for parameters that are wrong; the
/// text is shown as what was expected.
using generator_factory =
    std::function<std::unique_ptr<const generator_type>(const generator_parameters&)>;

/// Lets scenarios of this process say `{"custom": {"type": NAME, ...}}`.
/// Throws std::invalid_argument for a name in use, or none.
/// Thread rule: not while another thread reads or checks a scenario or makes a world: register
/// everything first, then start threads.
void register_generator(std::string name, generator_factory factory);

namespace detail {

/// In the order of names.
std::vector<std::string_view> registered_generators();

/// Null if there is no such name. Throws what the factory throws.
std::unique_ptr<const generator_type> make_custom_generator(const custom_generator& spec);

}  // namespace detail

}  // namespace fleetarium::sim
