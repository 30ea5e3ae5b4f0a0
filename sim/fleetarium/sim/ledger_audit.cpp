// What only the end shows: who holds what is left, and whether it can still go anywhere.

#include <fleetarium/sim/ledger.hpp>

#include <fleetarium/core/hash.hpp>

#include <algorithm>

namespace fleetarium::sim::detail {

namespace {

/// The receiver of what concerns no single client.
constexpr host_id nobody = first_client_host - 1;

}  // namespace

ledger_report ledger::report(oracle& knows, instant now) {
    std::vector<finding> found;
    audit(knows, now, found);
    audit_metrics(knows, now, found);
    std::erase_if(found, [&](const finding& each) { return is_disturbed(each.receiver); });

    ledger_report out;
    out.enabled = true;
    out.by_invariant = by_invariant_;
    out.messages = messages_;
    out.deliveries = made_;
    out.receptions = receptions_;
    out.under_way = deliveries_.size();
    out.flows = flows_.size();
    out.flows_not_kept = flows_not_kept_;
    out.retained_not_judged = retained_not_judged_;
    out.violations = violations_so_far(knows);
    for (const finding& each : found) {
        ++out.by_invariant[static_cast<std::size_t>(each.broken)];
        if (out.violations.size() < violations_kept) {
            out.violations.push_back(named(each, knows));
        }
    }
    return out;
}

std::vector<ledger_violation> ledger::violations_so_far(oracle& knows) const {
    std::vector<ledger_violation> out;
    out.reserve(findings_.size());
    for (const finding& each : findings_) {
        out.push_back(named(each, knows));
    }
    return out;
}

ledger_violation ledger::named(const finding& found, oracle& knows) {
    ledger_violation made;
    made.broken = found.broken;
    made.at = found.at;
    made.receiver = found.receiver == nobody || (found.receiver == 0 && found.number == 0)
                        ? ""
                        : knows.name_of(found.receiver);
    if (found.number != 0) {
        made.publisher = knows.name_of(message_number::host_of(found.number));
        made.message = message_number::count_of(found.number);
        made.qos = message_number::qos_of(found.number);
    }
    made.topic = found.topic;
    made.what = found.what;
    return made;
}

void ledger::audit_session(broker_model& at, session_index which, oracle& knows, instant now,
                           ledger_table<std::uint32_t>& open, ledger_table<std::uint16_t>& held,
                           std::vector<finding>& found) {
    const session_model& of = at.sessions[which];
    const auto blame = [&](invariant broken, std::uint64_t number, std::string what) {
        found.push_back({broken, now, number, of.host, {}, std::move(what)});
    };
    if (of.lifetime_known && of.expires_at < knows.done_until(at.index)) {
        blame(invariant::session_lifetime, 0, "the session is there after its expiry interval");
    }
    knows.for_each_held(at.index, which, [&](std::uint64_t number, enum qos qos) {
        const std::uint64_t as_delivered = message_number::with_qos(number, qos);
        const std::uint64_t key = delivery_key(at, which, as_delivered);
        if (deliveries_.find(key) == nullptr) {
            blame(invariant::conservation, as_delivered,
                  "the broker holds a delivery that has ended");
        }
        ++*held.insert(key).first;
    });
    if (of.connection == broker::no_connection || !of.observed) {
        return;
    }
    const connection_model& by = at.connections[of.connection];
    if (is_cut_off_late(by, knows.done_until(at.index))) {
        blame(invariant::keep_alive, 0,
              "it has been silent for more than one and a half times its Keep Alive, and is still "
              "connected");
    }
    if (!knows.is_silent(at.index, of.connection, of.host)) {
        return;
    }
    if (by.sent != by.received) {
        blame(invariant::conservation, 0,
              "of " + std::to_string(by.sent) + " messages sent on its connection, " +
                  std::to_string(by.received) + " have come, and none is on the way");
    }
    const std::uint32_t* const owed = open.find(mix64(of.host + 1));
    if (knows.unreleased(at.index, which) > (owed == nullptr ? 0 : *owed)) {
        blame(invariant::stalled, 0,
              "the broker waits for PUBREL, but this client has done with the message");
    }
}

void ledger::audit(oracle& knows, instant now, std::vector<finding>& found) {
    ledger_table<std::uint16_t> held;
    const auto blame = [&](invariant broken, std::uint64_t number, host_id host, std::string what) {
        found.push_back({broken, now, number, host, {}, std::move(what)});
    };
    ledger_table<std::uint32_t> open;  // QoS 2 messages that the broker has had, by publisher
    publishes_.for_each([&](std::uint64_t, const publish_model& each) {
        if (each.received && message_number::qos_of(each.number) == qos::exactly_once) {
            ++*open.insert(mix64(message_number::host_of(each.number) + 1)).first;
        }
    });
    for (const auto& each : brokers_) {
        broker_model& at = *each;
        for (session_index i = 0; i < at.sessions_end; ++i) {
            if (at.sessions[i].alive) {
                audit_session(at, i, knows, now, open, held, found);
            }
        }
        at.wills.for_each([&](std::uint64_t client, const will_model& one) {
            const std::uint32_t* const index = at.by_client.find(client);
            const session_model* const of = index == nullptr ? nullptr : find_session(at, *index);
            if (one.due < knows.done_until(at.index) && of != nullptr && of->lifetime_known) {
                blame(invariant::will, 0, of->host, "a will is due, and was not published");
            }
        });
    }
    knows.for_each_lost([&](std::string_view name, std::uint64_t count) {
        found.push_back({invariant::conservation, now, 0, nobody, std::string(name),
                         std::to_string(count) +
                             " of these messages that devices took on were neither acknowledged "
                             "nor given up, and nobody holds them"});
    });

    ledger_table<bool> told;  // sessions that have been named
    deliveries_.for_each([&](std::uint64_t key, const delivery_model& each) {
        broker_model& at = *brokers_[each.broker];
        const session_model* const to = find_session(at, each.session);
        if (to == nullptr) {
            blame(invariant::conservation, each.number, 0,
                  "its receiver's session ended, but its delivery did not");
            return;
        }
        const std::uint16_t* const copies = held.find(key);
        if (copies == nullptr || *copies < each.due) {
            blame(invariant::conservation, each.number, to->host,
                  "the broker has neither delivered nor dropped it, and does not hold it any more");
        } else if (to->connection != broker::no_connection && to->observed &&
                   knows.is_silent(each.broker, to->connection, to->host) &&
                   told.insert(mix64(std::uint64_t{each.broker} << 32 | each.session)).second) {
            blame(invariant::stalled, each.number, to->host,
                  each.sent == 0 ? "it waits, though the connection is open and silent"
                                 : "its delivery does not go on, though the connection is open and "
                                   "silent");
        }
    });
    publishes_.for_each([&](std::uint64_t, const publish_model& each) {
        const host_id host = message_number::host_of(each.number);
        if (present_session(*brokers_[each.broker], each.connection, host) != nullptr &&
            knows.is_silent(each.broker, each.connection, host)) {
            blame(invariant::stalled, each.number, host,
                  "its publisher waits for an acknowledgement, though the connection is open and "
                  "silent");
        }
    });
}

void ledger::audit_metrics(oracle& knows, instant now, std::vector<finding>& found) {
    for (const auto& each : brokers_) {
        const broker::broker_metrics said = knows.metrics_of(each->index);
        const broker::broker_metrics& seen = each->counted;
        const auto compare = [&](std::string_view name, std::uint64_t theirs, std::uint64_t ours) {
            if (theirs != ours) {
                found.push_back({invariant::metrics,
                                 now,
                                 0,
                                 first_broker_host + each->index,
                                 {},
                                 std::string(name) + " is " + std::to_string(theirs) +
                                     ", but the ledger has " + std::to_string(ours)});
            }
        };
        for (std::size_t level = 0; level < 3; ++level) {
            compare("publish_received", said.publish_received[level], seen.publish_received[level]);
            compare("deliveries", said.deliveries[level], seen.deliveries[level]);
            compare("acknowledged", said.acknowledged[level], seen.acknowledged[level]);
        }
        for (std::size_t why = 0; why < broker::drop_reason_count; ++why) {
            compare("dropped", said.dropped[why], seen.dropped[why]);
        }
        compare("wills_published", said.wills_published, seen.wills_published);
        compare("connections_accepted", said.connections_accepted, seen.connections_accepted);
        compare("sessions_resumed", said.sessions_resumed, seen.sessions_resumed);
    }
}

}  // namespace fleetarium::sim::detail
