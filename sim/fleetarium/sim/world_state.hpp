#pragma once

#include <fleetarium/core/hash.hpp>
#include <fleetarium/core/random.hpp>
#include <fleetarium/core/timing_wheel.hpp>
#include <fleetarium/core/trace_hash.hpp>
#include <fleetarium/sim/accounting.hpp>
#include <fleetarium/sim/client.hpp>
#include <fleetarium/sim/event.hpp>
#include <fleetarium/sim/expectation_monitor.hpp>
#include <fleetarium/sim/fault_engine.hpp>
#include <fleetarium/sim/fleet.hpp>
#include <fleetarium/sim/ledger.hpp>
#include <fleetarium/sim/link_watch.hpp>
#include <fleetarium/sim/memory_network.hpp>
#include <fleetarium/sim/message_tally.hpp>
#include <fleetarium/sim/raw_peer.hpp>
#include <fleetarium/sim/remote_broker.hpp>
#include <fleetarium/sim/stream_peer.hpp>
#include <fleetarium/sim/virtual_broker.hpp>

#include <bit>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace fleetarium::sim::detail {

class broker_host;
class fleet_state;
class peer_host;
class remote_host;

/// What a host's random draws are for. The numbers are part of every trace: never renumber.
enum class purpose : std::uint64_t {
    link_up = 1,
    link_down = 2,
    reconnect = 3,
    coverage = 4,
    publication = 0x100,  ///< + index: when
    content = 0x200,      ///< + index: placeholders of payloads
    target = 0x300,       ///< + index: which device
    reply = 0x400,        ///< + index: delays
    reply_content = 0x500,
    behaviour = 5,  ///< lengths, choices, probabilities
    cohort = 6,
    behaviour_content = 0x600,  ///< + index: placeholders of its messages
    behaviour_time = 0x700,     ///< + index: what spreads a transition at a time of day
};

constexpr purpose operator+(purpose base, std::size_t index) {
    return static_cast<purpose>(static_cast<std::uint64_t>(base) + (std::uint64_t{index} << 16));
}

/// The one word that an event adds to its host's history.
inline std::uint64_t event_word(const event& what, std::uint64_t content) {
    const auto time = static_cast<std::uint64_t>(what.time.time_since_epoch().count());
    // Two lossless mixtures; the chain hashes their sum.
    return (time ^ std::uint64_t{what.kind_value} << 56) * 0x9e37'79b9'7f4a'7c15 +
           std::rotl(content, 23);
}

/// The history of bytes that arrived.
inline std::uint64_t hash_of(const wire_buffer& bytes) {
    std::uint64_t hash = 0;
    bytes.for_each_part([&](bytes_view part) { hash = hash_bytes(part, hash); });
    return hash;
}

/// A client's end of its link to a broker, and with it the host's history.
struct link_end {
    enum class phase : std::uint8_t { idle, opening, open };

    host_chain chain;
    link_progress up;
    std::uint32_t sequence = 0;    ///< of the host's next event
    std::uint32_t connection = 0;  ///< the broker's number of this link, while open
    std::uint32_t generation : link_bits = 0;
    std::uint32_t phase_value : 8 = 0;

    enum phase phase() const { return static_cast<enum phase>(phase_value); }
    void set_phase(enum phase now) { phase_value = static_cast<std::uint8_t>(now) & 0xFFu; }
};

static_assert(sizeof(link_end) == 48);

/// Where a client's link leads.
struct link_path {
    host_id broker = 0;
    const network* by = nullptr;
};

/// Devices in blocks of equal ones: a device's number leads to its place without a search.
inline constexpr unsigned block_bits = 10;
inline constexpr std::uint32_t devices_per_block = std::uint32_t{1} << block_bits;

struct device_block {
    std::byte* begin = nullptr;
    fleet_state* fleet = nullptr;
    std::uint32_t stride = 0;
    std::uint32_t first_index = 0;  ///< in the fleet
};

/// The inside of a world: the queue, all hosts, and what they share.
///
/// A host's state changes only in the handling of its own events, and what it tells another host
/// goes into an event; so hosts may one day be dealt out to threads. Shared are values that do not
/// change while the world runs, sums that nobody reads while it runs, and scratch memory.
struct world_state {
    explicit world_state(std::uint64_t with_seed);
    ~world_state();
    world_state(const world_state&) = delete;
    world_state& operator=(const world_state&) = delete;

    // Events

