#include <fleetarium/sim/world_state.hpp>

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/prefetch.hpp>
#include <fleetarium/sim/broker_host.hpp>
#include <fleetarium/sim/fleet_state.hpp>
#include <fleetarium/sim/ledger_world.hpp>
#include <fleetarium/sim/remote_host.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace fleetarium::sim::detail {

world_state::world_state(std::uint64_t with_seed) : seed(with_seed) {
    networks.push_back(std::make_unique<network>(network_spec{.name = ""}));
}

world_state::~world_state() {
    while (!events.empty()) {
        destroy_payload(events.pop());
    }
}

// Events

void world_state::run_until(instant until) {
    prepare();
    let_guests_act();
    for (;;) {
        while (events.next_time() <= std::min(until, sample_due)) {
            handle_next();
        }
        if (sample_due > until) {
            break;
        }
        take_sample();
    }
    now = std::max(now, until);
}

bool world_state::run_until_failure(instant until) {
    prepare();
    let_guests_act();
    for (;;) {
        while (events.next_time() <= std::min(until, sample_due)) {
            handle_next();
            if (book != nullptr && book->violation_count() != 0) {
                return false;
            }
        }
        if (sample_due > until) {
            break;
        }
        take_sample();
        if (has_failed()) {
            return false;
        }
    }
    now = std::max(now, until);
    return !has_failed();
}

bool world_state::run_until(instant until, std::uint64_t events_max) {
    prepare();
    let_guests_act();
    for (;;) {
        for (; events.next_time() <= std::min(until, sample_due); --events_max) {
            if (events_max == 0) {
                return false;
            }
            handle_next();
        }
        if (sample_due > until) {
            break;
        }
        take_sample();
    }
    now = std::max(now, until);
    return true;
}

bool world_state::step() {
    prepare();
    let_guests_act();
    if (events.empty()) {
        return false;
    }
    while (sample_due < events.next_time()) {
        take_sample();
    }
    const event next = events.pop();
    now = next.time;
    handle(next);
    after_event();
    return true;
}

inline void world_state::handle_next() {
    const event next = events.pop();
    if (fetches_ahead) {
        prefetch_ahead();
    }
    now = next.time;
    handle(next);
    if (!prepared || guests_stirred) {
        after_event();
    }
}

void world_state::after_event() {
    prepare();
    if (guests_stirred) {
        let_guests_act();
    }
}

void world_state::take_sample() {
    now = std::max(now, sample_due);
    monitor->sample(*this, sample_due);
    sample_due = monitor->next_due();
}

void world_state::watch_over_time(const expectation_spec& expected) {
    if (monitor == nullptr) {
        monitor = std::make_unique<expectation_monitor>();
    }
    monitor->add(expected, run_end);
    faults_changed();
}

namespace {

/// Tells several.
class observer_list final : public world_observer {
public:
    explicit observer_list(const std::vector<world_observer*>& to) : to_(to) {}

    void on_message(std::uint32_t broker, std::uint32_t publisher, const publish& message,
                    const message_identity& identity, instant now) override {
        for (world_observer* each : to_) {
            each->on_message(broker, publisher, message, identity, now);
        }
    }
    void on_decision(std::uint32_t broker, std::uint32_t client,
                     const broker::broker_event& decision) override {
        for (world_observer* each : to_) {
            each->on_decision(broker, client, decision);
        }
    }
    void on_received(std::uint32_t client, const message_identity& message, bool repeated,
                     instant now) override {
        for (world_observer* each : to_) {
            each->on_received(client, message, repeated, now);
        }
    }
    void on_acknowledged(std::uint32_t publisher, std::uint64_t number, instant now) override {
        for (world_observer* each : to_) {
            each->on_acknowledged(publisher, number, now);
        }
    }
    void on_lost(std::uint32_t client, std::uint64_t number, instant now) override {
        for (world_observer* each : to_) {
            each->on_lost(client, number, now);
        }
    }
    void on_fault(std::uint32_t which, bool ends, instant now) override {
        for (world_observer* each : to_) {
            each->on_fault(which, ends, now);
        }
    }

private:
    const std::vector<world_observer*>& to_;
};

}  // namespace

