#include <fleetarium/sim/preset.hpp>

#include <fleetarium/config/json_document.hpp>
#include <fleetarium/config/problem.hpp>
#include <fleetarium/sim/preset_expansion.hpp>
#include <fleetarium/sim/scenario_values.hpp>

#include <algorithm>
#include <set>
#include <stdexcept>

namespace fleetarium::sim {

using config::json_quoted;
using config::pointer_to;

namespace detail {

namespace {

constexpr std::string_view namespace_b = "spBv1.0";
constexpr std::string_view rebirth_name = "Node Control/Rebirth";

/// Puts one convention's parts behind those that the fleet has.
class expander {
public:
    explicit expander(const fleet_spec& fleet) {
        made_.fleet = fleet;
        made_.fleet.preset.reset();
    }

    preset_expansion run(const preset_spec& preset) {
        if (preset.sparkplug_b) {
            add(*preset.sparkplug_b);
        } else if (preset.sparkplug_host) {
            add(*preset.sparkplug_host);
        } else if (preset.home_assistant) {
            add(*preset.home_assistant);
        } else if (preset.device_shadow) {
            add(*preset.device_shadow);
        } else if (preset.shadow_service) {
            add(*preset.shadow_service);
        }
        return std::move(made_);
    }

private:
    void note(std::string part, const std::string& origin, bool alike = false) {
        made_.origins.push_back({std::move(part), root_ + origin, alike});
    }

    publication_spec& publish(const std::string& origin) {
        note(pointer_to("/publications", made_.fleet.publications.size()), origin);
        return made_.fleet.publications.emplace_back();
    }

    void subscribe(std::string filter, const std::string& origin) {
        note(pointer_to("/subscriptions", made_.fleet.subscriptions.size()), origin);
        made_.fleet.subscriptions.push_back({.filter = std::move(filter)});
    }

    reply_spec& reply(const std::string& origin) {
        note(pointer_to("/replies", made_.fleet.replies.size()), origin);
        return made_.fleet.replies.emplace_back();
    }

    will_spec& leave_will(const std::string& origin) {
        note("/will", origin);
        return made_.fleet.will.emplace();
    }

    // Sparkplug B

    void add(const sparkplug_b_preset& preset) {
        root_ = "/preset/sparkplug_b";
        made_.fleet.clean_start = true;
        const auto topic = [&](std::string_view kind) {
            return std::string(namespace_b) + '/' + preset.group + '/' + std::string(kind) + '/' +
                   preset.node;
        };
        subscribe(topic("NCMD"), "/node");
        if (!preset.devices.empty()) {
            subscribe(topic("DCMD") + "/#", "/node");
        }
        sparkplug_b_preset numbered = preset;
        number_metrics(numbered);
        will_spec& death = leave_will("/node");
        death.topic = topic("NDEATH");
        death.qos = qos::at_least_once;
        death.sparkplug = sparkplug_payload{.message = sparkplug_message::ndeath};

        const trigger_spec birth{.connect = true,
                                 .message = topic("NCMD"),
                                 .when = {.sparkplug = std::string(rebirth_name)}};
        // In this order, so that the node is born before its devices.
        say("NBIRTH", topic("NBIRTH"), sparkplug_message::nbirth, {}, numbered.metrics, "").on =
            birth;
        for (std::size_t i = 0; i < numbered.devices.size(); ++i) {
            const sparkplug_device_preset& device = numbered.devices[i];
            publication_spec& made = say("DBIRTH " + device.id, topic("DBIRTH") + '/' + device.id,
                                         sparkplug_message::dbirth, device.id, device.metrics,
                                         pointer_to("/devices", i));
            made.on = birth;
            if (device.outages) {
                made.arrival = arrival_spec{.poisson = poisson_arrival{device.outages->lasts}};
            }
        }
        if (!preset.metrics.empty()) {
            say("NDATA", topic("NDATA"), sparkplug_message::ndata, {}, numbered.metrics, "")
                .period = preset.period;
        }
        for (std::size_t i = 0; i < numbered.devices.size(); ++i) {
            const sparkplug_device_preset& device = numbered.devices[i];
            const std::string origin = pointer_to("/devices", i);
            say("DDATA " + device.id, topic("DDATA") + '/' + device.id, sparkplug_message::ddata,
                device.id, device.metrics, origin)
                .period = device.period.value_or(preset.period);
            if (device.outages) {
                say("DDEATH " + device.id, topic("DDEATH") + '/' + device.id,
                    sparkplug_message::ddeath, device.id, {}, origin)
                    .arrival = arrival_spec{.poisson = poisson_arrival{device.outages->every}};
            }
        }
    }

