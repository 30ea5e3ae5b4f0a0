#include <fleetarium/dashboard/overlay_model.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <stdexcept>

namespace fleetarium::dashboard {

namespace {

std::string label_of(const feed::fault_row& fault) {
    return fault.name.empty() ? fault.kind : fault.name;
}

}  // namespace

overlay_rows overlay_of(const feed::timeline_answer& timeline, double end) {
    overlay_rows out;
    for (const feed::fault_row& each : timeline.faults) {
        out.bands.push_back({each.from, each.until.value_or(std::max(end, each.from)), !each.until,
                             label_of(each)});
    }
    for (const feed::violation_row& each : timeline.violations) {
        out.marks.push_back({each.at, mark_kind::violation, each.invariant});
    }
    for (const feed::event_row& each : timeline.marks) {
        const mark_kind kind = each.what == "command" ? mark_kind::command
                               : each.what == "gap"   ? mark_kind::gap
                                                      : mark_kind::annotation;
        // A command's words are JSON, too long for a chart.
        out.marks.push_back(
            {each.at, kind,
             kind == mark_kind::command ? each.text.substr(0, each.text.find(' ')) : each.text});
    }
    std::stable_sort(out.marks.begin(), out.marks.end(),
                     [](const overlay_mark& a, const overlay_mark& b) { return a.at < b.at; });
    return out;
}

std::vector<fault_lane> lanes_of(const feed::timeline_answer& timeline) {
    std::vector<fault_lane> out;
    for (const feed::fault_row& each : timeline.faults) {
        const std::string name = label_of(each) + ": " + each.where;
        auto lane = std::find_if(out.begin(), out.end(),
                                 [&](const fault_lane& known) { return known.name == name; });
        if (lane == out.end()) {
            if (out.size() + 1 < fault_lanes_max) {
                lane = out.insert(out.end(), {name, {}});
            } else if (out.size() < fault_lanes_max) {
                lane = out.insert(out.end(), {"others", {}});
            } else {
                lane = std::prev(out.end());
            }
        }
        lane->faults.push_back(each);
    }
    return out;
}

fault_amount amount_of(std::string_view kind) {
    if (kind == "latency") {
        return {"latency", "bytes come later by", "200ms", false};
    }
    if (kind == "bandwidth") {
        return {"bandwidth", "bytes come at most at", "16kbit/s", false};
    }
    if (kind == "split") {
        return {"probability", "share of chunks that are cut", "0.5", true};
    }
    if (kind == "clock_skew") {
        return {"rate", "seconds of its clock in a second", "1.1", true};
    }
    return {};
}

std::string fault_json(const fault_form& form, const feed::fault_kind_info& kind) {
    nlohmann::ordered_json out{{"kind", kind.name}};
    if (kind.hits_broker) {
        if (!form.broker.empty()) {
            out["broker"] = form.broker;
        }
    } else {
        if (!form.fleet.empty()) {
            out["fleet"] = form.fleet;
        }
        if (form.share < 1) {
            out["share"] = form.share;
        }
    }
    if (kind.lasts && !form.until_healed) {
        out["for"] = form.lasts;
    }
    if (kind.name == "broker_crash" && form.power_cut) {
        out["power_cut"] = true;
    }
    const fault_amount amount = amount_of(kind.name);
    if (amount.is_number) {
        const nlohmann::json number = nlohmann::json::parse(form.amount, nullptr, false);
        if (!number.is_number()) {
            throw std::invalid_argument(amount.words + ": found \"" + form.amount +
                                        "\", expected a number");
        }
        out[amount.member] = number;
    } else if (!amount.member.empty()) {
        out[amount.member] = form.amount;
    }
    return out.dump();
}

}  // namespace fleetarium::dashboard