void world_state::observers_changed() {
    if (observers.size() > 1 && all_observers == nullptr) {
        all_observers = std::make_unique<observer_list>(observers);
    }
    observer = observers.empty()       ? nullptr
               : observers.size() == 1 ? observers.front()
                                       : all_observers.get();
    auto* const tallying = dynamic_cast<tallying_observer*>(observer);
    tally = tallying == nullptr ? nullptr : &tallying->tally();
}

void world_state::faults_changed() {
    if (monitor != nullptr) {
        monitor->set_fault_free_since(faults == nullptr ? instant{} : faults->over_since());
        sample_due = monitor->next_due();
    }
}

bool world_state::has_failed() const {
    const bool found_outside =
        std::any_of(broker_places.begin(), broker_places.end(), [](const broker_place& each) {
            return each.remote != nullptr && each.remote->audit() != nullptr &&
                   each.remote->audit()->violation_count() != 0;
        });
    return found_outside || (book != nullptr && book->violation_count() != 0) ||
           (monitor != nullptr && monitor->has_failed());
}

/// Until none has anything to do: what one does may be news to another.
void world_state::let_guests_act() {
    guests_stirred = false;
    for (bool stirred = !guests.empty(); stirred;) {
        stirred = false;
        for (std::size_t i = 0; i < guests.size(); ++i) {
            stirred |= guests[i]->act();
        }
    }
    prepare();  // a guest may have added a fleet
}

void world_state::handle(const event& next) {
    on_links -= is_on_link(next);
    if (faults != nullptr && faults->holds(next)) {
        return;
    }
    if (watch != nullptr && !carries_void_bytes(next)) {
        watch->see(next);
    }
    ++handled;
    if (next.target < first_broker_host) {
        const device_block& block = blocks[next.target >> block_bits];
        block.fleet->handle(block, next);
    } else if (next.target < first_client_host) {
        broker_of(next.target).handle(next);
    } else if (next.target != fault_host_id) {
        peer_hosts[next.target - first_client_host]->handle(next);
    } else {
        faults->handle(next);
    }
}

/// Whether bytes arrive for nobody: their link broke while they were under way.
bool world_state::carries_void_bytes(const event& what) const {
    if (what.kind() != event_kind::bytes && what.kind() != event_kind::messages) {
        return false;
    }
    if (what.target < first_broker_host) {
        const device_block& block = blocks[what.target >> block_bits];
        return !fleet_state::has_link(block, what.target, what.link);
    }
    return what.target < first_client_host && broker_of(what.target).is_unheard(what);
}

// A million devices do not fit any cache: what an event will touch is asked for while the events
// before it are handled, step by step, for each step needs what the one before has fetched.
void world_state::prefetch_ahead() const {
    for (const std::size_t distance : {15u, 12u, 9u, 7u, 4u, 2u}) {
        const event* const coming = events.peek(distance - 1);
        if (coming == nullptr) {
            continue;
        }
        if (coming->target < first_broker_host) {
            prefetch_of_device(*coming, distance);
        } else if (coming->target < first_client_host && coming->kind() != event_kind::wake) {
            prefetch_of_broker(*coming, distance);
        }
    }
}

void world_state::prefetch_of_device(const event& coming, std::size_t distance) const {
    const device_block& block = blocks[coming.target >> block_bits];
    if (distance == 15) {
        block.fleet->prefetch(block, coming.target);
        if (coming.kind() != event_kind::wake) {
            fleetarium::prefetch(reinterpret_cast<const void*>(coming.payload));
        }
    } else if (book != nullptr && (distance == 12 || distance == 7)) {
        block.fleet->prefetch_ledger(block, coming.target, distance == 7);
    } else if (coming.kind() == event_kind::wake) {
        // What the device says reaches the broker at once, in a network without latency.
        if (distance == 9) {
            block.fleet->prefetch_broker(block, coming.target);
        } else if (distance == 4) {
            block.fleet->prefetch_session(block, coming.target);
        }
    }
}

