#include <fleetarium/sim/scenario_check.hpp>

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/config/value_types.hpp>
#include <fleetarium/sim/behaviour_machine.hpp>
#include <fleetarium/sim/generator_check.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <stdexcept>

namespace fleetarium::sim::detail {

using namespace config;
using namespace config::detail;

namespace {

constexpr std::size_t states_max = 1000;
constexpr std::size_t variables_max = 256;

std::string state_pointer(const std::string& behaviour, const state_spec& state) {
    return pointer_to(behaviour + "/states", state.name);
}

template <class Named>
std::vector<std::string_view> names_in(const std::vector<Named>& list) {
    std::vector<std::string_view> names;
    for (const Named& each : list) {
        names.push_back(each.name);
    }
    return names;
}

bool ends_at_once(const state_spec& state) {
    return !state.lasts && !state.steps && !state.then.empty();
}

}  // namespace

void scenario_checker::check_behaviour(const fleet_sample& sample, const std::string& pointer) {
    const behaviour_spec& spec = *sample.fleet->behaviour;
    if (spec.custom) {
        check_custom_behaviour(spec, pointer);
        return;
    }
    if (spec.states.empty() || spec.states.size() > states_max) {
        report(pointer + "/states", std::to_string(spec.states.size()) + " states",
               "1 to " + std::to_string(states_max) + " states, or \"custom\"");
        return;
    }
    check_variables(sample, pointer);
    check_cohorts(sample, pointer + "/cohorts");
    check_choices(sample, spec.initial, pointer + "/initial");
    for (const state_spec& each : spec.states) {
        check_state(sample, each, state_pointer(pointer, each));
    }
    for (std::size_t i = 0; i < spec.transitions.size(); ++i) {
        check_transition(sample, spec.transitions[i], pointer_to(pointer + "/transitions", i));
    }
    check_ways(spec, pointer);
}

void scenario_checker::check_custom_behaviour(const behaviour_spec& spec,
                                              const std::string& pointer) {
    for (const auto& [given, name] :
         {std::pair(!spec.states.empty(), "states"),
          std::pair(!spec.variables.empty(), "variables"),
          std::pair(!spec.cohorts.empty(), "cohorts"), std::pair(!spec.initial.empty(), "initial"),
          std::pair(!spec.transitions.empty(), "transitions")}) {
        if (given) {
            report(pointer + "/" + name, quoted(name) + " beside \"custom\"",
                   "one or the other: a custom behaviour has states of its own");
        }
    }
    const std::string& name = spec.custom->behaviour;
    const auto known = registered_behaviours();
    try {
        if (make_custom_behaviour(*spec.custom) == nullptr) {
            report(pointer + "/custom/behaviour", quoted(name),
                   known.empty()
                       ? "a behaviour that this program has registered; it has none"
                       : "a behaviour that this program has registered: " + joined_with_or(known),
                   nearest_name(name, known));
        }
    } catch (const std::invalid_argument& wrong) {
        report(pointer + "/custom/parameters", "parameters of " + quoted(name), wrong.what());
    }
}

void scenario_checker::check_variables(const fleet_sample& sample, const std::string& pointer) {
    const auto& fleet = *sample.fleet;
    const auto& list = fleet.behaviour->variables;
    if (list.size() > variables_max) {
        report(pointer + "/variables", std::to_string(list.size()) + " variables",
               "at most " + std::to_string(variables_max));
    }
    constexpr std::array<std::string_view, machine_values> own{"state", "step", "progress",
                                                               "cohort"};
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string& name = list[i].name;
        const std::string at = pointer_to(pointer + "/variables", name);
        const auto same = [&](const auto& each) { return each.name == name; };
        if (!is_generator_name(name)) {
            report(at, quoted(name), "letters, digits and \"_\", no digit first");
        } else if (text_template::is_placeholder_name(name) ||
                   std::find(own.begin(), own.end(), name) != own.end()) {
            report(at, quoted(name) + ", which templates have a placeholder for", "another name");
        } else if (std::any_of(fleet.generators.begin(), fleet.generators.end(), same)) {
            report(at, quoted(name) + ", which a generator of the fleet is called", "another name");
        } else if (std::any_of(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(i), same)) {
            report(at, quoted(name) + " a second time", "a name of its own");
        }
    }
    for (const generator_spec& each : fleet.generators) {
        if (std::find(own.begin(), own.end(), each.name) != own.end()) {
            report(pointer, "a generator called " + quoted(each.name) + " beside a behaviour",
                   "another name: {" + each.name + "} is the behaviour's");
        }
    }
}

