// What has to be so of presets, and of what they are made of: triggers, conditions, payloads of
// Sparkplug, the service of shadows.

#include <fleetarium/sim/scenario_check.hpp>

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/sim/preset_expansion.hpp>
#include <fleetarium/sim/preset_fields.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace fleetarium::sim::detail {

using namespace config;

namespace {

bool is_offline_message(sparkplug_message message) {
    return message == sparkplug_message::ndeath || message == sparkplug_message::state_offline;
}

bool is_state(sparkplug_message message) {
    return message == sparkplug_message::state_online ||
           message == sparkplug_message::state_offline;
}

bool is_below_node(sparkplug_message message) {
    return message == sparkplug_message::dbirth || message == sparkplug_message::ddeath ||
           message == sparkplug_message::ddata;
}

std::string name_of(sparkplug_message message) {
    return std::string(sparkplug_message_names()[static_cast<std::size_t>(message)]);
}

/// One preset with the fleet that has it.
class preset_checker {
public:
    preset_checker(const fleet_spec& fleet, std::string pointer)
        : fleet_(fleet), pointer_(std::move(pointer)) {}

    std::vector<problem> run() {
        const auto names = presets_of(*fleet_.preset);
        if (names.size() != 1) {
            report("/preset",
                   names.empty() ? "a preset of no kind"
                                 : "the presets " + joined_with_or(names) + " at once",
                   "exactly one of \"sparkplug_b\", \"sparkplug_host\", \"home_assistant\", "
                   "\"device_shadow\" or \"shadow_service\"");
            return std::move(problems_);
        }
        at_ = "/preset/" + std::string(names.front());
        const preset_spec& preset = *fleet_.preset;
        if (fleet_.will && !preset.device_shadow && !preset.shadow_service) {
            report("/will", "a will beside the preset " + quoted(names.front()),
                   "none: the preset brings one");
        }
        if (preset.sparkplug_b) {
            check(*preset.sparkplug_b);
        } else if (preset.sparkplug_host) {
            check(*preset.sparkplug_host);
        } else if (preset.home_assistant) {
            check(*preset.home_assistant);
        } else if (preset.device_shadow) {
            check(*preset.device_shadow);
        } else if (fleet_.shadow_service) {
            report("/shadow_service", "a service beside the preset \"shadow_service\"",
                   "one or the other");
        }
        return std::move(problems_);
    }

private:
    void report(const std::string& where, std::string found, std::string expected) {
        problems_.push_back(
            {{}, 0, 0, pointer_ + where, std::move(found), std::move(expected), {}});
    }

    /// A template that renders as one level of a topic.
    void check_level(const std::string& text, const std::string& where) {
        const auto made = text_template::parse(text, template_use::topic);
        const auto* const good = std::get_if<text_template>(&made);
        if (good == nullptr) {
            const auto& fault = std::get<template_fault>(made);
            report(at_ + where, fault.found, fault.expected);
            return;
        }
        const std::uint64_t index = std::max(fleet_.count, 1U) - 1;
        std::string client_id;
        const auto id = text_template::parse(fleet_.client_id, template_use::client_id);
        if (const auto* const parsed = std::get_if<text_template>(&id)) {
            parsed->render({.fleet = fleet_.name, .index = index}, client_id);
        }
        std::string example;
        good->render({.fleet = fleet_.name, .index = index, .client_id = client_id}, example);
        if (example.empty() || example.find_first_of("/+#") != example.npos) {
            report(at_ + where, quoted(example),
                   "one level of a topic: not empty, without \"/\", \"+\" and \"#\"");
        }
    }

    void check_period(const distribution& period, const std::string& where) {
        if (period.mean() <= 0) {
            report(at_ + where, "no time at all", "a duration above 0");
        }
    }

    void check_fresh(std::string_view who) {
        if (!fleet_.clean_start) {
            report("/clean_start", "false with " + std::string(who),
                   "true: it begins a new session with each connect");
        }
        if (fleet_.session_expiry && *fleet_.session_expiry != duration::zero()) {
            report("/session_expiry", "a session that outlives " + std::string(who),
                   "none: it begins a new session with each connect");
        }
    }

