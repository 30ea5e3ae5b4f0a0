#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/sim/client.hpp>
#include <fleetarium/sim/fault.hpp>
#include <fleetarium/sim/fleet.hpp>
#include <fleetarium/sim/link_tap.hpp>
#include <fleetarium/sim/raw_peer.hpp>
#include <fleetarium/sim/remote_broker.hpp>
#include <fleetarium/sim/report.hpp>
#include <fleetarium/sim/scenario.hpp>
#include <fleetarium/sim/stream_peer.hpp>
#include <fleetarium/sim/virtual_broker.hpp>
#include <fleetarium/sim/world_observer.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim {

struct world_options {
    std::uint64_t seed = 1;
    /// Whether a ledger proves, message by message, that brokers and clients keep the rules
    /// (ledger_report.hpp). It changes nothing in the run and costs some of its speed.
    bool ledger = true;
    /// How brokers outside are audited; not without a ledger.
    audit_options audit{};
};

/// A device: its fleet, in the order of addition, and its index there.
struct device_place {
    std::uint32_t fleet = 0;
    std::uint32_t index = 0;
};

/// A virtual universe: clock, network, brokers, devices. Nothing in it depends on anything
/// outside: the same calls with the same seed give the same events to the bit.
///
///     world w({.seed = 7});
///     auto& b = w.add_broker();
///     auto& doors = w.add_fleet({.name = "doors", .count = 20, ...});
///     auto& probe = w.add_client("probe");
///     probe.connect(b);
///     probe.subscribe("doors/#", qos::at_least_once);
///     w.run_for(2h);
///     CHECK(probe.messages().size() == 40);
///
/// What a member returns by reference lives as long as the world. Worlds share nothing: any
/// number may run side by side.
/// Thread rule: one thread at a time, the same one from making the world to destroying it.
class world {
public:
    explicit world(const world_options& options = {});
    world(world&&) noexcept;
    world& operator=(world&&) noexcept;
    ~world();

    /// The world that a scenario describes, at its first instant. The scenario is assumed to have
    /// passed check_scenario; throws std::invalid_argument for what cannot be run at all.
    /// Brokers named in `remote` are remote brokers instead.
    static world from(const scenario& described, const remote_brokers& remote = {},
                      const audit_options& audit = {});

    // Building; possible while the world runs, too. Times of a fleet count from its addition.
    // All throw std::invalid_argument for values out of range; brokers, networks and fleets also
    // for names already in use. Clients may share an id: that is how one takes a session over.

    virtual_broker& add_broker(const broker_spec& spec = {});
    /// The same with an embedder's hooks, which decide together with the spec's users and access
    /// rules: both have to agree. The hooks must outlive the world.
    virtual_broker& add_broker(const broker_spec& spec, broker::broker_hooks& embedder);

    /// A network that fleets can name. The first one is what fleets without a network use;
    /// without any they have no latency and no limits.
    void add_network(const network_spec& spec);

    /// Devices, known by their fleet's name. Broker and network named must exist; a publication's
    /// target fleet may come later, before the world runs on.
    fleet& add_fleet(const fleet_spec& spec);

    client& add_client(std::string_view id);
    raw_peer& add_raw_peer(std::string_view name);
    /// Messages of a group's peers count together, under the group's name.
    stream_peer& add_stream_peer(std::string_view group);

    /// A broker outside of the world, for fleets to name. The carrier must outlive the world.
    remote_broker& add_remote_broker(const std::string& name, remote_broker::carrier& by);

    /// A fault, once or again and again, as the spec says. Its fleet and broker must exist; times
    /// count from the beginning of the run, and what should have begun begins now.
    /// Throws std::invalid_argument for what cannot be.
    void add_fault(const fault_spec& spec);

    /// A fault that begins now and lasts as long as what is returned; one that happens at once is
    /// over then. `at`, `lasts`, `every`, `until` and `count` are not looked at. Devices are told
    /// by events of this instant: run on, be it for no time, to see what comes of it.
    fault_guard begin_fault(const fault_spec& spec);

    /// Makes the report tell apart the messages that an expectation narrows by topic, and looks at
    /// one over time while the world runs; before the first event. Throws std::invalid_argument
    /// for times that cannot be.
    void expect(const expectation_spec& expected);

