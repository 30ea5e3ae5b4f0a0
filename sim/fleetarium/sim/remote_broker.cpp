#include <fleetarium/sim/remote_broker.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/sim/fleet_state.hpp>
#include <fleetarium/sim/remote_host.hpp>

#include <memory>
#include <string>
#include <utility>

namespace fleetarium::sim {

namespace detail {

remote_host::remote_host(world_state& world, const std::string& name, remote_broker::carrier& by)
    : peer_host(world, name,
                world.accounts.add_source({.what = source_report::kind::broker, .name = name})),
      carrier_(by) {
    world.broker_places.push_back({name, id_, this});
    if (world.book != nullptr && world.audit.identity != identity_place::none) {
        audit_ = std::make_unique<client_ledger>(world.audit);
        place_ = world.audit.identity;
    }
}

void remote_host::handle(const event& what) {
    switch (what.kind()) {
        case event_kind::open: open(what); return;
        case event_kind::bytes:
        case event_kind::messages:
            if (is_void(what)) {
                world_.lose(what, world_state::towards_broker, protocol_version::v5);
            } else {
                receive(what);
            }
            return;
        case event_kind::close:
        case event_kind::cut:
            if (!is_void(what)) {
                link_.chain.absorb(event_word(what, what.origin));
                if (audit_ != nullptr) {
                    audit_->ended(what.link,
                                  what.kind() == event_kind::cut ? client_ledger::ended_by::cut
                                                                 : client_ledger::ended_by::device,
                                  world_.now);
                }
                forget(what.link);
                carrier_.on_closed(*handle_of, what.link, what.kind() == event_kind::cut);
            }
            return;
        default: FLEETARIUM_ASSERT(false); return;
    }
}

void remote_host::open(const event& what) {
    link_.chain.absorb(event_word(what, what.origin));
    std::uint32_t made = 0;
    if (free_.empty()) {
        made = static_cast<std::uint32_t>(links_.size());
        FLEETARIUM_ASSERT(made <= link_mask);
        links_.emplace_back();
    } else {
        made = free_.back();
        free_.pop_back();
    }
    link& opening = links_[made];
    opening = link{};
    opening.by = reinterpret_cast<const network*>(what.payload);
    opening.peer = what.origin;
    opening.generation = what.link;
    opening.open = true;
    ++open_links_;
    if (audit_ != nullptr) {
        audit_->opened(made, what.origin, world_.now);
    }
    const device_block& block = world_.blocks[what.origin >> block_bits];
    const std::uint32_t index = block.first_index + (what.origin & (devices_per_block - 1));
    const std::string client_id = block.fleet->view(index).client_id;
    carrier_.on_open(*handle_of, made, {block.fleet->spec().name, index, client_id});
}

void remote_host::receive(const event& what) {
    wire_buffer bytes;
    if (what.kind() == event_kind::messages) {
        auto* const arrived = reinterpret_cast<segment*>(what.payload);
        bytes = std::move(arrived->bytes);
        segment::destroy(arrived);  // no identity travels on from here
    } else {
        bytes = wire_buffer::adopt(reinterpret_cast<void*>(what.payload));
    }
    link_.chain.absorb(event_word(what, hash_of(bytes) + what.origin));
    if (audit_ != nullptr) {
        audit_->sent(what.link, bytes, world_.now);
    }
    carrier_.on_bytes(*handle_of, what.link, std::move(bytes));
}

void remote_host::opened(std::uint32_t connection) {
    if (connection < links_.size() && links_[connection].open) {
        send_down(links_[connection], event_kind::opened, connection);
    }
}

void remote_host::deliver(std::uint32_t connection, wire_buffer bytes) {
    if (connection >= links_.size() || !links_[connection].open || bytes.empty()) {
        return;
    }
    if (audit_ != nullptr) {
        audit_->received(connection, bytes, world_.now);
    }
    link& to = links_[connection];
    const direction& way = to.by->down;
    link_conditions worse;
    const link_conditions* const now_worse = world_.conditions(to.peer, id_, false, worse);
    const random_key key = way.is_random() || now_worse != nullptr ? key_for(to) : random_key{};
    transmit(way, to.down, key, std::move(bytes), nullptr, world_.now, world_.pieces, now_worse,
             [&](instant at, event_kind kind, std::uint64_t payload) {
                 post_down(to, at, kind, payload);
             });
}

void remote_host::closed(std::uint32_t connection) {
    if (connection < links_.size() && links_[connection].open) {
        if (audit_ != nullptr) {
            audit_->ended(connection, client_ledger::ended_by::broker, world_.now);
        }
        send_down(links_[connection], event_kind::close, 0);
        forget(connection);
    }
}

void remote_host::forget(std::uint32_t connection) {
    links_[connection].open = false;
    free_.push_back(connection);
    --open_links_;
}

random_key remote_host::key_for(const link& of) const {
    return make_random_key(world_.key_of(of.peer).value, of.generation, purpose::link_down);
}

void remote_host::send_down(link& of, event_kind kind, std::uint64_t payload) {
    const direction& way = of.by->down;
    const random_key key = way.is_random() ? key_for(of) : random_key{};
    post_down(of, way.arrival(of.down, 0, world_.now, key), kind, payload);
}

void remote_host::post_down(const link& of, instant at, event_kind kind, std::uint64_t payload) {
    world_.post({.time = at,
                 .origin = id_,
                 .sequence = link_.sequence++,
                 .target = of.peer,
                 .link = of.generation & link_mask,
                 .kind_value = static_cast<std::uint8_t>(kind),
                 .payload = payload});
}

}  // namespace detail

remote_broker::remote_broker(std::unique_ptr<detail::remote_host> host) : host_(std::move(host)) {
    host_->handle_of = this;
}
remote_broker::~remote_broker() = default;

const std::string& remote_broker::name() const { return host_->name(); }

void remote_broker::opened(link there) { host_->opened(there); }

void remote_broker::deliver(link there, wire_buffer bytes) {
    host_->deliver(there, std::move(bytes));
}

void remote_broker::closed(link there) { host_->closed(there); }

std::size_t remote_broker::open_links() const { return host_->open_links(); }

}  // namespace fleetarium::sim