    publication_spec& say(std::string name, std::string topic, sparkplug_message message,
                          const std::string& device, const std::vector<sparkplug_metric>& metrics,
                          const std::string& origin) {
        publication_spec& made = publish(origin);
        const std::string at =
            pointer_to("/publications", made_.fleet.publications.size() - 1) + "/sparkplug/metrics";
        note(at, origin + "/metrics", true);
        made.name = std::move(name);
        made.topic = std::move(topic);
        made.sparkplug =
            sparkplug_payload{.message = message, .device = device, .metrics = metrics};
        return made;
    }

    static void number_metrics(sparkplug_b_preset& preset) {
        if (!preset.aliases) {
            return;
        }
        std::vector<std::vector<sparkplug_metric>*> lists{&preset.metrics};
        for (sparkplug_device_preset& device : preset.devices) {
            lists.push_back(&device.metrics);
        }
        std::set<std::uint64_t> taken;
        for (const auto* const list : lists) {
            for (const sparkplug_metric& each : *list) {
                if (each.alias) {
                    taken.insert(*each.alias);
                }
            }
        }
        std::uint64_t next = 1;
        for (auto* const list : lists) {
            for (sparkplug_metric& each : *list) {
                if (!each.alias) {
                    while (taken.contains(next)) {
                        ++next;
                    }
                    each.alias = next++;
                }
            }
        }
    }

    void add(const sparkplug_host_preset& preset) {
        root_ = "/preset/sparkplug_host";
        made_.fleet.clean_start = true;
        const std::string state = std::string(namespace_b) + "/STATE/" + preset.host;
        if (preset.groups.empty()) {
            subscribe(std::string(namespace_b) + "/#", "");
        } else {
            subscribe(state, "/host");
            for (std::size_t i = 0; i < preset.groups.size(); ++i) {
                subscribe(std::string(namespace_b) + '/' + preset.groups[i] + "/#",
                          pointer_to("/groups", i));
            }
        }
        will_spec& offline = leave_will("/host");
        offline.topic = state;
        offline.qos = qos::at_least_once;
        offline.retain = true;
        offline.sparkplug = sparkplug_payload{.message = sparkplug_message::state_offline};
        publication_spec& online =
            say("STATE", state, sparkplug_message::state_online, {}, {}, "/host");
        online.qos = qos::at_least_once;
        online.retain = true;
        online.on = trigger_spec{.connect = true};
        if (preset.rebirths) {
            publication_spec& order = say("NCMD", {}, sparkplug_message::ncmd, {},
                                          {{.name = std::string(rebirth_name),
                                            .type = sparkplug_type::boolean,
                                            .value = "true"}},
                                          "/rebirths");
            order.to =
                target_spec{.fleet = preset.rebirths->fleet,
                            .topic = std::string(namespace_b) + '/' + preset.rebirths->group +
                                     "/NCMD/" + preset.rebirths->node};
            order.period = preset.rebirths->period;
            const std::string at =
                pointer_to("/publications", made_.fleet.publications.size() - 1) + "/to";
            note(at + "/fleet", "/rebirths/fleet");
            note(at + "/topic", "/rebirths/node");
        }
    }

    // Home Assistant

