#include <fleetarium/sim/fault_engine.hpp>

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/sim/broker_host.hpp>
#include <fleetarium/sim/device_clock.hpp>
#include <fleetarium/sim/fleet_state.hpp>
#include <fleetarium/sim/world_state.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace fleetarium::sim::detail {

namespace {

/// Beginnings are at least this far apart, whatever is drawn: otherwise a distribution that is 0
/// now and then could hold the clock.
constexpr duration every_min = std::chrono::milliseconds{1};

constexpr auto slowest_clock =
    static_cast<std::uint64_t>(clock_rate_min * static_cast<double>(device_clock::right_rate));
constexpr auto fastest_clock =
    static_cast<std::uint64_t>(clock_rate_max * static_cast<double>(device_clock::right_rate));

void require(bool right, const fault_spec& spec, const std::string& what) {
    if (!right) {
        throw std::invalid_argument("fault " + std::string(name_of(spec.kind)) + ": " + what);
    }
}

bool is_event_of_link(event_kind kind) {
    return kind != event_kind::wake && kind != event_kind::fault;
}

/// Whether devices are told when a fault of the kind begins.
bool tells_devices(fault_kind kind) {
    switch (kind) {
        case fault_kind::cut:
        case fault_kind::half_open:
        case fault_kind::slow_reader:
        case fault_kind::power_loss:
        case fault_kind::hostile_bytes:
        case fault_kind::take_over:
        case fault_kind::clock_skew: return true;
        default: return false;
    }
}

}  // namespace

wire_buffer part_of(const wire_buffer& bytes, std::size_t begin, std::size_t end) {
    wire_buffer out;
    std::size_t at = 0;
    bytes.for_each_part([&](bytes_view part) {
        const std::size_t from = std::clamp(begin, at, at + part.size()) - at;
        const std::size_t to = std::clamp(end, at, at + part.size()) - at;
        out.append(part.subspan(from, to - from));
        at += part.size();
    });
    return out;
}

fault_engine::fault_engine(world_state& world) : world_(world) {}

fault_engine::~fault_engine() {
    for (const event& each : held_) {
        destroy_payload(each);
    }
}

// What is to come

void fault_engine::add(const fault_spec& spec) {
    require(!lasts(spec.kind) || may_be_at_once(spec.kind) || spec.lasts, spec,
            "how long it lasts has to be said");
    const std::uint32_t which = make_fault(spec);
    const instant first = instant{} + spec.at;
    if (!spec.count || *spec.count != 0) {
        schedule(which, std::max(first, world_.now));
    }
    world_.faults_changed();
}

std::uint32_t fault_engine::make_fault(const fault_spec& spec) {
    require(spec.share >= 0 && spec.share <= 1, spec, "the share is between 0 and 1");
    require(spec.kind != fault_kind::split ||
                (spec.probability && *spec.probability >= 0 && *spec.probability <= 1),
            spec, "a probability between 0 and 1 is needed");
    require(spec.kind != fault_kind::bandwidth || spec.bytes_per_second.value_or(0) != 0, spec,
            "a bandwidth above 0 is needed");
    require(spec.kind != fault_kind::latency || spec.added_latency, spec,
            "an added latency is needed");
    require(spec.packet_number != 0U, spec, "packets count from 1");
    require(spec.kind != fault_kind::clock_skew || spec.rate || spec.offset, spec,
            "a rate or an offset is needed");
    require(!spec.rate || (*spec.rate >= clock_rate_min && *spec.rate <= clock_rate_max), spec,
            "the rate is between 0.001 and 1,000");
    require(!spec.offset || (*spec.offset >= -clock_offset_max && *spec.offset <= clock_offset_max),
            spec, "the offset is at most 3,650 days either way");
    const auto which = static_cast<std::uint32_t>(faults_.size());
    fault made;
    made.spec = spec;
    if (made.spec.name.empty()) {
        made.spec.name = name_of(spec.kind);
    }
    resolve(made);
    // Of equal names each has draws of its own.
    const auto namesakes = static_cast<std::uint64_t>(
        std::count_if(faults_.begin(), faults_.end(),
                      [&](const fault& each) { return each.spec.name == made.spec.name; }));
    made.key = make_random_key(combine(world_.seed, hash_text("fault")), hash_text(made.spec.name),
                               namesakes);
    faults_.push_back(std::move(made));
    return which;
}

