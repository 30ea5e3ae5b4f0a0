// Another client that takes a device's connection over: its link, CONNECT, and the way back.

#include <fleetarium/sim/device_rival.hpp>

#include <fleetarium/sim/broker_host.hpp>
#include <fleetarium/sim/fleet_state.hpp>

#include <string>
#include <utility>
#include <variant>

namespace fleetarium::sim::detail {

/// Calls `act(link, key)` with the rival's end of its link. Events of a host are numbered in one
/// row, and what it sends keeps its order, whichever of its links it is of: a broker gives the
/// number of a link that is gone to the next.
template <class Act>
void fleet_state::on_rival_link(const context& at, Act&& act) {
    link_end& link = at.self.extras->rival->link;
    link.sequence = at.self.link.sequence;
    link.up = at.self.link.up;
    act(link, random_key{combine(key_of(at.index).value, hash_text("rival"))});
    at.self.link.sequence = link.sequence;
    at.self.link.up = link.up;
}

void fleet_state::begin_rival(const context& at, const fault_news& news) {
    device_extras& extras = extras_of(at.self);
    if (extras.rival != nullptr) {
        return;  // it has been taken over
    }
    extras.rival = std::make_unique<rival_client>(options_, news, path_of(at.self),
                                                  world_.faults->goes_on(news));
    rival_client& rival = *extras.rival;
    rival.link.generation = (rival_links | extras.rival_generation) & link_mask;
    on_rival_link(at, [&](link_end& link, random_key key) {
        world_.open_link(at.host, link, rival.path, key);
    });
}

bool fleet_state::is_of_rival(const device& self, std::uint32_t generation) {
    const rival_client* const rival = rival_of(self);
    return rival != nullptr && rival->link.generation == generation;
}

instant fleet_state::rivals_timeout(const device& self) {
    const rival_client* const rival = rival_of(self);
    return rival == nullptr ? never : rival->session.poll_timeout();
}

/// The fault is over.
void fleet_state::end_rival(const context& at, const fault_news& news) {
    rival_client* const rival = rival_of(at.self);
    if (rival == nullptr || rival->cause.fault != news.fault ||
        rival->cause.number != news.number) {
        return;
    }
    if (rival->session.is_connected()) {
        say_rivals_farewell(at);
        flush_rival(at);
    } else {
        close_rival(at);
    }
}

/// Whether the broker holds a session that a client without clean start would resume.
bool fleet_state::has_session_at_broker(const context& at) {
    std::string id;
    const broker::broker_core& core = std::as_const(world_.broker_of(path_.broker)).core();
    return core.sessions().find(client_id(at.index, id)) != broker::no_session;
}

void fleet_state::connect_rival(const context& at) {
    rival_client& rival = *at.self.extras->rival;
    const fault_spec& spec = world_.faults->spec_of(rival.cause.fault);
    const bool v5 = spec_.version == protocol_version::v5;
    fleetarium::connect request;
    std::string id;
    std::string user_name;
    std::string password;
    request.version = spec_.version;
    // A session that it began and did not end would meet a device that has state of another one.
    request.clean_start =
        spec.clean_start.value_or(true) || (!v5 && spec_.clean_start) ||
        (remote_ == nullptr ? !has_session_at_broker(at) : !at.self.session.is_connected());
    request.keep_alive = static_cast<std::uint16_t>(spec_.keep_alive / std::chrono::seconds{1});
    request.client_id = client_id(at.index, id);
    if (user_name_) {
        render(*user_name_, at.index, user_name);
        request.user_name = user_name;
    }
    if (password_) {
        render(*password_, at.index, password);
        request.password = as_bytes_view(password);
    }
    if (v5 && !request.clean_start && spec_.session_expiry) {
        request.session_expiry_interval =
            *spec_.session_expiry == for_ever
                ? broker::session_expiry_never
                : static_cast<std::uint32_t>(*spec_.session_expiry / std::chrono::seconds{1});
        rival.ends_session = *request.session_expiry_interval != 0;
    }
    if (rival.session.connect(request, own_now(at.self)).has_error()) {
        close_rival(at);
    }
}

void fleet_state::receive_rival(const context& at, const event& what) {
    device& self = at.self;
    rival_client& rival = *self.extras->rival;
    switch (what.kind()) {
        case event_kind::opened:
            self.link.chain.absorb(event_word(what, what.origin));
            rival.link.connection = static_cast<std::uint32_t>(what.payload);
            rival.link.set_phase(link_end::phase::open);
            connect_rival(at);
            break;
        case event_kind::bytes: {
            const wire_buffer bytes = wire_buffer::adopt(reinterpret_cast<void*>(what.payload));
            self.link.chain.absorb(event_word(what, hash_of(bytes)));
            tell_rival(at, bytes);
            break;
        }
        case event_kind::messages: {
            auto* const identities = reinterpret_cast<segment*>(what.payload);
            self.link.chain.absorb(event_word(what, hash_of(identities->bytes)));
            tell_rival(at, identities->bytes);
            world_.lose(identities, at.host, self.session.version());
            break;
        }
        case event_kind::close:
        case event_kind::cut:
            self.link.chain.absorb(event_word(what, what.origin));
            rival.link.set_phase(link_end::phase::idle);
            forget_rival(self);
            break;
        default: FLEETARIUM_ASSERT(false); break;
    }
    flush_rival(at);
}

void fleet_state::tell_rival(const context& at, const wire_buffer& bytes) {
    client_session& session = at.self.extras->rival->session;
    bytes.for_each_part([&](bytes_view part) {
        for (;;) {
            const client_event learned = session.handle_bytes(part, own_now(at.self));
            if (const auto* const answer = std::get_if<connack>(&learned)) {
                greet_rival(at, *answer);
            } else if (std::holds_alternative<std::monostate>(learned) && part.empty()) {
                break;
            }
        }
    });
}

void fleet_state::greet_rival(const context& at, const connack& answer) {
    rival_client& rival = *at.self.extras->rival;
    if (answer.code != reason_code::success) {
        return;
    }
    if (book() != nullptr) {
        book()->rival_told(at.host, broker_index(), rival.link.connection, answer.session_present,
                           world_.now);
    }
    // A session is there only in 3.1.1: in MQTT 5 that would have been a violation.
    rival.ends_session = rival.ends_session && !answer.session_present;
    if (!rival.stays || answer.session_present) {
        say_rivals_farewell(at);
    }
}

void fleet_state::say_rivals_farewell(const context& at) {
    rival_client& rival = *at.self.extras->rival;
    fleetarium::disconnect farewell;
    if (rival.ends_session) {
        farewell.session_expiry_interval = 0;
    }
    if (book() != nullptr) {
        book()->farewell_sent(at.host, broker_index(), rival.link.connection, farewell);
    }
    rival.session.disconnect(farewell, own_now(at.self));
}

void fleet_state::handle_rivals_timeout(const context& at) {
    if (own_now(at.self) >= rivals_timeout(at.self)) {
        rival_of(at.self)->session.handle_timeout(own_now(at.self));
        flush_rival(at);
    }
}

void fleet_state::flush_rival(const context& at) {
    rival_client* const rival = rival_of(at.self);
    if (rival == nullptr) {
        return;
    }
    if (rival->session.has_output()) {
        on_rival_link(at, [&](link_end& link, random_key key) {
            world_.send_up(at.host, link, rival->path, key, rival->session.poll_transmit());
        });
    }
    if (rival->session.should_close()) {
        close_rival(at);
    }
}

void fleet_state::close_rival(const context& at) {
    on_rival_link(at, [&](link_end& link, random_key key) {
        world_.end_link(at.host, link, at.self.extras->rival->path, key, event_kind::close);
    });
    forget_rival(at.self);
}

void fleet_state::forget_rival(device& self) {
    device_extras& extras = *self.extras;
    extras.rival_generation = (extras.rival->link.generation + 1) & (rival_links - 1);
    extras.rival.reset();
}

}  // namespace fleetarium::sim::detail