    void post(const event& added) {
        on_links += is_on_link(added);
        events.push(added);
    }
    static bool is_on_link(const event& each) {
        return each.kind() != event_kind::wake && each.kind() != event_kind::fault;
    }
    void run_until(instant until);
    /// The same, but stops at the first failure; returns whether there is none.
    bool run_until_failure(instant until);
    /// The same, but stops after that many events; returns whether it got there.
    bool run_until(instant until, std::uint64_t events_max);
    bool step();
    void let_guests_act();
    /// What has to be known before the next event: targets, selections.
    void prepare();

    // Expectations over time

    void watch_over_time(const expectation_spec& expected);
    /// Faults have begun, ended, or been added.
    void faults_changed();
    /// Whether the ledger found a violation so far, or what is always expected does not hold.
    bool has_failed() const;

    // Links, from the client's end. `self` is its host.

    void open_link(host_id self, link_end& link, const link_path& path, random_key host_key);

    /// Sends bytes; the messages in them are those in `sent_log`, which is empty afterwards. What
    /// would arrive after `lost_from` is lost.
    void send_up(host_id self, link_end& link, const link_path& path, random_key host_key,
                 wire_buffer bytes, instant lost_from = never);

    /// Posts an event without bytes, behind those sent.
    void signal(host_id self, link_end& link, const link_path& path, random_key host_key,
                event_kind what);

    /// Ends the link in order (close) or not (cut), as seen from here; the other side will learn.
    void end_link(host_id self, link_end& link, const link_path& path, random_key host_key,
                  event_kind how);

    /// An answer to an `opened` that nobody waits for any more.
    void refuse_opened(host_id self, link_end& link, const event& opened, random_key host_key,
                       const network& by);

    /// Null where no fault changes the link; else `room`, filled in.
    const link_conditions* conditions(host_id device, host_id broker, bool up,
                                      link_conditions& room) const {
        if (faults == nullptr || !faults->changes_links()) {
            return nullptr;
        }
        room = faults->conditions_at(device, broker, up);
        return &room;
    }

    // Void events

    /// Towards a broker the receiver of messages is not known.
    static constexpr host_id towards_broker = host_end;

    /// Counts what is lost with an event's bytes, and frees them.
    void lose(const event& voided, host_id receiver, protocol_version version);
    void lose(segment* voided, host_id receiver, protocol_version version);

    // What an observer is told; there is one

    void tell_message(std::uint32_t broker, host_id publisher,
                      const fleetarium::publish& message,
                      const message_identity& identity, instant at) {
        if (tally == nullptr ||
            !tally->takes_message(publisher, message, message_number::base_of(identity.number),
                                  message_number::is_copy(identity.number))) {
            observer->on_message(broker, publisher, message, identity, at);
        }
    }
    void tell_decision(std::uint32_t broker, std::uint32_t client,
                       const broker::broker_event& decision) {
        const std::uint64_t number = decision.identity.number;
        if (tally == nullptr ||
            !tally->takes_decision(client, decision, message_number::base_of(number),
                                   message_number::is_copy(number))) {
            observer->on_decision(broker, client, decision);
        }
    }
    void tell_received(host_id client, const message_identity& message, bool repeated) {
        if (tally == nullptr ||
            !tally->takes_received(client, message_number::base_of(message.number),
                                   message_number::qos_of(message.number), repeated,
                                   message.published_at, now)) {
            observer->on_received(client, message, repeated, now);
        }
    }
    void tell_acknowledged(host_id publisher, std::uint64_t number) {
        if (tally == nullptr ||
            !tally->takes_completed(publisher, message_number::base_of(number),
                                    message_number::qos_of(number))) {
            observer->on_acknowledged(publisher, number, now);
        }
    }

    // Hosts

    accounting::receiver receiver_of(host_id host) const;
    random_key key_of(host_id host) const;
    /// The first one added; until then one without latency.
    const network& default_network() const { return *networks[networks.size() > 1 ? 1 : 0]; }
    const network& find_network(const std::string& name) const;
    broker_host& broker_of(host_id host) const { return *broker_hosts[host - first_broker_host]; }
    /// Throws std::invalid_argument if so many devices and sources more do not fit.
    void require_room(std::uint32_t devices, std::size_t sources) const;
    host_id add_block(const device_block& block);
    host_id add_peer(peer_host& peer);
    fault_engine& faults_of_world();
    void add_network(const network_spec& spec);

    std::uint64_t trace_hash() const;
    run_report report() const;