namespace {

/// The topic of a PUBLISH at the beginning of a segment; empty if it cannot be had at a glance.
std::string_view topic_at_front(const event& coming) {
    if (coming.kind() != event_kind::messages) {
        return {};
    }
    const bytes_view bytes = reinterpret_cast<const segment*>(coming.payload)->bytes.contiguous();
    std::size_t at = 1;
    while (at < bytes.size() && at < 4 && bytes[at] > 127) {
        ++at;
    }
    const std::size_t begin = at + 3;
    if (begin > bytes.size()) {
        return {};
    }
    const std::size_t size = std::size_t{bytes[at + 1]} << 8 | bytes[at + 2];
    return begin + size <= bytes.size() ? as_text(bytes.subspan(begin, size)) : std::string_view();
}

}  // namespace

void world_state::prefetch_of_broker(const event& coming, std::size_t distance) const {
    const broker_host& broker = broker_of(coming.target);
    if (!broker.can_be_looked_ahead_at()) {
        return;
    }
    switch (distance) {
        case 15:
            broker.prefetch(coming.link);
            fleetarium::prefetch(reinterpret_cast<const void*>(coming.payload));
            if (book != nullptr) {
                book->prefetch_connection(coming.target - first_broker_host, coming.link);
            }
            return;
        case 12:
            if (coming.kind() == event_kind::messages) {
                reinterpret_cast<const segment*>(coming.payload)->bytes.prefetch();
            } else {
                broker.core().prefetch_session(coming.link);  // acknowledgements
            }
            if (book != nullptr) {
                book->prefetch_session(coming.target - first_broker_host, coming.link);
            }
            return;
        default: break;
    }
    const std::string_view topic = broker.is_large() ? topic_at_front(coming) : std::string_view();
    if (!topic.empty()) {
        switch (distance) {
            case 9: broker.core().prefetch_topic(topic); return;
            case 7: broker.core().prefetch_filter(topic); return;
            case 4: broker.core().prefetch_receiver(topic); return;
            default: broker.prefetch_receiver_link(topic); return;
        }
    }
}

void world_state::prepare() {
    if (prepared) {
        return;
    }
    std::uint64_t devices = 0;
    for (const auto& each : fleets) {
        each->prepare();
        devices += each->spec().count;
    }
    // About a kibibyte a device: fewer than this stay in the second level cache by themselves.
    constexpr std::uint64_t devices_in_cache = 2'048;
    fetches_ahead = devices > devices_in_cache;
    prepared = true;
}

// Links

void world_state::open_link(host_id self, link_end& link, const link_path& path,
                            random_key host_key) {
    FLEETARIUM_ASSERT(link.phase() == link_end::phase::idle);
    link.generation = (link.generation + 1) & link_mask;
    link.set_phase(link_end::phase::opening);
    const direction& way = path.by->up;
    const random_key key =
        way.is_random() ? make_random_key(host_key.value, 0, purpose::link_up) : random_key{};
    post({.time = way.arrival(link.up, 0, now, key),
          .origin = self,
          .sequence = link.sequence++,
          .target = path.broker,
          .link = link.generation & link_mask,
          .kind_value = static_cast<std::uint8_t>(event_kind::open),
          .payload = reinterpret_cast<std::uint64_t>(path.by)});
}

void world_state::send_up(host_id self, link_end& link, const link_path& path, random_key host_key,
                          wire_buffer bytes, instant lost_from) {
    segment* identities = nullptr;
    const bool audited = book != nullptr && path.broker < first_client_host;
    if (audited) {
        book->spoke(self, path.broker - first_broker_host, link.connection, now);
    }
    if (!sent_log.empty()) {
        identities = segment::make();
        for (const message_identity& each : sent_log) {
            identities = segment::add(identities, each);
            if (audited) {
                book->publish_sent(self, path.broker - first_broker_host, link.connection,
                                   each.number, now);
            }
        }
        sent_log.clear();
    }
    const direction& way = path.by->up;
    link_conditions room;
    const link_conditions* const worse = conditions(self, path.broker, true, room);
    const random_key key = way.is_random() || worse != nullptr
                               ? make_random_key(host_key.value, 0, purpose::link_up)
                               : random_key{};
    transmit(way, link.up, key, std::move(bytes), identities, now, pieces, worse,
             [&](instant at, event_kind kind, std::uint64_t payload) {
                 const event made{.time = at,
                                  .origin = self,
                                  .sequence = link.sequence++,
                                  .target = path.broker,
                                  .link = link.connection & link_mask,
                                  .kind_value = static_cast<std::uint8_t>(kind),
                                  .payload = payload};
                 if (at > lost_from) {
                     lose(made, towards_broker, protocol_version::v5);
                 } else {
                     post(made);
                 }
             });
}

