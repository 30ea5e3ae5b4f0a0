#include <fleetarium/sim/behaviour_type.hpp>

#include <map>
#include <stdexcept>
#include <utility>

namespace fleetarium::sim {

namespace {

std::map<std::string, behaviour_factory, std::less<>>& factories() {
    static std::map<std::string, behaviour_factory, std::less<>> all;
    return all;
}

}  // namespace

void register_behaviour(std::string name, behaviour_factory factory) {
    if (name.empty() || !factory) {
        throw std::invalid_argument("a behaviour is registered with a name and a factory");
    }
    const auto [place, added] = factories().emplace(std::move(name), std::move(factory));
    if (!added) {
        throw std::invalid_argument("a behaviour \"" + place->first + "\" is registered already");
    }
}

namespace detail {

std::vector<std::string_view> registered_behaviours() {
    std::vector<std::string_view> names;
    for (const auto& [name, factory] : factories()) {
        names.push_back(name);
    }
    return names;
}

std::unique_ptr<const behaviour_type> make_custom_behaviour(const custom_behaviour& spec) {
    const auto found = factories().find(spec.behaviour);
    if (found == factories().end()) {
        return nullptr;
    }
    const custom_generator parameters{.type = spec.behaviour, .parameters = spec.parameters};
    return found->second(generator_parameters(parameters));
}

}  // namespace detail

}  // namespace fleetarium::sim
