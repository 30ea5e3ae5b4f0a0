// What devices that are Sparkplug edge nodes, or host applications, say.

#include <fleetarium/sim/device_sparkplug.hpp>

#include <fleetarium/sim/fleet_state.hpp>

#include <algorithm>
#include <stdexcept>

namespace fleetarium::sim::detail {

// Building

sparkplug_content fleet_state::make_sparkplug(const sparkplug_payload& payload) {
    if (!first_sparkplug_) {
        first_sparkplug_ = 0;  // its place follows when all else is known
    }
    sparkplug_content made;
    made.spec = &payload;
    made.device = payload.device.empty() ? 0 : sparkplug_device(payload.device);
    std::vector<generator_use> uses;
    for (const sparkplug_metric& each : payload.metrics) {
        text value(each.value, template_use::payload, spec_.name, spec_.client_id,
                   generators_.names());
        if (value.walk_count() != 0) {
            throw std::invalid_argument("fleet \"" + spec_.name + "\": metric \"" + each.name +
                                        "\" walks by itself; a generator does so for all "
                                        "messages alike");
        }
        made.first_use.push_back(static_cast<std::uint32_t>(uses.size()));
        uses.insert(uses.end(), value.generator_uses().begin(), value.generator_uses().end());
        made.values.push_back(std::move(value));
    }
    made.generators = generators_.plan_for(uses);
    return made;
}

std::uint32_t fleet_state::sparkplug_device(const std::string& name) {
    const auto found = std::find(sparkplug_devices_.begin(), sparkplug_devices_.end(), name);
    const auto number = static_cast<std::uint32_t>(found - sparkplug_devices_.begin());
    if (found == sparkplug_devices_.end()) {
        sparkplug_devices_.push_back(name);
    }
    return number;
}

sparkplug_state fleet_state::sparkplug_of(device& of) const {
    return sparkplug_state(
        walks(of, *first_sparkplug_, sparkplug_state::words_for(sparkplug_devices_.size())));
}

// Saying

void fleet_state::note_sparkplug_connect(const context& at) {
    sparkplug_of(at.self).connect(unix_milliseconds(shown_now(at.self)));
}

/// Devices below the node live and die by what falls due in time. Nobody hears of it while the
/// node is offline, so the next births are of those that live then.
bool fleet_state::may_say(const context& at, const sparkplug_content& what,
                          publication_cause cause) {
    sparkplug_state state = sparkplug_of(at.self);
    const bool online = at.self.session.is_connected();
    switch (what.spec->message) {
        case sparkplug_message::dbirth:
            if (cause != publication_cause::time) {
                return !state.is_dead(what.device);
            }
            if (!state.is_dead(what.device)) {
                return false;
            }
            state.set_dead(what.device, false);
            return online;
        case sparkplug_message::ddeath:
            if (state.is_dead(what.device)) {
                return false;
            }
            state.set_dead(what.device, true);
            return online;
        case sparkplug_message::ddata: return !state.is_dead(what.device);
        default: return true;
    }
}

void fleet_state::write_sparkplug(const context& at, const sparkplug_content& what,
                                  std::uint64_t sequence, random_key random,
                                  std::span<const generator_value> generated, std::string& out) {
    using form = sparkplug_writer::form;
    const sparkplug_message message = what.spec->message;
    sparkplug_state state = sparkplug_of(at.self);
    if (message == sparkplug_message::state_online || message == sparkplug_message::state_offline) {
        out += message == sparkplug_message::state_online ? R"({"online":true,"timestamp":)"
                                                          : R"({"online":false,"timestamp":)";
        out += std::to_string(state.connect_time());
        out += '}';
        return;
    }
    sparkplug_writer& writer = sparkplug_writer_;
    writer.begin(out, shown_now(at.self));
    if (message == sparkplug_message::nbirth || message == sparkplug_message::ndeath) {
        writer.add_birth_sequence(state.birth_sequence());
    }
    if (message == sparkplug_message::nbirth) {
        writer.add_rebirth_control();
        state.restart_sequence();
    }
    const bool command = message == sparkplug_message::ncmd || message == sparkplug_message::dcmd;
    const form how = what.is_birth() ? form::birth : command ? form::command : form::data;
    for (std::size_t i = 0; i < what.values.size(); ++i) {
        // Without any values the generators have it that there is nothing to say.
        const bool silent = generated.size() < what.generators.uses.size();
        const auto shown =
            silent ? std::span<const generator_value>()
                   : generated.subspan(what.first_use[i], what.values[i].generator_uses().size());
        const bool missing = (silent && !what.values[i].generator_uses().empty()) ||
                             std::any_of(shown.begin(), shown.end(),
                                         [](const generator_value& each) { return each.missing; });
        value_text_.clear();
        if (!missing) {
            render(what.values[i], at, sequence, {combine(random.value, i)}, {}, shown, {},
                   value_text_);
        }
        writer.add(what.spec->metrics[i], how, value_text_, missing);
    }
    // What is said while offline is lost, and takes no number.
    const bool counts = message != sparkplug_message::ndeath && !command;
    writer.end(counts ? std::optional(at.self.session.is_connected() ? state.take_sequence()
                                                                     : std::uint8_t{0})
                      : std::nullopt);
}

}  // namespace fleetarium::sim::detail
