// What faults do to a broker of the world.

#include <fleetarium/core/assert.hpp>
#include <fleetarium/sim/broker_host.hpp>

#include <utility>

namespace fleetarium::sim::detail {

/// Nobody listens: who tries to connect is told at once, as by a reset.
bool broker_host::refuse_while_down(const event& what) {
    if (is_down()) {
        refuse(what);
    }
    return is_down();
}

void broker_host::refuse(const event& opening) {
    link refused{};
    refused.by = reinterpret_cast<const network*>(opening.payload);
    refused.peer = opening.origin;
    refused.generation = opening.link;
    const direction& way = refused.by->down;
    const random_key key = way.is_random() ? key_for(refused) : random_key{};
    post_down(refused, way.arrival(refused.down, 0, world_.now, key), event_kind::cut, 0);
}

/// Bytes of a device that takes a broken link for whole are answered as TCP does, by a reset.
void broker_host::reset_half_open(const event& voided) {
    if (world_.faults == nullptr || voided.link >= links_end_) {
        return;
    }
    link& gone = link_of(voided.link);
    if (!gone.open && gone.peer == voided.origin) {
        const direction& way = gone.by->down;
        const random_key key = way.is_random() ? key_for(gone) : random_key{};
        post_down(gone, way.arrival(gone.down, 0, world_.now, key), event_kind::cut, 0);
    }
}

void broker_host::handle_fault(const event& what) {
    if (what.origin != fault_host_id) {
        // A link that its device still takes for whole.
        if (!is_void(what)) {
            chain_.absorb(event_word(what, what.origin));
            close(what.link);
        }
        return;
    }
    chain_.absorb(event_word(what, what.payload));
    const fault_news news = fault_news::of(what);
    if (news.ends) {
        if (--outages_ == 0 && storage_ != nullptr) {
            restart();
        }
        return;
    }
    const fault_spec& spec = world_.faults->spec_of(news.fault);
    if (storage_ != nullptr) {
        if (outages_++ == 0) {
            handle_broker_fault(spec);
        }
        return;
    }
    if (spec.kind == fault_kind::broker_stop) {
        core_->shut_down(world_.now);
        flush();
    } else {
        crash(spec.keeps_sessions.value_or(true));
    }
    ++outages_;
}

void broker_host::crash(bool keeps_sessions) {
    if (world_.book != nullptr) {
        world_.book->crashing(index(), keeps_sessions);
    }
    cut_all_links();
    core_->crash(keeps_sessions, world_.now);
    // Wills of the first to go were for some that went after them.
    lose_unsent();
}

void broker_host::cut_all_links() {
    for (std::uint32_t i = 0; i < links_end_; ++i) {
        link& gone = link_of(i);
        if (!gone.open) {
            continue;
        }
        const direction& way = gone.by->down;
        const random_key key = way.is_random() ? key_for(gone) : random_key{};
        post_down(gone, way.arrival(gone.down, 0, world_.now, key), event_kind::cut, 0);
        gone.open = false;
        if (gone.incoming != nullptr) {
            world_.lose(std::exchange(gone.incoming, nullptr), world_state::towards_broker,
                        protocol_version::v5);
        }
    }
}

void broker_host::lose_unsent() {
    for (std::uint32_t i = 0; i < links_end_; ++i) {
        if (segment* const unsent = std::exchange(link_of(i).outgoing, nullptr)) {
            world_.lose(unsent, link_of(i).peer, protocol_version::v5);
        }
    }
}

void broker_host::send_cut_short(std::uint32_t connection, const wire_buffer& bytes,
                                 segment* identities, const packet_cut& cut) {
    link& to = link_of(connection);
    const direction& way = to.by->down;
    const random_key key = key_for(to);
    segment* kept = nullptr;
    segment* lost = nullptr;
    if (identities != nullptr) {
        std::size_t place = 0;
        for (const message_identity& each : identities->rest()) {
            segment*& side = place++ < cut.publications ? kept : lost;
            side = segment::add(side == nullptr ? segment::make() : side, each);
        }
        segment::destroy(identities);
    }
    if (lost != nullptr) {
        lost->bytes = part_of(bytes, cut.packet_begin, bytes.size());
        world_.lose(lost, to.peer, core_->describe_client(connection).version);
    }
    if (cut.bytes != 0) {
        transmit(way, to.down, key, part_of(bytes, 0, cut.bytes), kept, world_.now, world_.pieces,
                 nullptr, [&](instant at, event_kind kind, std::uint64_t payload) {
                     post_down(to, at, kind, payload);
                 });
    }
    post_down(to, way.arrival(to.down, 0, world_.now, key), event_kind::cut, 0);
    close(connection);
}

}  // namespace fleetarium::sim::detail
