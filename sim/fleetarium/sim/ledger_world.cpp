#include <fleetarium/sim/ledger_world.hpp>

#include <fleetarium/sim/broker_host.hpp>
#include <fleetarium/sim/fleet_state.hpp>
#include <fleetarium/sim/world_state.hpp>

#include <new>

namespace fleetarium::sim::detail {

bool world_oracle::is_silent(ledger::broker_index broker, std::uint32_t connection, host_id host) {
    const bool holding = world_.faults != nullptr && world_.faults->is_holding();
    const bool in_the_midst = world_.events.next_time() <= world_.now;
    if (holding || in_the_midst || !world_.broker_hosts[broker]->is_silent(connection, host)) {
        return false;
    }
    const auto is_idle = [&](const link_end& link) {
        return link.phase() == link_end::phase::open && link.connection == connection &&
               link.up.last_arrival < world_.now;
    };
    if (host >= first_client_host) {
        return is_idle(world_.peer_hosts[host - first_client_host]->link());
    }
    const device_block& block = world_.blocks[host >> block_bits];
    const std::size_t offset = std::size_t{host & (devices_per_block - 1)} * block.stride;
    return is_idle(std::launder(reinterpret_cast<const device*>(block.begin + offset))->link);
}

instant world_oracle::done_until(ledger::broker_index broker) {
    return world_.broker_hosts[broker]->done_until();
}

void world_oracle::for_each_held(ledger::broker_index broker, broker::session_index session,
                                 const std::function<void(std::uint64_t, enum qos)>& visit) {
    const broker_host& at = *world_.broker_hosts[broker];
    const broker::session_registry& all = at.core().sessions();
    const broker::session_index there = at.session_told_as(session);
    if (!all.slots().contains(there)) {
        return;
    }
    all[there].state.outbound.for_each(
        [&](const delivery& each) { visit(each.message->identity().number, each.qos); });
}

std::size_t world_oracle::unreleased(ledger::broker_index broker, broker::session_index session) {
    const broker_host& at = *world_.broker_hosts[broker];
    const broker::session_registry& all = at.core().sessions();
    const broker::session_index there = at.session_told_as(session);
    return all.slots().contains(there) ? all[there].state.inbound.size() : 0;
}

void world_oracle::for_each_lost(
    const std::function<void(std::string_view, std::uint64_t)>& visit) {
    for (const auto& each : world_.fleets) {
        each->for_each_lost(visit);
    }
}

broker::broker_metrics world_oracle::metrics_of(ledger::broker_index broker) {
    return world_.broker_hosts[broker]->metrics();
}

std::string world_oracle::name_of(host_id host) {
    if (host >= first_client_host) {
        const std::size_t place = host - first_client_host;
        return place < world_.peer_hosts.size() ? world_.peer_hosts[place]->name() : "nobody";
    }
    if (host >= first_broker_host) {
        const std::size_t place = host - first_broker_host;
        return place < world_.broker_hosts.size() ? world_.broker_hosts[place]->spec().name
                                                  : "nobody";
    }
    const device_block& block = world_.blocks[host >> block_bits];
    return block.fleet->spec().name + '[' +
           std::to_string(block.first_index + (host & (devices_per_block - 1))) + ']';
}

}  // namespace fleetarium::sim::detail
