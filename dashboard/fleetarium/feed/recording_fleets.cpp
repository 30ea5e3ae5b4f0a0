#include <fleetarium/feed/recording_fleets.hpp>

#include <fleetarium/feed/device_name.hpp>
#include <fleetarium/feed/fault_words.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace fleetarium::feed {

namespace {

using nlohmann::json;

/// As many as a world may have; what a damaged file says beyond is not believed.
constexpr std::uint32_t devices_max = 50'000'000;

const json& list_in(const json& object, const char* name) {
    static const json none = json::array();
    const auto found = object.find(name);
    return found != object.end() && found->is_array() ? *found : none;
}

std::string text_in(const json& object, const char* name, const std::string& preset) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : preset;
}

std::optional<std::uint32_t> number_in(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_number_unsigned()) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(found->get<std::uint64_t>(), devices_max));
}

/// What a fault of a scenario is about. `fleets` are those of the scenario.
recording_fleets::fault_facts facts_of(const json& each, const std::vector<fleet_info>& fleets,
                                       const std::string& first_broker) {
    recording_fleets::fault_facts made;
    auto read = sim::parse_fault(each.dump(), "fault");
    const auto* const fault = std::get_if<sim::fault_spec>(&read);
    if (fault == nullptr) {  // of a later version
        if (each.is_object()) {
            made.kind = text_in(each, "kind", "");
            made.name = text_in(each, "name", made.kind);
        }
        return made;
    }
    made.kind = sim::name_of(fault->kind);
    made.name = fault->name.empty() ? made.kind : fault->name;
    made.where = where_of(*fault, first_broker);
    if (sim::hits_broker(fault->kind) || fault->share < 1 || !fault->cohort.empty()) {
        return made;
    }
    for (const fleet_info& of : fleets) {
        if (of.count != 0 && (fault->fleet.empty() || fault->fleet == of.name) &&
            (fault->broker.empty() || fault->broker == of.broker)) {
            made.devices.emplace_back(
                of.first + std::min(fault->first_device.value_or(0), of.count),
                of.first + std::min(fault->last_device.value_or(of.count - 1) + 1, of.count));
        }
    }
    return made;
}

}  // namespace

recording_fleets::recording_fleets(const std::string& scenario, std::string_view other_clients)
    : other_clients_(other_clients) {
    read(scenario);
}

void recording_fleets::read(const std::string& scenario) {
    const json document = json::parse(scenario, nullptr, /*allow_exceptions=*/false,
                                      /*ignore_comments=*/true);
    if (!document.is_object()) {
        return;
    }
    title_ = text_in(document, "name", "");
    for (const json& each : list_in(document, "networks")) {
        if (each.is_object()) {
            networks_.push_back(text_in(each, "name", "network"));
        }
    }
    if (networks_.empty()) {
        networks_.emplace_back("network");
    }
    const json& brokers = list_in(document, "brokers");
    first_broker_ = !brokers.empty() && brokers.front().is_object()
                        ? text_in(brokers.front(), "name", "broker")
                        : "broker";
    std::uint32_t devices = 0;
    for (const json& each : list_in(document, "fleets")) {
        if (!each.is_object()) {
            continue;
        }
        fleet_info made;
        made.name = text_in(each, "name", "fleet");
        made.first = devices;
        made.count = std::min(number_in(each, "count").value_or(1), devices_max - devices);
        made.network = text_in(each, "network", networks_.front());
        made.broker = text_in(each, "broker", first_broker_);
        devices += made.count;
        const json behaviour = each.value("behaviour", json::object());
        for (const json& one :
             behaviour.is_object() ? list_in(behaviour, "cohorts") : json::array()) {
            if (!one.is_object()) {
                continue;
            }
            made.cohorts.push_back(text_in(one, "name", ""));
            const auto first = number_in(one, "first_device");
            const auto last = number_in(one, "last_device");
            if (!one.contains("share") && (first || last) && made.count != 0) {
                cohorts_.push_back(
                    {static_cast<std::uint32_t>(fleets_.size()), made.cohorts.back(),
                     made.first + std::min(first.value_or(0), made.count),
                     made.first + std::min(last.value_or(made.count - 1) + 1, made.count)});
            }
        }
        fleets_.push_back(std::move(made));
    }
    clients_.resize(devices);

    for (const json& each : list_in(document, "faults")) {
        faults_.push_back(facts_of(each, fleets_, first_broker_));
    }
    faults_of_scenario_ = faults_.size();
}

