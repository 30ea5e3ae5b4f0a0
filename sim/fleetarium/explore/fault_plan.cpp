#include <fleetarium/explore/fault_plan.hpp>

#include <fleetarium/core/random.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace fleetarium::sim {

namespace {

constexpr double kind_probability = 0.4;
constexpr std::uint64_t times_max = 3;

/// Of the packets that an exchange is made of, and of those that begin a connection.
constexpr std::array<packet_type, 9> cut_packets{
    packet_type::publish, packet_type::puback,    packet_type::pubrec,
    packet_type::pubrel,  packet_type::pubcomp,   packet_type::connect,
    packet_type::connack, packet_type::subscribe, packet_type::suback};

class planner {
public:
    planner(const scenario& what, std::uint64_t seed)
        : scenario_(what), draws_(seed, 0, "fault plan"), cohort_draws_(seed, 0, "fault cohorts") {}

    std::vector<fault_spec> plan() {
        if (std::all_of(scenario_.fleets.begin(), scenario_.fleets.end(),
                        [](const fleet_spec& each) { return each.count == 0; })) {
            return {};
        }
        for (std::size_t i = 0; i < fault_kind_count; ++i) {
            if (draws_.bernoulli(kind_probability)) {
                for (std::uint64_t left = 1 + draws_.below(times_max); left != 0; --left) {
                    add(static_cast<fault_kind>(i));
                }
            }
        }
        return std::move(faults_);
    }

private:
    /// Whole milliseconds, so that a plan can be read.
    duration between(duration min, duration max) {
        using std::chrono::milliseconds;
        const auto low = std::chrono::ceil<milliseconds>(min).count();
        const auto high = std::max(low, std::chrono::floor<milliseconds>(max).count());
        return milliseconds{draws_.between(low, high)};
    }

    /// From a millisecond on, each order of magnitude as likely as the others.
    duration some_length(duration max) {
        int doublings = 0;
        for (duration reach = std::chrono::milliseconds{2}; reach < max; reach *= 2) {
            ++doublings;
        }
        const auto top = std::chrono::milliseconds{
            std::int64_t{2} << draws_.below(static_cast<std::uint64_t>(doublings) + 1)};
        return between(std::max<duration>(top / 2, std::chrono::milliseconds{1}),
                       std::min<duration>(top, max));
    }

    void add(fault_kind kind) {
        fault_spec made;
        made.name = std::string(name_of(kind)) + "-" + std::to_string(faults_.size() + 1);
        made.kind = kind;
        const duration begin = scenario_.duration / 20;
        const duration end = scenario_.duration / 5 * 4;
        made.at = between(begin, end - scenario_.duration / 20);
        if (lasts(kind)) {
            const duration length = some_length(std::max<duration>(end - made.at, duration{1}));
            made.lasts = distribution::constant(static_cast<double>(length.count()));
            if (may_be_at_once(kind) && draws_.bernoulli(0.5)) {
                made.lasts.reset();
            }
        }
        if (hits_broker(kind)) {
            choose_broker(made);
        } else {
            choose_devices(made);
        }
        choose_parameters(made);
        faults_.push_back(std::move(made));
    }

    void choose_broker(fault_spec& made) {
        if (!scenario_.brokers.empty()) {
            made.broker = scenario_.brokers[draws_.below(scenario_.brokers.size())].name;
        }
    }

    bool has_storage(std::string_view broker) const {
        return std::any_of(
            scenario_.brokers.begin(), scenario_.brokers.end(),
            [&](const broker_spec& each) { return each.name == broker && each.storage; });
    }

    void choose_devices(fault_spec& made) {
        if (draws_.bernoulli(0.25)) {
            made.share = draws_.bernoulli(0.5) ? 1 : 0.3;
            return;  // of all fleets
        }
        const fleet_spec& fleet = scenario_.fleets[draws_.below(scenario_.fleets.size())];
        made.fleet = fleet.name;
        choose_cohort(made, fleet);
        switch (draws_.below(3)) {
            case 0: break;
            case 1: made.share = 0.3; break;
            default:
                if (fleet.count != 0) {
                    made.first_device = static_cast<std::uint32_t>(draws_.below(fleet.count));
                    made.last_device = made.first_device;
                }
                break;
        }
    }

    void choose_cohort(fault_spec& made, const fleet_spec& fleet) {
        if (fleet.behaviour && !fleet.behaviour->cohorts.empty() && cohort_draws_.bernoulli(0.3)) {
            const auto& all = fleet.behaviour->cohorts;
            made.cohort = all[cohort_draws_.below(all.size())].name;
        }
    }

    void choose_parameters(fault_spec& made) {
        switch (made.kind) {
            case fault_kind::partition:
            case fault_kind::split:
            case fault_kind::bandwidth:
                made.direction = static_cast<link_direction>(draws_.below(3));
                made.probability =
                    made.kind == fault_kind::split ? std::optional(0.5) : std::nullopt;
                if (made.kind == fault_kind::bandwidth) {
                    made.bytes_per_second = std::uint64_t{100} << draws_.below(8);
                }
                break;
            case fault_kind::latency: {
                made.direction = static_cast<link_direction>(draws_.below(3));
                const duration added = some_length(std::chrono::seconds{4});
                made.added_latency = distribution::constant(static_cast<double>(added.count()));
                break;
            }
            case fault_kind::cut_in_packet:
                made.packet = cut_packets[draws_.below(cut_packets.size())];
                made.packet_number = static_cast<std::uint32_t>(1 + draws_.below(4));
                // Behind the packet, too: it is there, and its answer is lost.
                made.byte = static_cast<std::uint32_t>(draws_.bernoulli(0.5) ? limits_of_packet
                                                                             : draws_.below(8));
                break;
            case fault_kind::half_open:
                made.knows = draws_.bernoulli(0.5) ? link_side::device : link_side::broker;
                break;
            case fault_kind::hostile_bytes:
                made.size = static_cast<std::uint32_t>(1 + draws_.below(64));
                break;
            case fault_kind::take_over: made.clean_start = draws_.bernoulli(0.5); break;
            case fault_kind::clock_skew: {
                // From one that stands still for hours to one that has the keep alive in a hurry.
                constexpr std::array rates{0.1, 0.5, 0.9, 0.999, 1.001, 1.1, 1.6, 2.0, 10.0};
                const bool goes_wrong = draws_.bernoulli(0.75);
                if (goes_wrong) {
                    made.rate = rates[draws_.below(rates.size())];
                }
                if (!goes_wrong || draws_.bernoulli(0.3)) {
                    const duration off = some_length(std::chrono::hours{24});
                    made.offset = draws_.bernoulli(0.5) ? off : -off;
                }
                break;
            }
            case fault_kind::broker_crash:
                if (has_storage(made.broker)) {
                    made.power_cut = draws_.bernoulli(0.5);
                } else {
                    made.keeps_sessions = !draws_.bernoulli(0.25);
                }
                break;
            default: break;
        }
    }

    static constexpr std::uint64_t limits_of_packet = 1'000'000;

    const scenario& scenario_;
    random_stream draws_;
    random_stream cohort_draws_;  // of their own: fleets without cohorts have the faults they had
    std::vector<fault_spec> faults_;
};

}  // namespace

std::vector<fault_spec> draw_faults(const scenario& what, std::uint64_t seed) {
    return planner(what, seed).plan();
}

}  // namespace fleetarium::sim