void world_state::end_link(host_id self, link_end& link, const link_path& path, random_key host_key,
                           event_kind how) {
    if (link.phase() == link_end::phase::open) {
        signal(self, link, path, host_key, how);
        if (book != nullptr && path.broker < first_client_host) {
            book->left(self, path.broker - first_broker_host, link.connection);
        }
    }
    // While opening, the broker's number is not known: `opened` will find nobody and is refused.
    link.set_phase(link_end::phase::idle);
    link.generation = (link.generation + 1) & link_mask;
}

void world_state::signal(host_id self, link_end& link, const link_path& path, random_key host_key,
                         event_kind what) {
    const direction& way = path.by->up;
    const random_key key =
        way.is_random() ? make_random_key(host_key.value, 0, purpose::link_up) : random_key{};
    post({.time = way.arrival(link.up, 0, now, key),
          .origin = self,
          .sequence = link.sequence++,
          .target = path.broker,
          .link = link.connection & link_mask,
          .kind_value = static_cast<std::uint8_t>(what),
          .payload = 0});
}

void world_state::refuse_opened(host_id self, link_end& link, const event& opened,
                                random_key host_key, const network& by) {
    const random_key key =
        by.up.is_random() ? make_random_key(host_key.value, 0, purpose::link_up) : random_key{};
    post({.time = by.up.arrival(link.up, 0, now, key),
          .origin = self,
          .sequence = link.sequence++,
          .target = opened.origin,
          .link = static_cast<std::uint32_t>(opened.payload) & link_mask,
          .kind_value = static_cast<std::uint8_t>(event_kind::cut),
          .payload = 0});
}

// Void events

void world_state::lose(const event& voided, host_id receiver, protocol_version version) {
    if (voided.kind() == event_kind::messages) {
        lose(reinterpret_cast<segment*>(voided.payload), receiver, version);
    } else {
        destroy_payload(voided);
    }
}

void world_state::lose(segment* voided, host_id receiver, protocol_version version) {
    // A QoS 0 message is lost for good; others will be sent again or dropped by whoever sent them.
    // Topics are read from the bytes, if an expectation asks for them.
    std::string whole;
    voided->bytes.for_each_part([&](bytes_view part) { whole += as_text(part); });
    bytes_view rest = as_bytes_view(whole);
    for (const message_identity& each : voided->rest()) {
        fleetarium::publish lost;
        frame in;
        while (accounts.needs_topic(message_number::source_of(each.number)) && !rest.empty()) {
            const frame_result read = split_frame(rest, in);
            if (read.broken != violation::none || !read.complete) {
                rest = {};
            } else if (in.type() == packet_type::publish) {
                if (decode(in, version, lost) != violation::none) {
                    lost.topic = {};
                }
                break;
            }
        }
        if (message_number::qos_of(each.number) != qos::at_most_once ||
            message_number::is_copy(each.number)) {
            continue;
        }
        const accounting::source source = message_number::source_of(each.number);
        if (receiver == towards_broker) {
            accounts.publisher(source, lost.topic,
                               [](publisher_counts& counts) { ++counts.lost_on_link; });
        } else {
            accounts.flow(source, receiver_of(receiver), qos::at_most_once, lost.topic,
                          [](flow_counts& counts) { ++counts.lost_on_link; });
            if (observer != nullptr) {
                observer->on_lost(receiver, each.number, now);
            }
        }
    }
    segment::destroy(voided);
}

// Hosts

accounting::receiver world_state::receiver_of(host_id host) const {
    return host < first_broker_host ? blocks[host >> block_bits].fleet->index()
                                    : accounting::hand_written;
}