    void add(const home_assistant_preset& preset) {
        root_ = "/preset/home_assistant";
        const std::string availability = preset.base + "/availability";
        const std::string status = preset.discovery_prefix + "/status";
        subscribe(status, "/discovery_prefix");
        will_spec& offline = leave_will("/base");
        offline.topic = availability;
        offline.payload = "offline";
        offline.qos = qos::at_least_once;
        offline.retain = true;
        const trigger_spec found{.connect = true, .message = status, .when = {.payload = "online"}};
        std::string values;
        for (std::size_t i = 0; i < preset.entities.size(); ++i) {
            const home_assistant_entity& entity = preset.entities[i];
            const std::string origin = pointer_to("/entities", i);
            publication_spec& made = publish(origin);
            made.name = "config " + entity.id;
            made.topic = preset.discovery_prefix + '/' + name_of(entity.component) + '/' +
                         preset.node + '/' + entity.id + "/config";
            made.payload = config_of(preset, entity);
            made.qos = qos::at_least_once;
            made.retain = true;
            made.on = found;
            if (obeys(entity.component)) {
                obey(preset, entity, origin);
            } else {
                values += (values.empty() ? "" : ",") + json_quoted(entity.id) + ':' +
                          payload_string(entity.value);
            }
        }
        publication_spec& online = publish("/base");
        online.name = "availability";
        online.topic = availability;
        online.payload = "online";
        online.qos = qos::at_least_once;
        online.retain = true;
        online.on = found;
        if (!values.empty()) {
            publication_spec& state = publish("/entities");
            state.name = "state";
            state.topic = preset.base + "/state";
            state.payload = '{' + values + '}';
            state.period = preset.period;
            state.on = found;
        }
    }

    static std::string name_of(home_assistant_component component) {
        constexpr std::string_view names[] = {"sensor", "binary_sensor", "switch", "light",
                                              "number", "select",        "text",   "button"};
        return std::string(names[static_cast<std::size_t>(component)]);
    }

    static bool obeys(home_assistant_component component) {
        return component >= home_assistant_component::switch_;
    }

    /// Says what it was told as its state, at once; at the beginning, its first value.
    void obey(const home_assistant_preset& preset, const home_assistant_entity& entity,
              const std::string& origin) {
        const std::string order = preset.base + '/' + entity.id + "/set";
        subscribe(order, origin);
        if (entity.component == home_assistant_component::button) {
            return;
        }
        const std::string topic = preset.base + '/' + entity.id + "/state";
        reply_spec& made = reply(origin);
        made.on = order;
        made.to = topic;
        made.retain = true;
        made.payload = "{request}";
        if (!entity.value.empty()) {
            publication_spec& first = publish(origin);
            first.name = "state " + entity.id;
            first.topic = topic;
            first.payload = entity.value;
            first.qos = qos::at_least_once;
            first.retain = true;
            first.count = 1;
            first.on = trigger_spec{.connect = true};
        }
    }

    static std::string config_of(const home_assistant_preset& preset,
                                 const home_assistant_entity& entity) {
        std::string out = "{";
        const auto member = [&out](std::string_view name, const std::string& json) {
            out += (out.back() == '{' ? "" : ",") + json_quoted(name) + ':' + json;
        };
        const auto text = [&](std::string_view name, const std::string& value) {
            if (!value.empty()) {
                member(name, json_quoted(value));
            }
        };
        text("name", entity.name.empty() ? entity.id : entity.name);
        text("unique_id", preset.node + '_' + entity.id);
        if (obeys(entity.component)) {
            text("command_topic", preset.base + '/' + entity.id + "/set");
            if (entity.component != home_assistant_component::button) {
                text("state_topic", preset.base + '/' + entity.id + "/state");
            }
        } else {
            text("state_topic", preset.base + "/state");
            // Each two braces render as one.
            text("value_template", "{{{{ value_json['" + entity.id + "'] }}");
        }
        text("device_class", entity.device_class);
        text("unit_of_measurement", entity.unit);
        text("state_class", entity.state_class);
        text("availability_topic", preset.base + "/availability");
        member("device", "{\"identifiers\":[" + json_quoted(preset.node) + ']');
        text("name", preset.name);
        text("manufacturer", preset.manufacturer);
        text("model", preset.model);
        text("sw_version", preset.sw_version);
        out += '}';
        member("origin", R"({"name":"fleetarium"})");
        if (entity.config.size() > 2) {
            out += ',' + entity.config.substr(1, entity.config.size() - 2);
        }
        return out + '}';
    }

    // Device shadows