    virtual_broker* find_broker(std::string_view name);
    /// In the order of addition.
    void for_each_broker(const std::function<void(virtual_broker&)>& visit);
    void for_each_fleet(const std::function<void(fleet&)>& visit);
    fleet* find_fleet(std::string_view name);

    // Running

    /// The present; the run begins at instant{}.
    instant now() const;

    /// Handles every event up to and including that instant, which is the present afterwards.
    void run_until(instant until);
    void run_for(duration span) { run_until(saturating_add(now(), span)); }

    /// The same, but stops after so many events. Returns whether it got to that instant.
    bool run_until(instant until, std::uint64_t events_max);

    /// The same, but stops behind the event with which the ledger finds a violation, or at the
    /// sample at which an expectation with `always` is broken. Returns whether there is neither.
    bool run_until_failure(instant until);
    /// Whether one of these has happened. What only the end shows is not in it.
    bool has_failed() const;

    /// Handles the next event, if there is one; the present is its instant.
    bool step();

    /// Runs as long as bytes are under way on links, but not beyond `limit` from now: until what
    /// has been said is answered. Returns whether the links are silent.
    bool settle(duration limit = std::chrono::seconds{10});

    /// For brokers outside: ends a run so that it can be told what never comes. Devices publish
    /// nothing more on their own account, and time goes on until clients are owed nothing, or
    /// brokers outside have said nothing for `quiet`, but not beyond `limit`. Then reports take
    /// what is owed for lost, unless the limit came before the silence. `advance` runs the world on
    /// by the span; false ends it, as nothing to judge by.
    void drain(duration quiet, duration limit, const std::function<bool(duration)>& advance);

    /// Lets a guest act in this world from now on, until it is dismissed, which it must be before
    /// it is destroyed.
    void invite(guest& invited);
    void dismiss(guest& invited) noexcept;

    /// The instant of the next event; `never` if there is none.
    instant next_event() const;

    // What came of it

    /// Who sees what arrives on links from now on, and must outlive the world or the next call;
    /// null: nobody. It changes nothing in the run.
    void tap(link_tap* to);

    /// Who is told what becomes of clients and messages from now on, until it is told no more,
    /// which it must be before it is destroyed. It changes nothing in the run.
    void observe(world_observer& by);
    /// Idempotent.
    void stop_observing(world_observer& by) noexcept;

    /// How reports call a host: "sensors[17]", or the name of a broker or hand-written client.
    std::string host_name(std::uint32_t host) const;

    /// Where a host is among the fleets; none of brokers and hand-written clients. Constant time.
    std::optional<device_place> place_of(std::uint32_t host) const;
    /// The host of a device; it is there. Constant time.
    std::uint32_t host_of(const device_place& device) const;
    /// The host of a hand-written client, peer or group's peer; none: nobody has that name.
    std::optional<std::uint32_t> find_client_host(std::string_view name) const;

    /// Whether a fault that lasts now hits the device, or its links. Linear in such faults.
    bool is_faulted(std::uint32_t host) const;
    /// A fault by its number, as observers have it.
    const fault_spec& fault(std::uint32_t which) const;
    std::size_t fault_count() const;
    /// Faults that last now.
    std::size_t faults_lasting() const;

    /// What all publishers and receivers have come to, without latencies. Linear in publications,
    /// not in devices.
    void add_up(publisher_counts& publishers, flow_counts& flows) const;

    /// Whether an observer hears from this client what it receives: devices and hand-written
    /// clients do tell, raw peers do not.
    bool tells_what_it_receives(std::uint32_t host) const;

    std::uint64_t events_handled() const;

    /// The history of all hosts in one number. Linear in the number of hosts.
    std::uint64_t trace_hash() const;

    /// Linear in devices and sessions.
    run_report report() const;

    /// What the ledger found so far, with what the present state shows: empty is as it should be.
    /// Linear in sessions. Always empty without a ledger.
    std::vector<ledger_violation> violations() const;

    /// What the ledger found while it looked on, without what only the present state shows: cheap
    /// enough to ask for again and again. The count has all, the list the first 100.
    std::uint64_t violation_count_so_far() const;
    std::vector<ledger_violation> violations_so_far() const;

private:
    std::unique_ptr<detail::world_state> state_;
};

}  // namespace fleetarium::sim
