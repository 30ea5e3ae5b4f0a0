#include <fleetarium/sim/expectation_monitor.hpp>

#include <fleetarium/sim/broker_host.hpp>
#include <fleetarium/sim/fleet_state.hpp>
#include <fleetarium/sim/world_state.hpp>

#include <algorithm>
#include <new>
#include <stdexcept>

namespace fleetarium::sim::detail {

namespace {

constexpr duration every_min = std::chrono::seconds{1};
constexpr int samples_of_run = 1'000;
constexpr int samples_of_backlog = 20;

flow_query rows_of(const world_state& world, const expectation_spec& expected) {
    flow_query rows;
    rows.qos = expected.qos;
    for (const auto& each : world.fleets) {
        const std::string& name = each->spec().name;
        if (!expected.fleet.empty() && name == expected.fleet) {
            rows.fleet = each->index();
        }
        if (!expected.receiver.empty() && name == expected.receiver) {
            rows.receiver = each->index();
        }
    }
    // One that is not there has no rows.
    if (!expected.fleet.empty() && !rows.fleet) {
        rows.fleet = no_index - 1;
    }
    if (!expected.receiver.empty() && !rows.receiver) {
        rows.receiver = no_index - 1;
    }
    return rows;
}

expectation_sums sums_of(const world_state& world, const expectation_spec& expected) {
    expectation_sums out;
    if (expected.metric == metric::connected_ratio) {
        for (const auto& each : world.fleets) {
            if (expected.fleet.empty() || each->spec().name == expected.fleet) {
                out.connected += each->connected();
                out.devices += each->spec().count;
            }
        }
        return out;
    }
    world.accounts.add_up(world.accounts.selection_of(expected.topic), rows_of(world, expected),
                          needs_latency(expected.metric) ? with_latency::yes : with_latency::no,
                          out.publishers, out.flows);
    return out;
}

/// What is held of messages published up to an instant, by whoever answers for it.
class old_messages {
public:
    old_messages(const world_state& world, const expectation_spec& expected, instant until)
        : world_(world),
          rows_(rows_of(world, expected)),
          selection_(world.accounts.selection_of(expected.topic)),
          until_(until) {}

    std::uint64_t count() {
        // What publishers hold has no receiver and no QoS of a delivery yet.
        if (!rows_.receiver && !rows_.qos) {
            for (const device_block& block : world_.blocks) {
                count_devices(block);
            }
            for (const peer_host* const each : world_.peer_hosts) {
                if (each->own_session() != nullptr) {
                    count_held(each->own_session()->state().outbound);
                }
            }
        }
        for (const broker_host* const each : world_.broker_hosts) {
            each->for_each_held([&](const delivery& held, accounting::receiver to) {
                count_ += is_wanted(held) && (!rows_.receiver || to == *rows_.receiver) &&
                          (!rows_.qos || held.qos == *rows_.qos);
            });
        }
        return count_;
    }

private:
    void count_devices(const device_block& block) {
        const std::uint32_t count =
            std::min(devices_per_block, block.fleet->spec().count - block.first_index);
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto* const at = std::launder(
                reinterpret_cast<const device*>(block.begin + std::size_t{i} * block.stride));
            count_held(at->session.state().outbound);
        }
    }

    void count_held(const outbound_flow& outbound) {
        outbound.for_each([&](const delivery& held) { count_ += is_wanted(held); });
    }

    bool is_wanted(const delivery& held) const {
        const message_identity& identity = held.message->identity();
        const accounting::source source = message_number::source_of(identity.number);
        return identity.published_at <= until_ &&
               (!rows_.fleet || world_.accounts.about(source).fleet == *rows_.fleet) &&
               world_.accounts.selects(selection_, source, held.message->topic());
    }

    const world_state& world_;
    flow_query rows_;
    std::size_t selection_;
    instant until_;
    std::uint64_t count_ = 0;
};

duration interval_of(const expectation_spec& expected, const sampling_spec& spec, instant run_end) {
    if (spec.every) {
        return *spec.every;
    }
    if (expected.eventually && expected.metric == metric::backlog && spec.until) {
        return std::max((*spec.until - spec.from) / samples_of_backlog, duration{1});
    }
    return run_end == never ? every_min
                            : std::max(every_min, run_end.time_since_epoch() / samples_of_run);
}

}  // namespace