    void check(const sparkplug_b_preset& preset) {
        check_fresh("a Sparkplug edge node");
        if (fleet_.online && fleet_.online->manner == offline_manner::disconnect) {
            // A goodbye without the will would leave host applications with a node that lives.
            report("/online/manner", "\"disconnect\" with a Sparkplug edge node",
                   "\"cut\": its NDEATH is the will");
        }
        check_level(preset.group, "/group");
        check_level(preset.node, "/node");
        check_period(preset.period, "/period");
        if (preset.metrics.empty() && preset.devices.empty()) {
            report(at_, "an edge node without metrics and devices", "\"metrics\" or \"devices\"");
        }
        std::set<std::string_view> ids;
        std::set<std::uint64_t> aliases;
        check_aliases(preset.metrics, aliases, "");
        for (std::size_t i = 0; i < preset.devices.size(); ++i) {
            const sparkplug_device_preset& device = preset.devices[i];
            const std::string at = pointer_to("/devices", i);
            check_level(device.id, at + "/id");
            if (!ids.insert(device.id).second) {
                report(at_ + at + "/id", quoted(device.id) + " a second time",
                       "an id of its own for each device below the node");
            }
            if (device.metrics.empty()) {
                report(at_ + at + "/metrics", "an empty list", "at least one metric");
            }
            if (device.period) {
                check_period(*device.period, at + "/period");
            }
            check_aliases(device.metrics, aliases, at);
            if (device.outages && (device.outages->every <= duration::zero() ||
                                   device.outages->lasts <= duration::zero())) {
                report(at_ + at + "/outages", "no time at all", "durations above 0");
            }
        }
    }

    void check_aliases(const std::vector<sparkplug_metric>& metrics, std::set<std::uint64_t>& taken,
                       const std::string& where) {
        for (std::size_t i = 0; i < metrics.size(); ++i) {
            if (metrics[i].alias && !taken.insert(*metrics[i].alias).second) {
                report(at_ + pointer_to(where + "/metrics", i) + "/alias",
                       std::to_string(*metrics[i].alias) + " a second time",
                       "a number of its own for each metric of the node and its devices");
            }
        }
    }

    void check(const sparkplug_host_preset& preset) {
        check_fresh("a Sparkplug host application");
        check_level(preset.host, "/host");
        for (std::size_t i = 0; i < preset.groups.size(); ++i) {
            check_level(preset.groups[i], pointer_to("/groups", i));
        }
        if (preset.rebirths) {
            check_period(preset.rebirths->period, "/rebirths/period");
        }
    }

    void check(const home_assistant_preset& preset) {
        check_level(preset.node, "/node");
        check_period(preset.period, "/period");
        if (preset.entities.empty()) {
            report(at_ + "/entities", "an empty list", "at least one entity");
        }
        std::set<std::string_view> ids;
        for (std::size_t i = 0; i < preset.entities.size(); ++i) {
            const home_assistant_entity& entity = preset.entities[i];
            const std::string at = at_ + pointer_to("/entities", i);
            constexpr std::string_view allowed =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
            if (entity.id.empty() || entity.id.find_first_not_of(allowed) != entity.id.npos) {
                report(at + "/id", quoted(entity.id), "letters, digits, \"_\" and \"-\"");
            } else if (!ids.insert(entity.id).second) {
                report(at + "/id", quoted(entity.id) + " a second time",
                       "an id of its own for each entity");
            }
            if (entity.component < home_assistant_component::switch_ && entity.value.empty()) {
                report(at, "a sensor without \"value\"",
                       "\"value\", a template such as \"{celsius}\"");
            }
            if (entity.component == home_assistant_component::button && !entity.value.empty()) {
                report(at + "/value", quoted(entity.value) + " for a button",
                       "none: a button has no state");
            }
            if (!entity.config.empty()) {
                check_object(entity.config, at + "/config");
            }
        }
    }

    void check_object(const std::string& text, const std::string& where) {
        if (!text.starts_with('{') || !text.ends_with('}')) {
            report(where, quoted(text), "a JSON object");
        }
    }

    void check(const device_shadow_preset& preset) {
        check_level(preset.thing, "/thing");
        if (!preset.shadow.empty()) {
            check_level(preset.shadow, "/shadow");
        }
        check_period(preset.period, "/period");
        check_object(preset.reported, at_ + "/reported");
    }

