#pragma once

#include <fleetarium/core/random.hpp>
#include <fleetarium/core/trace_hash.hpp>
#include <fleetarium/core/wire_buffer.hpp>
#include <fleetarium/sim/event.hpp>
#include <fleetarium/sim/fault.hpp>
#include <fleetarium/sim/memory_network.hpp>
#include <fleetarium/sim/report.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace fleetarium::sim::detail {

struct world_state;

/// The last host number: whose events, at an instant, come behind those of all others.
inline constexpr host_id fault_host_id = host_end - 1;

/// What a fault event tells a device or a broker: which fault, its how-manieth time, and whether
/// it begins or ends.
struct fault_news {
    std::uint32_t fault;
    std::uint32_t number;
    bool ends;

    static fault_news of(const event& what) {
        return {static_cast<std::uint32_t>(what.payload >> 32),
                static_cast<std::uint32_t>(what.payload) >> 1, (what.payload & 1U) != 0};
    }
    std::uint64_t word() const {
        return std::uint64_t{fault} << 32 | (std::uint64_t{number} << 1 & 0xFFFF'FFFF) |
               std::uint64_t{ends};
    }
};

/// Where a packet rule cuts what is sent at once.
struct packet_cut {
    std::size_t bytes;         ///< that get through
    std::size_t packet_begin;  ///< of the first packet that does not
    std::size_t publications;  ///< PUBLISH packets whole among them
};

/// Bytes begin to end of a buffer, copied.
wire_buffer part_of(const wire_buffer& bytes, std::size_t begin, std::size_t end);

/// The faults of a world: what is to begin when, what is going on, and what that means for links.
///
/// A host of its own in the queue: its events are beginnings and ends, and from each it tells the
/// devices or the broker that are hit, by events, what to do. What goes on at links while a fault
/// lasts is asked here by whoever sends or delivers; there is nothing to ask where none lasts.
///
/// Path of a partition: `begin` puts it among those that hold bytes; world_state::handle asks
/// `holds` before an event of a link is handled, and the event waits here; `end` posts it again.
class fault_engine {
public:
    explicit fault_engine(world_state& world);
    ~fault_engine();
    fault_engine(const fault_engine&) = delete;
    fault_engine& operator=(const fault_engine&) = delete;

    /// Fault numbers count from 0. Throws std::invalid_argument for what cannot be.
    void add(const fault_spec& spec);

    /// Begins one now that lasts until `end`. Returns its id.
    std::uint32_t begin_now(const fault_spec& spec);
    void end(std::uint32_t id);

    void handle(const event& what);

    std::size_t count() const { return faults_.size(); }
    const fault_spec& spec_of(std::uint32_t which) const { return faults_[which].spec; }

    // What lasts now

    /// Whether the event waits for a partition to heal; then it is taken.
    bool holds(const event& what);

    /// Whether bytes wait, or may come to wait.
    bool is_holding() const { return !holding_.empty() || !held_.empty(); }

    bool changes_links() const { return !conditions_.empty(); }
    /// How bytes fare between the device and its broker.
    link_conditions conditions_at(host_id device, host_id broker, bool up) const;

    bool cuts_packets() const { return !packet_rules_.empty(); }
    /// Where these bytes, packets as they are sent at once, are to be cut; none if not at all.
    std::optional<packet_cut> cut_in(const wire_buffer& bytes, host_id device, host_id broker,
                                     bool up);

    /// Whether a device reads nothing for now.
    bool is_slow(host_id device) const;

    /// Whether a fault that lasts now hits the device, or its link.
    bool hits_now(host_id device) const;
    std::size_t lasting() const { return active_.size(); }

    /// Whether a fault that a device was told of is not over.
    bool goes_on(const fault_news& news) const;

    /// How a device's clock goes for now.
    struct clock_setting {
        std::uint64_t rate;  ///< see device_clock
        duration offset;
        bool wrong;
    };
    clock_setting clock_of(host_id device) const;

    /// Random bytes of a hostile device.
    wire_buffer hostile_bytes(const fault_news& news, host_id device) const;

    /// When the last fault was over; none while one lasts, or is to begin within the run.
    std::optional<instant> over_since() const {
        return active_.empty() && coming_ == 0 ? std::optional(over_since_) : std::nullopt;
    }

    const host_chain& chain() const { return chain_; }
    std::vector<fault_report> report() const;

private:
    struct fault {
        fault_spec spec;
        random_key key;
        std::uint32_t begun = 0;    // times
        std::uint64_t devices = 0;  // hit, over all times
        host_id broker = 0;         // if hits_broker, or links to one alone count
        std::uint32_t fleet = no_index;
        std::uint16_t cohort = 0;  // as behaviour_place has it; 0: all devices
    };
    /// A fault while it lasts.
    struct occurrence {
        std::uint32_t id;
        fault_news news;
    };
    struct packet_rule {
        std::uint32_t id;
        boost::unordered_flat_map<std::uint64_t, std::uint32_t> seen;  // packets by device and way
    };

    std::uint32_t make_fault(const fault_spec& spec);
    void resolve(fault& of) const;
    void schedule(std::uint32_t which, instant due);
    void post(instant due, host_id target, const fault_news& news);
    std::uint32_t begin(std::uint32_t which, bool guarded);
    void finish(std::uint32_t id);
    void tell_hit(const fault_news& news);
    bool is_hit(const fault_news& news, host_id device) const;
    bool is_hit(const fault& what, const fault_news& news, host_id device, std::uint32_t fleet,
                std::uint32_t index) const;
    bool concerns(const occurrence& which, host_id device, host_id broker, bool up) const;
    void sort_out();
    void release_held();

    world_state& world_;
    std::deque<fault> faults_;
    std::vector<occurrence> active_;
    // Of those active: what link traffic has to ask.
    std::vector<occurrence> holding_;
    std::vector<occurrence> conditions_;
    std::vector<occurrence> slow_;
    std::vector<occurrence> skewed_;
    std::vector<packet_rule> packet_rules_;
    std::vector<event> held_;
    host_chain chain_;
    std::uint32_t sequence_ = 0;
    std::uint32_t last_id_ = 0;
    std::uint32_t coming_ = 0;  // beginnings posted that the run has time for
    instant over_since_{};
};

}  // namespace fleetarium::sim::detail
