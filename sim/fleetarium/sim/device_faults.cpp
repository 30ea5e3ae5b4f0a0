// What faults do to a device.

#include <fleetarium/sim/broker_host.hpp>
#include <fleetarium/sim/fleet_state.hpp>
#include <fleetarium/sim/remote_host.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace fleetarium::sim::detail {

void fleet_state::handle_fault(const context& at, const event& what) {
    device& self = at.self;
    self.link.chain.absorb(event_word(what, what.payload));
    const fault_news news = fault_news::of(what);
    const fault_spec& spec = world_.faults->spec_of(news.fault);
    const bool is_open = self.link.phase() == link_end::phase::open;
    switch (spec.kind) {
        case fault_kind::cut: lose_link(at); break;
        case fault_kind::half_open:
            if (spec.knows.value_or(link_side::device) == link_side::device) {
                drop_link(at);
            } else if (is_open && remote_ == nullptr) {
                world_.post({.time = world_.now,
                             .origin = at.host,
                             .sequence = self.link.sequence++,
                             .target = path_.broker,
                             .link = self.link.connection & link_mask,
                             .kind_value = static_cast<std::uint8_t>(event_kind::fault),
                             .payload = what.payload});
            }
            break;
        case fault_kind::slow_reader:
            if (is_open && remote_ == nullptr) {
                // Another one may go on when this one ends.
                world_.signal(
                    at.host, self.link, path_of(self), key_of(at.index),
                    world_.faults->is_slow(at.host) ? event_kind::congested : event_kind::drained);
            }
            break;
        case fault_kind::power_loss:
            if (!news.ends) {
                lose_power(at);
            } else {
                regain_power(at);
            }
            break;
        case fault_kind::take_over:
            if (!news.ends) {
                begin_rival(at, news);
            } else {
                end_rival(at, news);
            }
            break;
        case fault_kind::clock_skew: set_clock(at); break;
        case fault_kind::hostile_bytes:
            if (is_open) {
                if (world_.book != nullptr) {
                    world_.book->disturbed(at.host);
                }
                if (remote_ != nullptr && remote_->audit() != nullptr) {
                    remote_->audit()->disturbed(at.host);
                }
                world_.send_up(at.host, self.link, path_of(self), key_of(at.index),
                               world_.faults->hostile_bytes(news, at.host), lost_from(self));
            }
            break;
        default: FLEETARIUM_ASSERT(false); break;
    }
    if (machine_ != nullptr) {
        settle_link(at);
    }
    flush(at);
    wake_at(at, next_due(at));
}

/// What is under way is lost, and both sides learn of it.
void fleet_state::lose_link(const context& at) {
    device& self = at.self;
    if (self.link.phase() == link_end::phase::idle) {
        return;
    }
    if (self.link.phase() == link_end::phase::open && remote_ == nullptr) {
        world_.broker_of(path_.broker).lose_incoming(self.link.connection, at.host);
    }
    ++counts_.links_cut;
    end_link(at, event_kind::cut);
}

/// The broker is not told.
void fleet_state::drop_link(const context& at) {
    device& self = at.self;
    if (self.link.phase() == link_end::phase::idle) {
        return;
    }
    ++counts_.links_cut;
    world_.sent_log.clear();
    if (book() != nullptr && self.link.phase() == link_end::phase::open) {
        book()->left(at.host, broker_index(), self.link.connection);
    }
    self.link.set_phase(link_end::phase::idle);
    self.link.generation = (self.link.generation + 1) & link_mask;
    link_ended(at);
}

void fleet_state::lose_power(const context& at) {
    device& self = at.self;
    ++self.outages;
    drop_link(at);
    self.session.lose_memory();
    if (world_.book != nullptr && remote_ == nullptr) {
        world_.book->memory_lost(at.host, path_.broker - first_broker_host);
    }
    give_up_dropped(at);
    self.forgot = true;
    self.last_packet_id = 0;
    if (self.extras != nullptr) {
        self.extras->replies.clear();
    }
}

void fleet_state::regain_power(const context& at) {
    device& self = at.self;
    if (self.outages != 0 && --self.outages == 0 && self.connect_at != never) {
        self.connect_at = std::max(self.connect_at, own_now(self));
    }
    if (machine_ != nullptr && self.outages == 0) {
        behave_on_power(at);
    }
}

/// What is under way goes on by the new rate from here.
void fleet_state::set_clock(const context& at) {
    device& self = at.self;
    const fault_engine::clock_setting now = world_.faults->clock_of(at.host);
    device_extras& extras = extras_of(self);
    if (extras.clock == nullptr) {
        extras.clock = std::make_unique<device_clock>();
        clocks_differ_ = true;
    }
    extras.clock->set(world_.now, now.rate, now.offset, now.wrong);
    if (book() != nullptr) {
        book()->clock_set(at.host, now.rate, world_.now);
    }
    // Another time of day is next.
    if (machine_ != nullptr && machine_->custom == nullptr &&
        place(self).state != behaviour_place::not_begun) {
        place(self).check = next_check(at, own_now(self));
    }
}

void fleet_state::send_cut_short(const context& at, const wire_buffer& bytes,
                                 const packet_cut& cut) {
    device& self = at.self;
    std::vector<message_identity>& sent = world_.sent_log;
    const std::size_t kept = std::min(cut.publications, sent.size());
    if (kept < sent.size()) {
        segment* lost = segment::make();
        for (std::size_t i = kept; i < sent.size(); ++i) {
            lost = segment::add(lost, sent[i]);
        }
        lost->bytes = part_of(bytes, cut.packet_begin, bytes.size());
        world_.lose(lost, world_state::towards_broker, self.session.version());
        sent.resize(kept);
    }
    if (cut.bytes != 0) {
        world_.send_up(at.host, self.link, path_of(self), key_of(at.index),
                       part_of(bytes, 0, cut.bytes), lost_from(self));
    }
    ++counts_.links_cut;
    end_link(at, event_kind::cut);
}

}  // namespace fleetarium::sim::detail