void recording_fleets::set_faults_by_hand(const std::vector<std::string>& faults) {
    faults_.resize(faults_of_scenario_);
    std::vector<fleet_info> own = fleets_;
    if (has_others_) {
        own.pop_back();  // they are no devices: no fault hits them
    }
    for (const std::string& each : faults) {
        faults_.push_back(
            facts_of(json::parse(each, nullptr, /*allow_exceptions=*/false), own, first_broker_));
        faults_.back().by_hand = true;
        if (faults_.back().name == faults_.back().kind) {
            faults_.back().name += " by hand";
        }
    }
}

void recording_fleets::meet(const std::vector<recorded::client>& clients) {
    std::map<std::string_view, const fleet_info*> by_name;
    for (const fleet_info& each : fleets_) {
        by_name.emplace(each.name, &each);
    }
    for (std::size_t i = devices_.size(); i < clients.size(); ++i) {
        const auto parts = parts_of_device_name(clients[i].name);
        const auto fleet = parts ? by_name.find(parts->first) : by_name.end();
        if (fleet != by_name.end() && parts->second < fleet->second->count &&
            clients_[fleet->second->first + parts->second] == 0) {
            devices_.push_back(fleet->second->first + parts->second);
            clients_[devices_.back()] = static_cast<std::uint32_t>(i + 1);
            continue;
        }
        devices_.push_back(devices());
        clients_.push_back(static_cast<std::uint32_t>(i + 1));
        if (!has_others_) {
            has_others_ = true;
            fleets_.push_back({.name = other_clients_, .first = devices_.back()});
            by_name.clear();  // the list has moved
            for (const fleet_info& each : fleets_) {
                if (&each != &fleets_.back()) {
                    by_name.emplace(each.name, &each);
                }
            }
        }
        ++fleets_.back().count;
    }
}

const fleet_info& recording_fleets::fleet_of(std::uint32_t device) const {
    const auto behind = std::upper_bound(
        fleets_.begin(), fleets_.end(), device,
        [](std::uint32_t wanted, const fleet_info& each) { return wanted < each.first; });
    return *(behind - 1);
}

std::string recording_fleets::name_of(std::uint32_t device,
                                      const std::vector<recorded::client>& clients) const {
    if (clients_[device] != 0) {
        return clients[clients_[device] - 1].name;
    }
    const fleet_info& of = fleet_of(device);
    return of.name + "[" + std::to_string(device - of.first) + "]";
}

std::optional<std::uint32_t> recording_fleets::find(
    std::string_view name, const std::vector<recorded::client>& clients) const {
    if (const auto parts = parts_of_device_name(name)) {
        for (const fleet_info& each : fleets_) {
            if (each.name == parts->first && parts->second < each.count &&
                name_of(each.first + parts->second, clients) == name) {
                return each.first + parts->second;
            }
        }
    }
    for (std::size_t i = 0; i < devices_.size(); ++i) {
        if (clients[i].name == name || clients[i].client_id == name) {
            return devices_[i];
        }
    }
    return std::nullopt;
}

std::vector<device_group> recording_fleets::groups(grouping by) const {
    std::vector<device_group> out;
    const auto put = [&out](const std::string& name, std::uint32_t first, std::uint32_t last) {
        if (first >= last) {
            return;
        }
        const auto found = std::find_if(
            out.begin(), out.end(), [&](const device_group& each) { return each.name == name; });
        device_group& to =
            found == out.end() ? out.emplace_back(device_group{.name = name}) : *found;
        for (std::uint32_t device = first; device < last; ++device) {
            to.devices.push_back(device);
        }
    };
    for (std::size_t i = 0; i < fleets_.size(); ++i) {
        const fleet_info& each = fleets_[i];
        const std::uint32_t end = each.first + each.count;
        switch (by) {
            case grouping::fleet: put(each.name, each.first, end); break;
            case grouping::network: put(each.network, each.first, end); break;
            case grouping::broker: put(each.broker, each.first, end); break;
            case grouping::none: put("", each.first, end); break;
            case grouping::cohort: {
                // The first cohort that names a device has it; who belongs to none, or was drawn,
                // is in a group of the fleet's.
                std::uint32_t at = each.first;
                while (at < end) {
                    const cohort* mine = nullptr;
                    std::uint32_t until = end;
                    for (const cohort& one : cohorts_) {
                        if (one.fleet == i && mine == nullptr && one.first <= at && at < one.last) {
                            mine = &one;
                            until = std::min(until, one.last);
                        } else if (one.fleet == i && one.first > at) {
                            until = std::min(until, one.first);
                        }
                    }
                    put(mine == nullptr ? each.name : each.name + ": " + mine->name, at, until);
                    at = until;
                }
                break;
            }
        }
    }
    return out;
}

}  // namespace fleetarium::feed