void fault_engine::resolve(fault& of) const {
    const fault_spec& spec = of.spec;
    if (!spec.fleet.empty()) {
        const auto found =
            std::find_if(world_.fleets.begin(), world_.fleets.end(),
                         [&](const auto& each) { return each->spec().name == spec.fleet; });
        require(found != world_.fleets.end(), spec, "there is no fleet \"" + spec.fleet + "\"");
        of.fleet = (*found)->index();
    }
    if (!spec.cohort.empty()) {
        require(!spec.fleet.empty(), spec, "a cohort is one of a fleet");
        of.cohort = world_.fleets[of.fleet]->cohort_named(spec.cohort);
        require(of.cohort != 0, spec,
                "the fleet \"" + spec.fleet + "\" has no cohort \"" + spec.cohort + "\"");
    }
    if (spec.broker.empty() && !hits_broker(spec.kind)) {
        return;
    }
    const auto& places = world_.broker_places;
    const auto place = std::find_if(places.begin(), places.end(), [&](const auto& each) {
        return spec.broker.empty() || each.name == spec.broker;
    });
    require(place != places.end(), spec, "there is no broker \"" + spec.broker + "\"");
    require(!hits_broker(spec.kind) || place->remote == nullptr, spec,
            "the broker \"" + place->name + "\" is outside of the world");
    of.broker = place->host;
    if (hits_broker(spec.kind)) {
        const bool has_storage = world_.broker_of(place->host).spec().storage.has_value();
        require(has_storage || !spec.power_cut, spec,
                "the broker \"" + place->name + "\" has no storage that a power cut could harm");
        require(!has_storage || !spec.keeps_sessions, spec,
                "the storage of the broker \"" + place->name + "\" keeps what it keeps");
    }
}

void fault_engine::schedule(std::uint32_t which, instant due) {
    const fault_spec& spec = faults_[which].spec;
    if (due != never && !(spec.until && due >= instant{} + *spec.until)) {
        coming_ += due <= world_.run_end;
        post(due, fault_host_id, {which, 0, false});
    }
}

void fault_engine::post(instant due, host_id target, const fault_news& news) {
    world_.post({.time = due,
                 .origin = fault_host_id,
                 .sequence = sequence_++,
                 .target = target,
                 .link = 0,
                 .kind_value = static_cast<std::uint8_t>(event_kind::fault),
                 .payload = news.word()});
}

void fault_engine::handle(const event& what) {
    const fault_news news = fault_news::of(what);
    if (!news.ends) {
        coming_ -= what.time <= world_.run_end;
        begin(news.fault, false);
        return;
    }
    const auto found = std::find_if(active_.begin(), active_.end(), [&](const occurrence& each) {
        return each.news.fault == news.fault && each.news.number == news.number;
    });
    if (found != active_.end()) {
        finish(found->id);
    }
}

// Beginnings and ends

std::uint32_t fault_engine::begin_now(const fault_spec& spec) {
    return begin(make_fault(spec), true);
}

