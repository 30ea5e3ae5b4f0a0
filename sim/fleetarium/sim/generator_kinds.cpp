#include <fleetarium/sim/generator_kinds.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/sim/generator_series.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <stdexcept>

namespace fleetarium::sim::detail {

namespace {

constexpr double full_circle = 6.283185307179586;

/// Decimals that show the number exactly, as far as six do.
std::uint8_t decimals_of(double number) {
    std::uint8_t decimals = 0;
    for (double scale = 1; decimals < 6 && std::floor(number * scale) != number * scale;
         scale *= 10) {
        ++decimals;
    }
    return decimals;
}

class constant_type final : public generator_type {
public:
    explicit constant_type(const constant_generator& spec)
        : spec_(spec),
          fields_{{{.name = "value",
                    .decimals = spec.spread == 0 ? decimals_of(spec.value) : std::uint8_t{2}}}} {}

    std::span<const generator_field> fields() const override { return fields_; }

    void advance(const generator_moment& moment, std::span<double>,
                 std::span<double> values) const override {
        auto draws = draws_for(moment.device, generator_draw::value);
        values[0] = spec_.value;
        if (spec_.spread != 0) {
            values[0] += spec_.spread * (2 * draws.uniform() - 1);
        }
    }

private:
    constant_generator spec_;
    std::array<generator_field, 1> fields_;
};

class counter_type final : public generator_type {
public:
    explicit counter_type(const counter_generator& spec)
        : spec_(spec),
          fields_{{{.name = "value",
                    .decimals = std::max(decimals_of(spec.start), decimals_of(spec.step))}}} {}

    std::span<const generator_field> fields() const override { return fields_; }
    std::size_t state_size() const override { return spec_.every ? 0 : 1; }

    void start(const generator_moment&, std::span<double> state) const override {
        if (!state.empty()) {
            state[0] = -1;  // the first asking is step 0
        }
    }

    void advance(const generator_moment& moment, std::span<double> state,
                 std::span<double> values) const override {
        double steps = 0;
        if (spec_.every) {
            steps = static_cast<double>(moment.since_begin / *spec_.every);
        } else {
            if (moment.elapsed > duration::zero() || state[0] < 0) {
                state[0] += 1;
            }
            steps = state[0];
        }
        if (spec_.wrap) {
            steps = remainder_of(steps, *spec_.wrap);
        }
        values[0] = spec_.start + steps * spec_.step;
    }

private:
    counter_generator spec_;
    std::array<generator_field, 1> fields_;
};

/// A Brownian path between mirrors is the path without them, folded.
class walk_type final : public generator_type {
public:
    explicit walk_type(const walk_generator& spec) : spec_(spec) {}

    std::span<const generator_field> fields() const override { return fields_; }
    std::size_t state_size() const override { return 1; }

    void start(const generator_moment& moment, std::span<double> state) const override {
        auto draws = draws_for(moment.device, generator_draw::value);
        const double part = draws.uniform();
        state[0] = spec_.start ? *spec_.start : spec_.min * (1 - part) + spec_.max * part;
    }

    void advance(const generator_moment& moment, std::span<double> state,
                 std::span<double> values) const override {
        if (moment.elapsed > duration::zero()) {
            auto draws = draws_for(moment.random, generator_draw::value);
            const double steps = static_cast<double>(moment.elapsed.count()) /
                                 static_cast<double>(spec_.every.count());
            state[0] = fold(state[0] + spec_.step * std::sqrt(steps) * normal_draw(draws));
        }
        values[0] = state[0];
    }

private:
    double fold(double free) const {
        const double width = spec_.max - spec_.min;
        if (!(width > 0)) {
            return spec_.min;
        }
        const double there = remainder_of(free - spec_.min, 2 * width);
        return spec_.min + (there <= width ? there : 2 * width - there);
    }

    static constexpr std::array<generator_field, 1> fields_{{{.name = "value"}}};
    walk_generator spec_;
};

/// The transition over any time is normal: mean reversion by e^(-t / time constant).
class ornstein_uhlenbeck_type final : public generator_type {
public:
    explicit ornstein_uhlenbeck_type(const ornstein_uhlenbeck_generator& spec) : spec_(spec) {}

    std::span<const generator_field> fields() const override { return fields_; }
    std::size_t state_size() const override { return 1; }