void scenario_checker::check_cohorts(const fleet_sample& sample, const std::string& pointer) {
    const auto& fleet = *sample.fleet;
    const auto& cohorts = fleet.behaviour->cohorts;
    check_names(pointer, cohorts);
    double shares = 0;
    for (std::size_t i = 0; i < cohorts.size(); ++i) {
        const cohort_spec& each = cohorts[i];
        const std::string at = pointer_to(pointer, i);
        const bool by_index = each.first_device || each.last_device;
        if (by_index == each.share.has_value()) {
            report(at, by_index ? "a cohort with devices and a share" : "a cohort without devices",
                   "\"first_device\" and \"last_device\", or \"share\"");
        }
        const std::uint32_t first = each.first_device.value_or(0);
        const std::uint32_t last = each.last_device.value_or(std::max(fleet.count, 1U) - 1);
        if (by_index && (last < first || last >= std::max(fleet.count, 1U))) {
            report(at + (each.last_device ? "/last_device" : "/first_device"),
                   "devices " + std::to_string(first) + " to " + std::to_string(last),
                   "devices of the fleet, which has " + std::to_string(fleet.count));
        }
        shares += each.share.value_or(0);
        for (const variable_spec& one : each.variables) {
            check_variable_name(sample, one.name, pointer_to(at + "/variables", one.name));
        }
    }
    if (shares > 1 + 1e-9) {
        report(pointer, "shares that sum up to " + number_text(shares), "at most 1");
    }
}

void scenario_checker::check_variable_name(const fleet_sample& sample, const std::string& name,
                                           const std::string& pointer) {
    const auto names = names_in(sample.fleet->behaviour->variables);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
        report(pointer, quoted(name),
               names.empty() ? "a variable of the behaviour, of which there is none"
                             : "a variable of the behaviour: " + joined_with_or(names),
               nearest_name(name, names));
    }
}

void scenario_checker::check_choices(const fleet_sample& sample,
                                     const std::vector<choice_spec>& list,
                                     const std::string& pointer) {
    const auto states = names_in(sample.fleet->behaviour->states);
    double weights = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const choice_spec& each = list[i];
        // Written as a name alone, it has no place in a list.
        const bool alone =
            list.size() == 1 && each.conditions.empty() && !(each.weight < 1 || each.weight > 1);
        const std::string at = alone ? pointer : pointer_to(pointer, i);
        if (std::find(states.begin(), states.end(), each.to) == states.end()) {
            report(alone ? at : at + "/to", quoted(each.to),
                   "a state of the behaviour: " + joined_with_or(states),
                   nearest_name(each.to, states));
        }
        check_conditions(sample, each.conditions, false, at + "/if");
        weights += each.weight;
    }
    if (!list.empty() && !(weights > 0)) {
        report(pointer, "weights that sum up to 0", "a weight above 0 for one of the states");
    }
}

void scenario_checker::check_conditions(const fleet_sample& sample,
                                        const std::vector<condition_spec>& list, bool in_payload,
                                        const std::string& pointer) {
    for (const condition_spec& each : list) {
        const std::string at = pointer_to(pointer, each.of);
        if (in_payload && each.of.empty()) {
            report(at, quoted(""), "the name of a member of the payload");
        } else if (!in_payload) {
            const auto known = names_in(sample.generators);
            if (!find_input(each.of, sample.generators)) {
                report(at, quoted(each.of),
                       "a variable, a generator, or a generator's field: " + joined_with_or(known),
                       nearest_name(each.of, known));
            }
        }
        check_template(each.is.text, template_use::payload, at, sample.generators);
    }
}

