#include <fleetarium/sim/world.hpp>

#include <fleetarium/sim/broker_host.hpp>
#include <fleetarium/sim/client_host.hpp>
#include <fleetarium/sim/fleet_state.hpp>
#include <fleetarium/sim/ledger_world.hpp>
#include <fleetarium/sim/raw_peer_host.hpp>
#include <fleetarium/sim/remote_host.hpp>
#include <fleetarium/sim/stream_host.hpp>
#include <fleetarium/sim/world_state.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace fleetarium::sim {

namespace {

template <class Named>
bool is_taken(const std::vector<std::unique_ptr<Named>>& all, std::string_view name) {
    return std::any_of(all.begin(), all.end(),
                       [&](const auto& each) { return each->spec().name == name; });
}

void require_name(bool taken, const char* noun, std::string_view name) {
    if (name.empty() || taken) {
        throw std::invalid_argument(std::string("a ") + noun + " needs a name of its own, not \"" +
                                    std::string(name) + "\"");
    }
}

void require_broker_name(const detail::world_state& world, std::string_view name) {
    const auto& places = world.broker_places;
    require_name(std::any_of(places.begin(), places.end(),
                             [&](const auto& each) { return each.name == name; }),
                 "broker", name);
}

}  // namespace

world::world(const world_options& options)
    : state_(std::make_unique<detail::world_state>(options.seed)) {
    state_->audit = options.audit;
    if (options.ledger) {
        state_->book = std::make_unique<detail::ledger>();
    }
}
world::world(world&&) noexcept = default;
world& world::operator=(world&&) noexcept = default;
world::~world() = default;

world world::from(const scenario& described, const remote_brokers& remote,
                  const audit_options& audit) {
    world made({.seed = described.seed, .ledger = described.ledger, .audit = audit});
    made.state_->scenario_name = described.name;
    made.state_->run_end = instant{} + described.duration;
    for (const network_spec& each : described.networks) {
        made.add_network(each);
    }
    const auto add = [&](const broker_spec& spec) {
        if (const auto found = remote.find(spec.name); found != remote.end()) {
            made.add_remote_broker(spec.name, *found->second);
        } else {
            made.add_broker(spec);
        }
    };
    std::for_each(described.brokers.begin(), described.brokers.end(), add);
    if (described.brokers.empty()) {
        add({});
    }
    for (const expectation_spec& each : described.expectations) {
        made.expect(each);
    }
    for (const fleet_spec& each : described.fleets) {
        made.add_fleet(each);
    }
    for (const fault_spec& each : described.faults) {
        made.add_fault(each);
    }
    made.state_->prepare();
    return made;
}

// Building

virtual_broker& world::add_broker(const broker_spec& spec) {
    require_broker_name(*state_, spec.name);
    state_->brokers.push_back(std::make_unique<virtual_broker>(
        std::make_unique<detail::broker_host>(*state_, spec, nullptr)));
    return *state_->brokers.back();
}

virtual_broker& world::add_broker(const broker_spec& spec, broker::broker_hooks& embedder) {
    require_broker_name(*state_, spec.name);
    state_->brokers.push_back(std::make_unique<virtual_broker>(
        std::make_unique<detail::broker_host>(*state_, spec, &embedder)));
    return *state_->brokers.back();
}

remote_broker& world::add_remote_broker(const std::string& name, remote_broker::carrier& by) {
    require_broker_name(*state_, name);
    state_->remotes.push_back(
        std::make_unique<remote_broker>(std::make_unique<detail::remote_host>(*state_, name, by)));
    return *state_->remotes.back();
}

void world::add_network(const network_spec& spec) { state_->add_network(spec); }

fleet& world::add_fleet(const fleet_spec& spec) {
    require_name(is_taken(state_->fleets, spec.name), "fleet", spec.name);
    const auto index = static_cast<std::uint32_t>(state_->fleets.size());
    state_->fleets.push_back(std::make_unique<detail::fleet_state>(*state_, spec, index));
    state_->fleet_handles.push_back(std::make_unique<fleet>(*state_->fleets.back()));
    state_->prepared = false;
    return *state_->fleet_handles.back();
}

client& world::add_client(std::string_view id) {
    state_->clients.push_back(
        std::make_unique<client>(std::make_unique<detail::client_host>(*state_, id)));
    return *state_->clients.back();
}

raw_peer& world::add_raw_peer(std::string_view name) {
    state_->raw_peers.push_back(std::make_unique<raw_peer>(
        std::make_unique<detail::raw_peer_host>(*state_, std::string(name))));
    return *state_->raw_peers.back();
}

stream_peer& world::add_stream_peer(std::string_view group) {
    auto found = std::find_if(state_->stream_groups.begin(), state_->stream_groups.end(),
                              [&](const auto& each) { return each.name == group; });
    if (found == state_->stream_groups.end()) {
        const auto source = state_->accounts.add_source(
            {.what = source_report::kind::client, .name = std::string(group)});
        state_->stream_groups.push_back({std::string(group), source, 0});
        found = state_->stream_groups.end() - 1;
    }
    auto host =
        std::make_unique<detail::stream_host>(*state_, found->name, found->count, found->source);
    ++found->count;
    state_->stream_peers.push_back(std::make_unique<stream_peer>(std::move(host)));
    return *state_->stream_peers.back();
}

void world::add_fault(const fault_spec& spec) { state_->faults_of_world().add(spec); }

fault_guard world::begin_fault(const fault_spec& spec) {
    detail::fault_engine& engine = state_->faults_of_world();
    return {engine, engine.begin_now(spec)};
}