    void start(const generator_moment& moment, std::span<double> state) const override {
        auto draws = draws_for(moment.device, generator_draw::value);
        state[0] = spec_.deviation * normal_draw(draws);
    }

    void advance(const generator_moment& moment, std::span<double> state,
                 std::span<double> values) const override {
        if (moment.elapsed > duration::zero()) {
            auto draws = draws_for(moment.random, generator_draw::value);
            const double kept = exact_math::exp(-static_cast<double>(moment.elapsed.count()) /
                                                static_cast<double>(spec_.time_constant.count()));
            state[0] =
                kept * state[0] + spec_.deviation * std::sqrt(1 - kept * kept) * normal_draw(draws);
        }
        values[0] = spec_.mean + state[0];
    }

private:
    static constexpr std::array<generator_field, 1> fields_{{{.name = "value"}}};
    ornstein_uhlenbeck_generator spec_;
};

class sine_type final : public generator_type {
public:
    explicit sine_type(const sine_generator& spec) : spec_(spec) {}

    std::span<const generator_field> fields() const override { return fields_; }

    void advance(const generator_moment& moment, std::span<double>,
                 std::span<double> values) const override {
        duration late{};
        if (spec_.spread > duration::zero()) {
            auto draws = draws_for(moment.device, generator_draw::value);
            late = duration(draws.between(0, spec_.spread.count()));
        }
        const duration at = moment.now.time_since_epoch() - late;
        values[0] = spec_.mean + spec_.amplitude * height(at - spec_.peak, spec_.period);
        if (spec_.season) {
            values[0] +=
                spec_.season->amplitude * height(at - spec_.season->peak, spec_.season->period);
        }
    }

private:
    /// 1 at the beginning of a period, -1 in its middle.
    static double height(duration at, duration period) {
        const auto into = static_cast<double>((at % period).count());
        return exact_math::cos(full_circle * (into / static_cast<double>(period.count())));
    }

    static constexpr std::array<generator_field, 1> fields_{{{.name = "value"}}};
    sine_generator spec_;
};

/// State: which, the second it began, the second it ends. Draws belong to the change's number, so
/// a path does not depend on who looks at it.
class states_type final : public generator_type {
public:
    explicit states_type(const states_generator& spec) : spec_(spec) {
        fields_[1].decimals = 0;
        for (const generator_state& each : spec_.states) {
            names_.push_back(each.name);
            fields_[1].decimals = std::max(fields_[1].decimals, decimals_of(each.value));
        }
        for (const generator_state& each : spec_.states) {
            std::vector<std::pair<std::size_t, double>> next;
            double total = 0;
            for (const state_change& change : each.next) {
                total += change.weight;
                next.emplace_back(index_of(change.to), total);
            }
            next_.push_back(std::move(next));
        }
    }

    std::span<const generator_field> fields() const override { return fields_; }
    std::span<const std::string> names() const override { return names_; }
    std::size_t state_size() const override { return 4; }

    void start(const generator_moment& moment, std::span<double> state) const override {
        const std::size_t first = spec_.start.empty() ? 0 : index_of(spec_.start);
        enter(moment, state, first, 0);
    }

    void advance(const generator_moment& moment, std::span<double> state,
                 std::span<double> values) const override {
        const double now = seconds_of(moment.since_begin);
        while (state[2] <= now) {
            enter(moment, state, successor(moment, state), state[2]);
        }
        const auto which = static_cast<std::size_t>(state[0]);
        values[0] = state[0];
        values[1] = spec_.states[which].value;
        values[2] = now - state[1];
    }

private:
    static constexpr duration stay_min = std::chrono::milliseconds{1};

    std::size_t index_of(const std::string& name) const {
        const auto found = std::find(names_.begin(), names_.end(), name);
        if (found == names_.end()) {
            throw std::invalid_argument("a state named \"" + name + "\" is not there");
        }
        return static_cast<std::size_t>(found - names_.begin());
    }

    /// Two draws for each change: where to, and how long.
    random_stream draws_of(const generator_moment& moment, std::span<double> state) const {
        return random_stream(draws_for(moment.device, generator_draw::value).key(),
                             static_cast<std::uint32_t>(state[3]));
    }