void expectation_monitor::add(const expectation_spec& expected, instant run_end) {
    if (expected.always && expected.eventually) {
        throw std::invalid_argument("an expectation is of always or eventually, not of both");
    }
    watched made;
    made.seen.expected = expected;
    made.seen.held = expected.always.has_value();
    made.run_end = run_end;
    const sampling_spec& spec = spec_of(made);
    made.every = interval_of(expected, spec, run_end);
    if (made.every <= duration{} || (spec.until && *spec.until < spec.from)) {
        throw std::invalid_argument("an expectation over time needs times that go forward");
    }
    start(made, instant{});  // no fault so far
    watched_.push_back(std::move(made));
}

void expectation_monitor::start(watched& of, instant base) {
    const sampling_spec& spec = spec_of(of);
    of.begin = saturating_add(base, spec.from);
    of.end = spec.until ? saturating_add(base, *spec.until) : of.run_end;
    of.next = of.begin;
    of.last = never;
}

void expectation_monitor::set_fault_free_since(std::optional<instant> since) {
    for (watched& each : watched_) {
        if (spec_of(each).after != moment::last_fault) {
            continue;
        }
        each.seen.samples = 0;
        each.seen.measured.reset();
        each.seen.at.reset();
        each.seen.held = each.seen.expected.always.has_value();
        each.seen.complete = false;
        each.begin = each.end = each.next = never;
        if (since) {
            start(each, *since);
        }
    }
}

instant expectation_monitor::next_due() const {
    instant next = never;
    for (const watched& each : watched_) {
        next = std::min(next, each.next);
    }
    return next;
}

void expectation_monitor::sample(const world_state& world, instant at) {
    for (watched& each : watched_) {
        if (each.next <= at) {
            look(world, each, at);
        }
    }
}

void expectation_monitor::look(const world_state& world, watched& of, instant at) {
    const expectation_spec& expected = of.seen.expected;
    const bool first = of.last == never;
    of.next = at >= of.end ? never : std::min(saturating_add(at, of.every), of.end);
    of.seen.complete = at >= of.end;
    if (expected.eventually && expected.metric == metric::backlog) {
        of.last = at;
        judge(of, static_cast<double>(old_messages(world, expected, of.begin).count()), at);
        return;
    }
    expectation_sums now = sums_of(world, expected);
    if (!first || is_of_instant(expected.metric)) {
        const duration span = first ? duration{} : at - of.last;
        if (const auto value = measure(expected, now, of.before, span)) {
            judge(of, *value, at);
        }
    }
    // Counts go on from the beginning where it is asked whether they come to suffice.
    if (first || !(expected.eventually && is_count(expected.metric))) {
        of.before = std::move(now);
    }
    of.last = at;
}

void expectation_monitor::judge(watched& of, double value, instant at) {
    sampled_report& seen = of.seen;
    const bool right = is_within(seen.expected, value);
    ++seen.samples;
    if (seen.expected.always) {
        const bool lower_is_worse = seen.expected.min.has_value();
        if (!right || !seen.measured ||
            (lower_is_worse ? value < *seen.measured : value > *seen.measured)) {
            seen.measured = value;
            seen.at = at;
        }
        if (!right) {
            seen.held = false;
            failed_ = true;
        }
    } else {
        seen.measured = value;
        seen.at = at;
        seen.held = right;
    }
    if (seen.held != seen.expected.always.has_value()) {
        seen.complete = true;
        of.next = never;
    }
}

std::vector<sampled_report> expectation_monitor::report() const {
    std::vector<sampled_report> out;
    for (const watched& each : watched_) {
        sampled_report& made = out.emplace_back(each.seen);
        // Where nobody said when the run ends, it may end at any time.
        made.complete |= each.seen.expected.always && each.end == never && each.begin != never;
    }
    return out;
}

}  // namespace fleetarium::sim::detail
