#include <fleetarium/sim/scenario_check.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/config/quantities.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/core/limits.hpp>
#include <fleetarium/sim/scenario_fields.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <algorithm>
#include <bit>
#include <set>

namespace fleetarium::sim {

std::vector<problem> check_scenario(const scenario& checked) {
    return detail::check_with_presets(checked);
}

using namespace config;
using namespace config::detail;

namespace detail {

std::vector<problem> scenario_checker::run() {
    if (scenario_.duration <= duration::zero()) {
        report("/duration", "no time at all", "a duration above 0");
    }
    check_names("/brokers", scenario_.brokers);
    check_names("/networks", scenario_.networks);
    check_names("/fleets", scenario_.fleets);
    for (std::size_t i = 0; i < scenario_.brokers.size(); ++i) {
        check_broker(scenario_.brokers[i], pointer_to("/brokers", i));
    }
    for (std::size_t i = 0; i < scenario_.networks.size(); ++i) {
        check_network(scenario_.networks[i], pointer_to("/networks", i));
    }
    for (std::size_t i = 0; i < scenario_.fleets.size(); ++i) {
        const auto& fleet = scenario_.fleets[i];
        const std::string at = pointer_to("/fleets", i);
        fleet_sample sample;
        sample.fleet = &fleet;
        if (!fleet.network.empty()) {
            find_named(scenario_.networks, fleet.network, "network", at + "/network");
        }
        if (!fleet.broker.empty()) {
            sample.broker = find_named(scenario_.brokers, fleet.broker, "broker", at + "/broker");
        } else {
            sample.broker =
                scenario_.brokers.empty() ? &default_broker_ : &scenario_.brokers.front();
        }
        sample.client_id =
            check_template(fleet.client_id, template_use::client_id, at + "/client_id");
        samples_.push_back(std::move(sample));
    }
    for (std::size_t i = 0; i < samples_.size(); ++i) {
        check_fleet(samples_[i], pointer_to("/fleets", i));
    }
    check_client_ids();
    for (std::size_t i = 0; i < scenario_.faults.size(); ++i) {
        check_fault(scenario_.faults[i], pointer_to("/faults", i));
    }
    for (std::size_t i = 0; i < scenario_.expectations.size(); ++i) {
        check_expectation(scenario_.expectations[i], pointer_to("/expectations", i));
    }
    return std::move(problems_);
}

void scenario_checker::report(std::string pointer, std::string found, std::string expected,
                              std::string suggestion) {
    problems_.push_back({{},
                         0,
                         0,
                         std::move(pointer),
                         std::move(found),
                         std::move(expected),
                         std::move(suggestion)});
}

/// Names are there and differ.
template <class Named>
void scenario_checker::check_names(const std::string& pointer, const std::vector<Named>& list) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string at = pointer_to(pointer_to(pointer, i), "name");
        if (list[i].name.empty()) {
            report(at, quoted(""), "a name");
        } else if (!names.insert(list[i].name).second) {
            report(at, quoted(list[i].name) + " a second time", "a name of its own");
        }
    }
}

template <class Named>
const Named* scenario_checker::find_named(const std::vector<Named>& list, const std::string& name,
                                          std::string_view noun, const std::string& pointer) {
    std::vector<std::string_view> names;
    for (const auto& item : list) {
        if (item.name == name) {
            return &item;
        }
        names.push_back(item.name);
    }
    report(pointer, quoted(name),
           "the name of a " + std::string(noun) +
               (names.empty() ? ", of which there is none" : ": " + joined_with_or(names)),
           nearest_name(name, names));
    return nullptr;
}

// Used by the other files too.
template const broker_spec* scenario_checker::find_named(const std::vector<broker_spec>&,
                                                         const std::string&, std::string_view,
                                                         const std::string&);
template const network_spec* scenario_checker::find_named(const std::vector<network_spec>&,
                                                          const std::string&, std::string_view,
                                                          const std::string&);
