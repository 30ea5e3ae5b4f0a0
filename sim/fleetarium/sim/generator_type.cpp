#include <fleetarium/sim/generator_type.hpp>

#include <fleetarium/config/problem.hpp>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

namespace fleetarium::sim {

namespace {

std::map<std::string, generator_factory, std::less<>>& factories() {
    static std::map<std::string, generator_factory, std::less<>> all;
    return all;
}

std::string shown(std::string_view name) { return "parameter " + config::quoted(name); }

}  // namespace

const std::variant<double, std::string>* generator_parameters::find(std::string_view name) const {
    for (const auto& [each, value] : spec_.parameters) {
        if (each == name) {
            return &value;
        }
    }
    return nullptr;
}

double generator_parameters::number(std::string_view name) const {
    const auto* const value = find(name);
    if (value == nullptr || !std::holds_alternative<double>(*value)) {
        throw std::invalid_argument(shown(name) + ", a number");
    }
    return std::get<double>(*value);
}

const std::string& generator_parameters::text(std::string_view name) const {
    const auto* const value = find(name);
    if (value == nullptr || !std::holds_alternative<std::string>(*value)) {
        throw std::invalid_argument(shown(name) + ", a text");
    }
    return std::get<std::string>(*value);
}

double generator_parameters::number(std::string_view name, double otherwise) const {
    return find(name) == nullptr ? otherwise : number(name);
}

void generator_parameters::expect_only(std::span<const std::string_view> names) const {
    for (const auto& [each, value] : spec_.parameters) {
        if (std::find(names.begin(), names.end(), each) == names.end()) {
            const std::string nearest = config::nearest_name(each, names);
            throw std::invalid_argument(
                "no " + shown(each) + " but " + config::joined_with_or(names) +
                (nearest.empty() ? "" : " (did you mean " + config::quoted(nearest) + "?)"));
        }
    }
}

void register_generator(std::string name, generator_factory factory) {
    if (name.empty() || !factory) {
        throw std::invalid_argument("a generator is registered with a name and a factory");
    }
    const auto [place, added] = factories().emplace(std::move(name), std::move(factory));
    if (!added) {
        throw std::invalid_argument("a generator \"" + place->first + "\" is registered already");
    }
}

namespace detail {

std::vector<std::string_view> registered_generators() {
    std::vector<std::string_view> names;
    for (const auto& [name, factory] : factories()) {
        names.push_back(name);
    }
    return names;
}

std::unique_ptr<const generator_type> make_custom_generator(const custom_generator& spec) {
    const auto found = factories().find(spec.type);
    return found == factories().end() ? nullptr : found->second(generator_parameters(spec));
}

}  // namespace detail

}  // namespace fleetarium::sim
