#include <fleetarium/sim/ledger_report.hpp>

#include <fmt/format.h>

#include <numeric>

namespace fleetarium::sim {

namespace {

struct row {
    std::string_view name;
    std::string_view statements;
};

constexpr std::array<row, invariant_count> rows{{
    {"responsibility", "v5/MQTT-4.3.2-4 v5/MQTT-4.3.2-5 v5/MQTT-4.3.3-8"},
    {"routing", "v5/MQTT-4.5.0-1 v5/MQTT-3.3.4-2 v5/MQTT-3.8.4-8"},
    {"dollar_topics", "v5/MQTT-4.7.2-1"},
    {"no_local", "v5/MQTT-3.8.3-3"},
    {"shared_once", "v5/MQTT-4.8.2-3"},
    {"conservation", "v5/MQTT-4.3.2-3 v5/MQTT-4.3.2-5 v5/MQTT-4.3.3-3"},
    {"at_most_once", "v5/MQTT-4.3.1-1"},
    {"resent_as_duplicate", "v5/MQTT-3.3.1-1 v5/MQTT-3.3.1-3 v5/MQTT-4.3.2-2 v5/MQTT-4.4.0-1"},
    {"exactly_once", "v5/MQTT-4.3.3-10"},
    {"order", "v5/MQTT-4.6.0-1 v5/MQTT-4.6.0-5 v5/MQTT-4.6.0-6"},
    {"retained",
     "v5/MQTT-3.3.1-5 v5/MQTT-3.3.1-6 v5/MQTT-3.3.1-9 v5/MQTT-3.3.1-10 "
     "v5/MQTT-3.3.1-11 v5/MQTT-3.3.1-12 v5/MQTT-3.3.1-13"},
    {"subscription_identifier", "v5/MQTT-3.3.4-3 v5/MQTT-3.3.4-4"},
    {"will", "v5/MQTT-3.1.2-8 v5/MQTT-3.1.2-10 v5/MQTT-3.1.2-15 v5/MQTT-3.14.4-3"},
    {"session_present", "v5/MQTT-3.2.2-2 v5/MQTT-3.2.2-3 v5/MQTT-3.2.2-5"},
    {"session_lifetime", "v5/MQTT-3.1.2-4 v5/MQTT-3.1.2-23 v5/MQTT-4.1.0-1 v5/MQTT-4.1.0-2"},
    {"take_over", "v5/MQTT-3.1.4-3"},
    {"keep_alive", "v5/MQTT-3.1.2-20 v5/MQTT-3.1.2-22"},
    {"receive_maximum", "v5/MQTT-3.3.4-7 v5/MQTT-3.3.4-9"},
    {"packet_id", "v5/MQTT-2.2.1-3 v5/MQTT-2.2.1-4"},
    {"expiry", "v5/MQTT-3.3.2-5 v5/MQTT-3.3.2-6 v5/MQTT-4.3.3-7"},
    {"stalled", "v5/MQTT-4.4.0-1 v5/MQTT-4.3.3-4 v5/MQTT-4.3.3-5"},
    {"protocol", ""},
    {"metrics", ""},
}};

const row& row_of(invariant which) { return rows[static_cast<std::size_t>(which)]; }

}  // namespace

std::string_view name_of(invariant which) { return row_of(which).name; }

std::string_view statements_of(invariant which) { return row_of(which).statements; }

outside_judgement judged_outside(invariant which) {
    using enum judgement;
    switch (which) {
        case invariant::dollar_topics:
        case invariant::no_local:
        case invariant::receive_maximum:
        case invariant::packet_id:
        case invariant::protocol: return {};

        case invariant::conservation:
            return {in_part,
                    "QoS 1 and 2 after PUBACK or PUBCOMP, to subscriptions that had their SUBACK, "
                    "within the bound for queues; not shared ones"};
        case invariant::routing: return {in_part, "what should not have come, and at which QoS"};
        case invariant::shared_once: return {in_part, "that no two members get it"};
        case invariant::order:
        case invariant::at_most_once:
        case invariant::resent_as_duplicate:
        case invariant::exactly_once: return {in_part, "not where subscriptions overlap"};
        case invariant::retained:
            return {in_part, "topics that one publication alone writes, at QoS 1 or 2"};
        case invariant::subscription_identifier:
            return {in_part, "not where subscriptions overlap"};
        case invariant::will: return {in_part, "not of connections that the broker ended"};
        case invariant::session_present:
        case invariant::session_lifetime:
            return {in_part, "not what was before the run, nor within seconds of an expiry"};
        case invariant::take_over: return {in_part, "at the end"};
        case invariant::keep_alive: return {in_part, "to 10 s"};
        case invariant::expiry: return {in_part, "to 2 s, of what was due"};
        case invariant::stalled: return {in_part, "at the end, of what goes to the broker"};

        case invariant::responsibility:
        case invariant::metrics: return {none, "only the broker knows"};
    }
    return {};
}

std::uint64_t ledger_report::violation_count() const {
    return std::accumulate(by_invariant.begin(), by_invariant.end(), std::uint64_t{0});
}

std::string to_string(const ledger_violation& one) {
    const double seconds = std::chrono::duration<double>(one.at.time_since_epoch()).count();
    std::string out = fmt::format("at {:.9g} s, {}", seconds, name_of(one.broken));
    if (one.message != 0) {
        out += fmt::format(": message {} of {}, QoS {}", one.message, one.publisher,
                           static_cast<int>(one.qos));
    }
    if (!one.topic.empty()) {
        out += fmt::format(", \"{}\"", one.topic);
    }
    if (!one.receiver.empty()) {
        out += fmt::format(", at {}", one.receiver);
    }
    return out + ": " + one.what;
}

}  // namespace fleetarium::sim
