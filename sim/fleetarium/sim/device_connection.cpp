// A device's way to its broker: coverage, link, CONNECT, subscriptions, and the way back.

#include <fleetarium/sim/fleet_state.hpp>

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/sim/remote_host.hpp>

#include <algorithm>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace fleetarium::sim::detail {

namespace {

std::uint32_t seconds_of(duration value) {
    return static_cast<std::uint32_t>(value / std::chrono::seconds{1});
}

}  // namespace

void fleet_state::handle(const device_block& block, const event& what) {
    const std::uint32_t offset = what.target & (devices_per_block - 1);
    std::byte* const place = block.begin + std::size_t{offset} * block.stride;
    const context at{*std::launder(reinterpret_cast<device*>(place)), what.target,
                     block.first_index + offset};
    device& self = at.self;
    if (what.kind() == event_kind::wake) {
        if (what.time != self.armed) {
            return;  // superseded
        }
        self.armed = never;
        self.link.chain.absorb(event_word(what, 0));
        wake(at);
        return;
    }
    if (what.kind() == event_kind::fault) {
        handle_fault(at, what);
        return;
    }
    if (what.link != self.link.generation) {
        if (is_of_rival(self, what.link)) {
            receive_rival(at, what);
            arm(at, rivals_timeout(self));
        } else if (what.kind() == event_kind::opened) {
            world_.refuse_opened(at.host, self.link, what, key_of(at.index), network_of(self));
        } else {
            world_.lose(what, at.host, self.session.version());
        }
        return;
    }
    receive(at, what);
}

// Time

void fleet_state::wake(const context& at) {
    device& self = at.self;
    const instant now = own_now(self);
    if (world_.now >= self.coverage_change) {
        change_coverage(at);
    }
    if (machine_ != nullptr) {
        behave_due(at);
    }
    // Before the session's time is looked at: a message makes a PINGREQ unnecessary.
    publish_due(at);
    if (now >= self.session.poll_timeout()) {
        client_event learned = self.session.handle_timeout(now);
        handle_event(at, learned, nullptr);
    }
    if (now >= next_subscription_end(self)) {
        end_subscriptions(at);
    }
    if (now >= self.connect_at && may_connect(self)) {
        open_link(at);
    }
    if (self.extras != nullptr && !self.extras->replies.empty()) {
        send_due_replies(at);
    }
    if (machine_ != nullptr) {
        behave_on_missed(at);
        settle_link(at);
    }
    flush(at);
    handle_rivals_timeout(at);
    wake_at(at, next_due(at));
}

instant fleet_state::next_due(const context& at) const {
    device& self = at.self;
    instant due = std::min(self.session.poll_timeout(), rivals_timeout(self));
    due = std::min(due, next_subscription_end(self));
    if (may_connect(self)) {
        due = std::min(due, self.connect_at);
    }
    for (std::size_t i = 0; i < publications_.size() && world_.publishes; ++i) {
        due = std::min(due, states(self)[i].due);
    }
    if (self.extras != nullptr && !self.extras->replies.empty()) {
        due = std::min(due, self.extras->replies.front().due);
    }
    if (machine_ != nullptr) {
        due = std::min(due, behaviour_due(at));
    }
    const device_clock* const clock = clock_of(self);
    return std::min(clock == nullptr ? due : clock->world_of(due), self.coverage_change);
}

void fleet_state::arm(const context& at, instant due) {
    const device_clock* const clock = clock_of(at.self);
    wake_at(at, clock == nullptr ? due : clock->world_of(due));
}

// There is one wake under way for each device, or none: a deadline that moves later costs nothing,
// for the wake finds nothing due and arms the device anew; one that moves earlier supersedes it.
void fleet_state::wake_at(const context& at, instant due) {
    device& self = at.self;
    if (due >= self.armed) {
        return;
    }
    self.armed = std::max(due, world_.now);
    world_.post({.time = self.armed,
                 .origin = at.host,
                 .sequence = self.link.sequence++,
                 .target = at.host,
                 .link = 0,
                 .kind_value = static_cast<std::uint8_t>(event_kind::wake),
                 .payload = 0});
}

// Coverage

