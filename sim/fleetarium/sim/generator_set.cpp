#include <fleetarium/sim/generator_set.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/sim/generator_check.hpp>
#include <fleetarium/sim/generator_kinds.hpp>

#include <algorithm>
#include <bit>
#include <limits>
#include <stdexcept>

namespace fleetarium::sim::detail {

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

bool is_finite(double number) { return number - number == 0; }

/// Keeps generators apart from all other draws of a device.
constexpr std::uint64_t generator_domain = hash_text("generator");

/// Stretches that come and go: state[0] is the second of the next change, state[1] how many there
/// have been. An odd number of them is a stretch.
bool is_within(const stuck_spec& spec, const generator_moment& moment, generator_draw what,
               std::span<double> state) {
    const double now = seconds_of(moment.since_begin);
    const random_key key = draws_for(moment.device, what).key();
    constexpr duration length_min = std::chrono::milliseconds{1};
    while (state[0] <= now) {
        if (state[0] > 0) {
            state[1] += 1;
        }
        random_stream draws(key, static_cast<std::uint32_t>(state[1]));
        const bool within = static_cast<std::uint64_t>(state[1]) % 2 != 0;
        const duration length = (within ? spec.lasts : spec.every).sample_duration(draws);
        state[0] += seconds_of(std::max(length, length_min));
    }
    return static_cast<std::uint64_t>(state[1]) % 2 != 0;
}

}  // namespace

generator_set::generator_set(std::span<const generator_spec> specs) {
    auto verdict = check_generators(specs, "/generators");
    if (!verdict.problems.empty()) {
        throw std::invalid_argument(config::to_string(verdict.problems.front()));
    }
    names_ = std::move(verdict.names);
    for (const generator_spec& each : specs) {
        add(each);
    }
}

void generator_set::add(const generator_spec& spec) {
    member made;
    made.spec = spec;
    made.type = make_generator(spec);
    made.name_hash = combine(generator_domain, hash_text(spec.name));
    made.first_field = truth_.size();
    made.field_count = made.type->fields().size();
    FLEETARIUM_ASSERT(made.field_count != 0);
    for (const generator_input& each : made.type->inputs()) {
        generator_use use{};
        if (!each.from.empty()) {
            use = find_input(each.from, names_).value();  // check_generators has seen it
        }
        made.inputs.push_back(use);
    }
    made.begin = state_size_;
    const std::size_t own = made.type->state_size();
    state_size_ += own != 0 ? own + 1 : 0;
    made.stuck = state_size_;
    state_size_ += spec.stuck ? 2 + made.field_count : 0;
    made.gap = state_size_;
    state_size_ += spec.missing && spec.missing->gaps ? 2 : 0;
    truth_.resize(truth_.size() + made.field_count);
    shown_.resize(truth_.size());
    inputs_.resize(std::max(inputs_.size(), made.inputs.size()));
    members_.push_back(std::move(made));
    missing_.resize(members_.size());
}

generator_set::plan generator_set::plan_for(std::span<const generator_use> uses) const {
    plan made;
    made.uses.assign(uses.begin(), uses.end());
    std::vector<bool> needed(members_.size());
    for (const generator_use& each : uses) {
        needed[each.generator] = true;
        made.shown.push_back(each.generator);
    }
    std::sort(made.shown.begin(), made.shown.end());
    made.shown.erase(std::unique(made.shown.begin(), made.shown.end()), made.shown.end());
    // Each reads only those above it.
    for (std::size_t i = members_.size(); i-- != 0;) {
        if (needed[i]) {
            made.order.push_back(static_cast<std::uint32_t>(i));
            const auto inputs = members_[i].type->inputs();
            for (std::size_t j = 0; j < inputs.size(); ++j) {
                if (!inputs[j].from.empty()) {
                    needed[members_[i].inputs[j].generator] = true;
                }
            }
        }
    }
    std::reverse(made.order.begin(), made.order.end());
    return made;
}

std::span<const generator_value> generator_set::evaluate(const plan& wanted,
                                                         const device_moment& moment,
                                                         std::span<double> state) {
    for (const std::uint32_t each : wanted.order) {
        advance(members_[each], moment, state);
    }
    bool skips = false;
    for (const std::uint32_t each : wanted.shown) {
        const bool missing = measure(members_[each], moment, state);
        missing_[each] = missing;
        skips = skips || (missing && members_[each].spec.missing->as == missing_as::skip);
    }
    values_.clear();
    if (skips) {
        return values_;
    }
    for (const generator_use& use : wanted.uses) {
        const member& one = members_[use.generator];
        const generator_field& field = one.type->fields()[use.field];
        generator_value value;
        value.number = shown_[one.first_field + use.field];
        value.form = field.form;
        value.decimals =
            field.measured ? one.spec.decimals.value_or(field.decimals) : field.decimals;
        value.missing = missing_[use.generator] != 0 || !is_finite(value.number);
        if (field.form == field_form::name && !value.missing) {
            value.text = one.type->names()[static_cast<std::size_t>(value.number)];
        }
        values_.push_back(value);
    }
    return values_;
}

