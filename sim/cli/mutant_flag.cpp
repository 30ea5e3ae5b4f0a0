#include "mutant_flag.hpp"

#include <fleetarium/config/problem.hpp>
#include <fleetarium/core/mutant.hpp>

#include <CLI/CLI.hpp>

#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::cli {

#if FLEETARIUM_MUTANTS

namespace {

std::string check_mutant(const std::string& name) {
    if (find_mutant(name) != mutant::none) {
        return {};
    }
    std::vector<std::string_view> names;
    std::string listed;
    for (const mutant_description& one : mutants) {
        names.push_back(one.name);
        listed.append("\n  ").append(one.name).append(": ").append(one.bug);
    }
    const std::string nearest = config::nearest_name(name, names);
    return "found " + config::quoted(name) + ", expected a mutant" +
           (nearest.empty() ? "" : " (did you mean \"" + nearest + "\"?)") + "; there are" + listed;
}

void switch_on_by_name(const std::string& name) {
    const mutant_description& chosen = mutants[static_cast<std::size_t>(find_mutant(name)) - 1];
    std::cerr << "fleetarium: mutant " << chosen.name << " of the "
              << (chosen.side == mutant_side::broker ? "broker" : "client") << ": " << chosen.bug
              << '\n';
    switch_on(chosen.which);
}

}  // namespace

void add_mutant_flag(CLI::App& command) {
    command
        .add_option_function<std::string>("--mutant", switch_on_by_name,
                                          "Let all brokers, or all clients, have this bug")
        ->check(check_mutant)
        ->type_name("NAME");
}

#else

void add_mutant_flag(CLI::App&) {}

#endif

}  // namespace fleetarium::cli