void fleet_state::change_coverage(const context& at) {
    device& self = at.self;
    self.in_coverage = !self.in_coverage;
    random_stream stream(make_random_key(key_of(at.index).value, 0, purpose::coverage),
                         self.coverage_draws);
    const distribution& length = self.in_coverage ? spec_.online->up : spec_.online->down;
    const duration drawn = std::max(length.sample_duration(stream), duration{1});
    self.coverage_draws = stream.draws_made();
    self.coverage_change = saturating_add(world_.now, drawn);
    if (self.in_coverage || self.link.phase() == link_end::phase::idle) {
        return;
    }
    if (spec_.online->manner == offline_manner::cut) {
        ++counts_.links_cut;
        end_link(at, event_kind::cut);
    } else if (self.session.is_connected()) {
        ++counts_.disconnects;
        if (book() != nullptr) {
            book()->farewell_sent(at.host, broker_index(), self.link.connection, {});
        }
        self.session.disconnect({}, own_now(self));
        flush(at);
    } else {
        end_link(at, event_kind::close);
    }
}

/// What arrives after this is lost with the link. A device that says goodbye waits until all it
/// has sent is through.
instant fleet_state::lost_from(const device& of) const {
    return spec_.online && of.in_coverage && spec_.online->manner == offline_manner::cut
               ? of.coverage_change
               : never;
}

// Link

void fleet_state::open_link(const context& at) {
    at.self.connect_at = never;
    if (at.self.link.phase() != link_end::phase::idle) {
        return;
    }
    ++counts_.connect_attempts;
    if (machine_ != nullptr) {
        place(at.self).network = place(at.self).wanted_network;
    }
    world_.open_link(at.host, at.self.link, path_of(at.self), key_of(at.index));
}

void fleet_state::end_link(const context& at, event_kind how) {
    world_.sent_log.clear();
    world_.end_link(at.host, at.self.link, path_of(at.self), key_of(at.index), how);
    link_ended(at);
}

void fleet_state::link_ended(const context& at) {
    device& self = at.self;
    const bool was_connected = self.counted;
    connected_ -= self.counted;
    self.counted = false;
    self.session.handle_closed(own_now(self));
    give_up_dropped(at);
    if (self.extras != nullptr && self.extras->incoming != nullptr) {
        world_.lose(std::exchange(self.extras->incoming, nullptr), at.host, self.session.version());
    }
    schedule_connect(at);
    // The behaviour is not told of what it has done itself.
    if (machine_ != nullptr && self.wants_link && self.outages == 0 &&
        place(self).network == place(self).wanted_network) {
        behave_on_link(
            at, was_connected ? behaviour_occasion::disconnected : behaviour_occasion::refused);
    }
}

void fleet_state::schedule_connect(const context& at) {
    device& self = at.self;
    random_stream stream(make_random_key(key_of(at.index).value, 0, purpose::reconnect),
                         self.draws);
    const duration drawn = spec_.reconnect_delay.sample_duration(stream);
    self.draws = stream.draws_made();
    self.connect_at = saturating_add(own_now(self), std::max(drawn, reconnect_delay_min));
    if (may_connect(self)) {
        arm(at, self.connect_at);
    }
}

void fleet_state::flush(const context& at) {
    device& self = at.self;
    if (self.session.has_output()) {
        wire_buffer bytes = self.session.poll_transmit();
        if (world_.faults != nullptr && world_.faults->cuts_packets()) {
            if (const auto cut = world_.faults->cut_in(bytes, at.host, path_.broker, true)) {
                send_cut_short(at, bytes, *cut);
                return;
            }
        }
        world_.send_up(at.host, self.link, path_of(self), key_of(at.index), std::move(bytes),
                       lost_from(self));
    }
    if (self.session.should_close()) {
        end_link(at, event_kind::close);
    }
}