template void scenario_checker::check_names(const std::string&, const std::vector<cohort_spec>&);
template const cohort_spec* scenario_checker::find_named(const std::vector<cohort_spec>&,
                                                         const std::string&, std::string_view,
                                                         const std::string&);
template const fleet_spec* scenario_checker::find_named(const std::vector<fleet_spec>&,
                                                        const std::string&, std::string_view,
                                                        const std::string&);

void scenario_checker::check_broker(const broker_spec& broker, const std::string& pointer) {
    if (broker.storage && !std::has_single_bit(broker.storage->sector_size)) {
        report(pointer + "/storage/sector_size", std::to_string(broker.storage->sector_size),
               "a power of two from 512 to 65,536");
    }
    std::set<std::string_view> users;
    for (std::size_t i = 0; i < broker.users.size(); ++i) {
        const auto& name = broker.users[i].user_name;
        if (!users.insert(name).second) {
            report(pointer_to(pointer + "/users", i) + "/user_name",
                   quoted(name) + " a second time", "each user once");
        }
    }
    for (std::size_t i = 0; i < broker.access.size(); ++i) {
        const auto& rule = broker.access[i];
        const std::string at = pointer_to(pointer + "/access", i);
        for (std::size_t j = 0; j < rule.publish.size(); ++j) {
            check_filter_text(rule.publish[j], pointer_to(at + "/publish", j));
        }
        for (std::size_t j = 0; j < rule.subscribe.size(); ++j) {
            check_filter_text(rule.subscribe[j], pointer_to(at + "/subscribe", j));
        }
        if (rule.user_name && !users.contains(*rule.user_name)) {
            const std::vector<std::string_view> names(users.begin(), users.end());
            report(at + "/user_name", quoted(*rule.user_name), "one of the users of the broker",
                   nearest_name(*rule.user_name, names));
        }
    }
}

void scenario_checker::check_network(const network_spec& network, const std::string& pointer) {
    if (!(network.split_probability >= 0 && network.split_probability <= 1)) {
        report(pointer + "/split_probability", number_text(network.split_probability),
               "a number from 0 to 1");
    }
    if (network.mtu == 0U) {
        report(pointer + "/mtu", "0", "a number of bytes above 0");
    }
}

/// Two devices with one client id would take the session from one another for ever.
void scenario_checker::check_client_ids() {
    struct entry {
        std::uint64_t hash;
        std::uint32_t fleet;
        std::uint32_t index;
    };
    std::vector<entry> entries;
    std::string text;
    const auto id_of = [&](const entry& item) {
        const auto& sample = samples_[item.fleet];
        text.clear();
        sample.client_id->render({.fleet = sample.fleet->name, .index = item.index}, text);
        return std::string_view(text);
    };
    for (std::uint32_t i = 0; i < samples_.size(); ++i) {
        const auto& sample = samples_[i];
        if (!sample.client_id || sample.broker == nullptr) {
            continue;
        }
        const auto broker = hash_text(sample.broker->name);
        entries.reserve(entries.size() + sample.fleet->count);
        for (std::uint32_t index = 0; index < sample.fleet->count; ++index) {
            entry item{0, i, index};
            // An empty id asks the broker for one, which is another each time.
            if (const auto id = id_of(item); !id.empty()) {
                item.hash = combine(broker, hash_text(id));
                entries.push_back(item);
            }
        }
    }
    std::sort(entries.begin(), entries.end(), [](const entry& a, const entry& b) {
        return std::tie(a.hash, a.fleet, a.index) < std::tie(b.hash, b.fleet, b.index);
    });
    // One problem a fleet, about its first device whose id is taken.
    std::vector<std::optional<std::pair<entry, entry>>> taken(samples_.size());
    for (std::size_t i = 1; i < entries.size(); ++i) {
        const entry& first = entries[i - 1];
        const entry& second = entries[i];
        if (first.hash != second.hash || std::string(id_of(first)) != id_of(second)) {
            continue;
        }
        auto& known = taken[second.fleet];
        if (!known || second.index < known->second.index) {
            known = {first, second};
        }
    }
    for (std::size_t i = 0; i < taken.size(); ++i) {
        if (taken[i]) {
            const auto& [first, second] = *taken[i];
            const auto device = [&](const entry& item) {
                return "device " + std::to_string(item.index) + " of " +
                       quoted(samples_[item.fleet].fleet->name);
            };
            report(pointer_to("/fleets", i) + "/client_id",
                   "the client id " + quoted(id_of(second)) + " for " + device(first) +
                       " and for " + device(second),
                   "a client id of its own for each device; {index} tells them apart");
        }
    }
}

