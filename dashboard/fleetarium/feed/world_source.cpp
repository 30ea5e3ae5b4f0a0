#include <fleetarium/feed/world_source.hpp>

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/feed/described_json.hpp>
#include <fleetarium/feed/device_name.hpp>
#include <fleetarium/feed/fault_words.hpp>
#include <fleetarium/sim/event.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fleetarium::feed {

namespace {

constexpr std::uint32_t first_other = sim::detail::first_broker_host;
constexpr std::uint32_t first_peer = sim::detail::first_client_host;

enum qos qos_of(std::uint64_t number) { return sim::detail::message_number::qos_of(number); }

std::string network_of(const sim::fleet_spec& spec) {
    return spec.network.empty() ? "the first" : spec.network;
}

[[noreturn]] void bad(const std::string& what) {
    throw feed_error(feed_error::kind::bad_question, what);
}

[[noreturn]] void impossible(const std::string& what) {
    throw feed_error(feed_error::kind::not_possible, what);
}

}  // namespace

world_source::world_source(sim::world& of, facts about, run_controls controls)
    : world_(of), about_(std::move(about)), controls_(std::move(controls)), hand_(of) {
    world_.for_each_fleet([this](sim::fleet& each) { fleets_.push_back(&each); });
    world_.for_each_broker([this](sim::virtual_broker& each) { brokers_.push_back(&each); });
    for (std::uint32_t i = 0; i < fleets_.size(); ++i) {
        for (std::uint32_t device = 0; device < fleets_[i]->size(); ++device) {
            cell_of(world_.host_of({i, device})).tells = true;
        }
    }
    tally_of_messages().set_tellers_end(first_other);  // devices do
    world_.observe(*this);
}

world_source::~world_source() { world_.stop_observing(*this); }

description world_source::describe(const description_question&) {
    description out = description_of("run", about_.version);
    out.title = about_.title;
    out.seed = about_.seed;
    out.epoch = about_.epoch;
    if (about_.length) {
        out.end = std::chrono::duration<double>(*about_.length).count();
    }
    out.is_live = true;
    out.can_control = true;
    out.can_pace = static_cast<bool>(controls_.pause);
    out.command = about_.command;
    for (std::uint32_t i = 0; i < fleets_.size(); ++i) {
        const sim::fleet_spec& spec = fleets_[i]->spec();
        fleet_info& made = out.fleets.emplace_back();
        made.name = spec.name;
        made.first = out.devices;
        made.count = spec.count;
        made.network = spec.network;
        made.broker = spec.broker;
        if (spec.behaviour) {
            for (const auto& each : spec.behaviour->cohorts) {
                made.cohorts.push_back(each.name);
            }
        }
        out.devices += spec.count;
        if (std::find(out.networks.begin(), out.networks.end(), network_of(spec)) ==
            out.networks.end()) {
            out.networks.push_back(network_of(spec));
        }
    }
    for (const sim::virtual_broker* each : brokers_) {
        out.brokers.push_back(each->name());
    }
    for (std::size_t i = 0; i < sim::fault_kind_count; ++i) {
        const auto kind = static_cast<sim::fault_kind>(i);
        out.fault_kinds.push_back(
            {std::string(sim::name_of(kind)), sim::lasts(kind), sim::hits_broker(kind)});
    }
    return out;
}

// ------------------------------------------------------------------------------- the fleet

const std::vector<device_group>& world_source::groups(grouping by) {
    if (has_groups_ && groups_by_ == by) {
        return groups_;
    }
    groups_.clear();
    groups_by_ = by;
    has_groups_ = true;
    const auto group_named = [this](const std::string& name) -> device_group& {
        const auto known =
            std::find_if(groups_.begin(), groups_.end(),
                         [&](const device_group& each) { return each.name == name; });
        return known != groups_.end() ? *known : groups_.emplace_back(device_group{name, {}});
    };
    for (std::uint32_t i = 0; i < fleets_.size(); ++i) {
        const sim::fleet_spec& spec = fleets_[i]->spec();
        if (by == grouping::cohort && spec.behaviour && !spec.behaviour->cohorts.empty()) {
            for (std::uint32_t device = 0; device < spec.count; ++device) {
                const std::uint16_t cohort = fleets_[i]->cohort(device);
                group_named(cohort == 0
                                ? spec.name
                                : spec.name + ": " + spec.behaviour->cohorts[cohort - 1U].name)
                    .devices.push_back(world_.host_of({i, device}));
            }
            continue;
        }
        const std::string name = by == grouping::network ? network_of(spec)
                                 : by == grouping::broker
                                     ? (spec.broker.empty() ? "the first" : spec.broker)
                                 : by == grouping::none ? "all"
                                                        : spec.name;
        device_group& to = group_named(name);
        to.devices.reserve(to.devices.size() + spec.count);
        for (std::uint32_t device = 0; device < spec.count; ++device) {
            to.devices.push_back(world_.host_of({i, device}));
        }
    }
    return groups_;
}