void fleet_state::receive(const context& at, const event& what) {
    device& self = at.self;
    const instant now = own_now(self);
    switch (what.kind()) {
        case event_kind::opened:
            self.link.chain.absorb(event_word(what, what.origin));
            self.link.connection = static_cast<std::uint32_t>(what.payload);
            self.link.set_phase(link_end::phase::open);
            if (certificate_expires_ && remote_ == nullptr && !is_certificate_valid(at)) {
                // The handshake of TLS fails: the link ends before any packet.
                ++counts_.certificates_refused;
                end_link(at, event_kind::close);
                break;
            }
            send_connect(at);
            if (world_.faults != nullptr && remote_ == nullptr && world_.faults->is_slow(at.host)) {
                flush(at);
                world_.signal(at.host, self.link, path_of(self), key_of(at.index),
                              event_kind::congested);
            }
            break;
        case event_kind::bytes:
        case event_kind::messages: {
            segment* identities = nullptr;
            wire_buffer bytes;
            if (what.kind() == event_kind::messages) {
                identities = reinterpret_cast<segment*>(what.payload);
                bytes = std::move(identities->bytes);
            } else {
                bytes = wire_buffer::adopt(reinterpret_cast<void*>(what.payload));
            }
            self.link.chain.absorb(event_word(what, hash_of(bytes)));
            identities = join_incoming(self, identities);
            bytes.for_each_part([&](bytes_view part) {
                for (;;) {
                    client_event learned = self.session.handle_bytes(part, now);
                    if (!std::holds_alternative<std::monostate>(learned)) {
                        handle_event(at, learned, identities);
                    } else if (part.empty()) {
                        break;
                    }
                }
            });
            keep_incoming(self, identities);
            break;
        }
        case event_kind::close:
        case event_kind::cut:
            self.link.chain.absorb(event_word(what, what.origin));
            counts_.closed_by_broker += self.counted;
            self.link.set_phase(link_end::phase::idle);
            self.link.generation = (self.link.generation + 1) & link_mask;
            link_ended(at);
            break;
        default: FLEETARIUM_ASSERT(false); break;
    }
    if (machine_ != nullptr) {
        behave_on_missed(at);
        settle_link(at);
    }
    flush(at);
    arm(at, std::min(self.session.poll_timeout(), behaviour_due(at)));
}

/// Identities of PUBLISHes that were cut on their way come before those that come now.
segment* fleet_state::join_incoming(device& self, segment* arrived) {
    if (self.extras == nullptr || self.extras->incoming == nullptr) {
        return arrived;
    }
    segment* joined = std::exchange(self.extras->incoming, nullptr);
    if (arrived != nullptr) {
        for (const message_identity& each : arrived->rest()) {
            joined = segment::add(joined, each);
        }
        segment::destroy(arrived);
    }
    return joined;
}

void fleet_state::keep_incoming(device& self, segment* left) {
    if (left == nullptr) {
        return;
    }
    if (left->empty() || self.link.phase() == link_end::phase::idle) {
        segment::destroy(left);
        return;
    }
    extras_of(self).incoming = left;
}

device_extras& fleet_state::extras_of(device& self) {
    if (self.extras == nullptr) {
        self.extras = std::make_unique<device_extras>();
    }
    return *self.extras;
}

// Session

/// A text that is no duration is no certificate.
bool fleet_state::is_certificate_valid(const context& at) {
    std::string& expires = world_.other_text;
    expires.clear();
    render(*certificate_expires_, at, 0, {}, {}, *generate(at, in_certificate_), {}, expires);
    if (expires == "never") {
        return true;
    }
    const auto until = config::parse_duration(expires);
    return until && world_.now < saturating_add(added_at_, *until);
}

