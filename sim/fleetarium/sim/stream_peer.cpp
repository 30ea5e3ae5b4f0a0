#include <fleetarium/sim/stream_peer.hpp>

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/sim/broker_host.hpp>
#include <fleetarium/sim/stream_host.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace fleetarium::sim {

namespace detail {

namespace {

/// The topic of the next PUBLISH in `rest`; empty if there is none, or it came in pieces, or it is
/// an alias.
std::string_view next_topic(bytes_view& rest) {
    frame in;
    while (!rest.empty()) {
        const frame_result read = split_frame(rest, in);
        if (read.broken != violation::none || !read.complete) {
            break;
        }
        if (in.type() == packet_type::publish && in.body.size() >= 2) {
            const std::size_t size = std::size_t{in.body[0]} << 8 | in.body[1];
            return as_text(in.body.subspan(2, std::min(size, in.body.size() - 2)));
        }
    }
    rest = {};
    return {};
}

}  // namespace

stream_host::stream_host(world_state& world, std::string group, std::uint32_t place,
                         accounting::source source)
    : peer_host(world, std::move(group), source),
      draws_(make_random_key(combine(key_.value, place), 0, "draws")) {
    key_ = {combine(key_.value, place)};
}

void stream_host::connect(host_id broker) {
    close();
    waiting_.clear();
    open_link(broker);
}

void stream_host::send_bytes(wire_buffer bytes) {
    if (bytes.empty()) {
        return;
    }
    if (is_open()) {
        send(std::move(bytes));
    } else if (has_link()) {
        waiting_.append(std::move(bytes));
    }
}

void stream_host::tell_broker(event_kind what) {
    if (is_open()) {
        signal(what);
    }
}

void stream_host::close() {
    if (has_link()) {
        end_link(event_kind::close);
    }
}

void stream_host::cut() {
    if (has_link()) {
        cut_link();
    }
}

// One wake under way, or none, as devices have it: see fleet_state::arm.
void stream_host::wake_at(instant due) {
    if (due >= armed_) {
        return;
    }
    armed_ = std::max(due, world_.now);
    world_.post({.time = armed_,
                 .origin = id_,
                 .sequence = link_.sequence++,
                 .target = id_,
                 .link = 0,
                 .kind_value = static_cast<std::uint8_t>(event_kind::wake),
                 .payload = 0});
}

void stream_host::handle(const event& what) {
    if (!is_present(what, protocol_version::v5)) {
        return;
    }
    switch (what.kind()) {
        case event_kind::opened: opened(what); break;
        case event_kind::bytes:
        case event_kind::messages: take_bytes(what); break;
        case event_kind::close:
        case event_kind::cut: link_ended(what); break;
        case event_kind::wake: wake(what); break;
        default: FLEETARIUM_ASSERT(false); break;
    }
    world_.guests_stirred = true;
}

void stream_host::opened(const event& what) {
    link_.chain.absorb(event_word(what, what.origin));
    link_.connection = static_cast<std::uint32_t>(what.payload);
    link_.set_phase(link_end::phase::open);
    send_bytes(std::exchange(waiting_, {}));
    if (listener != nullptr) {
        listener->on_opened();
    }
}

void stream_host::take_bytes(const event& what) {
    wire_buffer bytes;
    if (what.kind() == event_kind::messages) {
        auto* const arrived = reinterpret_cast<segment*>(what.payload);
        bytes = std::move(arrived->bytes);
        count_delivered(*arrived, bytes);
        segment::destroy(arrived);
    } else {
        bytes = wire_buffer::adopt(reinterpret_cast<void*>(what.payload));
    }
    link_.chain.absorb(event_word(what, hash_of(bytes)));
    if (listener != nullptr) {
        listener->on_bytes(std::move(bytes));
    }
}

/// What is in the bytes counts as delivered: they are decoded outside. (Identities ride with the
/// first piece of a chunk that is cut on its way.)
void stream_host::count_delivered(segment& arrived, const wire_buffer& bytes) const {
    std::string whole;
    if (world_.accounts.selection_count() > 1) {
        bytes.for_each_part([&](bytes_view part) { whole += as_text(part); });
    }
    bytes_view rest = as_bytes_view(whole);
    for (const message_identity& each : arrived.rest()) {
        world_.accounts.flow(message_number::source_of(each.number), accounting::hand_written,
                             message_number::qos_of(each.number), next_topic(rest),
                             [&](flow_counts& counts) {
                                 if (message_number::is_copy(each.number)) {
                                     ++counts.duplicates;
                                     return;
                                 }
                                 ++counts.delivered;
                                 if (each.published_at != no_latency) {
                                     counts.latency.record(world_.now - each.published_at);
                                 }
                             });
    }
}

void stream_host::link_ended(const event& what) {
    link_.chain.absorb(event_word(what, what.origin));
    link_.set_phase(link_end::phase::idle);
    link_.generation = (link_.generation + 1) & link_mask;
    if (listener != nullptr) {
        listener->on_closed();
    }
}

void stream_host::wake(const event& what) {
    if (what.time != armed_) {
        return;  // superseded
    }
    armed_ = never;
    link_.chain.absorb(event_word(what, 0));
    if (listener != nullptr) {
        listener->on_wake();
    }
}

}  // namespace detail

stream_peer::stream_peer(std::unique_ptr<detail::stream_host> host) : host_(std::move(host)) {}
stream_peer::~stream_peer() = default;

void stream_peer::tell(events* to) { host_->listener = to; }

void stream_peer::open(virtual_broker& to) { host_->connect(to.host_->id()); }

void stream_peer::send(wire_buffer bytes) { host_->send_bytes(std::move(bytes)); }

void stream_peer::congest() { host_->tell_broker(detail::event_kind::congested); }

void stream_peer::drain() { host_->tell_broker(detail::event_kind::drained); }

void stream_peer::close() { host_->close(); }

void stream_peer::cut() { host_->cut(); }

bool stream_peer::has_link() const { return host_->has_link(); }

bool stream_peer::is_open() const { return host_->is_open(); }

void stream_peer::wake_at(instant due) { host_->wake_at(due); }

void stream_peer::use_network(const network_spec& spec) { host_->use_network(spec); }

std::uint64_t stream_peer::draw() { return host_->draw(); }

}  // namespace fleetarium::sim