fleet_answer world_source::fleet(const fleet_question& asked) {
    count_touches();
    const bool is_past = asked.at && *asked.at < in_seconds(present());
    std::vector<device_state> then;
    if (is_past) {
        then = states_at(*asked.at, devices_.size());
    }
    const bool faults = !is_past && world_.faults_lasting() != 0;
    fleet_answer out = map_fleet(asked, groups(asked.by), [&](std::uint32_t device) {
        const client_cell& cell = devices_[device];
        const device_state state = is_past  ? then[device]
                                   : faults ? state_of(device, cell)
                                            : cell.state;
        return look_of(cell, state, asked.show);
    });
    out.at = is_past ? shown_at(*asked.at) : in_seconds(present());
    return out;
}

device_row world_source::cell(const cell_question& asked) {
    count_touches();
    const std::uint32_t device = device_at(asked, groups(asked.by));
    return row_of_client(device, devices_[device]);
}

std::string world_source::name_of(std::uint32_t client) const { return world_.host_name(client); }

std::string world_source::broker_name(std::uint32_t broker) const {
    return broker < brokers_.size() ? brokers_[broker]->name() : "broker";
}

std::optional<std::uint32_t> world_source::find_client(std::string_view name) const {
    if (const auto parts = parts_of_device_name(name)) {
        for (std::uint32_t i = 0; i < fleets_.size(); ++i) {
            if (fleets_[i]->name() == parts->first && parts->second < fleets_[i]->size()) {
                return world_.host_of({i, parts->second});
            }
        }
    }
    if (const auto peer = world_.find_client_host(name)) {
        return peer;
    }
    // A client id: nobody keeps them by device, so all are made anew.
    for (std::uint32_t i = 0; i < fleets_.size(); ++i) {
        for (std::uint32_t device = 0; device < fleets_[i]->size(); ++device) {
            if (fleets_[i]->device(device).client_id == name) {
                return world_.host_of({i, device});
            }
        }
    }
    return std::nullopt;
}

void world_source::for_each_client(
    const std::function<bool(std::uint32_t, const client_cell&)>& visit) const {
    for (std::uint32_t i = 0; i < fleets_.size(); ++i) {
        for (std::uint32_t device = 0; device < fleets_[i]->size(); ++device) {
            const std::uint32_t host = world_.host_of({i, device});
            if (host < devices_.size() && !visit(host, devices_[host])) {
                return;
            }
        }
    }
    for (std::uint32_t i = 0; i < peers_.size(); ++i) {
        if (!visit(first_peer + i, peers_[i])) {
            return;
        }
    }
}

client_cell& world_source::cell_of(std::uint32_t client) {
    std::vector<client_cell>& in = client < first_other ? devices_ : peers_;
    const std::size_t place = client < first_other ? client : client - first_peer;
    if (place >= in.size()) {
        const std::size_t known = in.size();
        in.resize(place + 1);
        for (std::size_t i = known; client >= first_peer && i < in.size(); ++i) {
            in[i].tells = world_.tells_what_it_receives(first_peer + static_cast<std::uint32_t>(i));
        }
    }
    return in[place];
}

void world_source::prefetch_cell(std::uint32_t client) const {
    if (client < devices_.size()) {
        __builtin_prefetch(&devices_[client], 1);
    }
}

bool world_source::tells_what_it_receives(std::uint32_t client) {
    return client < first_other || cell_of(client).tells;  // devices do
}

const sim::fleet* world_source::fleet_at(std::uint32_t client) const {
    const auto place = world_.place_of(client);
    return place && place->fleet < fleets_.size() ? fleets_[place->fleet] : nullptr;
}