void fleet_state::send_connect(const context& at) {
    device& self = at.self;
    fleetarium::connect request;
    std::string id;
    std::string user_name;
    std::string password;
    std::string will_topic;
    std::string will_payload;
    std::optional<carried_tag> tag;
    const bool v5 = spec_.version == protocol_version::v5;
    request.version = spec_.version;
    request.clean_start = spec_.clean_start || self.forgot;
    request.keep_alive = static_cast<std::uint16_t>(seconds_of(spec_.keep_alive));
    request.client_id = client_id(at.index, id);
    if (user_name_) {
        render(*user_name_, at.index, user_name);
        request.user_name = user_name;
    }
    if (password_) {
        render(*password_, at.index, password);
        request.password = as_bytes_view(password);
    }
    if (will_topic_) {
        render(*will_topic_, at.index, will_topic);
        if (first_sparkplug_) {
            note_sparkplug_connect(at);
        }
        if (will_sparkplug_) {
            write_sparkplug(at, *will_sparkplug_, 0, {}, {}, will_payload);
        } else {
            render(*will_payload_, at.index, will_payload);
        }
        will& last = request.will.emplace();
        last.topic = will_topic;
        last.payload = as_bytes_view(will_payload);
        last.qos = spec_.will->qos;
        last.retain = spec_.will->retain;
        last.delay_interval = v5 ? seconds_of(spec_.will->delay) : 0;
        if (remote_ != nullptr && remote_->tags(spec_.version)) {
            const std::uint64_t number =
                message_number::make(last.qos, will_source_, at.host, ++self.count);
            tag.emplace(message_tag{world_.audit.run, number, world_.now});
            tag->put_into(last, remote_->place() == identity_place::payload, world_.tagged_text);
        }
    }
    if (v5) {
        if (spec_.session_expiry) {
            request.session_expiry_interval = *spec_.session_expiry == for_ever
                                                  ? broker::session_expiry_never
                                                  : seconds_of(*spec_.session_expiry);
        }
        request.receive_maximum = spec_.receive_maximum;
        request.maximum_packet_size = spec_.maximum_packet_size;
        request.topic_alias_maximum = spec_.topic_alias_maximum;
    }
    self.session.log_sent_to(&world_.sent_log);
    if (self.session.connect(request, own_now(self)).has_error()) {
        // Only a template that renders as no valid text: the device stays away for good.
        ++counts_.connects_failed;
        world_.end_link(at.host, self.link, path_of(self), key_of(at.index), event_kind::close);
        self.connect_at = never;
    }
    give_up_dropped(at);  // a clean start gives up at once what was in flight
}

void fleet_state::handle_connack(const context& at, const connack& answer) {
    if (answer.code != reason_code::success) {
        ++counts_.connects_refused[answer.code];
        return;
    }
    ++counts_.connects_accepted;
    if (book() != nullptr) {
        book()->session_told(at.host, broker_index(), at.self.link.connection,
                             answer.session_present, world_.now);
    }
    at.self.forgot = false;
    ++connected_;
    at.self.counted = true;
    if (remote_ != nullptr) {
        device_extras& extras = extras_of(at.self);
        extras.connected_since = world_.now;
        if (!answer.session_present) {
            extras.session_since = world_.now;
        }
    }
    at.self.subscriptions_ended = 0;
    if (answer.session_present) {
        ++counts_.sessions_resumed;
        // Those of before too: whether the broker has had that UNSUBSCRIBE is not known.
        end_subscriptions(at);
    } else {
        at.self.last_packet_id = 0;
        send_subscriptions(at);
    }
    if (has_triggers_) {
        publish_on_connect(at);
    }
    give_up_dropped(at);
    if (machine_ != nullptr) {
        behave_on_link(at, behaviour_occasion::connected, answer.session_present);
    }
}

void fleet_state::send_subscriptions(const context& at) {
    // Those with one identifier, or none, share a SUBSCRIBE.
    std::vector<std::string> filters(subscriptions_.size());
    std::vector<subscription_request> requests;
    std::vector<bool> done(subscriptions_.size());
    std::uint16_t& ended = at.self.subscriptions_ended;
    for (; ended < subscription_ends_.size() && subscription_ends_[ended].at <= own_now(at.self);
         ++ended) {
        done[subscription_ends_[ended].which] = true;
    }
    for (std::size_t first = 0; first < subscriptions_.size(); ++first) {
        if (done[first]) {
            continue;
        }
        requests.clear();
        for (std::size_t i = first; i < subscriptions_.size(); ++i) {
            const subscription_spec& spec = *subscriptions_[i].spec;
            if (done[i] || spec.identifier != subscriptions_[first].spec->identifier) {
                continue;
            }
            done[i] = true;
            render(subscriptions_[i].filter, at.index, filters[i]);
            requests.push_back(
                {filters[i],
                 {spec.qos, spec.no_local, spec.retain_as_published, spec.retain_handling}});
        }
        fleetarium::subscribe request;
        request.subscription_identifier = subscriptions_[first].spec->identifier;
        request.requests = subscription_requests(requests);
        if (at.self.session.subscribe(request, own_now(at.self)).has_error()) {
            counts_.subscriptions_refused += requests.size();
        }
    }
    arm(at, next_subscription_end(at.self));
}