random_key world_state::key_of(host_id host) const {
    if (host < first_broker_host) {
        const device_block& block = blocks[host >> block_bits];
        return block.fleet->key_of(block.first_index + (host & (devices_per_block - 1)));
    }
    return peer_hosts[host - first_client_host]->key();
}

const network& world_state::find_network(const std::string& name) const {
    if (name.empty()) {
        return default_network();
    }
    for (const auto& each : networks) {
        if (each->spec.name == name) {
            return *each;
        }
    }
    throw std::invalid_argument("there is no network \"" + name + "\"");
}

void world_state::add_network(const network_spec& spec) {
    for (const auto& each : networks) {
        if (each->spec.name == spec.name) {
            throw std::invalid_argument("a network needs a name of its own, not \"" + spec.name +
                                        "\"");
        }
    }
    networks.push_back(std::make_unique<network>(spec));
}

void world_state::require_room(std::uint32_t devices, std::size_t sources) const {
    const std::size_t more = (std::size_t{devices} + devices_per_block - 1) >> block_bits;
    if ((blocks.size() + more) << block_bits > first_broker_host) {
        throw std::invalid_argument("a world has at most 12,582,912 devices");
    }
    if (accounts.source_count() + sources > message_number::source_end) {
        throw std::invalid_argument(
            "a world has at most 8,192 publications, replies, wills and "
            "clients");
    }
}

host_id world_state::add_block(const device_block& block) {
    blocks.push_back(block);
    return static_cast<host_id>((blocks.size() - 1) << block_bits);
}

host_id world_state::add_peer(peer_host& peer) {
    if (peer_hosts.size() >= fault_host_id - first_client_host) {
        throw std::invalid_argument("a world has at most 2,097,151 hand-written clients");
    }
    peer_hosts.push_back(&peer);
    return first_client_host + static_cast<host_id>(peer_hosts.size() - 1);
}

fault_engine& world_state::faults_of_world() {
    if (faults == nullptr) {
        faults = std::make_unique<fault_engine>(*this);
    }
    return *faults;
}

std::uint64_t world_state::trace_hash() const {
    fleetarium::trace_hash sum;
    for (const auto& each : fleets) {
        each->add_to(sum);
    }
    for (std::size_t i = 0; i < broker_hosts.size(); ++i) {
        sum.add(first_broker_host + i, broker_hosts[i]->chain());
    }
    for (const peer_host* const each : peer_hosts) {
        sum.add(each->id(), each->chain());
    }
    if (faults != nullptr && faults->count() != 0) {  // none: one was asked for that cannot be
        sum.add(fault_host_id, faults->chain());
    }
    return sum.value();
}

run_report world_state::report() const {
    run_report out;
    out.scenario = scenario_name;
    out.seed = seed;
    out.simulated = now.time_since_epoch();
    out.events = handled;
    out.trace_hash = trace_hash();
    static constexpr char digits[] = "0123456789abcdef";
    for (int shift = 60; shift >= 0; shift -= 4) {
        out.trace_hash_text += digits[out.trace_hash >> shift & 15];
    }
    out.sources = accounts.sources();
    out.selections = accounts.report();
    for (const auto& each : fleets) {
        out.fleets.push_back(each->report(out));
    }
    for (const broker_host* const each : broker_hosts) {
        out.brokers.push_back(each->report());
    }
    for (const auto& each : remotes) {
        out.remote_brokers.push_back({.name = each->name()});
    }
    if (book != nullptr) {
        world_oracle knows(*this);
        out.ledger = book->report(knows, now);
        for (const broker_place& each : broker_places) {
            if (each.remote != nullptr && each.remote->audit() != nullptr) {
                std::uint64_t not_seen = 0;
                for (const auto& fleet : fleets) {
                    const bool is_seen =
                        fleet->broker() != each.host || each.remote->tags(fleet->spec().version);
                    not_seen += is_seen ? 0 : fleet->spec().count;
                }
                each.remote->audit()->add_to(out.ledger, each.name, not_seen,
                                             [&](host_id host) { return knows.name_of(host); });
            }
        }
    }
    if (faults != nullptr) {
        out.faults = faults->report();
    }
    if (monitor != nullptr) {
        out.sampled = monitor->report();
    }
    return out;
}

}  // namespace fleetarium::sim::detail
