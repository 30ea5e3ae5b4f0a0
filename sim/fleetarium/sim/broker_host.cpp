#include <fleetarium/sim/broker_host.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/sim/fleet_state.hpp>

#include <new>
#include <optional>
#include <utility>

namespace fleetarium::sim::detail {

broker_host::broker_host(world_state& world, const broker_spec& spec, broker_hooks* embedder)
    : world_(world),
      spec_(spec),
      embedder_(embedder),
      embedder_wants_events_(embedder != nullptr && embedder->wants_events()),
      policy_(spec),
      open_to_all_(policy_.allows_everything()),
      core_(make_core()),
      id_(first_broker_host + static_cast<host_id>(world.broker_hosts.size())),
      source_(world.accounts.add_source({.what = source_report::kind::broker, .name = spec.name})),
      next_source_(source_) {
    world.broker_hosts.push_back(this);
    world.broker_places.push_back({spec_.name, id_, nullptr});
    if (book() != nullptr) {
        book()->add_broker(index(), spec_.options);
    }
    if (spec_.storage) {
        storage_ = std::make_unique<broker_storage>(
            *spec_.storage, make_random_key(combine(world.seed, hash_text("storage")), id_, 0));
        names_.keep();
        counts_.emplace();
        load_core();
        begin_process();
        return;
    }
    // $SYS topics begin with the broker, not with its first client.
    core_->handle_timeout(world.now);
    arm();
}

broker_host::~broker_host() {
    for (const event& each : waiting_) {
        destroy_payload(each);
    }
    for (std::uint32_t i = 0; i < links_end_; ++i) {
        for (segment* const left : {link_of(i).incoming, link_of(i).outgoing}) {
            if (left != nullptr) {
                segment::destroy(left);
            }
        }
    }
}

broker_report broker_host::report() const {
    broker_report out;
    out.name = spec_.name;
    out.metrics = metrics();
    out.connections = core_->connection_count();
    out.sessions = core_->session_count();
    out.subscriptions = core_->subscription_count();
    out.retained = core_->retained().size();
    out.deliveries_waiting = core_->deliveries_waiting();
    out.memory_bytes = core_->memory_bytes();
    out.storage = counts_;
    return out;
}

// Events

void broker_host::handle(const event& what) {
    if (storage_ == nullptr) {
        handle_now(what);
        flush();
    } else {
        wait_for_turn(what);
    }
}

void broker_host::handle_now(const event& what) {
    switch (what.kind()) {
        case event_kind::wake:
            if (what.time != armed_) {
                return;  // superseded
            }
            armed_ = never;
            chain_.absorb(event_word(what, 0));
            core_->handle_timeout(what.time);
            break;
        case event_kind::open:
            chain_.absorb(event_word(what, what.origin));
            if (!refuse_while_down(what)) {
                open(what);
            }
            break;
        case event_kind::bytes:
        case event_kind::messages:
            if (is_void(what) || link_of(what.link).deaf) {
                reset_half_open(what);
                world_.lose(what, world_state::towards_broker, protocol_version::v5);
                return;
            }
            receive(what);
            break;
        case event_kind::close:
        case event_kind::cut:
            if (is_void(what)) {
                return;
            }
            chain_.absorb(event_word(what, what.origin));
            close(what.link);
            break;
        case event_kind::congested:
        case event_kind::drained:
            if (is_void(what)) {
                return;
            }
            chain_.absorb(event_word(what, what.origin));
            if (what.kind() == event_kind::congested) {
                link_of(what.link).congested = true;
                core_->handle_congested(what.link, what.time);
            } else {
                link_of(what.link).congested = false;
                core_->handle_drained(what.link, what.time);
            }
            break;
        case event_kind::fault: handle_fault(what); break;
        case event_kind::opened: FLEETARIUM_ASSERT(false); break;
    }
}

void broker_host::open(const event& what) {
    const broker::connection_id made = core_->handle_open(what.time);
    FLEETARIUM_ASSERT(made <= link_mask);
    for (; links_end_ <= made; ++links_end_) {
        links_.make_room(links_end_);
        ::new (links_.place(links_end_)) link();
    }
    link& opened = link_of(made);
    opened = link{};
    opened.by = reinterpret_cast<const network*>(what.payload);
    opened.peer = what.origin;
    opened.generation = what.link;
    opened.open = true;
    if (book() != nullptr) {
        const bool tells = opened.peer < first_client_host ||
                           world_.peer_hosts[opened.peer - first_client_host]->tells_ledger();
        book()->opened(index(), made, opened.peer, tells);
    }
    const direction& way = opened.by->down;
    const random_key key = way.is_random() ? key_for(opened) : random_key{};
    post_down(opened, way.arrival(opened.down, 0, what.time, key), event_kind::opened, made);
}

void broker_host::receive(const event& what) {
    const std::uint32_t from = what.link;
    wire_buffer bytes;
    if (what.kind() == event_kind::messages) {
        reading_ = reinterpret_cast<segment*>(what.payload);
        bytes = std::move(reading_->bytes);
    } else {
        bytes = wire_buffer::adopt(reinterpret_cast<void*>(what.payload));
    }
    chain_.absorb(event_word(what, hash_of(bytes) + what.origin));
    reading_link_ = from;
    bytes.for_each_part([&](bytes_view part) {
        if (book() != nullptr) {
            book()->heard(index(), from, part, what.time);
        }
        core_->handle_bytes(from, part, what.time);
    });

    segment* const left = std::exchange(reading_, nullptr);
    link& source = link_of(from);
    if (left != nullptr && left->empty()) {
        segment::destroy(left);
    } else if (left != nullptr) {
        // A PUBLISH was cut on its way: the rest of it is still to come.
        for (const message_identity& each : left->rest()) {
            source.incoming =
                segment::add(source.incoming == nullptr ? segment::make() : source.incoming, each);
        }
        segment::destroy(left);
    }
}

void broker_host::close(std::uint32_t connection) {
    if (book() != nullptr) {
        book()->closed(index(), connection);
    }
    core_->handle_closed(connection, world_.now);
    link& gone = link_of(connection);
    gone.open = false;
    if (gone.incoming != nullptr) {
        world_.lose(std::exchange(gone.incoming, nullptr), world_state::towards_broker,
                    protocol_version::v5);
    }
    if (gone.outgoing != nullptr) {  // said in the same turn
        world_.lose(std::exchange(gone.outgoing, nullptr), gone.peer, protocol_version::v5);
    }
}

void broker_host::flush() {
    if (is_dead_) {
        return;
    }
    if (storage_ == nullptr) {
        send_outputs();
    } else {
        do {  // again if a link breaks under what is sent
            if (!commit()) {
                return;
            }
            send_outputs();
        } while (storage_->has_changes());
    }
    // Only now: what ends with a connection that is closed here belongs to this turn.
    if (book() != nullptr) {
        book()->turn_ended(index(), world_.now);
    }
    arm();
}

void broker_host::send_outputs() {
    const instant now = world_.now;
    while (auto out = core_->poll_output()) {
        link& to = link_of(out->connection);
        const direction& way = to.by->down;
        link_conditions room;
        const link_conditions* const worse = world_.conditions(to.peer, id_, false, room);
        const random_key key = way.is_random() || worse != nullptr ? key_for(to) : random_key{};
        segment* const identities = std::exchange(to.outgoing, nullptr);
        if (world_.faults != nullptr && world_.faults->cuts_packets()) {
            if (const auto cut = world_.faults->cut_in(out->bytes, to.peer, id_, false)) {
                send_cut_short(out->connection, out->bytes, identities, *cut);
                continue;
            }
        }
        if (!out->bytes.empty()) {
            transmit(way, to.down, key, std::move(out->bytes), identities, now, world_.pieces,
                     worse, [&](instant at, event_kind kind, std::uint64_t payload) {
                         post_down(to, at, kind, payload);
                     });
        } else {
            FLEETARIUM_ASSERT(identities == nullptr);
        }
        if (out->close) {
            post_down(to, way.arrival(to.down, 0, now, key), event_kind::close, 0);
            close(out->connection);
        }
    }
}

void broker_host::arm() {
    const instant due = core_->poll_timeout();
    if (due < armed_) {
        armed_ = due;
        world_.post({.time = due,
                     .origin = id_,
                     .sequence = sequence_++,
                     .target = id_,
                     .link = 0,
                     .kind_value = static_cast<std::uint8_t>(event_kind::wake),
                     .payload = 0});
    }
}

void broker_host::lose_incoming(std::uint32_t connection, host_id peer) {
    link& of = link_of(connection);
    if (of.open && of.peer == peer) {
        of.deaf = true;
    }
}

random_key broker_host::key_for(const link& of) const {
    // Draws begin anew with each connection: the key has the generation in it.
    return make_random_key(world_.key_of(of.peer).value, of.generation, purpose::link_down);
}

void broker_host::post_down(link& of, instant at, event_kind kind, std::uint64_t payload) {
    world_.post({.time = at,
                 .origin = id_,
                 .sequence = sequence_++,
                 .target = of.peer,
                 .link = of.generation & link_mask,
                 .kind_value = static_cast<std::uint8_t>(kind),
                 .payload = payload});
}

// Who may do what

reason_code broker_host::authenticate(const broker::client_info& client,
                                      const fleetarium::connect& request) {
    if (book() != nullptr) {
        book()->connect_asked(index(), client.connection, request);
    }
    if (!open_to_all_) {
        const std::string_view password =
            request.password ? as_text(*request.password) : std::string_view();
        if (!policy_.admits(request.user_name, password)) {
            return request.user_name ? reason_code::bad_user_name_or_password
                                     : reason_code::not_authorized;
        }
    }
    return embedder() != nullptr ? embedder_->authenticate(client, request) : reason_code::success;
}

broker::authentication_step broker_host::authenticate_enhanced(const broker::client_info& client,
                                                               std::string_view method,
                                                               bytes_view data) {
    if (book() != nullptr) {
        book()->authenticates_otherwise(index(), client.connection);
    }
    return embedder() != nullptr ? embedder_->authenticate_enhanced(client, method, data)
                                 : broker_hooks::authenticate_enhanced(client, method, data);
}

bool broker_host::authorize_publish(const broker::client_info& client,
                                    const fleetarium::publish& message) {
    return (open_to_all_ ||
            policy_.may_publish(client.client_id, client.user_name, message.topic)) &&
           (embedder() == nullptr || embedder_->authorize_publish(client, message));
}

bool broker_host::authorize_subscribe(const broker::client_info& client, std::string_view filter,
                                      const subscription_options& options) {
    if (book() != nullptr) {
        book()->subscribe_asked(index(), client.connection, filter, options);
    }
    return (open_to_all_ || policy_.may_subscribe(client.client_id, client.user_name, filter)) &&
           (embedder() == nullptr || embedder_->authorize_subscribe(client, filter, options));
}

// Accounts

/// The identity that came with the next PUBLISH; of peers without any, a new one.
message_identity broker_host::take_identity(link& from, enum qos qos) {
    if (from.incoming != nullptr) {
        const message_identity taken = from.incoming->take();
        if (from.incoming->empty()) {
            segment::destroy(std::exchange(from.incoming, nullptr));
        }
        return taken;
    }
    if (reading_ != nullptr && !reading_->empty()) {
        return reading_->take();
    }
    accounting::source source = source_;
    if (from.peer >= first_client_host) {
        source = world_.peer_hosts[from.peer - first_client_host]->source();
    }
    return {message_number::make(qos, source, id_, ++count_), world_.now};
}

message_identity broker_host::identify(broker::connection_id publisher, std::uint64_t,
                                       const fleetarium::publish& message, instant now) {
    if (is_mute_) {
        return {message_number::make(message.qos, source_, id_, 0), now};
    }
    if (publisher == broker::no_connection) {
        const accounting::source source = std::exchange(next_source_, source_);
        world_.accounts.publisher(source, message.topic,
                                  [](publisher_counts& counts) { ++counts.published; });
        const std::uint64_t number = message_number::make(message.qos, source, id_, ++count_);
        if (book() != nullptr) {
            book()->publish_made(index(), message, number, now);
        }
        if (world_.observer != nullptr) {
            world_.observer->on_message(index(), world_observer::nobody, message, {number, now},
                                        now);
        }
        return {number, now};
    }
    link& from = link_of(publisher);
    message_identity taken = take_identity(from, message.qos);
    if (message.qos != qos::at_most_once) {
        // A publisher's messages of QoS 1 and 2 come in the order in which it numbered them, so
        // what does not come after the newest has come before.
        const std::uint32_t count = message_number::count_of(taken.number);
        const std::uint32_t ahead = (count - from.last_count) & message_number::count_mask;
        if (from.last_count != 0 && (ahead == 0 || ahead > message_number::count_mask / 2)) {
            taken.number |= message_number::copy_bit;
        } else {
            from.last_count = count;
        }
    }
    count_if_unannounced(taken, message.topic);
    if (book() != nullptr) {
        book()->publish_arrived(index(), publisher, message, taken.number, now);
    }
    if (world_.observer != nullptr) {
        world_.tell_message(index(), from.peer, message, taken, now);
    }
    return taken;
}

/// Peers whose bytes are made outside tell nobody what they publish before it is here.
void broker_host::count_if_unannounced(const message_identity& taken, std::string_view topic) {
    if (message_number::host_of(taken.number) == id_) {
        world_.accounts.publisher(message_number::source_of(taken.number), topic,
                                  [](publisher_counts& counts) { ++counts.published; });
    }
}

/// Whom a decision is about.
host_id broker_host::host_of(const broker::broker_event& decision) const {
    if (decision.connection != broker::no_connection) {
        return link_of(decision.connection).peer;
    }
    if (decision.what == broker::broker_event::kind::dropped && decision.identity.number == 0) {
        return link_of(reading_link_).peer;  // refused before it was taken on
    }
    return decision.session < owners_.size() ? owners_[decision.session].host
                                             : world_observer::nobody;
}

accounting::receiver broker_host::receiver_of(broker::session_index session) const {
    return session < owners_.size() ? world_.receiver_of(owners_[session].host)
                                    : accounting::hand_written;
}

void broker_host::on_event(const broker::broker_event& of_core) {
    if (is_mute_) {
        return;
    }
    using kind = broker::broker_event::kind;
    const broker::broker_event& decision = storage_ == nullptr ? of_core : renamed(of_core);
    const std::uint64_t number = decision.identity.number;
    const accounting::source source = message_number::source_of(number);
    std::optional<broker::broker_event> repeated;  // the core does not know which message it was
    if (book() != nullptr) {
        book()->decided(index(), decision);
    }
    switch (decision.what) {
        case kind::received:
            routing_ = true;
            world_.accounts.publisher(source, decision.topic, [&](publisher_counts& counts) {
                ++(message_number::is_copy(number) ? counts.received_again : counts.received);
            });
            break;
        case kind::routed:
            routing_ = false;
            if (!message_number::is_copy(number)) {
                world_.accounts.publisher(source, decision.topic, [&](publisher_counts& counts) {
                    counts.routed += decision.count != 0;
                    counts.deliveries += decision.count;
                });
            }
            break;
        case kind::repeated: {
            const message_identity again =
                take_identity(link_of(decision.connection), qos::exactly_once);
            if (book() != nullptr) {
                book()->publish_repeated(index(), decision.connection, again.number, decision.at);
            }
            const accounting::source from = message_number::source_of(again.number);
            world_.accounts.publisher(from, {},
                                      [](publisher_counts& counts) { ++counts.received_again; });
            repeated = decision;
            repeated->identity = again;
            break;
        }
        case kind::queued:
            if (!message_number::is_copy(number)) {
                world_.accounts.flow(source, receiver_of(decision.session), decision.qos,
                                     decision.topic, [](flow_counts& counts) { ++counts.due; });
            }
            break;
        case kind::sent: note_sent(decision); break;
        case kind::dropped: note_dropped(decision); break;
        case kind::connected: note_connected(decision); break;
        case kind::disconnected:
            owners_[decision.session].last_count = link_of(decision.connection).last_count;
            break;
        case kind::will_published: {
            const host_id owner = owners_[decision.session].host;
            next_source_ = owner == world_observer::nobody ? source_
                           : owner < first_broker_host
                               ? world_.blocks[owner >> block_bits].fleet->will_source()
                               : world_.peer_hosts[owner - first_client_host]->source();
            break;
        }
        default: break;
    }
    if (world_.observer != nullptr) {
        world_.tell_decision(index(), host_of(decision), repeated ? *repeated : decision);
    }
    if (on_decision) {
        on_decision(decision);
    }
    if (embedder_wants_events_) {
        embedder_->on_event(decision);
    }
    if (decision.what == kind::session_ended) {
        names_.remove(of_core.session);
    }
}

void broker_host::note_sent(const broker::broker_event& decision) {
    message_identity sent = decision.identity;
    if (!decision.known && !message_number::is_copy(sent.number)) {
        world_.accounts.flow(message_number::source_of(sent.number),
                             world_.receiver_of(link_of(decision.connection).peer), decision.qos,
                             decision.topic, [](flow_counts& counts) { ++counts.due; });
    }
    if (!routing_ && !decision.known) {
        sent.published_at = no_latency;  // it was retained before the subscription was made
    }
    sent.number = message_number::with_qos(sent.number, decision.qos);
    link& to = link_of(decision.connection);
    to.outgoing = segment::add(to.outgoing == nullptr ? segment::make() : to.outgoing, sent);
}

void broker_host::note_dropped(const broker::broker_event& decision) {
    message_identity dropped = decision.identity;
    const auto reason = static_cast<std::size_t>(decision.why);
    if (dropped.number == 0) {
        // Refused before it was taken on: its identity is still to be read.
        dropped = take_identity(link_of(reading_link_), decision.qos);
        count_if_unannounced(dropped, decision.topic);
        if (book() != nullptr) {
            book()->publish_refused(dropped.number);
        }
        world_.accounts.publisher(message_number::source_of(dropped.number), decision.topic,
                                  [&](publisher_counts& counts) {
                                      ++counts.received;
                                      ++counts.dropped[reason];
                                  });
        return;
    }
    if (message_number::is_copy(dropped.number)) {
        return;
    }
    const accounting::source source = message_number::source_of(dropped.number);
    if (decision.session == broker::no_session) {
        world_.accounts.publisher(source, decision.topic,
                                  [&](publisher_counts& counts) { ++counts.dropped[reason]; });
        return;
    }
    world_.accounts.flow(source, receiver_of(decision.session), decision.qos, decision.topic,
                         [&](flow_counts& counts) {
                             counts.due += !decision.known;
                             ++counts.dropped[reason];
                         });
}

void broker_host::note_connected(const broker::broker_event& decision) {
    if (decision.session >= owners_.size()) {
        owners_.resize(decision.session + 1);
    }
    session_owner& owner = owners_[decision.session];
    link& from = link_of(decision.connection);
    const bool same_host = owner.host == from.peer;  // or another that took the client id over
    owner.host = from.peer;
    from.last_count = decision.flag && same_host ? owner.last_count : 0;
}

}  // namespace fleetarium::sim::detail
