#include <fleetarium/sim/fleet_state.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/large_pages.hpp>
#include <fleetarium/sim/arrival_fields.hpp>
#include <fleetarium/sim/broker_host.hpp>
#include <fleetarium/sim/device_rival.hpp>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

namespace fleetarium::sim::detail {

namespace {

constexpr std::size_t line = 64;

const world_state::broker_place& find_broker(const world_state& world, const std::string& name) {
    for (const world_state::broker_place& each : world.broker_places) {
        if (name.empty() || each.name == name) {
            return each;
        }
    }
    throw std::invalid_argument(name.empty() ? std::string("a fleet needs a broker")
                                             : "there is no broker \"" + name + "\"");
}

bool is_seconds(duration value, std::int64_t max) {
    return value >= duration{} && value % std::chrono::seconds{1} == duration{} &&
           value / std::chrono::seconds{1} <= max;
}

void require(bool fine, const fleet_spec& spec, const char* what) {
    if (!fine) {
        throw std::invalid_argument("fleet \"" + spec.name + "\": " + what);
    }
}

void check(const fleet_spec& spec) {
    require(is_seconds(spec.keep_alive, 65'535), spec, "keep_alive is whole seconds up to 65,535");
    require(!spec.session_expiry || *spec.session_expiry == for_ever ||
                is_seconds(*spec.session_expiry, 0xFFFF'FFFE),
            spec, "session_expiry is whole seconds, or for_ever");
    require(spec.receive_maximum != std::uint16_t{0}, spec, "receive_maximum is 1 or more");
    require(spec.maximum_packet_size != std::uint32_t{0}, spec, "maximum_packet_size is 1 or more");
    require(spec.queue_messages_max != std::uint32_t{0}, spec, "queue_messages_max is 1 or more");
    require(spec.start >= duration{} && spec.ramp_up >= duration{}, spec,
            "start and ramp_up are not negative");
    require(!spec.will || is_seconds(spec.will->delay, 0xFFFF'FFFF), spec,
            "the will's delay is whole seconds");
    for (const publication_spec& each : spec.publications) {
        require(each.topic.empty() == each.to.has_value(), spec,
                "a publication has either a topic or a target");
        require(!each.message_expiry || is_seconds(*each.message_expiry, 0xFFFF'FFFF), spec,
                "message_expiry is whole seconds");
        require(each.jitter >= duration{} && each.start >= duration{}, spec,
                "jitter and start are not negative");
        require(each.arrival || each.on || each.period.mean() > 0, spec,
                "a publication has a period, an arrival or what it is on");
        const auto wrong = check_arrival(each, "");
        require(wrong.empty(), spec, wrong.empty() ? "" : config::to_string(wrong[0]).c_str());
    }
}

}  // namespace

device_extras::device_extras() = default;

device_extras::~device_extras() {
    if (incoming != nullptr) {
        segment::destroy(incoming);
    }
}

// Building

fleet_state::fleet_state(world_state& world, const fleet_spec& spec, std::uint32_t index)
    : world_(world),
      spec_(expand_preset(spec)),
      index_(index),
      key_{combine(world.seed, hash_text(spec.name))},
      added_at_(world.now) {
    check(spec_);
    const world_state::broker_place& broker = find_broker(world, spec_.broker);
    path_ = {broker.host, &world.find_network(spec_.network)};
    remote_ = broker.remote;
    // Real devices publish to few topics; an alias table of their own on both sides would cost
    // more memory than all else that a device needs.
    options_.use_topic_aliases = false;
    options_.queue_messages_max = spec_.queue_messages_max.value_or(options_.queue_messages_max);
    compile();
    world.require_room(spec_.count, publications_.size() + replies_.size() +
                                        (will_topic_ ? 1u : 0u) + (spec_.shadow_service ? 1u : 0u) +
                                        (machine_ != nullptr ? machine_->messages.size() + 1 : 0));
    add_sources();
    make_devices();
}

fleet_state::~fleet_state() {
    for (std::uint32_t i = 0; i < spec_.count; ++i) {
        at(i).~device();
    }
    ::operator delete (memory_, std::align_val_t{line});
}

fleet_state::text fleet_state::make_text(const std::string& source, template_use use) const {
    return {source, use, spec_.name, spec_.client_id};
}

fleet_state::text fleet_state::make_content(const std::string& source, template_use use,
                                            content_plan& shown) const {
    text made(source, use, spec_.name, spec_.client_id, names());
    shown = plan_for(made);
    return made;
}

content_plan fleet_state::plan_for(const text& what) const {
    const std::size_t known = generators_.names().size();
    std::vector<generator_use> generated;
    content_plan made;
    bool behaves = false;
    for (const generator_use& each : what.generator_uses()) {
        const bool is_generator = each.generator < known;
        if (is_generator) {
            generated.push_back(each);
        }
        behaves = behaves || !is_generator;
        made.values.push_back(is_generator ? content_plan::of_generator
                                           : each.generator - static_cast<std::uint32_t>(known));
    }
    if (!behaves) {
        made.values.clear();
    }
    made.generators = generators_.plan_for(generated);
    return made;
}

void fleet_state::compile() {
    generators_ = generator_set(spec_.generators);
    if (spec_.behaviour) {
        machine_ = std::make_unique<behaviour_machine>();
        machine_->names.assign(generators_.names().begin(), generators_.names().end());
        machine_->generator_count = machine_->names.size();
        for (generator_names& each : names_of(*spec_.behaviour)) {
            machine_->names.push_back(std::move(each));
        }
    }
    client_id_ = make_text(spec_.client_id, template_use::client_id);
    const auto optional_text = [this](const std::optional<std::string>& source, template_use use) {
        return source ? std::optional<text>(make_text(*source, use)) : std::nullopt;
    };
    user_name_ = optional_text(spec_.user_name, template_use::client_id);
    password_ = optional_text(spec_.password, template_use::client_id);
    for (const publication_spec& each : spec_.publications) {
        publication made{};
        made.spec = &each;
        made.topic = each.to ? make_text(each.to->topic, template_use::topic)
                             : make_content(each.topic, template_use::topic, made.in_topic);
        if (each.sparkplug) {
            made.sparkplug = make_sparkplug(*each.sparkplug);
            made.content.generators = made.sparkplug->generators;
        } else {
            made.payload = make_content(each.payload, template_use::payload, made.content);
        }
        if (each.on) {
            has_triggers_ = true;
            made.on_time = each.arrival || each.period.mean() > 0;
            made.on_message = optional_text(each.on->message, template_use::topic);
        }
        made.response_topic = optional_text(each.response_topic, template_use::topic);
        has_requests_ = has_requests_ || made.response_topic;
        made.first_walk = walk_count_;
        walk_count_ += static_cast<std::uint32_t>(made.payload.walk_count());
        if (each.period.type() == distribution::kind::constant) {
            random_stream none{random_key{}};
            made.constant_period = std::max(each.period.sample_duration(none), period_min);
        }
        if (each.arrival || !each.stages.empty()) {
            made.arrival.emplace(each, saturating_add(added_at_, each.start));
        }
        publications_.push_back(std::move(made));
    }
    for (const reply_spec& each : spec_.replies) {
        reply made{};
        made.spec = &each;
        made.on = make_text(each.on, template_use::topic);
        made.to = optional_text(each.to, template_use::topic);
        made.payload = make_content(each.payload, template_use::reply, made.content);
        made.first_walk = walk_count_;
        walk_count_ += static_cast<std::uint32_t>(made.payload.walk_count());
        replies_.push_back(std::move(made));
    }
    for (const subscription_spec& each : spec_.subscriptions) {
        subscriptions_.push_back({&each, make_text(each.filter, template_use::topic)});
        keeps_retain_ = keeps_retain_ || each.retain_as_published;
        if (each.until) {
            subscription_ends_.push_back(
                {saturating_add(added_at_, *each.until), subscriptions_.size() - 1});
        }
    }
    std::stable_sort(
        subscription_ends_.begin(), subscription_ends_.end(),
        [](const subscription_end& a, const subscription_end& b) { return a.at < b.at; });
    if (spec_.certificates && spec_.certificates->expires) {
        certificate_expires_ =
            make_content(*spec_.certificates->expires, template_use::topic, in_certificate_);
    }
    if (spec_.will) {
        will_topic_ = make_text(spec_.will->topic, template_use::topic);
        will_payload_ = make_text(spec_.will->payload, template_use::topic);
        if (spec_.will->sparkplug) {
            will_sparkplug_ = make_sparkplug(*spec_.will->sparkplug);
        }
    }
    if (first_sparkplug_) {
        first_sparkplug_ = walk_count_;
        walk_count_ += sparkplug_state::words_for(sparkplug_devices_.size());
    }
    if (spec_.shadow_service) {
        shadows_ = std::make_unique<shadow_service>(*spec_.shadow_service);
    }
    if (machine_ != nullptr) {
        compile_behaviour();
    }
    counts_.name = spec_.name;
    counts_.devices = spec_.count;
}

/// Only once all else has proved possible: a source cannot be taken back.
void fleet_state::add_sources() {
    accounting& accounts = world_.accounts;
    for (publication& each : publications_) {
        const std::string& topic = each.spec->to ? each.spec->to->topic : each.spec->topic;
        each.source =
            accounts.add_source({.what = source_report::kind::publication,
                                 .fleet = index_,
                                 .name = each.spec->name.empty() ? topic : each.spec->name,
                                 .topic = topic});
    }
    for (reply& each : replies_) {
        each.source = accounts.add_source({.what = source_report::kind::reply,
                                           .fleet = index_,
                                           .name = "reply to " + each.spec->on,
                                           .topic = each.spec->to.value_or("")});
    }
    if (shadows_) {
        shadow_source_ = accounts.add_source({.what = source_report::kind::reply,
                                              .fleet = index_,
                                              .name = "shadow service",
                                              .topic = ""});
    }
    if (will_topic_) {
        will_source_ = accounts.add_source({.what = source_report::kind::will,
                                            .fleet = index_,
                                            .name = "will",
                                            .topic = spec_.will->topic});
    }
    if (machine_ != nullptr) {
        add_behaviour_sources();
    }
}

void fleet_state::make_devices() {
    const std::size_t size = sizeof(device) +
                             (publications_.size() + replies_.size()) * sizeof(publication_state) +
                             (walk_count_ + walk_count_ % 2) * sizeof(std::uint32_t) +
                             generators_.state_size() * sizeof(double) + behaviour_size();
    stride_ = static_cast<std::uint32_t>((size + 15) / 16 * 16);
    prefetched_ = std::min<std::size_t>(stride_, 5 * line);
    const std::size_t bytes = std::size_t{spec_.count} * stride_;
    memory_ = static_cast<std::byte*>(::operator new (bytes, std::align_val_t{line}));
    prefer_large_pages(memory_, bytes);
    for (std::uint32_t first = 0; first < spec_.count; first += devices_per_block) {
        const std::uint32_t count = std::min(devices_per_block, spec_.count - first);
        device_block block;
        block.stride = stride_;
        block.first_index = first;
        block.fleet = this;
        block.begin = memory_ + std::size_t{first} * stride_;
        block_hosts_.push_back(world_.add_block(block));
        for (std::uint32_t i = 0; i < count; ++i) {
            auto* const made = ::new (block.begin + std::size_t{i} * stride_) device(options_);
            std::uninitialized_default_construct_n(states(*made).data(), states(*made).size());
            std::uninitialized_fill_n(walks(*made, 0, walk_count_).data(), walk_count_, 0u);
            std::uninitialized_fill_n(generated(*made).data(), generators_.state_size(), 0.0);
            if (machine_ != nullptr) {
                ::new (&place(*made)) behaviour_place();
                std::uninitialized_default_construct_n(variables(*made).data(),
                                                       variables(*made).size());
                std::uninitialized_fill_n(timers(*made).data(), timers(*made).size(), never);
                std::uninitialized_fill_n(custom_memory(*made).data(), custom_memory(*made).size(),
                                          std::byte{});
            }
        }
    }
    for (std::uint32_t i = 0; i < spec_.count; ++i) {
        start_device({at(i), host_of(i), i});
    }
}

void fleet_state::start_device(const context& at) {
    const auto share =
        static_cast<fleetarium::detail::uint128>(spec_.ramp_up.count()) * at.index / spec_.count;
    at.self.connect_at = added_at_ + spec_.start + duration{static_cast<duration::rep>(share)};
    if (spec_.online) {
        random_stream stream(key_of(at.index).value, 0, purpose::coverage);
        const duration up = spec_.online->up.sample_duration(stream);
        at.self.coverage_draws = stream.draws_made();
        at.self.coverage_change = saturating_add(at.self.connect_at, up);
    }
    for (std::size_t i = 0; i < publications_.size(); ++i) {
        states(at.self)[i].due = first_due(at, i);
    }
    if (machine_ != nullptr) {
        start_behaviour(at);
    }
    wake_at(at, next_due(at));
}

void fleet_state::prepare() {
    for (publication& each : publications_) {
        if (each.spec->to) {
            const auto found = std::find_if(
                world_.fleets.begin(), world_.fleets.end(),
                [&](const auto& fleet) { return fleet->spec().name == each.spec->to->fleet; });
            require(found != world_.fleets.end() && (*found)->spec().count != 0, spec_,
                    "the target of a publication is a fleet with devices");
            each.target = found->get();
            each.topic = each.target->make_text(each.spec->to->topic, template_use::topic);
        }
    }
    accounting& accounts = world_.accounts;
    for (std::size_t i = 1; i < accounts.selection_count(); ++i) {
        const std::string_view filter = accounts.filter_of(i);
        for (const publication& each : publications_) {
            accounts.set_coverage(
                i, each.source,
                coverage_of(each.topic, each.target != nullptr ? *each.target : *this, filter));
        }
        for (const reply& each : replies_) {
            accounts.set_coverage(
                i, each.source,
                each.to ? coverage_of(*each.to, *this, filter) : coverage_of_filter::some);
        }
        if (shadows_) {
            accounts.set_coverage(i, shadow_source_, coverage_of_filter::some);
        }
        if (will_topic_) {
            accounts.set_coverage(i, will_source_, coverage_of(*will_topic_, *this, filter));
        }
        if (machine_ != nullptr) {
            for (const behaviour_machine::message& each : machine_->messages) {
                accounts.set_coverage(i, each.source, coverage_of(each.topic.body, *this, filter));
            }
            if (machine_->custom != nullptr) {
                accounts.set_coverage(i, machine_->custom_source, coverage_of_filter::some);
            }
        }
    }
}

coverage_of_filter fleet_state::coverage_of(const text& topic, const fleet_state& whose,
                                            std::string_view filter) const {
    if (!topic.generator_uses().empty()) {
        return coverage_of_filter::some;  // what a variable says may change
    }
    const std::uint32_t devices = topic.differs_by_device() ? whose.spec_.count : 1;
    std::uint32_t matching = 0;
    std::string rendered;
    for (std::uint32_t i = 0; i < devices; ++i) {
        rendered.clear();
        whose.render(topic, i, rendered);
        matching += topic_matches(filter, rendered);
    }
    return matching == 0         ? coverage_of_filter::none
           : matching == devices ? coverage_of_filter::all
                                 : coverage_of_filter::some;
}

// Looking ahead

void fleet_state::prefetch_broker(const device_block& block, host_id host) const {
    const device& soon = at(block.first_index + (host & (devices_per_block - 1)));
    if (speaks_at_once(soon)) {
        world_.broker_of(path_.broker).prefetch(soon.link.connection);
    }
}

void fleet_state::prefetch_ledger(const device_block& block, host_id host,
                                  bool has_connection) const {
    const device& soon = at(block.first_index + (host & (devices_per_block - 1)));
    if (remote_ == nullptr && soon.link.phase() == link_end::phase::open) {
        const std::uint32_t at_broker = path_.broker - first_broker_host;
        has_connection ? world_.book->prefetch_session(at_broker, soon.link.connection)
                       : world_.book->prefetch_connection(at_broker, soon.link.connection);
    }
}

void fleet_state::prefetch_session(const device_block& block, host_id host) const {
    const device& soon = at(block.first_index + (host & (devices_per_block - 1)));
    if (speaks_at_once(soon)) {
        std::as_const(world_.broker_of(path_.broker)).core().prefetch_session(soon.link.connection);
    }
}

/// Whether what a device says now reaches a broker core at this very instant.
bool fleet_state::speaks_at_once(const device& soon) const {
    return remote_ == nullptr && world_.broker_of(path_.broker).can_be_looked_ahead_at() &&
           path_.by->up.is_immediate() &&
           soon.link.phase() == link_end::phase::open;
}

// Looking

device& fleet_state::at(std::uint32_t index) const {
    return *std::launder(reinterpret_cast<device*>(memory_ + std::size_t{index} * stride_));
}

host_id fleet_state::host_of(std::uint32_t index) const {
    return block_hosts_[index / devices_per_block] + index % devices_per_block;
}

std::span<publication_state> fleet_state::states(device& of) const {
    return {reinterpret_cast<publication_state*>(&of + 1), publications_.size() + replies_.size()};
}

std::span<std::uint32_t> fleet_state::walks(device& of, std::uint32_t first,
                                            std::size_t count) const {
    const auto all = states(of);
    return {reinterpret_cast<std::uint32_t*>(all.data() + all.size()) + first, count};
}

std::span<double> fleet_state::generated(device& of) const {
    const std::uint32_t even = walk_count_ + walk_count_ % 2;
    return {reinterpret_cast<double*>(walks(of, even, 0).data()), generators_.state_size()};
}

behaviour_place& fleet_state::place(device& of) const {
    const auto numbers = generated(of);
    return *reinterpret_cast<behaviour_place*>(numbers.data() + numbers.size());
}

std::span<variable_slot> fleet_state::variables(device& of) const {
    return {reinterpret_cast<variable_slot*>(&place(of) + 1), spec_.behaviour->variables.size()};
}

std::span<instant> fleet_state::timers(device& of) const {
    return {reinterpret_cast<instant*>(&place(of) + 1),
            machine_->custom != nullptr ? machine_->custom->timer_count() : 0};
}

std::span<std::byte> fleet_state::custom_memory(device& of) const {
    const auto before = timers(of);
    return {reinterpret_cast<std::byte*>(before.data() + before.size()),
            machine_->custom != nullptr ? machine_->custom->state_size() : 0};
}

std::size_t fleet_state::behaviour_size() const {
    if (machine_ == nullptr) {
        return 0;
    }
    const behaviour_type* const custom = machine_->custom.get();
    return sizeof(behaviour_place) + spec_.behaviour->variables.size() * sizeof(variable_slot) +
           (custom != nullptr ? custom->timer_count() * sizeof(instant) + custom->state_size() : 0);
}

bool fleet_state::has_link(const device_block& block, host_id host, std::uint32_t generation) {
    const std::byte* const at =
        block.begin + std::size_t{host & (devices_per_block - 1)} * block.stride;
    const device& self = *std::launder(reinterpret_cast<const device*>(at));
    return self.link.generation == generation || is_of_rival(self, generation);
}

std::uint16_t fleet_state::cohort_named(const std::string& name) const {
    if (!spec_.behaviour) {
        return 0;
    }
    const auto& all = spec_.behaviour->cohorts;
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const cohort_spec& each) { return each.name == name; });
    return found == all.end() ? std::uint16_t{0}
                              : static_cast<std::uint16_t>(found - all.begin() + 1);
}

std::uint16_t fleet_state::cohort_of(std::uint32_t index) const {
    return machine_ == nullptr ? std::uint16_t{0} : place(at(index)).cohort;
}

device_view fleet_state::view(std::uint32_t index) {
    if (index >= spec_.count) {
        throw std::out_of_range("fleet \"" + spec_.name + "\" has no such device");
    }
    device& of = at(index);
    device_view out;
    client_id(index, out.client_id);
    out.connected = of.session.is_connected();
    out.in_coverage = of.in_coverage;
    out.waiting = of.session.in_flight() + of.session.queued();
    out.messages_made = of.count;
    out.memory_bytes = stride_ + of.session.memory_bytes();
    return out;
}

void fleet_state::add_to(trace_hash& sum) const {
    for (std::uint32_t i = 0; i < spec_.count; ++i) {
        sum.add(host_of(i), at(i).link.chain);
    }
}

std::uint64_t fleet_state::own_trace_hash() const {
    trace_hash own;
    for (std::uint32_t i = 0; i < spec_.count; ++i) {
        own.add(i, at(i).link.chain);
    }
    return own.value();
}

fleet_report fleet_state::report(run_report& all) const {
    fleet_report out = counts_;
    out.connected = connected_;
    for (std::uint32_t i = 0; i < spec_.count; ++i) {
        out.in_coverage += at(i).in_coverage;
    }
    out.trace_hash = own_trace_hash();
    if (machine_ != nullptr && machine_->custom == nullptr) {
        report_behaviour(out);
    }
    if (has_requests_) {
        count_open_requests(all);
    }
    return out;
}

void fleet_state::for_each_lost(
    const std::function<void(std::string_view name, std::uint64_t count)>& visit) const {
    if (remote_ != nullptr) {
        return;
    }
    std::vector<std::uint64_t> held(world_.accounts.source_count());
    for (std::uint32_t i = 0; i < spec_.count; ++i) {
        at(i).session.state().outbound.for_each([&](const delivery& each) {
            ++held[message_number::source_of(each.message->identity().number)];
        });
    }
    const auto look_at = [&](accounting::source which, enum qos qos) {
        const publisher_counts& counts = world_.accounts.counts_of(which);
        const std::uint64_t gone = counts.acknowledged + counts.queue_full + counts.rejected +
                                   counts.expired + counts.session_ended;
        if (qos != qos::at_most_once && counts.published != gone + held[which]) {
            visit(world_.accounts.about(which).name, counts.published - gone - held[which]);
        }
    };
    for (const publication& each : publications_) {
        look_at(each.source, each.spec->qos);
    }
    for (const reply& each : replies_) {
        look_at(each.source, each.spec->qos);
    }
}

/// Requests whose time is over without a reply, but which nobody has looked at since.
void fleet_state::count_open_requests(run_report& all) const {
    for (std::uint32_t i = 0; i < spec_.count; ++i) {
        const device_extras* const extras = at(i).extras.get();
        for (std::size_t which = 0; extras != nullptr && which < extras->requests.size(); ++which) {
            const publication& what = publications_[which];
            std::uint32_t number = extras->requests[which].first;
            for (const device_extras::request& each : extras->requests[which].open) {
                if (!each.answered && own_now(at(i)) - each.sent_at > what.spec->reply_timeout) {
                    world_.other_text.clear();
                    render_topic(i, which, number, world_.other_text);
                    add_missing_reply(all, what.source, world_.other_text);
                }
                ++number;
            }
        }
    }
}

void fleet_state::add_missing_reply(run_report& all, accounting::source source,
                                    std::string_view topic) const {
    for (std::size_t i = 0; i < all.selections.size(); ++i) {
        for (publisher_counts& counts : all.selections[i].publishers) {
            counts.replies_missing +=
                counts.source == source && world_.accounts.selects(i, source, topic);
        }
    }
}

// Rendering

std::string_view fleet_state::client_id(std::uint32_t index, std::string& out) const {
    out.clear();
    template_values values;
    values.fleet = spec_.name;
    values.index = index;
    client_id_.render(values, out);
    return out;
}

void fleet_state::render(const text& what, std::uint32_t index, std::string& out) const {
    template_values values;
    values.fleet = spec_.name;
    values.index = index;
    if (what.needs_client_id()) {
        values.client_id = client_id(index, world_.id_text);
    }
    what.render(values, out);
}

void fleet_state::render(const text& what, const context& at, std::uint64_t sequence,
                         random_key random, std::span<std::uint32_t> walks,
                         std::span<const generator_value> generated, std::string_view request,
                         std::string& out) const {
    template_values values;
    values.fleet = spec_.name;
    values.index = at.index;
    if (what.needs_client_id()) {
        values.client_id = client_id(at.index, world_.id_text);
    }
    values.sequence = sequence;
    values.now = shown_now(at.self);
    values.random = random;
    values.walks = walks;
    values.generated = generated;
    values.request = request;
    what.render(values, out);
}

/// What the payload shows; none if there is to be no message, as the generators have it.
std::optional<std::span<const generator_value>> fleet_state::generate(const context& at,
                                                                      const content_plan& wanted) {
    if (wanted.is_empty()) {
        return std::span<const generator_value>();
    }
    std::span<const generator_value> values;
    if (!wanted.generators.uses.empty()) {
        values = generators_.evaluate(wanted.generators,
                                      {world_.now, added_at_, key_of(at.index), at.self.count},
                                      generated(at.self));
        if (values.empty()) {
            return std::nullopt;
        }
    }
    if (wanted.values.empty()) {
        return values;
    }
    std::vector<generator_value>& shown = machine_->shown;
    shown.clear();
    std::size_t generated_so_far = 0;
    for (const std::uint32_t each : wanted.values) {
        shown.push_back(each == content_plan::of_generator ? values[generated_so_far++]
                                                           : machine_value_of(at, each));
    }
    return std::span<const generator_value>(shown);
}

}  // namespace fleetarium::sim::detail

// The handle

namespace fleetarium::sim {

const fleet_spec& fleet::spec() const { return state_->spec(); }

std::uint32_t fleet::connected() const { return state_->connected(); }

device_view fleet::device(std::uint32_t index) const { return state_->view(index); }

std::uint16_t fleet::cohort(std::uint32_t index) const {
    if (index >= size()) {
        throw std::out_of_range("fleet \"" + name() + "\" has no such device");
    }
    return state_->cohort_of(index);
}

std::uint64_t fleet::trace_hash() const { return state_->own_trace_hash(); }

}  // namespace fleetarium::sim