std::uint32_t fault_engine::begin(std::uint32_t which, bool guarded) {
    fault& what = faults_[which];
    const fault_spec& spec = what.spec;
    const fault_news news{which, what.begun++, false};
    const std::uint32_t id = ++last_id_;
    chain_.absorb(
        combine(static_cast<std::uint64_t>(world_.now.time_since_epoch().count()), news.word()));
    random_stream draws(make_random_key(what.key.value, news.number, "when"));
    const bool is_over = !lasts(spec.kind) || (!guarded && !spec.lasts);
    if (!is_over) {
        active_.push_back({id, news});
        if (!guarded) {
            const duration length = std::max(spec.lasts->sample_duration(draws), duration{1});
            post(saturating_add(world_.now, length), fault_host_id,
                 {news.fault, news.number, true});
        }
        sort_out();
    }
    if (!guarded && spec.every && (!spec.count || what.begun < *spec.count)) {
        const duration pause = std::max(spec.every->sample_duration(draws), every_min);
        schedule(which, saturating_add(world_.now, pause));
    }
    if (world_.observer != nullptr) {
        world_.observer->on_fault(which, is_over, world_.now);
    }
    tell_hit(news);
    over_since_ = world_.now;
    world_.faults_changed();
    return id;
}

void fault_engine::end(std::uint32_t id) { finish(id); }

void fault_engine::finish(std::uint32_t id) {
    const auto found = std::find_if(active_.begin(), active_.end(),
                                    [&](const occurrence& each) { return each.id == id; });
    if (found == active_.end()) {
        return;  // it happened at once
    }
    fault_news news = found->news;
    news.ends = true;
    active_.erase(found);
    if (world_.observer != nullptr) {
        world_.observer->on_fault(news.fault, true, world_.now);
    }
    chain_.absorb(
        combine(static_cast<std::uint64_t>(world_.now.time_since_epoch().count()), news.word()));
    sort_out();
    release_held();
    const fault_kind kind = spec_of(news.fault).kind;
    if (kind == fault_kind::power_loss || kind == fault_kind::slow_reader ||
        kind == fault_kind::take_over || kind == fault_kind::clock_skew || hits_broker(kind)) {
        tell_hit(news);
    }
    over_since_ = world_.now;
    world_.faults_changed();
}

/// Deals what lasts out to those who ask.
void fault_engine::sort_out() {
    holding_.clear();
    conditions_.clear();
    slow_.clear();
    skewed_.clear();
    std::vector<packet_rule> before = std::exchange(packet_rules_, {});
    for (const occurrence& each : active_) {
        switch (spec_of(each.news.fault).kind) {
            case fault_kind::partition: holding_.push_back(each); break;
            case fault_kind::slow_reader: slow_.push_back(each); break;
            case fault_kind::clock_skew: skewed_.push_back(each); break;
            case fault_kind::latency:
            case fault_kind::bandwidth:
            case fault_kind::split: conditions_.push_back(each); break;
            case fault_kind::cut_in_packet: {
                packet_rule& rule = packet_rules_.emplace_back();
                rule.id = each.id;
                for (packet_rule& known : before) {
                    if (known.id == each.id) {
                        rule.seen = std::move(known.seen);
                    }
                }
                break;
            }
            default: break;
        }
    }
}

void fault_engine::tell_hit(const fault_news& news) {
    fault& what = faults_[news.fault];
    if (hits_broker(what.spec.kind)) {
        post(world_.now, what.broker, news);
        return;
    }
    const bool tells = tells_devices(what.spec.kind);
    for (const device_block& block : world_.blocks) {
        const std::uint32_t fleet = block.fleet->index();
        if ((what.fleet != no_index && what.fleet != fleet) ||
            (!what.spec.broker.empty() && block.fleet->broker() != what.broker)) {
            continue;
        }
        const auto place = static_cast<host_id>((&block - world_.blocks.data()) << block_bits);
        const std::uint32_t count =
            std::min(devices_per_block, block.fleet->spec().count - block.first_index);
        for (std::uint32_t i = 0; i < count; ++i) {
            if (is_hit(what, news, place + i, fleet, block.first_index + i)) {
                what.devices += news.ends ? 0 : 1;
                if (tells) {
                    post(world_.now, place + i, news);
                }
            }
        }
    }
}

// Who is hit