void world::expect(const expectation_spec& expected) {
    if (state_->handled != 0) {
        throw std::invalid_argument("expectations are made before the first event");
    }
    if (!expected.topic.empty()) {
        state_->accounts.select(expected.topic);
        state_->prepared = false;
    }
    if (expected.always || expected.eventually) {
        state_->watch_over_time(expected);
    }
}

virtual_broker* world::find_broker(std::string_view name) {
    for (const auto& each : state_->brokers) {
        if (each->name() == name) {
            return each.get();
        }
    }
    return nullptr;
}

void world::for_each_broker(const std::function<void(virtual_broker&)>& visit) {
    for (const auto& each : state_->brokers) {
        visit(*each);
    }
}

void world::for_each_fleet(const std::function<void(fleet&)>& visit) {
    for (const auto& each : state_->fleet_handles) {
        visit(*each);
    }
}

fleet* world::find_fleet(std::string_view name) {
    for (const auto& each : state_->fleet_handles) {
        if (each->name() == name) {
            return each.get();
        }
    }
    return nullptr;
}

// Running

instant world::now() const { return state_->now; }

void world::run_until(instant until) { state_->run_until(until); }

bool world::run_until(instant until, std::uint64_t events_max) {
    return state_->run_until(until, events_max);
}

bool world::run_until_failure(instant until) { return state_->run_until_failure(until); }

bool world::has_failed() const { return state_->has_failed(); }

bool world::step() { return state_->step(); }

bool world::settle(duration limit) {
    const instant until = saturating_add(now(), limit);
    state_->let_guests_act();
    while (state_->on_links != 0 && state_->events.next_time() <= until) {
        state_->step();
    }
    return state_->on_links == 0;
}

void world::drain(duration quiet, duration limit, const std::function<bool(duration)>& advance) {
    constexpr duration step = std::chrono::milliseconds{50};
    const auto sum = [&](auto member) {
        std::uint64_t out = 0;
        for (const auto& each : state_->broker_places) {
            if (each.remote != nullptr && each.remote->audit() != nullptr) {
                out += (each.remote->audit()->*member)();
            }
        }
        return out;
    };
    state_->publishes = false;
    const instant give_up_at = saturating_add(now(), limit);
    std::uint64_t heard = sum(&detail::client_ledger::packets);
    instant heard_at = now();
    while (sum(&detail::client_ledger::owed) != 0 && now() - heard_at < quiet) {
        if (now() >= give_up_at || !advance(step)) {
            return;
        }
        const std::uint64_t packets = sum(&detail::client_ledger::packets);
        if (packets != heard) {
            heard = packets;
            heard_at = now();
        }
    }
    for (const auto& each : state_->broker_places) {
        if (each.remote != nullptr && each.remote->audit() != nullptr) {
            each.remote->audit()->end(now());
        }
    }
}

void world::invite(guest& invited) { state_->guests.push_back(&invited); }

void world::dismiss(guest& invited) noexcept { std::erase(state_->guests, &invited); }

instant world::next_event() const { return state_->events.next_time(); }

// What came of it

void world::tap(link_tap* to) {
    state_->watch = to == nullptr ? nullptr : std::make_unique<detail::link_watch>(*to);
}

void world::observe(world_observer& by) {
    state_->observers.push_back(&by);
    state_->observers_changed();
}

void world::stop_observing(world_observer& by) noexcept {
    if (state_ != nullptr && std::erase(state_->observers, &by) != 0) {
        state_->observers_changed();
    }
}

std::optional<device_place> world::place_of(std::uint32_t host) const {
    if (host >= detail::first_broker_host) {
        return std::nullopt;
    }
    const detail::device_block& block = state_->blocks[host >> detail::block_bits];
    return device_place{block.fleet->index(),
                        block.first_index + (host & (detail::devices_per_block - 1))};
}

std::uint32_t world::host_of(const device_place& device) const {
    return state_->fleets[device.fleet]->host_of(device.index);
}

std::optional<std::uint32_t> world::find_client_host(std::string_view name) const {
    for (const detail::peer_host* each : state_->peer_hosts) {
        if (each->name() == name) {
            return each->id();
        }
    }
    return std::nullopt;
}

bool world::is_faulted(std::uint32_t host) const {
    return state_->faults != nullptr && host < detail::first_broker_host &&
           state_->faults->hits_now(host);
}

const fault_spec& world::fault(std::uint32_t which) const { return state_->faults->spec_of(which); }

std::size_t world::fault_count() const {
    return state_->faults == nullptr ? 0 : state_->faults->count();
}

std::size_t world::faults_lasting() const {
    return state_->faults == nullptr ? 0 : state_->faults->lasting();
}

void world::add_up(publisher_counts& publishers, flow_counts& flows) const {
    state_->accounts.add_up(0, {}, detail::with_latency::no, publishers, flows);
}

std::string world::host_name(std::uint32_t host) const {
    return detail::world_oracle(*state_).name_of(host);
}

bool world::tells_what_it_receives(std::uint32_t host) const {
    return host < detail::first_broker_host ||
           (host >= detail::first_client_host &&
            state_->peer_hosts[host - detail::first_client_host]->tells_ledger());
}

std::uint64_t world::events_handled() const { return state_->handled; }

std::uint64_t world::trace_hash() const { return state_->trace_hash(); }

run_report world::report() const { return state_->report(); }

std::vector<ledger_violation> world::violations() const {
    if (state_->book == nullptr) {
        return {};
    }
    return state_->report().ledger.violations;
}

std::uint64_t world::violation_count_so_far() const {
    return state_->book == nullptr ? 0 : state_->book->violation_count();
}

std::vector<ledger_violation> world::violations_so_far() const {
    detail::world_oracle knows(*state_);
    return state_->book == nullptr ? std::vector<ledger_violation>()
                                   : state_->book->violations_so_far(knows);
}

}  // namespace fleetarium::sim