/// Of the next one whose time is over, where it can be told to the broker.
instant fleet_state::next_subscription_end(const device& of) const {
    return of.subscriptions_ended < subscription_ends_.size() && of.session.is_connected()
               ? subscription_ends_[of.subscriptions_ended].at
               : never;
}

void fleet_state::end_subscriptions(const context& at) {
    std::vector<std::string> filters;
    while (next_subscription_end(at.self) <= own_now(at.self)) {
        const std::size_t which = subscription_ends_[at.self.subscriptions_ended++].which;
        render(subscriptions_[which].filter, at.index, filters.emplace_back());
    }
    if (!filters.empty()) {
        const std::vector<std::string_view> named(filters.begin(), filters.end());
        fleetarium::unsubscribe request;
        request.filters = topic_filters(named);
        if (at.self.session.unsubscribe(request, own_now(at.self)).has_error()) {
            counts_.subscriptions_refused += filters.size();
        }
    }
    arm(at, next_subscription_end(at.self));
}

void fleet_state::handle_event(const context& at, client_event& learned, segment* identities) {
    std::visit(
        [&](auto& what) {
            using type = std::remove_cvref_t<decltype(what)>;
            if constexpr (std::is_same_v<type, fleetarium::publish>) {
                if (identities != nullptr && !identities->empty()) {
                    const message_identity identity = identities->take();
                    handle_message(at, what, &identity);
                } else if (remote_ != nullptr && remote_->place() == identity_place::payload) {
                    handle_tagged(at, what);
                } else {
                    handle_message(at, what, nullptr);
                }
            } else if constexpr (std::is_same_v<type, publish_repeated>) {
                if (identities != nullptr && !identities->empty()) {
                    const message_identity repeated = identities->take();
                    if (book() != nullptr) {
                        book()->message_repeated(at.host, broker_index(), at.self.link.connection,
                                                 what.packet_id, repeated, world_.now);
                    }
                    if (world_.observer != nullptr) {
                        world_.observer->on_received(at.host, repeated, true, world_.now);
                    }
                }
            } else if constexpr (std::is_same_v<type, delivery_acknowledged>) {
                const message& done = *what.done.message;
                if (book() != nullptr) {
                    book()->publish_acknowledged(at.host, done.identity().number, world_.now);
                }
                if (world_.observer != nullptr) {
                    world_.tell_acknowledged(at.host, done.identity().number);
                }
                world_.accounts.publisher(message_number::source_of(done.identity().number),
                                          done.topic(),
                                          [](publisher_counts& counts) { ++counts.acknowledged; });
                give_up_dropped(at);
                if (machine_ != nullptr &&
                    at.self.session.in_flight() + at.self.session.queued() == 0) {
                    behave_on_link(at, behaviour_occasion::delivered);
                }
            } else if constexpr (std::is_same_v<type, connack>) {
                handle_connack(at, what);
            } else if constexpr (std::is_same_v<type, suback>) {
                for (const reason_code each : what.codes) {
                    ++(is_failure(each) ? counts_.subscriptions_refused
                                        : counts_.subscriptions_granted);
                }
            } else if constexpr (std::is_same_v<type, fleetarium::disconnect>) {
                ++counts_.broker_disconnects[what.code];
            } else if constexpr (std::is_same_v<type, protocol_violation>) {
                ++counts_.violations[what.broken];
                if (book() != nullptr) {
                    book()->fault_found(at.host, what.broken, world_.now);
                } else if (remote_ != nullptr && remote_->audit() != nullptr) {
                    remote_->audit()->fault_found(at.host, what.broken, world_.now);
                }
            }
        },
        learned);
}

void fleet_state::give_up_dropped(const context& at) {
    for (const delivery_dropped& each : at.self.session.poll_dropped()) {
        const message& gone = *each.dropped.message;
        if (book() != nullptr) {
            book()->publish_dropped(gone.identity().number);
        }
        world_.accounts.publisher(
            message_number::source_of(gone.identity().number), gone.topic(),
            [&](publisher_counts& counts) { count_dropped(counts, each.why); });
    }
}

}  // namespace fleetarium::sim::detail