bool fault_engine::is_hit(const fault_news& news, host_id device) const {
    if (device >= first_broker_host) {
        return false;
    }
    const device_block& block = world_.blocks[device >> block_bits];
    return is_hit(faults_[news.fault], news, device, block.fleet->index(),
                  block.first_index + (device & (devices_per_block - 1)));
}

bool fault_engine::is_hit(const fault& what, const fault_news& news, host_id device,
                          std::uint32_t fleet, std::uint32_t index) const {
    const fault_spec& spec = what.spec;
    if ((what.fleet != no_index && what.fleet != fleet) || index < spec.first_device.value_or(0) ||
        index > spec.last_device.value_or(no_index)) {
        return false;
    }
    if (what.cohort != 0 && world_.fleets[fleet]->cohort_of(index) != what.cohort) {
        return false;
    }
    if (spec.share >= 1) {
        return true;
    }
    const random_key own = make_random_key(what.key.value, world_.key_of(device).value, "share");
    return unit_interval(random_at(own, news.number)) < spec.share;
}

bool fault_engine::hits_now(host_id device) const {
    const device_block& block = world_.blocks[device >> block_bits];
    return std::any_of(active_.begin(), active_.end(), [&](const occurrence& each) {
        const fault& what = faults_[each.news.fault];
        return !hits_broker(what.spec.kind) &&
               (what.broker == 0 || what.broker == block.fleet->broker()) &&
               is_hit(each.news, device);
    });
}

bool fault_engine::concerns(const occurrence& which, host_id device, host_id broker,
                            bool up) const {
    const fault& what = faults_[which.news.fault];
    const link_direction direction = what.spec.direction.value_or(link_direction::both);
    return (direction == link_direction::both || (direction == link_direction::up) == up) &&
           (what.spec.broker.empty() || what.broker == broker) && is_hit(which.news, device);
}

// What that means for links

bool fault_engine::holds(const event& what) {
    if ((holding_.empty() && slow_.empty()) || !is_event_of_link(what.kind())) {
        return false;
    }
    const bool up = what.target >= first_broker_host;
    const host_id device = up ? what.origin : what.target;
    const host_id broker = up ? what.target : what.origin;
    const auto concerned = [&](const occurrence& each) {
        return concerns(each, device, broker, up);
    };
    const bool stuck = std::any_of(holding_.begin(), holding_.end(), concerned) ||
                       (!up &&
                        (what.kind() == event_kind::bytes || what.kind() == event_kind::messages ||
                         what.kind() == event_kind::close) &&
                        is_slow(device));
    if (stuck) {
        held_.push_back(what);
    }
    return stuck;
}

void fault_engine::release_held() {
    std::vector<event> before = std::exchange(held_, {});
    for (event& each : before) {
        if (!holds(each)) {
            each.time = world_.now;
            world_.post(each);
        }
    }
}

bool fault_engine::is_slow(host_id device) const {
    return std::any_of(slow_.begin(), slow_.end(),
                       [&](const occurrence& each) { return is_hit(each.news, device); });
}

link_conditions fault_engine::conditions_at(host_id device, host_id broker, bool up) const {
    link_conditions out;
    for (const occurrence& each : conditions_) {
        if (!concerns(each, device, broker, up)) {
            continue;
        }
        const fault& what = faults_[each.news.fault];
        switch (what.spec.kind) {
            case fault_kind::latency: {
                // What is sent at one instant is late together.
                const auto time = static_cast<std::uint64_t>(world_.now.time_since_epoch().count());
                random_stream draws(make_random_key(combine(what.key.value, time),
                                                    world_.key_of(device).value, up ? 1u : 2u));
                const duration drawn =
                    std::max(what.spec.added_latency->sample_duration(draws), duration{});
                out.added_latency += std::min(drawn, duration::max() - out.added_latency);
                break;
            }
            case fault_kind::bandwidth:
                out.bandwidth = out.bandwidth == 0
                                    ? *what.spec.bytes_per_second
                                    : std::min(out.bandwidth, *what.spec.bytes_per_second);
                break;
            default:
                out.split_probability = std::max(out.split_probability, *what.spec.probability);
                break;
        }
    }
    return out;
}