void generator_set::advance(const member& one, const device_moment& moment,
                            std::span<double> state) {
    const auto wanted = one.type->inputs();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const generator_use& use = one.inputs[i];
        inputs_[i] = wanted[i].from.empty()
                         ? wanted[i].value
                         : truth_[members_[use.generator].first_field + use.field];
    }
    const random_key key = key_of(one, moment);
    const auto now = static_cast<std::uint64_t>(moment.now.time_since_epoch().count());
    generator_moment here;
    here.now = moment.now;
    here.since_begin = moment.now - moment.begin;
    here.device = key;
    here.random = {combine(key.value, now)};
    here.messages = moment.messages;
    here.inputs = {inputs_.data(), wanted.size()};
    const std::span<double> values(truth_.data() + one.first_field, one.field_count);
    const std::size_t own = one.type->state_size();
    if (own == 0) {
        one.type->advance(here, {}, values);
        return;
    }
    // The last instant as an integer in the bits of a double; 0 is none, so it is kept plus 1.
    double& last = state[one.begin];
    const auto of_type = state.subspan(one.begin + 1, own);
    const auto last_count = std::bit_cast<std::int64_t>(last);
    if (last_count == 0) {
        generator_moment first = here;
        first.now = moment.begin;
        first.since_begin = {};
        first.random = {combine(
            key.value, static_cast<std::uint64_t>(moment.begin.time_since_epoch().count()))};
        one.type->start(first, of_type);
        here.elapsed = here.since_begin;
    } else {
        here.elapsed = moment.now - instant(duration(last_count - 1));
    }
    last = std::bit_cast<double>(moment.now.time_since_epoch().count() + 1);
    one.type->advance(here, of_type, values);
}

/// What a sensor makes of the truth. Returns whether it gives nothing.
bool generator_set::measure(const member& one, const device_moment& moment,
                            std::span<double> state) {
    const random_key key = key_of(one, moment);
    generator_moment here;
    here.since_begin = moment.now - moment.begin;
    here.device = key;
    here.random = {
        combine(key.value, static_cast<std::uint64_t>(moment.now.time_since_epoch().count()))};
    const auto fields = one.type->fields();
    const std::span<double> values(shown_.data() + one.first_field, one.field_count);
    std::copy_n(truth_.begin() + static_cast<std::ptrdiff_t>(one.first_field), one.field_count,
                values.begin());
    const generator_spec& spec = one.spec;
    auto noise = draws_for(here.random, generator_draw::noise);
    auto spike = draws_for(here.random, generator_draw::spike);
    const bool spikes = spec.spikes && spike.bernoulli(spec.spikes->probability);
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (!fields[i].measured || fields[i].form != field_form::number) {
            continue;
        }
        if (spec.noise != 0) {
            values[i] += spec.noise * normal_draw(noise);
        }
        if (spikes) {
            const double part = spike.uniform();
            values[i] += spec.spikes->min * (1 - part) + spec.spikes->max * part;
        }
    }
    if (spec.stuck) {
        hold_if_stuck(one, here, state);
    }
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (fields[i].measured && fields[i].form == field_form::number) {
            // In this order, a value that is no number stays what it is.
            values[i] = spec.min && values[i] < *spec.min ? *spec.min : values[i];
            values[i] = spec.max && values[i] > *spec.max ? *spec.max : values[i];
        }
    }
    if (!spec.missing) {
        return false;
    }
    auto missing = draws_for(here.random, generator_draw::missing);
    const bool gap = spec.missing->gaps && is_within(*spec.missing->gaps, here, generator_draw::gap,
                                                     state.subspan(one.gap, 2));
    return missing.bernoulli(spec.missing->probability) || gap;
}

/// The state holds what was given last, so that a stretch begins with it.
void generator_set::hold_if_stuck(const member& one, const generator_moment& moment,
                                  std::span<double> state) {
    const auto own = state.subspan(one.stuck, 2 + one.field_count);
    const bool first = own[0] == 0;
    const bool stuck = is_within(*one.spec.stuck, moment, generator_draw::stuck, own.first(2));
    for (std::size_t i = 0; i < one.field_count; ++i) {
        double& held = own[2 + i];
        double& value = shown_[one.first_field + i];
        held = first ? not_a_number : held;
        if (stuck && is_finite(held)) {
            value = held;
        } else {
            held = value;
        }
    }
}

}  // namespace fleetarium::sim::detail
