#include <fleetarium/sim/scenario_check.hpp>

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/sim/scenario_fields.hpp>

#include <string>
#include <string_view>

namespace fleetarium::sim::detail {

using namespace config;
using namespace config::detail;

void scenario_checker::check_fault(const fault_spec& fault, const std::string& pointer) {
    check_fault_times(fault, pointer);
    check_fault_place(fault, pointer);
    check_fault_parameters(fault, pointer);
}

void scenario_checker::check_fault_times(const fault_spec& fault, const std::string& pointer) {
    const std::string kind = quoted(name_of(fault.kind));
    if (lasts(fault.kind) && !may_be_at_once(fault.kind) && !fault.lasts) {
        report(pointer, "the fault " + kind + " without \"for\"",
               "\"for\": how long it lasts; it has to heal");
    } else if (!lasts(fault.kind) && fault.lasts) {
        report(pointer + "/for", "\"for\" of the fault " + kind,
               "none: it happens at once; \"every\" repeats it");
    }
    if (fault.lasts) {
        check_positive(*fault.lasts, pointer + "/for");
    }
    if (fault.every) {
        check_positive(*fault.every, pointer + "/every");
    }
    if (fault.until && *fault.until <= fault.at) {
        report(pointer + "/until", quoted(duration_text(*fault.until)),
               "later than \"at\", " + quoted(duration_text(fault.at)));
    }
    for (const auto& [given, name] : {std::pair(fault.until.has_value(), "until"),
                                      std::pair(fault.count.has_value(), "count")}) {
        if (given && !fault.every) {
            report(pointer + "/" + name, quoted(name) + " of a fault that happens once",
                   "\"every\" beside it");
        }
    }
}

void scenario_checker::check_fault_place(const fault_spec& fault, const std::string& pointer) {
    const fleet_spec* fleet = nullptr;
    if (!fault.fleet.empty()) {
        fleet = find_named(scenario_.fleets, fault.fleet, "fleet", pointer + "/fleet");
    }
    const broker_spec* broker =
        scenario_.brokers.empty() ? &default_broker_ : &scenario_.brokers.front();
    if (!fault.broker.empty() && !scenario_.brokers.empty()) {
        broker = find_named(scenario_.brokers, fault.broker, "broker", pointer + "/broker");
    } else if (!fault.broker.empty() && fault.broker != default_broker_.name) {
        report(pointer + "/broker", quoted(fault.broker), quoted(default_broker_.name));
    }
    const bool crashes = fault.kind == fault_kind::broker_crash && broker != nullptr;
    if (crashes && fault.power_cut && !broker->storage) {
        report(pointer + "/power_cut", "\"power_cut\" of a broker without storage",
               "\"storage\" of the broker " + quoted(broker->name) + ", which it would harm");
    } else if (crashes && fault.keeps_sessions && broker->storage) {
        report(pointer + "/keeps_sessions", "\"keeps_sessions\" of a broker with storage",
               "none: its storage keeps what it keeps");
    }
    if (hits_broker(fault.kind)) {
        for (const auto& [given, name] :
             {std::pair(!fault.fleet.empty(), "fleet"), std::pair(!fault.cohort.empty(), "cohort"),
              std::pair(fault.first_device.has_value(), "first_device"),
              std::pair(fault.last_device.has_value(), "last_device"),
              std::pair(fault.share < 1, "share")}) {
            if (given) {
                report(pointer + "/" + name,
                       quoted(name) + " of the fault " + quoted(name_of(fault.kind)),
                       "none: it hits a broker; \"broker\" says which");
            }
        }
        return;
    }
    check_fault_cohort(fault, fleet, pointer);
    const std::uint32_t first = fault.first_device.value_or(0);
    if (fault.last_device && *fault.last_device < first) {
        report(pointer + "/last_device", std::to_string(*fault.last_device),
               "\"first_device\" or more, " + std::to_string(first));
    } else if (fleet != nullptr && first >= fleet->count) {
        report(
            pointer + "/first_device", std::to_string(first),
            "a device of " + quoted(fleet->name) + ", which has " + std::to_string(fleet->count));
    } else if (fleet != nullptr && fault.last_device && *fault.last_device >= fleet->count) {
        report(
            pointer + "/last_device", std::to_string(*fault.last_device),
            "a device of " + quoted(fleet->name) + ", which has " + std::to_string(fleet->count));
    }
}

void scenario_checker::check_fault_cohort(const fault_spec& fault, const fleet_spec* fleet,
                                          const std::string& pointer) {
    if (fault.cohort.empty()) {
        return;
    }
    if (fault.fleet.empty()) {
        report(pointer + "/cohort", "\"cohort\" without a fleet",
               "\"fleet\" beside it: whose cohort it is");
    } else if (fleet != nullptr && (!fleet->behaviour || fleet->behaviour->cohorts.empty())) {
        report(pointer + "/cohort", quoted(fault.cohort),
               "none: the fleet " + quoted(fleet->name) + " has no cohorts");
    } else if (fleet != nullptr) {
        find_named(fleet->behaviour->cohorts, fault.cohort, "cohort", pointer + "/cohort");
    }
}

void scenario_checker::check_fault_parameters(const fault_spec& fault, const std::string& pointer) {
    const std::string_view kind = name_of(fault.kind);
    // What a kind does not look at would be ignored without a word.
    const auto belongs = [&](bool given, std::string_view name, bool to_kind,
                             std::string_view whose, bool needed = false) {
        if (given && !to_kind) {
            report(pointer + "/" + std::string(name),
                   quoted(name) + " of the fault " + quoted(kind),
                   "it with " + std::string(whose) + " only");
        } else if (needed && to_kind && !given) {
            report(pointer, "the fault " + quoted(kind) + " without " + quoted(name), quoted(name));
        }
    };
    using k = fault_kind;
    const auto is = [&](k which) { return fault.kind == which; };
    belongs(fault.direction.has_value(), "direction",
            is(k::partition) || is(k::latency) || is(k::bandwidth) || is(k::split) ||
                is(k::cut_in_packet),
            "\"partition\", \"latency\", \"bandwidth\", \"split\" and \"cut_in_packet\"");
    belongs(fault.added_latency.has_value(), "latency", is(k::latency), "\"latency\"", true);
    belongs(fault.bytes_per_second.has_value(), "bandwidth", is(k::bandwidth), "\"bandwidth\"",
            true);
    belongs(fault.probability.has_value(), "probability", is(k::split), "\"split\"", true);
    belongs(fault.packet.has_value(), "packet", is(k::cut_in_packet), "\"cut_in_packet\"");
    belongs(fault.packet_number.has_value(), "packet_number", is(k::cut_in_packet),
            "\"cut_in_packet\"");
    belongs(fault.byte.has_value(), "byte", is(k::cut_in_packet), "\"cut_in_packet\"");
    belongs(fault.size.has_value(), "size", is(k::hostile_bytes), "\"hostile_bytes\"");
    belongs(fault.knows.has_value(), "knows", is(k::half_open), "\"half_open\"");
    belongs(fault.keeps_sessions.has_value(), "keeps_sessions", is(k::broker_crash),
            "\"broker_crash\"");
    belongs(fault.power_cut.has_value(), "power_cut", is(k::broker_crash), "\"broker_crash\"");
    belongs(fault.clean_start.has_value(), "clean_start", is(k::take_over), "\"take_over\"");
    belongs(fault.rate.has_value(), "rate", is(k::clock_skew), "\"clock_skew\"");
    belongs(fault.offset.has_value(), "offset", is(k::clock_skew), "\"clock_skew\"");
    if (is(k::clock_skew) && !fault.rate && !fault.offset) {
        report(pointer, "the fault \"clock_skew\" without \"rate\" and \"offset\"",
               "\"rate\", how fast the clocks go, or \"offset\", how much later they show it is");
    }
    if (fault.packet &&
        (*fault.packet == packet_type{} || name_of(*fault.packet) == name_of(packet_type{}))) {
        report(pointer + "/packet", "\"none\"", "a packet type, such as \"PUBLISH\"");
    }
}

}  // namespace fleetarium::sim::detail