std::optional<packet_cut> fault_engine::cut_in(const wire_buffer& bytes, host_id device,
                                               host_id broker, bool up) {
    std::optional<packet_cut> cut;
    std::vector<std::uint8_t> whole;
    for (packet_rule& rule : packet_rules_) {
        const auto which = std::find_if(active_.begin(), active_.end(),
                                        [&](const auto& each) { return each.id == rule.id; });
        FLEETARIUM_ASSERT(which != active_.end());
        if (!concerns(*which, device, broker, up)) {
            continue;
        }
        if (whole.empty()) {
            bytes.for_each_part(
                [&](bytes_view part) { whole.insert(whole.end(), part.begin(), part.end()); });
        }
        const fault_spec& spec = spec_of(which->news.fault);
        std::uint32_t& seen = rule.seen[std::uint64_t{device} << 1 | (up ? 1u : 0u)];
        packet_cut here{};
        bytes_view rest = whole;
        frame in;
        while (!rest.empty()) {
            const std::size_t begin = whole.size() - rest.size();
            const frame_result read = split_frame(rest, in);
            if (read.broken != violation::none || !read.complete) {
                break;
            }
            const std::size_t size = whole.size() - rest.size() - begin;
            if (in.type() == spec.packet.value_or(packet_type::publish) &&
                ++seen == spec.packet_number.value_or(1)) {
                const std::uint32_t through = spec.byte.value_or(0);
                const bool is_whole = through >= size;
                here.bytes = begin + (is_whole ? size : through);
                here.packet_begin = is_whole ? begin + size : begin;
                here.publications += is_whole && in.type() == packet_type::publish;
                if (!cut || here.bytes < cut->bytes) {
                    cut = here;
                }
                break;
            }
            here.publications += in.type() == packet_type::publish;
        }
    }
    return cut;
}

bool fault_engine::goes_on(const fault_news& news) const {
    return std::any_of(active_.begin(), active_.end(), [&](const occurrence& each) {
        return each.news.fault == news.fault && each.news.number == news.number;
    });
}

fault_engine::clock_setting fault_engine::clock_of(host_id device) const {
    clock_setting out{device_clock::right_rate, duration{}, false};
    for (const occurrence& each : skewed_) {
        if (is_hit(each.news, device)) {
            const fault_spec& spec = spec_of(each.news.fault);
            const auto rate = static_cast<std::uint64_t>(
                spec.rate.value_or(1) * static_cast<double>(device_clock::right_rate) + 0.5);
            // Several at once can go beyond what one may.
            out.rate = std::clamp<std::uint64_t>(out.rate * rate / device_clock::right_rate,
                                                 slowest_clock, fastest_clock);
            out.offset = std::clamp(out.offset + spec.offset.value_or(duration{}),
                                    -clock_offset_max, clock_offset_max);
            out.wrong = true;
        }
    }
    return out;
}

wire_buffer fault_engine::hostile_bytes(const fault_news& news, host_id device) const {
    const fault& what = faults_[news.fault];
    random_stream draws(make_random_key(combine(what.key.value, news.number),
                                        world_.key_of(device).value, "bytes"));
    std::vector<std::uint8_t> bytes(what.spec.size.value_or(16));
    for (std::uint8_t& each : bytes) {
        each = static_cast<std::uint8_t>(draws.next_u64() >> 56);
    }
    wire_buffer out;
    out.append(bytes);
    return out;
}

std::vector<fault_report> fault_engine::report() const {
    std::vector<fault_report> out;
    for (const fault& each : faults_) {
        out.push_back({each.spec.name, each.spec.kind, each.begun, each.devices});
    }
    return out;
}

}  // namespace fleetarium::sim::detail