    const fleet_spec& fleet_;
    std::string pointer_;
    std::string at_;
    std::vector<problem> problems_;
};

bool are_alike(const problem& a, const problem& b) {
    return a.pointer == b.pointer && a.found == b.found && a.expected == b.expected;
}

}  // namespace

/// What a preset adds is checked as if it were written by hand; what is wrong with it is told of
/// the part of the preset that it comes from.
std::vector<problem> check_with_presets(const scenario& checked) {
    scenario whole = checked;
    std::vector<preset_expansion> expansions(whole.fleets.size());
    std::vector<problem> problems;
    for (std::size_t i = 0; i < whole.fleets.size(); ++i) {
        fleet_spec& fleet = whole.fleets[i];
        if (!fleet.preset) {
            continue;
        }
        auto wrong = preset_checker(fleet, pointer_to("/fleets", i)).run();
        if (wrong.empty()) {
            expansions[i] = expand(fleet);
            fleet = expansions[i].fleet;
        }
        std::move(wrong.begin(), wrong.end(), std::back_inserter(problems));
        fleet.preset.reset();
    }
    for (problem& each : scenario_checker(whole).run()) {
        for (std::size_t i = 0; i < expansions.size(); ++i) {
            const std::string fleet = pointer_to("/fleets", i);
            if (each.pointer.starts_with(fleet + '/')) {
                each.pointer = fleet + expansions[i].origin_of(
                                           std::string_view(each.pointer).substr(fleet.size()));
                break;
            }
        }
        // A metric is in births and in data.
        if (std::none_of(problems.begin(), problems.end(),
                         [&](const problem& other) { return are_alike(each, other); })) {
            problems.push_back(std::move(each));
        }
    }
    return problems;
}

void scenario_checker::check_trigger(const fleet_sample& sample,
                                     const publication_spec& publication,
                                     const std::string& pointer) {
    if (!publication.on) {
        return;
    }
    const trigger_spec& on = *publication.on;
    const std::string at = pointer + "/on";
    if (!on.connect && !on.message) {
        report(at, "nothing that it is on", "\"connect\": true, \"message\": a filter, or both");
    }
    if (on.message) {
        const auto filter = check_filter(*on.message, sample, at + "/message");
        if (filter && !is_covered(sample.filters, *filter)) {
            report(at + "/message", quoted(*filter) + ", to which the fleet does not subscribe",
                   "a filter that one of its subscriptions covers");
        }
    } else if (on.when.payload || on.when.member || on.when.sparkplug) {
        report(at + "/when", "a condition of messages without \"message\"",
               "\"message\": the filter of the messages");
    }
    if (publication.arrival || publication.period.mean() > 0) {
        return;
    }
    const auto refuse = [&](bool given, const std::string& name) {
        if (given) {
            report(pointer + '/' + name, quoted(name) + " without a period",
                   "it beside \"period\" or \"arrival\" only");
        }
    };
    refuse(publication.jitter != duration::zero(), "jitter");
    refuse(publication.phase.has_value(), "phase");
    refuse(!publication.stages.empty(), "stages");
}

void scenario_checker::check_sparkplug(const fleet_sample& sample, const sparkplug_payload& payload,
                                       const std::string& pointer) {
    if (is_below_node(payload.message) == payload.device.empty()) {
        report(pointer + (payload.device.empty() ? "" : "/device"),
               payload.device.empty()
                   ? quoted(name_of(payload.message)) + " without \"device\""
                   : quoted(payload.device) + " with " + quoted(name_of(payload.message)),
               payload.device.empty() ? "\"device\": which one below the node"
                                      : "a device with DBIRTH, DDEATH and DDATA only");
    }
    const bool speaks = payload.message != sparkplug_message::ddeath &&
                        payload.message != sparkplug_message::nbirth &&
                        !is_offline_message(payload.message) && !is_state(payload.message);
    if (speaks && payload.metrics.empty()) {
        report(pointer + "/metrics", "no metrics", "at least one");
    } else if ((is_state(payload.message) || is_offline_message(payload.message)) &&
               !payload.metrics.empty()) {
        report(pointer + "/metrics", "metrics of " + quoted(name_of(payload.message)), "none");
    }
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < payload.metrics.size(); ++i) {
        const sparkplug_metric& metric = payload.metrics[i];
        const std::string at = pointer_to(pointer + "/metrics", i);
        if (metric.name.empty()) {
            report(at + "/name", quoted(""), "a name");
        } else if (!names.insert(metric.name).second) {
            report(at + "/name", quoted(metric.name) + " a second time",
                   "a name of its own for each metric");
        } else if (payload.message == sparkplug_message::nbirth &&
                   (metric.name == "bdSeq" || metric.name == "Node Control/Rebirth")) {
            report(at + "/name", quoted(metric.name), "another: each NBIRTH has it by itself");
        }
        check_metric_value(sample, metric, at + "/value");
    }
}

