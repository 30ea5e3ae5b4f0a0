#include <fleetarium/sim/intervention.hpp>

#include <fleetarium/sim/scenario_loader.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <stdexcept>

namespace fleetarium::sim {

namespace {

using json = nlohmann::json;

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument(what); }

json object_of(std::string_view text) {
    json read = json::parse(text, nullptr, false);
    if (!read.is_object()) {
        refuse("expected a JSON object");
    }
    return read;
}

std::string text_of(const json& in, const char* name) {
    const auto found = in.find(name);
    if (found == in.end()) {
        return {};
    }
    if (!found->is_string()) {
        refuse(std::string(name) + ": expected a text");
    }
    return found->get<std::string>();
}

}  // namespace

interventions::outcome interventions::act(std::string_view what, std::string_view json) {
    world_.run_until(world_.now());
    if (what == "fault") {
        return begin_fault(json);
    }
    if (what == "heal") {
        heal(json);
    } else if (what == "publish") {
        publish(json);
    } else if (what == "disconnect") {
        disconnect(json);
    } else {
        refuse("there is no act \"" + std::string(what) +
               "\"; expected fault, heal, publish or disconnect");
    }
    return {};
}

bool interventions::is_by_hand(std::uint32_t fault) const {
    return std::find(begun_.begin(), begun_.end(), fault) != begun_.end();
}

interventions::outcome interventions::begin_fault(std::string_view text) {
    auto read = parse_fault(text, "fault");
    if (const auto* problems = std::get_if<std::vector<problem>>(&read)) {
        refuse(to_string(*problems));
    }
    auto& spec = std::get<fault_spec>(read);
    if (spec.every || spec.until || spec.count || spec.at != duration{}) {
        refuse("a fault by hand begins now, and once: leave at, every, until and count out");
    }
    spec.at = world_.now() - instant{};
    if (spec.name.empty()) {  // told apart from those of the scenario
        spec.name = std::string(name_of(spec.kind)) + " by hand";
    }
    const auto number = static_cast<std::uint32_t>(world_.fault_count());
    begun_.push_back(number);  // the world tells its observers before this returns
    try {
        if (lasts(spec.kind) && !spec.lasts) {
            held_.push_back({number, world_.begin_fault(spec)});
        } else {
            world_.add_fault(spec);
        }
    } catch (...) {
        begun_.pop_back();
        throw;
    }
    return {number};
}

void interventions::heal(std::string_view text) {
    const json read = object_of(text);
    const auto number = read.find("fault");
    if (number == read.end() || !number->is_number_unsigned()) {
        refuse("fault: expected the number of a fault that was begun by hand");
    }
    const auto wanted = number->get<std::uint64_t>();
    const auto found = std::find_if(held_.begin(), held_.end(),
                                    [&](const held& each) { return each.fault == wanted; });
    if (found == held_.end()) {
        refuse("fault: none with the number " + std::to_string(wanted) +
               " waits to be healed by hand");
    }
    held_.erase(found);
}

void interventions::publish(std::string_view text) {
    const json read = object_of(text);
    const std::string name = text_of(read, "broker");
    virtual_broker* to = nullptr;
    world_.for_each_broker([&](virtual_broker& each) {
        if (to == nullptr && (name.empty() || each.name() == name)) {
            to = &each;
        }
    });
    if (to == nullptr) {
        refuse(name.empty() ? std::string("the brokers of this run live outside of it")
                            : "broker: there is none called \"" + name + "\"");
    }
    const json& qos = read.value("qos", json(0U));
    if (!qos.is_number_unsigned() || qos.get<std::uint64_t>() > 2) {
        refuse("qos: expected 0, 1 or 2");
    }
    const json& retain = read.value("retain", json(false));
    if (!retain.is_boolean()) {
        refuse("retain: expected true or false");
    }
    const std::string topic = text_of(read, "topic");
    const auto published =
        to->publish(topic, text_of(read, "payload"),
                    static_cast<enum qos>(qos.get<std::uint64_t>()), retain.get<bool>());
    if (!published) {
        refuse("topic: \"" + topic + "\": " + published.error().message());
    }
}

void interventions::disconnect(std::string_view text) {
    const std::string client_id = text_of(object_of(text), "client_id");
    bool done = false;
    world_.for_each_broker([&](virtual_broker& each) {
        done = done || each.disconnect(client_id, reason_code::administrative_action).has_value();
    });
    if (!done) {
        refuse("client_id: \"" + client_id + "\" is not connected to a broker of this world");
    }
}

}  // namespace fleetarium::sim