std::string_view world_source::fleet_of(std::uint32_t client) const {
    const sim::fleet* const of = fleet_at(client);
    return of == nullptr ? std::string_view() : std::string_view(of->name());
}

void world_source::complete(feed::totals& to) {
    to.events = world_.events_handled();
    to.violations = world_.violation_count_so_far();
    sim::publisher_counts publishers;
    sim::flow_counts flows;
    world_.add_up(publishers, flows);
    to.published_by_devices = publishers.published;
    to.losses = {publishers.lost_offline, publishers.queue_full, publishers.rejected,
                 publishers.lost_on_link, publishers.expired,    publishers.session_ended};
    to.connected = 0;
    to.retained = 0;
    for (const sim::virtual_broker* each : brokers_) {
        to.connected += static_cast<std::uint32_t>(each->core().connected_count());
        to.retained += each->core().retained().size();
    }
    if (brokers_.empty()) {
        for (const sim::fleet* each : fleets_) {
            to.connected += each->connected();
        }
    }
}

void world_source::complete(device_row& to, std::uint32_t client) const {
    const auto place = world_.place_of(client);
    if (place && place->fleet < fleets_.size()) {
        const sim::device_view seen = fleets_[place->fleet]->device(place->index);
        to.client_id = seen.client_id;
    } else {
        to.client_id = world_.host_name(client);
    }
}

device_state world_source::state_of(std::uint32_t client, const client_cell& cell) const {
    return world_.faults_lasting() != 0 && world_.is_faulted(client) ? device_state::faulted
                                                                     : cell.state;
}

const sim::virtual_broker* world_source::broker_with(std::string_view client_id) const {
    const auto found =
        std::find_if(brokers_.begin(), brokers_.end(), [&](const sim::virtual_broker* each) {
            return each->core().find_session(client_id).has_value();
        });
    return found == brokers_.end() ? nullptr : *found;
}

void world_source::complete(device_answer& to, std::uint32_t client) {
    const auto place = world_.place_of(client);
    if (place && place->fleet < fleets_.size()) {
        const sim::fleet& of = *fleets_[place->fleet];
        const sim::device_view seen = of.device(place->index);
        to.network = network_of(of.spec());
        to.broker = of.spec().broker;
        to.waiting = seen.waiting;
        to.memory_bytes = seen.memory_bytes;
    }
    const sim::virtual_broker* const at = broker_with(to.device.client_id);
    if (at == nullptr) {
        return;
    }
    to.broker = at->name();
    add_session(at->core(), to.device.client_id, to);
}

std::vector<violation_row> world_source::violations() {
    std::vector<violation_row> out;
    for (const sim::ledger_violation& each : world_.violations_so_far()) {
        violation_row& made = out.emplace_back();
        made.at = in_seconds(each.at);
        made.invariant = sim::name_of(each.broken);
        made.text = to_string(each);
        made.client = each.receiver.empty() ? each.publisher : each.receiver;
    }
    return out;
}

// ------------------------------------------------------------------------------ what happens

void world_source::on_message(std::uint32_t broker, std::uint32_t publisher,
                              const fleetarium::publish& message, const message_identity& identity,
                              instant now) {
    note_message(broker, publisher, message, base_number(identity.number), is_copy(identity.number),
                 identity.published_at, now);
}

void world_source::on_decision(std::uint32_t, std::uint32_t client,
                               const broker::broker_event& decision) {
    note_decision(client, decision, base_number(decision.identity.number),
                  is_copy(decision.identity.number));
}

void world_source::on_received(std::uint32_t client, const message_identity& message, bool repeated,
                               instant now) {
    note_received(client, base_number(message.number), qos_of(message.number), repeated,
                  message.published_at, now);
}

void world_source::on_acknowledged(std::uint32_t publisher, std::uint64_t number, instant now) {
    note_completed(publisher, base_number(number), qos_of(number), now);
}

void world_source::on_lost(std::uint32_t client, std::uint64_t number, instant now) {
    note_lost(client, base_number(number), now);
}