    void add(const device_shadow_preset& preset) {
        root_ = "/preset/device_shadow";
        const std::string shadow = preset.prefix + '/' + preset.thing + "/shadow" +
                                   (preset.shadow.empty() ? "" : "/name/" + preset.shadow);
        for (const std::string_view each : {"/get/accepted", "/get/rejected", "/update/accepted",
                                            "/update/rejected", "/update/delta"}) {
            subscribe(shadow + std::string(each), "/thing");
        }
        publication_spec& get = publish("/thing");
        get.name = "shadow get";
        get.topic = shadow + "/get";
        get.payload = R"({"clientToken":"{client_id}-get-{seq}"})";
        get.qos = qos::at_least_once;
        get.on = trigger_spec{.connect = true};
        publication_spec& report = publish("/thing");
        note(pointer_to("/publications", made_.fleet.publications.size() - 1) + "/payload",
             "/reported");
        report.name = "shadow update";
        report.topic = shadow + "/update";
        report.payload = R"({"state":{"reported":)" + preset.reported +
                         R"(},"clientToken":"{client_id}-report-{seq}"})";
        report.period = preset.period;
        report.qos = qos::at_least_once;
        apply(preset, shadow, "/update/delta", "state", "delta");
        apply(preset, shadow, "/get/accepted", "state.delta", "get");
    }

    /// What is desired, where the message has it, becomes what is.
    void apply(const device_shadow_preset& preset, const std::string& shadow, std::string on,
               const std::string& member, const std::string& token) {
        reply_spec& made = reply("/thing");
        made.on = shadow + on;
        made.when.member = member;
        made.to = shadow + "/update";
        made.delay = preset.delay;
        made.payload = R"({"state":{"reported":{request.)" + member +
                       R"(}},"clientToken":"{client_id}-)" + token + R"(-{seq}"})";
    }

    void add(const shadow_service_preset& preset) {
        root_ = "/preset/shadow_service";
        // Several share the work: each request is for one of them.
        const std::string begin =
            (made_.fleet.count > 1 ? "$share/shadow_service/" : "") + preset.prefix + "/+/shadow/";
        subscribe(begin + '+', "/prefix");
        subscribe(begin + "name/+/+", "/prefix");
        made_.fleet.shadow_service = shadow_service_spec{preset.prefix};
    }

    preset_expansion made_;
    std::string root_;
};

}  // namespace

std::vector<std::string_view> presets_of(const preset_spec& preset) {
    std::vector<std::string_view> names;
    const auto look = [&](bool given, std::string_view name) {
        if (given) {
            names.push_back(name);
        }
    };
    look(preset.sparkplug_b.has_value(), "sparkplug_b");
    look(preset.sparkplug_host.has_value(), "sparkplug_host");
    look(preset.home_assistant.has_value(), "home_assistant");
    look(preset.device_shadow.has_value(), "device_shadow");
    look(preset.shadow_service.has_value(), "shadow_service");
    return names;
}

std::string preset_expansion::origin_of(std::string_view pointer) const {
    const preset_origin* best = nullptr;
    for (const preset_origin& each : origins) {
        const bool below = pointer.starts_with(each.part) &&
                           (pointer.size() == each.part.size() || pointer[each.part.size()] == '/');
        if (below && (best == nullptr || each.part.size() > best->part.size())) {
            best = &each;
        }
    }
    if (best == nullptr) {
        return std::string(pointer);
    }
    return best->preset + (best->alike ? std::string(pointer.substr(best->part.size())) : "");
}

preset_expansion expand(const fleet_spec& fleet) {
    expander made(fleet);
    return made.run(fleet.preset.value_or(preset_spec()));
}

}  // namespace detail

fleet_spec expand_preset(const fleet_spec& fleet) {
    if (!fleet.preset) {
        return fleet;
    }
    if (detail::presets_of(*fleet.preset).size() != 1) {
        throw std::invalid_argument("fleet \"" + fleet.name +
                                    "\": a preset is exactly one of its kinds");
    }
    if (fleet.will && !fleet.preset->device_shadow && !fleet.preset->shadow_service) {
        throw std::invalid_argument("fleet \"" + fleet.name +
                                    "\": its preset brings a will of its own");
    }
    return detail::expand(fleet).fleet;
}

scenario expand_presets(const scenario& made) {
    scenario out = made;
    for (fleet_spec& each : out.fleets) {
        each = expand_preset(each);
    }
    return out;
}

}  // namespace fleetarium::sim
