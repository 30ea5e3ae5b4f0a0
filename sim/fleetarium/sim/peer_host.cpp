#include <fleetarium/sim/world_state.hpp>

#include <fleetarium/sim/broker_host.hpp>

#include <utility>

namespace fleetarium::sim::detail {

peer_host::peer_host(world_state& world, std::string name)
    : peer_host(world, name,
                world.accounts.add_source({.what = source_report::kind::client, .name = name})) {}

peer_host::peer_host(world_state& world, std::string name, accounting::source source)
    : world_(world),
      name_(std::move(name)),
      id_(world.add_peer(*this)),
      // Apart from the fleets, whose keys come from their names, too.
      key_{combine(combine(world.seed, hash_text("hand-written")), hash_text(name_))},
      source_(source) {
    path_.by = &world.default_network();
}

void peer_host::use_network(const network_spec& spec) {
    own_networks_.push_back(std::make_unique<network>(spec));
    path_.by = own_networks_.back().get();
}

void peer_host::open_link(host_id broker) {
    path_.broker = broker;
    link_by_ = path_.by;
    world_.open_link(id_, link_, {path_.broker, link_by_}, key_);
}

void peer_host::end_link(event_kind how) {
    world_.end_link(id_, link_, {path_.broker, link_by_}, key_, how);
}

void peer_host::cut_link() {
    if (link_.phase() == link_end::phase::open) {
        world_.broker_of(path_.broker).lose_incoming(link_.connection, id_);
    }
    end_link(event_kind::cut);
}

void peer_host::send(wire_buffer bytes) {
    world_.send_up(id_, link_, {path_.broker, link_by_}, key_, std::move(bytes));
}

void peer_host::signal(event_kind what) {
    world_.signal(id_, link_, {path_.broker, link_by_}, key_, what);
}

bool peer_host::is_present(const event& what, protocol_version version) {
    if (what.kind() == event_kind::wake || what.link == link_.generation) {
        return true;
    }
    if (what.kind() == event_kind::opened) {
        world_.refuse_opened(id_, link_, what, key_, *path_.by);
    } else {
        world_.lose(what, id_, version);
    }
    return false;
}

}  // namespace fleetarium::sim::detail