void scenario_checker::check_metric_value(const fleet_sample& sample,
                                          const sparkplug_metric& metric,
                                          const std::string& pointer) {
    // Variables of a behaviour are not among what metrics show.
    const auto names = std::span(sample.generators).first(sample.fleet->generators.size());
    const auto made = check_template(metric.value, template_use::payload, pointer, names);
    if (!made) {
        return;
    }
    if (made->walk_count() != 0) {
        report(pointer, "a {walk} of this message alone",
               "a generator of the fleet, which births and data show alike");
    } else if (made->is_constant()) {
        std::string text;
        made->render({}, text);
        if (!is_sparkplug_value(metric.type, text)) {
            report(pointer, quoted(text),
                   "a value of " +
                       std::string(sparkplug_type_names()[static_cast<std::size_t>(metric.type)]));
        }
    }
}

/// QoS and retain as the specification has them.
void scenario_checker::check_sparkplug_publication(const fleet_sample& sample,
                                                   const publication_spec& publication,
                                                   const std::string& pointer) {
    if (!publication.sparkplug) {
        return;
    }
    const sparkplug_payload& payload = *publication.sparkplug;
    const std::string name = name_of(payload.message);
    if (!publication.payload.empty()) {
        report(pointer + "/payload", "a payload beside \"sparkplug\"", "one or the other");
    }
    if (is_offline_message(payload.message)) {
        report(pointer + "/sparkplug/message", quoted(name), "it in a will only");
    }
    const bool state = is_state(payload.message);
    const auto wanted = state ? qos::at_least_once : qos::at_most_once;
    if (publication.qos != wanted) {
        report(pointer + "/qos", std::to_string(static_cast<int>(publication.qos)) + " for " + name,
               std::to_string(static_cast<int>(wanted)) + ", as Sparkplug has it");
    }
    if (publication.retain != state) {
        report(pointer + "/retain",
               std::string(publication.retain ? "true" : "false") + " for " + name,
               std::string(state ? "true" : "false") + ", as Sparkplug has it");
    }
    check_sparkplug(sample, payload, pointer + "/sparkplug");
}

void scenario_checker::check_sparkplug_will(const fleet_sample& sample,
                                            const std::string& pointer) {
    const will_spec& will = *sample.fleet->will;
    if (!will.sparkplug) {
        return;
    }
    const std::string name = name_of(will.sparkplug->message);
    if (!will.payload.empty()) {
        report(pointer + "/payload", "a payload beside \"sparkplug\"", "one or the other");
    }
    if (!is_offline_message(will.sparkplug->message)) {
        report(pointer + "/sparkplug/message", quoted(name), "\"NDEATH\" or \"STATE_offline\"");
        return;
    }
    const bool state = is_state(will.sparkplug->message);
    if (will.qos != qos::at_least_once) {
        report(pointer + "/qos", std::to_string(static_cast<int>(will.qos)) + " for " + name,
               "1, as Sparkplug has it");
    }
    if (will.retain != state) {
        report(pointer + "/retain", std::string(will.retain ? "true" : "false") + " for " + name,
               std::string(state ? "true" : "false") + ", as Sparkplug has it");
    }
    check_sparkplug(sample, *will.sparkplug, pointer + "/sparkplug");
}

void scenario_checker::check_shadow_service(const fleet_sample& sample,
                                            const std::string& pointer) {
    const std::string example = sample.fleet->shadow_service->prefix + "/thing/shadow/update";
    if (!is_covered(sample.filters, example)) {
        report(pointer, "a service whose fleet does not subscribe to " + quoted(example),
               "a subscription such as " +
                   quoted(sample.fleet->shadow_service->prefix + "/+/shadow/+"));
    }
}

}  // namespace fleetarium::sim::detail