void scenario_checker::check_action(const fleet_sample& sample, const action_spec& action,
                                    const std::string& pointer) {
    for (const taking_spec& each : action.takes) {
        check_variable_name(sample, each.variable, pointer_to(pointer + "/takes", each.variable));
    }
    for (const assignment_spec& each : action.sets) {
        const std::string at = pointer_to(pointer + "/sets", each.variable);
        check_variable_name(sample, each.variable, at);
        check_template(each.value.text, template_use::payload, at, sample.generators);
    }
    for (const adding_spec& each : action.adds) {
        check_variable_name(sample, each.variable, pointer_to(pointer + "/adds", each.variable));
    }
    for (std::size_t i = 0; i < action.publish.size(); ++i) {
        const behaviour_message& each = action.publish[i];
        const std::string at = pointer_to(pointer + "/publish", i);
        check_topic(each.topic, sample, at + "/topic", names_for_topics(sample));
        check_template(each.payload, template_use::payload, at + "/payload", sample.generators);
        check_broker_allows(sample.broker, each.qos, each.retain, at);
    }
}

void scenario_checker::check_state(const fleet_sample& sample, const state_spec& state,
                                   const std::string& pointer) {
    const auto same = [&](const state_spec& each) { return each.name == state.name; };
    const auto& states = sample.fleet->behaviour->states;
    if (state.name.empty() || std::count_if(states.begin(), states.end(), same) > 1) {
        report(pointer, quoted(state.name), "a name of its own for each state");
    }
    if (state.network) {
        find_named(scenario_.networks, *state.network, "network", pointer + "/network");
        if (state.link != behaviour_link::online) {
            report(pointer + "/network", quoted(*state.network) + " of a state that is offline",
                   "it with \"link\": \"online\" only");
        }
    }
    for (std::size_t i = 0; state.publications && i < state.publications->size(); ++i) {
        check_publication_name(sample, (*state.publications)[i],
                               pointer_to(pointer + "/publications", i), false);
    }
    check_action(sample, state.enter, pointer + "/enter");
    if (state.lasts && state.steps) {
        report(pointer + "/steps", "\"steps\" beside \"for\"", "one or the other");
    }
    if (state.lasts) {
        check_positive(*state.lasts, pointer + "/for");
    }
    if (state.steps) {
        check_positive(state.steps->every, pointer + "/steps/every");
        check_action(sample, state.steps->action, pointer + "/steps");
    }
    if ((state.lasts || state.steps) && state.then.empty()) {
        report(pointer, "a state with an end and without \"then\"", "\"then\": the next state");
    }
    check_choices(sample, state.then, pointer + "/then");
    for (std::size_t i = 0; i < state.transitions.size(); ++i) {
        check_transition(sample, state.transitions[i], pointer_to(pointer + "/transitions", i));
    }
}

void scenario_checker::check_publication_name(const fleet_sample& sample, const std::string& name,
                                              const std::string& pointer, bool asks) {
    std::vector<std::string_view> names;
    for (const publication_spec& each : sample.fleet->publications) {
        if (!asks || each.response_topic) {
            names.push_back(each.name.empty() ? each.topic : each.name);
        }
    }
    if (std::find(names.begin(), names.end(), name) == names.end()) {
        const std::string what =
            asks ? "a publication with \"response_topic\"" : "a publication of the fleet";
        report(
            pointer, quoted(name),
            names.empty() ? what + ", of which there is none" : what + ": " + joined_with_or(names),
            nearest_name(name, names));
    }
}

