// A fleet's behaviour made ready to use, and what becomes of it at the beginning and at the end.

#include <fleetarium/sim/fleet_state.hpp>

#include <fleetarium/core/assert.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace fleetarium::sim::detail {

namespace {

[[noreturn]] void fail(const fleet_spec& spec, const std::string& what) {
    throw std::invalid_argument("fleet \"" + spec.name + "\": " + what);
}

/// Takes a comparison off the front of a text.
behaviour_machine::comparison take_comparison(std::string& text) {
    using c = behaviour_machine::comparison;
    for (const auto& [sign, how] :
         {std::pair("<=", c::less_equal), std::pair(">=", c::greater_equal),
          std::pair("!=", c::unequal), std::pair("<", c::less), std::pair(">", c::greater),
          std::pair("=", c::equal)}) {
        if (text.starts_with(sign)) {
            text.erase(0, std::string_view(sign).size());
            return how;
        }
    }
    return c::equal;
}

/// Whether a text is one placeholder and nothing else.
bool is_lone_placeholder(const std::string& text) {
    return text.size() > 2 && text.front() == '{' && text.back() == '}' &&
           text.find('}') == text.size() - 1 && text.find('{', 1) == text.npos;
}

}  // namespace

std::vector<generator_names> names_of(const behaviour_spec& spec) {
    std::vector<generator_names> names;
    const auto add = [&](const std::string& name) {
        names.push_back({.name = name, .fields = {"value"}, .since = template_use::topic});
    };
    for (const char* each : {"state", "step", "progress", "cohort"}) {
        add(each);
    }
    for (const variable_spec& each : spec.variables) {
        add(each.name);
    }
    return names;
}

void fleet_state::compile_behaviour() {
    behaviour_machine& made = *machine_;
    const behaviour_spec& spec = *spec_.behaviour;
    made.networks.push_back(path_.by);
    if (spec.custom) {
        made.custom = make_custom_behaviour(*spec.custom);
        if (made.custom == nullptr) {
            fail(spec_, "there is no behaviour \"" + spec.custom->behaviour + "\"");
        }
        return;
    }
    if (spec.states.empty()) {
        fail(spec_, "a behaviour has states, or is a custom one");
    }
    for (const state_spec& each : spec.states) {
        behaviour_machine::state state;
        state.spec = &each;
        if (each.network) {
            const network* const other = &world_.find_network(*each.network);
            const auto known = std::find(made.networks.begin(), made.networks.end(), other);
            state.network = static_cast<std::uint16_t>(known - made.networks.begin());
            if (known == made.networks.end()) {
                made.networks.push_back(other);
            }
        }
        if (each.publications) {
            state.runs.assign(spec_.publications.size(), false);
            for (const std::string& name : *each.publications) {
                state.runs[publication_named(name)] = true;
            }
        }
        state.enter = compile_action(each.enter);
        if (each.steps) {
            state.step = compile_action(each.steps->action);
        }
        state.then = compile_choices(each.then);
        for (const transition_spec& one : each.transitions) {
            state.transitions.push_back(compile_transition(one));
        }
        made.states.push_back(std::move(state));
    }
    for (const transition_spec& one : spec.transitions) {
        made.transitions.push_back(compile_transition(one));
    }
    made.initial = compile_choices(spec.initial);
    if (made.initial.empty()) {
        made.initial.emplace_back();
    }
    std::uint32_t number = 0;
    for (behaviour_machine::state& each : made.states) {
        for (behaviour_machine::transition& one : each.transitions) {
            one.number = number++;
        }
    }
    for (behaviour_machine::transition& one : made.transitions) {
        one.number = number++;
    }
}

behaviour_machine::text fleet_state::behaviour_text(const std::string& source,
                                                    template_use use) const {
    behaviour_machine::text made;
    made.body = make_content(source, use, made.plan);
    return made;
}

behaviour_machine::condition fleet_state::compile_condition(const condition_spec& of,
                                                            bool in_payload) const {
    behaviour_machine::condition made;
    std::string operand = of.is.text;
    if (!of.is.bare) {
        made.how = take_comparison(operand);
    }
    made.operand = behaviour_text(operand, template_use::payload);
    made.operand_bare = of.is.bare;
    if (in_payload) {
        made.member = of.of;
        return made;
    }
    const content_plan shown = behaviour_text("{" + of.of + "}", template_use::payload).plan;
    made.value = shown.values.empty() ? content_plan::of_generator : shown.values.front();
    made.generator = shown;
    return made;
}

std::vector<behaviour_machine::condition> fleet_state::compile_conditions(
    const std::vector<condition_spec>& of, bool in_payload) const {
    std::vector<behaviour_machine::condition> made;
    for (const condition_spec& each : of) {
        made.push_back(compile_condition(each, in_payload));
    }
    return made;
}

std::vector<behaviour_machine::choice> fleet_state::compile_choices(
    const std::vector<choice_spec>& of) const {
    const auto& states = spec_.behaviour->states;
    std::vector<behaviour_machine::choice> made;
    for (const choice_spec& each : of) {
        const auto found = std::find_if(states.begin(), states.end(),
                                        [&](const state_spec& one) { return one.name == each.to; });
        if (found == states.end()) {
            fail(spec_, "there is no state \"" + each.to + "\"");
        }
        made.push_back({static_cast<std::uint16_t>(found - states.begin()), each.weight,
                        compile_conditions(each.conditions, false)});
    }
    return made;
}

