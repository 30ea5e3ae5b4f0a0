#include <fleetarium/sim/scenario_fields.hpp>

#include <fleetarium/sim/scenario_values.hpp>

namespace fleetarium::sim::detail {

using namespace config;
using namespace config::detail;

namespace {

/// A packet's name as the standard writes it; the type's number as an index.
std::vector<std::string_view> packet_names() {
    std::vector<std::string_view> names;
    for (unsigned i = 0; i < 16; ++i) {
        names.push_back(name_of(static_cast<packet_type>(i)));
    }
    names.front() = "none";  // 0 stands for no packet
    return names;
}

value_type<packet_type> packet_name() {
    value_type<packet_type> type = word<packet_type>(packet_names());
    type.expected = "a packet type, such as \"PUBLISH\" or \"PUBREL\"";
    return type;
}

std::vector<field<fault_spec>> fault_fields() {
    using t = fault_spec;
    return {
        make_field<t>("name", name_text(), &t::name,
                      "How the report calls it; what is drawn for it depends on the name.",
                      R"("power cut")"),
        make_field<t>(
            "kind", word<fault_kind>(fault_kind_names()), &t::kind,
            "What goes wrong. At once: cut (links break, both sides learn of it), half_open "
            "(links break, one side does not know), hostile_bytes (devices send random bytes). "
            "For a while: partition (nothing arrives until it heals), latency, bandwidth, split "
            "(at any byte), cut_in_packet (a link breaks within a packet), slow_reader (devices "
            "read nothing), power_loss (devices are off and forget), broker_stop (it says that "
            "it shuts down, and keeps all), broker_crash, clock_skew (devices' clocks go wrong). "
            "Either: take_over (another client connects with the devices' client ids).",
            R"("partition")", need::required),
        make_field<t>("at", duration_from(duration{}), &t::at,
                      "When, from the beginning of the run.", R"("2h")"),
        make_field<t>("for", optional_of(duration_distribution()), &t::lasts,
                      "How long it lasts, of the kinds that last. take_over: how long the other "
                      "client stays; without it, until it is connected.",
                      R"({"uniform": {"min": "10s", "max": "2m"}})"),
        make_field<t>("every", optional_of(duration_distribution()), &t::every,
                      "From one beginning to the next; without it, once.",
                      R"({"exponential": {"mean": "30m"}})"),
        make_field<t>("until", optional_of(duration_from(duration{})), &t::until,
                      "None begins from here on.", R"("20h")"),
        make_field<t>("count", optional_of(integer<std::uint32_t>(1)), &t::count,
                      "How many begin at most.", "3"),
        make_field<t>("fleet", name_text(), &t::fleet,
                      "Whose devices; without it, those of all fleets.", R"("trucks")"),
        make_field<t>("cohort", name_text(), &t::cohort,
                      "A cohort of the fleet's behaviour: only its devices are hit.",
                      R"("old boot loader")"),
        make_field<t>("broker", name_text(), &t::broker,
                      "The broker that is hit, without it the first; for faults of links, only "
                      "those to this broker.",
                      R"("cloud")"),
        make_field<t>("first_device", optional_of(integer<std::uint32_t>(0)), &t::first_device,
                      "Index of the first device hit.", "0"),
        make_field<t>("last_device", optional_of(integer<std::uint32_t>(0)), &t::last_device,
                      "Index of the last device hit.", "9"),
        make_field<t>("share", number(0, 1), &t::share,
                      "The share of these devices that is hit, drawn anew each time.", "0.3"),
        make_field<t>("direction", optional_of(word<link_direction>({"both", "up", "down"})),
                      &t::direction, "Which way: up is from the devices to the broker.",
                      R"("down")"),
        make_field<t>("latency", optional_of(duration_distribution()), &t::added_latency,
                      "latency: how much later bytes arrive.", R"("800ms")"),
        make_field<t>("bandwidth", optional_of(bandwidth()), &t::bytes_per_second,
                      "bandwidth: how fast bytes follow one another.", R"("2kbit/s")"),
        make_field<t>("probability", optional_of(number(0, 1)), &t::probability,
                      "split: how often what is sent at once is cut at a random byte.", "0.5"),
        make_field<t>("packet", optional_of(packet_name()), &t::packet,
                      "cut_in_packet: in which kind of packet; without it, PUBLISH.",
                      R"("PUBREC")"),
        make_field<t>("packet_number", optional_of(integer<std::uint32_t>(1)), &t::packet_number,
                      "cut_in_packet: in the how-manieth since the fault began.", "2"),
        make_field<t>("byte", optional_of(integer<std::uint32_t>(0)), &t::byte,
                      "cut_in_packet: so many of its bytes get through.", "3"),
        make_field<t>("size", optional_of(integer<std::uint32_t>(1, 65'536)), &t::size,
                      "hostile_bytes: how many.", "64"),
        make_field<t>("knows", optional_of(word<link_side>({"device", "broker"})), &t::knows,
                      "half_open: who learns that the link is gone.", R"("broker")"),
        make_field<t>("keeps_sessions", optional_of(boolean()), &t::keeps_sessions,
                      "broker_crash of a broker without storage: whether that would have kept "
                      "sessions and retained messages; without it, it would.",
                      "false"),
        make_field<t>("power_cut", optional_of(boolean()), &t::power_cut,
                      "broker_crash of a broker with storage: whether its machine loses power, so "
                      "that only what was synced is safe; without it, only its process dies.",
                      "true"),
        make_field<t>("clean_start", optional_of(boolean()), &t::clean_start,
                      "take_over: whether the other client ends the devices' sessions, as it does "
                      "without it, or leaves them as they are.",
                      "false"),
        make_field<t>("rate", optional_of(number(clock_rate_min, clock_rate_max)), &t::rate,
                      "clock_skew: seconds that pass by the devices' clocks in one second.",
                      "1.02"),
        make_field<t>("offset", optional_of(signed_duration(clock_offset_max)), &t::offset,
                      "clock_skew: how much later the devices' clocks show it is.", R"("-1h")"),
    };
}

}  // namespace

std::vector<std::string_view> fault_kind_names() {
    std::vector<std::string_view> names;
    for (std::size_t i = 0; i < fault_kind_count; ++i) {
        names.push_back(name_of(static_cast<fault_kind>(i)));
    }
    return names;
}

const object_type<fault_spec>& fault_type() {
    static const object_type<fault_spec> type{
        "fault", "a fault", "What goes wrong, once or again and again, at devices or a broker.",
        fault_fields()};
    return type;
}

}  // namespace fleetarium::sim::detail