void scenario_checker::check_transition(const fleet_sample& sample, const transition_spec& given,
                                        const std::string& pointer) {
    const std::array<std::pair<bool, std::string_view>, 6> starts{
        {{given.on.has_value(), "on"},
         {given.on_reply.has_value(), "on_reply"},
         {given.on_timeout.has_value(), "on_timeout"},
         {given.on_link.has_value(), "when"},
         {given.every.has_value(), "every"},
         {given.at.has_value(), "at"}}};
    const auto started =
        std::count_if(starts.begin(), starts.end(), [](const auto& each) { return each.first; });
    if (started != 1) {
        std::string found = "a transition that nothing starts";
        bool first = true;
        for (const auto& [has, name] : starts) {
            if (has) {
                found =
                    first ? "a transition with " + quoted(name) : found + " and " + quoted(name);
                first = false;
            }
        }
        report(pointer, found,
               "exactly one of \"on\", \"on_reply\", \"on_timeout\", \"when\", \"every\" or "
               "\"at\"");
    }
    if (given.on) {
        const auto filter = check_filter(*given.on, sample, pointer + "/on");
        if (filter && !is_covered(sample.filters, *filter)) {
            report(pointer + "/on", quoted(*filter) + ", to which the fleet does not subscribe",
                   "a filter that one of its subscriptions covers");
        }
    }
    if (given.on_reply) {
        check_publication_name(sample, *given.on_reply, pointer + "/on_reply", true);
    }
    if (given.on_timeout) {
        check_publication_name(sample, *given.on_timeout, pointer + "/on_timeout", true);
    }
    const bool has_payload = given.on || given.on_reply;
    if (!has_payload && !given.where.empty()) {
        report(pointer + "/where", "\"where\" without a message", "it with \"on\" or \"on_reply\"");
    }
    if (!has_payload && !given.action.takes.empty()) {
        report(pointer + "/takes", "\"takes\" without a message", "it with \"on\" or \"on_reply\"");
    }
    if (given.every && *given.every < std::chrono::milliseconds{1}) {
        report(pointer + "/every", duration_text(*given.every), "1 ms or more");
    }
    if (given.spread > duration{} && !given.at) {
        report(pointer + "/spread", "\"spread\" without \"at\"", "it with \"at\" only");
    }
    if (given.spread > std::chrono::hours{24}) {
        report(pointer + "/spread", duration_text(given.spread), "at most 24 h");
    }
    if (given.between && given.between->from == given.between->until) {
        report(pointer + "/between", "a part of the day without length",
               "\"from\" and \"until\" that differ");
    }
    if (!(given.probability >= 0 && given.probability <= 1)) {
        report(pointer + "/probability", number_text(given.probability), "a number from 0 to 1");
    }
    if (given.to.empty() && given.action.takes.empty() && given.action.sets.empty() &&
        given.action.adds.empty() && given.action.publish.empty()) {
        report(pointer, "a transition that does nothing",
               "\"to\", \"takes\", \"sets\", \"adds\" or \"publish\"");
    }
    check_conditions(sample, given.where, true, pointer + "/where");
    check_conditions(sample, given.conditions, false, pointer + "/if");
    check_action(sample, given.action, pointer);
    check_choices(sample, given.to, pointer + "/to");
}

/// A state that an expectation names is one of its fleet's.
void scenario_checker::check_expected_state(const expectation_spec& expected,
                                            const std::string& pointer) {
    if (expected.metric != metric::state_ratio && expected.metric != metric::states_entered) {
        return;
    }
    if (expected.fleet.empty() || expected.state.empty()) {
        report(pointer,
               "a metric of states without " +
                   std::string(expected.fleet.empty() ? "\"fleet\"" : "\"state\""),
               "\"fleet\" and \"state\"");
        return;
    }
    const fleet_sample* const sample = sample_of(expected.fleet);
    if (sample == nullptr) {
        return;  // reported already
    }
    const auto& behaviour = sample->fleet->behaviour;
    if (!behaviour || behaviour->custom) {
        report(pointer + "/fleet", quoted(expected.fleet) + ", which has no states",
               "a fleet whose behaviour has states");
        return;
    }
    const auto find = [&](const std::string& name, const auto& list, std::string_view noun) {
        const auto names = names_in(list);
        if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) {
            report(pointer + "/" + std::string(noun), quoted(name),
                   names.empty() ? "a " + std::string(noun) + ", of which there is none"
                                 : "a " + std::string(noun) + ": " + joined_with_or(names),
                   nearest_name(name, names));
        }
    };
    find(expected.state, behaviour->states, "state");
    find(expected.cohort, behaviour->cohorts, "cohort");
}