behaviour_machine::action fleet_state::compile_action(const action_spec& of) {
    behaviour_machine::action made;
    for (const taking_spec& each : of.takes) {
        made.takes.push_back({variable_named(each.variable), each.member});
    }
    for (const assignment_spec& each : of.sets) {
        made.sets.push_back({variable_named(each.variable),
                             behaviour_text(each.value.text, template_use::payload),
                             each.value.bare, is_lone_placeholder(each.value.text)});
    }
    for (const adding_spec& each : of.adds) {
        made.adds.push_back({variable_named(each.variable), each.by});
    }
    for (const behaviour_message& each : of.publish) {
        behaviour_machine::message message;
        message.spec = &each;
        message.topic = behaviour_text(each.topic, template_use::topic);
        message.payload = behaviour_text(each.payload, template_use::payload);
        message.first_walk = walk_count_;
        walk_count_ += static_cast<std::uint32_t>(message.payload.body.walk_count());
        made.messages.push_back(static_cast<std::uint32_t>(machine_->messages.size()));
        machine_->messages.push_back(std::move(message));
    }
    return made;
}

behaviour_machine::transition fleet_state::compile_transition(const transition_spec& of) {
    behaviour_machine::transition made;
    made.spec = &of;
    if (of.on) {
        made.on = make_text(*of.on, template_use::topic);
    }
    if (of.on_reply || of.on_timeout) {
        made.publication = publication_named(of.on_reply ? *of.on_reply : *of.on_timeout);
        machine_->has_timeouts = machine_->has_timeouts || of.on_timeout;
    }
    made.where = compile_conditions(of.where, true);
    made.conditions = compile_conditions(of.conditions, false);
    made.does = compile_action(of.action);
    made.to = compile_choices(of.to);
    return made;
}

std::uint32_t fleet_state::variable_named(const std::string& name) const {
    const auto& all = spec_.behaviour->variables;
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const variable_spec& each) { return each.name == name; });
    if (found == all.end()) {
        fail(spec_, "there is no variable \"" + name + "\"");
    }
    return static_cast<std::uint32_t>(found - all.begin());
}

std::uint32_t fleet_state::publication_named(const std::string& name) const {
    const auto& all = spec_.publications;
    const auto found = std::find_if(all.begin(), all.end(), [&](const publication_spec& each) {
        return each.name.empty() ? each.topic == name : each.name == name;
    });
    if (found == all.end()) {
        fail(spec_, "there is no publication \"" + name + "\"");
    }
    return static_cast<std::uint32_t>(found - all.begin());
}

void fleet_state::add_behaviour_sources() {
    for (behaviour_machine::message& each : machine_->messages) {
        each.source = world_.accounts.add_source(
            {.what = source_report::kind::publication,
             .fleet = index_,
             .name = each.spec->name.empty() ? each.spec->topic : each.spec->name,
             .topic = each.spec->topic});
    }
    if (machine_->custom != nullptr) {
        machine_->custom_source =
            world_.accounts.add_source({.what = source_report::kind::publication,
                                        .fleet = index_,
                                        .name = spec_.behaviour->custom->behaviour,
                                        .topic = ""});
    }
}

/// Cohort and first values. The state begins when the device is to connect for the first time.
void fleet_state::start_behaviour(const context& at) {
    const behaviour_spec& spec = *spec_.behaviour;
    behaviour_place& self = place(at.self);
    self.until = at.self.connect_at;
    at.self.connect_at = never;
    at.self.wants_link = false;
    if (machine_->custom != nullptr) {
        return;
    }
    const double drawn =
        unit_interval(random_at(make_random_key(key_of(at.index).value, 0, purpose::cohort), 0));
    double share = 0;
    const auto& cohorts = spec.cohorts;
    const auto by_index =
        std::find_if(cohorts.begin(), cohorts.end(), [&](const cohort_spec& each) {
            return !each.share && at.index >= each.first_device.value_or(0) &&
                   at.index <= each.last_device.value_or(no_index);
        });
    const auto mine =
        by_index != cohorts.end()
            ? by_index
            : std::find_if(cohorts.begin(), cohorts.end(), [&](const cohort_spec& each) {
                  share += each.share.value_or(0);
                  return each.share && drawn < share;
              });
    const auto give = [&](const variable_spec& each) {
        machine_->pool.set(variables(at.self)[variable_named(each.name)],
                           {each.value.text, each.value.bare});
    };
    std::for_each(spec.variables.begin(), spec.variables.end(), give);
    if (mine != cohorts.end()) {
        self.cohort = static_cast<std::uint16_t>(mine - cohorts.begin() + 1);
        std::for_each(mine->variables.begin(), mine->variables.end(), give);
    }
}

void fleet_state::report_behaviour(fleet_report& out) const {
    const std::size_t cohorts = spec_.behaviour->cohorts.size();
    for (const cohort_spec& each : spec_.behaviour->cohorts) {
        out.cohorts.push_back({each.name, 0});
    }
    for (const behaviour_machine::state& each : machine_->states) {
        out.states.push_back(
            {each.spec->name, each.entered, 0, std::vector<std::uint64_t>(cohorts)});
    }
    for (std::uint32_t i = 0; i < spec_.count; ++i) {
        const behaviour_place& of = place(at(i));
        if (of.cohort != 0) {
            ++out.cohorts[of.cohort - 1].devices;
        }
        if (of.state != behaviour_place::not_begun) {
            state_report& in = out.states[of.state];
            ++in.devices;
            if (of.cohort != 0) {
                ++in.by_cohort[of.cohort - 1];
            }
        }
    }
}

}  // namespace fleetarium::sim::detail