void world_source::on_fault(std::uint32_t which, bool ends, instant now) {
    const sim::fault_spec& spec = world_.fault(which);
    fault_row row;
    row.fault = which;
    row.name = spec.name;
    row.kind = sim::name_of(spec.kind);
    row.where = where_of(spec, brokers_.empty() ? std::string() : brokers_.front()->name());
    row.from = in_seconds(now);
    row.by_hand = hand_.is_by_hand(which);
    if (ends) {
        row.until = in_seconds(now);
    }
    note_fault(row, ends);
}

// -------------------------------------------------------------------------------- commands

command_answer world_source::by_hand(std::string_view what, const std::string& json) {
    require_running();
    world_.run_until(world_.now());  // no instant is left half done
    if (controls_.before_hand) {
        controls_.before_hand();
    }
    sim::interventions::outcome made;
    try {
        made = hand_.act(what, json);
    } catch (const std::invalid_argument& error) {
        bad(error.what());
    }
    if (controls_.by_hand) {
        controls_.by_hand(what, json);
    }
    note_event({.at = world_.now().time_since_epoch().count(),
                .what = kept_event::kind::command,
                .text = std::string(what) + ' ' + json});
    command_answer out = done();
    out.fault = made.fault;
    return out;
}

/// What is over is looked at, but its report stands.
void world_source::require_running() const {
    if (has_ended()) {
        impossible("the run is over");
    }
}

command_answer world_source::done() const {
    command_answer out;
    out.at = in_seconds(present());
    return out;
}

command_answer world_source::pause(const pause_command& wanted) {
    if (!controls_.pause) {
        impossible("a run that real clients or brokers take part in cannot be paused");
    }
    require_running();
    controls_.pause(wanted.paused);
    return done();
}

command_answer world_source::step(const step_command& wanted) {
    if (!controls_.step_events) {
        impossible("a run that real clients or brokers take part in has no steps");
    }
    require_running();
    if (wanted.events.has_value() == wanted.by.has_value()) {
        bad("expected one of events and by");
    }
    if (wanted.events) {
        if (*wanted.events == 0 || *wanted.events > 1'000'000) {
            bad("events: expected 1 to 1,000,000");
        }
        controls_.step_events(*wanted.events);
    } else {
        if (!(*wanted.by > 0) || *wanted.by > 1e6) {
            bad("by: expected more than 0, and 1,000,000 seconds at most");
        }
        controls_.step_time(duration{static_cast<duration::rep>(*wanted.by * 1e9)});
    }
    return done();
}

command_answer world_source::speed(const speed_command& wanted) {
    if (!controls_.set_speed) {
        impossible("a run that real clients or brokers take part in keeps its speed");
    }
    require_running();
    if (wanted.speed && !(*wanted.speed >= 1e-6 && *wanted.speed <= 1e9)) {
        bad("speed: expected 1e-6 to 1e9; without it, as fast as possible");
    }
    controls_.set_speed(wanted.speed);
    return done();
}

command_answer world_source::end(const end_command&) {
    if (!controls_.end) {
        impossible("this run cannot be ended from here");
    }
    controls_.end();
    return done();
}

command_answer world_source::fault(const fault_command& wanted) {
    return by_hand("fault", wanted.fault);
}

command_answer world_source::heal(const heal_command& wanted) {
    return by_hand("heal", to_json(wanted, answer_form::json).dump());
}

command_answer world_source::publish(const publish_command& wanted) {
    return by_hand("publish", to_json(wanted, answer_form::json).dump());
}

command_answer world_source::disconnect(const disconnect_command& wanted) {
    std::string client_id = wanted.client;
    if (const auto client = find_client(wanted.client)) {
        device_row row;
        complete(row, *client);
        client_id = row.client_id;
    }
    return by_hand("disconnect", nlohmann::json{{"client_id", client_id}}.dump());
}

command_answer world_source::annotate(const annotate_command& wanted) {
    if (wanted.text.empty() || wanted.text.size() > 4'000) {
        bad("text: expected 1 to 4,000 bytes");
    }
    require_running();
    if (controls_.annotate) {
        controls_.annotate(wanted.text);
    }
    note_event({.at = world_.now().time_since_epoch().count(),
                .what = kept_event::kind::annotation,
                .text = wanted.text});
    return done();
}

report_answer world_source::report(const report_question&) {
    if (!controls_.report_json) {
        impossible("there is no report of this");
    }
    return {controls_.report_json()};
}

}  // namespace fleetarium::feed