/// Each state can be reached, can be left unless it says otherwise, and takes some time somewhere.
void scenario_checker::check_ways(const behaviour_spec& spec, const std::string& pointer) {
    const auto& states = spec.states;
    const auto index_of = [&](const std::string& name) {
        return static_cast<std::size_t>(
            std::find_if(states.begin(), states.end(),
                         [&](const state_spec& each) { return each.name == name; }) -
            states.begin());
    };
    std::vector<bool> reached(states.size());
    std::vector<std::size_t> open;
    const auto reach = [&](const std::vector<choice_spec>& choices) {
        for (const choice_spec& each : choices) {
            const std::size_t to = index_of(each.to);
            if (to < states.size() && !reached[to]) {
                reached[to] = true;
                open.push_back(to);
            }
        }
    };
    reach(spec.initial.empty() ? std::vector<choice_spec>{{.to = states.front().name}}
                               : spec.initial);
    for (const transition_spec& each : spec.transitions) {
        reach(each.to);
    }
    while (!open.empty()) {
        const state_spec& from = states[open.back()];
        open.pop_back();
        reach(from.then);
        for (const transition_spec& each : from.transitions) {
            reach(each.to);
        }
    }
    const auto leads_away = [](const transition_spec& each) { return !each.to.empty(); };
    const bool always_out =
        std::any_of(spec.transitions.begin(), spec.transitions.end(), leads_away);
    for (std::size_t i = 0; i < states.size(); ++i) {
        const state_spec& each = states[i];
        const bool has_way_out =
            always_out || !each.then.empty() ||
            std::any_of(each.transitions.begin(), each.transitions.end(), leads_away);
        if (!reached[i]) {
            report(state_pointer(pointer, each),
                   "the state " + quoted(each.name) + ", to which nothing leads",
                   "a \"then\", a \"to\" or an \"initial\" that names it");
        } else if (!has_way_out && !each.final && states.size() > 1) {
            report(state_pointer(pointer, each),
                   "the state " + quoted(each.name) + ", which has no way out",
                   "\"then\", a transition with \"to\", or \"final\": true");
        } else if (has_way_out && each.final && !always_out) {
            report(state_pointer(pointer, each) + "/final", "true for a state with a way out",
                   "false, or no way out");
        }
    }
    // A circle of states that end at once would hold the clock.
    std::vector<std::uint8_t> seen(states.size());  // 1: on the way here; 2: done
    const std::function<bool(std::size_t)> circles = [&](std::size_t at) {
        if (at >= states.size() || seen[at] == 2 || !ends_at_once(states[at])) {
            return false;
        }
        if (seen[at] == 1) {
            return true;
        }
        seen[at] = 1;
        for (const choice_spec& each : states[at].then) {
            if (circles(index_of(each.to))) {
                return true;
            }
        }
        seen[at] = 2;
        return false;
    };
    for (std::size_t i = 0; i < states.size(); ++i) {
        if (circles(i)) {
            report(state_pointer(pointer, states[i]),
                   "the state " + quoted(states[i].name) +
                       ", which leads back to itself without any time",
                   "\"for\" or \"steps\" in one of the states of the circle");
            break;
        }
    }
}

}  // namespace fleetarium::sim::detail