    const std::uint64_t seed;
    instant now{};
    timing_wheel<event> events;
    std::uint64_t handled = 0;
    std::uint64_t on_links = 0;  ///< events pending that are not wakes
    bool prepared = true;
    bool fetches_ahead = false;   ///< more devices than a cache holds
    bool guests_stirred = false;  ///< something happened that guests have to see
    std::string scenario_name;
    std::unique_ptr<ledger> book;  ///< null: none is kept
    audit_options audit;           ///< of brokers outside
    bool publishes = true;         ///< devices do, on their own account
    world_observer* observer = nullptr;  ///< the one there is, or `all_observers`; null: none
    message_tally* tally = nullptr;      ///< of `observer`; asked before it is told of messages
    std::vector<world_observer*> observers;
    std::unique_ptr<world_observer> all_observers;
    void observers_changed();
    instant run_end = never;  ///< if it is known
    /// Between events, at `sample_due`; null: nothing is expected over time.
    std::unique_ptr<expectation_monitor> monitor;
    instant sample_due = never;

    accounting accounts;
    std::unique_ptr<link_watch> watch;               ///< null: nobody listens to links
    std::unique_ptr<fault_engine> faults;            ///< null until the first fault is added
    std::vector<std::unique_ptr<network>> networks;  ///< after one without a name
    std::vector<device_block> blocks;
    std::vector<broker_host*> broker_hosts;
    /// Where links to a broker of that name lead, in the order of addition.
    struct broker_place {
        std::string name;
        host_id host;
        remote_host* remote;  ///< null: it is in the world
    };
    std::vector<broker_place> broker_places;
    std::vector<peer_host*> peer_hosts;
    std::vector<std::unique_ptr<virtual_broker>> brokers;
    std::vector<std::unique_ptr<remote_broker>> remotes;
    std::vector<std::unique_ptr<fleet_state>> fleets;
    std::vector<std::unique_ptr<fleet>> fleet_handles;
    std::vector<std::unique_ptr<client>> clients;
    std::vector<std::unique_ptr<raw_peer>> raw_peers;
    std::vector<std::unique_ptr<stream_peer>> stream_peers;
    struct stream_group {
        std::string name;
        accounting::source source;
        std::uint32_t count;
    };
    std::vector<stream_group> stream_groups;
    std::vector<guest*> guests;

    // Scratch memory, empty between events.
    std::vector<message_identity> sent_log;
    std::vector<wire_buffer> pieces;
    std::string topic_text;
    std::string payload_text;
    std::string id_text;
    std::string other_text;
    std::string tagged_text;
    std::string untagged_text;

private:
    void handle(const event& next);
    bool carries_void_bytes(const event& what) const;
    void handle_next();
    void take_sample();
    void after_event();
    void prefetch_ahead() const;
    void prefetch_of_device(const event& coming, std::size_t distance) const;
    void prefetch_of_broker(const event& coming, std::size_t distance) const;
};

/// A client or peer that belongs to no fleet.
class peer_host {
public:
    peer_host(world_state& world, std::string name);
    /// One that shares a source with others.
    peer_host(world_state& world, std::string name, accounting::source source);
    virtual ~peer_host() = default;
    peer_host(const peer_host&) = delete;
    peer_host& operator=(const peer_host&) = delete;

    virtual void handle(const event& what) = 0;

    const std::string& name() const { return name_; }
    host_id id() const { return id_; }
    random_key key() const { return key_; }
    accounting::source source() const { return source_; }
    const host_chain& chain() const { return link_.chain; }
    const link_end& link() const { return link_; }
    /// Whether it tells the ledger what it sends and receives.
    virtual bool tells_ledger() const { return false; }
    /// Null if it has none of its own.
    virtual const client_session* own_session() const { return nullptr; }
    bool has_link() const { return link_.phase() != link_end::phase::idle; }
    void use_network(const network_spec& spec);

protected:
    void open_link(host_id broker);
    void end_link(event_kind how);
    /// As a cut by whoever holds the world: what is under way to the broker is lost, too.
    void cut_link();
    void send(wire_buffer bytes);
    /// Tells the broker something without bytes, behind those sent.
    void signal(event_kind what);
    /// Whether an event of the link is of the present one; a void one is disposed of.
    bool is_present(const event& what, protocol_version version);

    world_state& world_;
    std::string name_;
    host_id id_;
    random_key key_;
    accounting::source source_;
    link_end link_;
    link_path path_;                                      ///< of links to come
    const network* link_by_ = nullptr;                    ///< of the present link
    std::vector<std::unique_ptr<network>> own_networks_;  // links made earlier may still use them
};

}  // namespace fleetarium::sim::detail