std::optional<text_template> scenario_checker::check_template(
    const std::string& text, template_use use, const std::string& pointer,
    std::span<const generator_names> generators) {
    auto made = text_template::parse(text, use, generators);
    if (auto* const fault = std::get_if<template_fault>(&made)) {
        report(pointer, fault->found, fault->expected, fault->suggestion);
        return std::nullopt;
    }
    return std::get<text_template>(std::move(made));
}

std::string scenario_checker::example_of(const text_template& made, const fleet_sample& sample) {
    // The last device has the longest number.
    const std::uint64_t index = std::max(sample.fleet->count, 1U) - 1;
    std::string client_id;
    if (sample.client_id) {
        sample.client_id->render({.fleet = sample.fleet->name, .index = index}, client_id);
    }
    std::string text;
    const std::vector<generator_value> generated(made.generator_uses().size(),
                                                 {.text = "x", .form = field_form::name});
    made.render({.fleet = sample.fleet->name,
                 .index = index,
                 .client_id = client_id,
                 .generated = generated},
                text);
    return text;
}

const scenario_checker::fleet_sample* scenario_checker::sample_of(const std::string& fleet) const {
    const auto found =
        std::find_if(samples_.begin(), samples_.end(),
                     [&](const fleet_sample& item) { return item.fleet->name == fleet; });
    return found == samples_.end() ? nullptr : &*found;
}

/// Gives an example of the topic if it is valid.
std::optional<std::string> scenario_checker::check_topic(const std::string& topic,
                                                         const fleet_sample& sample,
                                                         const std::string& pointer,
                                                         std::span<const generator_names> names) {
    const auto made = check_template(topic, template_use::topic, pointer, names);
    if (!made) {
        return std::nullopt;
    }
    auto text = example_of(*made, sample);
    if (!is_valid_topic_name(text)) {
        report(pointer, quoted(text),
               "a topic name: not empty, up to 65,535 bytes, without \"+\" and \"#\"");
        return std::nullopt;
    }
    return check_levels(text, pointer) ? std::optional(std::move(text)) : std::nullopt;
}

std::optional<std::string> scenario_checker::check_filter(const std::string& filter,
                                                          const fleet_sample& sample,
                                                          const std::string& pointer) {
    const auto made = check_template(filter, template_use::topic, pointer);
    if (!made) {
        return std::nullopt;
    }
    auto text = example_of(*made, sample);
    return check_filter_text(text, pointer) ? std::optional(std::move(text)) : std::nullopt;
}

bool scenario_checker::check_filter_text(const std::string& filter, const std::string& pointer) {
    const bool shared = is_shared_filter(filter);
    if (shared ? !parse_shared_filter(filter) : !is_valid_topic_filter(filter)) {
        report(pointer, quoted(filter),
               shared ? "$share/NAME/FILTER with a name without \"+\", \"#\" and \"/\" and a "
                        "topic filter"
                      : "a topic filter: levels between \"/\", \"+\" for any one level, \"#\" at "
                        "the end for all below");
        return false;
    }
    return check_levels(filter, pointer);
}

bool scenario_checker::check_levels(const std::string& text, const std::string& pointer) {
    const auto levels = topic_level_count(text);
    if (levels > limits::topic_levels_max) {
        report(pointer, std::to_string(levels) + " topic levels",
               "at most " + std::to_string(limits::topic_levels_max));
        return false;
    }
    return true;
}

}  // namespace detail

}  // namespace fleetarium::sim