    std::size_t successor(const generator_moment& moment, std::span<double> state) const {
        const auto& next = next_[static_cast<std::size_t>(state[0])];
        auto draws = draws_of(moment, state);
        state[3] += 1;
        const double wanted = draws.uniform() * next.back().second;
        for (const auto& [which, until] : next) {
            if (wanted < until) {
                return which;
            }
        }
        return next.back().first;
    }

    void enter(const generator_moment& moment, std::span<double> state, std::size_t which,
               double at) const {
        auto draws = draws_of(moment, state);
        state[3] += 1;
        const duration stay = std::max(spec_.states[which].stay.sample_duration(draws), stay_min);
        state[0] = static_cast<double>(which);
        state[1] = at;
        // Nothing follows: the end never comes.
        state[2] = next_[which].empty() ? seconds_of(duration::max()) * 4 : at + seconds_of(stay);
    }

    std::array<generator_field, 3> fields_{
        {{.name = "name", .form = field_form::name, .decimals = 0, .measured = false},
         {.name = "value"},
         {.name = "since", .decimals = 0, .measured = false}}};
    states_generator spec_;
    std::vector<std::string> names_;
    std::vector<std::vector<std::pair<std::size_t, double>>> next_;  // with running weights
};

class series_type final : public generator_type {
public:
    explicit series_type(const series_generator& spec) : spec_(spec) {
        if (spec_.values == nullptr) {
            auto read = read_series(spec_, "");
            if (const auto* wrong = std::get_if<config::problem>(&read)) {
                throw std::invalid_argument(config::to_string(*wrong));
            }
            spec_.values = std::get<std::shared_ptr<const value_series>>(std::move(read));
        }
        fields_[0].decimals = spec_.values->decimals();
    }

    std::span<const generator_field> fields() const override { return fields_; }

    void advance(const generator_moment& moment, std::span<double>,
                 std::span<double> values) const override {
        duration at = moment.since_begin;
        if (spec_.spread > duration::zero()) {
            auto draws = draws_for(moment.device, generator_draw::value);
            at += duration(draws.between(0, spec_.spread.count()));
        }
        values[0] = spec_.values->at(at, spec_.between, spec_.end);
    }

private:
    std::array<generator_field, 1> fields_{{{.name = "value"}}};
    series_generator spec_;
};

class sum_type final : public generator_type {
public:
    explicit sum_type(const sum_generator& spec) : offset_(spec.offset) {
        for (const sum_term& each : spec.terms) {
            inputs_.push_back({.from = each.of});
            times_.push_back(each.times);
        }
    }

    std::span<const generator_field> fields() const override { return fields_; }
    std::span<const generator_input> inputs() const override { return inputs_; }

    void advance(const generator_moment& moment, std::span<double>,
                 std::span<double> values) const override {
        double sum = offset_;
        for (std::size_t i = 0; i < times_.size(); ++i) {
            sum += times_[i] * moment.inputs[i];
        }
        values[0] = sum;
    }

private:
    static constexpr std::array<generator_field, 1> fields_{{{.name = "value"}}};
    double offset_;
    std::vector<generator_input> inputs_;
    std::vector<double> times_;
};

}  // namespace

std::unique_ptr<const generator_type> make_generator(const generator_spec& spec) {
    if (spec.constant) {
        return std::make_unique<constant_type>(*spec.constant);
    }
    if (spec.counter) {
        return std::make_unique<counter_type>(*spec.counter);
    }
    if (spec.walk) {
        return std::make_unique<walk_type>(*spec.walk);
    }
    if (spec.ornstein_uhlenbeck) {
        return std::make_unique<ornstein_uhlenbeck_type>(*spec.ornstein_uhlenbeck);
    }
    if (spec.sine) {
        return std::make_unique<sine_type>(*spec.sine);
    }
    if (spec.states) {
        return std::make_unique<states_type>(*spec.states);
    }
    if (spec.battery) {
        return make_battery(*spec.battery);
    }
    if (spec.thermal) {
        return make_thermal(*spec.thermal);
    }
    if (spec.route) {
        return make_route(*spec.route);
    }
    if (spec.csv) {
        return std::make_unique<series_type>(*spec.csv);
    }
    if (spec.sum) {
        return std::make_unique<sum_type>(*spec.sum);
    }
    FLEETARIUM_ASSERT(spec.custom.has_value());
    return make_custom_generator(*spec.custom);
}

}  // namespace fleetarium::sim::detail
