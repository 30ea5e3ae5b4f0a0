// Who must get a message: by subscriptions, and by what was retained.

#include <fleetarium/sim/ledger.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/hash.hpp>

#include <algorithm>
#include <iterator>

namespace fleetarium::sim::detail {

namespace {

/// How many retained topics may be looked through for the subscriptions to wildcards of a run: so
/// many, and so many more for each message.
constexpr std::uint64_t looks_free = 4'000'000;
constexpr std::uint64_t looks_per_message = 4;

std::uint64_t mixed(broker::session_index session, enum qos qos) {
    return mix64(std::uint64_t{session} << 2 | static_cast<std::uint64_t>(qos));
}

bool ends_merged(broker::overlapping_subscriptions manner) {
    return manner == broker::overlapping_subscriptions::single_copy;
}

}  // namespace

// A message

void ledger::note_received(broker_model& at, const broker::broker_event& decision) {
    at.routing = true;
    at.routed_number = decision.identity.number;
    at.made.clear();
    if (at.message_retains) {
        keep_retained(at, decision);
    }
}

void ledger::judge_routing(broker_model& at, const broker::broker_event& decision) {
    at.routing = false;
    ++messages_;
    find_due(at, decision);
    if (!shared_.empty()) {
        judge_shared(at, decision);
    } else {
        judge_plain(at, decision);
    }
    if (!shared_.empty() || !marks_.empty()) {
        mark_deliveries(at, decision);
    }
    if (decision.count != at.made.size()) {
        convict(invariant::metrics, decision.at, decision.identity.number,
                first_broker_host + at.index, decision.topic,
                "the broker counts " + std::to_string(decision.count) + " deliveries of it, not " +
                    std::to_string(at.made.size()));
    }
}

void ledger::judge_plain(broker_model& at, const broker::broker_event& decision) {
    std::uint64_t difference = due_.size() - at.made.size();
    for (const made_delivery& each : due_) {
        difference += mixed(each.session, each.qos);
    }
    for (const made_delivery& each : at.made) {
        difference -= mixed(each.session, each.qos);
    }
    if (difference != 0) {
        explain_routing(at, decision);
    }
}

/// Fills due_ with the deliveries of plain subscriptions, shared_ with the candidates of others.
void ledger::find_due(broker_model& at, const broker::broker_event& decision) {
    due_.clear();
    shared_.clear();
    marks_.clear();
    std::uint64_t filter = 0;
    bool several = false;
    at.subscriptions.for_each_match(
        decision.topic, [&](const ledger_subscriptions::subscription& by) {
            const enum qos lower = std::min(decision.qos, by.options.qos);  // v5/MQTT-3.8.4-8
            const bool own = by.options.no_local && by.session == decision.session;
            const bool retain = at.message_retains && by.options.retain_as_published;
            if ((by.identifier != 0 || retain) && !own) {
                marks_.push_back({by.session, lower, by.identifier, retain, by.group != 0});
            }
            if (by.group != 0) {
                shared_.push_back({by.filter, by.group, {by.session, lower}});
                return;
            }
            several = several || (filter != 0 && filter != by.filter);
            filter = by.filter;
            if (!own) {
                due_.push_back({by.session, lower});
            }
        });
    if (several && ends_merged(at.options.overlapping_subscriptions)) {
        std::sort(due_.begin(), due_.end(), [](const made_delivery& a, const made_delivery& b) {
            return a.session != b.session ? a.session < b.session : a.qos > b.qos;
        });
        due_.erase(std::unique(due_.begin(), due_.end(),
                               [](const made_delivery& a, const made_delivery& b) {
                                   return a.session == b.session;
                               }),
                   due_.end());
        for (wanted_mark& each : marks_) {
            const auto by = std::find_if(due_.begin(), due_.end(), [&](const made_delivery& to) {
                return to.session == each.session && !each.shared;
            });
            each.qos = by == due_.end() ? each.qos : by->qos;
        }
    }
}

/// Notes what its subscriptions want said in each delivery. Those of QoS 0 have no entry to note
/// it in.
void ledger::mark_deliveries(broker_model& at, const broker::broker_event& decision) {
    const auto find = [&](session_index session, enum qos qos) {
        const std::uint64_t number = message_number::with_qos(decision.identity.number, qos);
        return qos == qos::at_most_once ? nullptr
                                        : deliveries_.find(delivery_key(at, session, number));
    };
    for (const shared_candidate& each : shared_) {
        if (delivery_model* const made = find(each.to.session, each.to.qos)) {
            const bool also_plain = std::find(due_.begin(), due_.end(), each.to) != due_.end();
            const bool of_other_group = made->shared;
            made->shared = !also_plain;
            made->blurred = made->blurred || also_plain || of_other_group;
        }
    }
    for (const wanted_mark& each : marks_) {
        if (delivery_model* const made = find(each.session, each.qos)) {
            // Of two copies one may have been dropped, and nobody knows which.
            const made_delivery alike{each.session, each.qos};
            made->blurred = made->blurred || std::count(due_.begin(), due_.end(), alike) > 1;
            made->identifiers +=
                each.identifier == 0 ? 0 : static_cast<std::uint32_t>(mix64(each.identifier));
            made->retain = made->retain || each.retain;
        }
    }
}

/// The routing was wrong: says in which way.
void ledger::explain_routing(broker_model& at, const broker::broker_event& decision) {
    std::sort(due_.begin(), due_.end());
    std::sort(at.made.begin(), at.made.end());
    std::vector<made_delivery> missing;
    std::vector<made_delivery> superfluous;
    std::set_difference(due_.begin(), due_.end(), at.made.begin(), at.made.end(),
                        std::back_inserter(missing));
    std::set_difference(at.made.begin(), at.made.end(), due_.begin(), due_.end(),
                        std::back_inserter(superfluous));
    const auto host_of = [&](const made_delivery& to) {
        const session_model* const known = find_session(at, to.session);
        return known == nullptr ? host_id{0} : known->host;
    };
    const auto blame = [&](invariant broken, const made_delivery& to, std::string what) {
        convict(broken, decision.at, decision.identity.number, host_of(to), decision.topic,
                std::move(what));
    };
    for (const made_delivery& each : missing) {
        const auto same =
            std::find_if(superfluous.begin(), superfluous.end(),
                         [&](const made_delivery& other) { return other.session == each.session; });
        if (same == superfluous.end()) {
            blame(invariant::routing, each, "the broker did not deliver it to this subscriber");
            continue;
        }
        blame(invariant::routing, each,
              "the broker delivered it at QoS " + std::to_string(static_cast<int>(same->qos)) +
                  ", not " + std::to_string(static_cast<int>(each.qos)));
        superfluous.erase(same);
    }
    for (const made_delivery& each : superfluous) {
        const session_model* const to = find_session(at, each.session);
        if (to != nullptr && at.subscriptions.is_shielded_from(to->subscriptions, decision.topic)) {
            blame(invariant::dollar_topics, each,
                  "the broker matched a topic with $ to a filter that begins with a wildcard");
            continue;
        }
        if (std::binary_search(due_.begin(), due_.end(), each)) {
            blame(each.qos == qos::at_most_once ? invariant::at_most_once : invariant::routing,
                  each, "the broker delivered it once too often to this subscriber");
            continue;
        }
        bool own = false;
        if (to != nullptr && each.session == decision.session) {
            at.subscriptions.for_each_of(to->subscriptions,
                                         [&](const auto& by) { own = own || by.options.no_local; });
        }
        blame(own ? invariant::no_local : invariant::routing, each,
              own ? "the broker delivered it to its own publisher, which asked for No Local"
                  : "the broker delivered it though no subscription of this client matches");
    }
}

/// A shared subscription matches: what plain ones do not account for has to go to one member of
/// each group.
void ledger::judge_shared(broker_model& at, const broker::broker_event& decision) {
    std::sort(due_.begin(), due_.end());
    std::sort(at.made.begin(), at.made.end());
    std::vector<made_delivery> extra;
    std::set_difference(at.made.begin(), at.made.end(), due_.begin(), due_.end(),
                        std::back_inserter(extra));
    if (extra.size() + due_.size() != at.made.size()) {
        explain_routing(at, decision);
        return;
    }
    const auto same_group = [](const shared_candidate& a, const shared_candidate& b) {
        return a.filter == b.filter && a.group == b.group;
    };
    std::sort(shared_.begin(), shared_.end(),
              [](const shared_candidate& a, const shared_candidate& b) {
                  return a.filter != b.filter ? a.filter < b.filter
                         : a.group != b.group ? a.group < b.group
                                              : a.to < b.to;
              });
    std::size_t groups = 0;
    for (auto begin = shared_.begin(); begin != shared_.end(); ++groups) {
        const auto end = std::find_if_not(begin, shared_.end(), [&](const shared_candidate& each) {
            return same_group(each, *begin);
        });
        judge_group(at, decision, {begin, end}, extra);
        begin = end;
    }
    for (const made_delivery& each : extra) {
        const bool member =
            std::any_of(shared_.begin(), shared_.end(),
                        [&](const shared_candidate& one) { return one.to == each; });
        const session_model* const to = find_session(at, each.session);
        if (!member) {
            convict(invariant::routing, decision.at, decision.identity.number,
                    to == nullptr ? 0 : to->host, decision.topic,
                    "the broker delivered it though no subscription of this client matches");
        }
    }
    if (extra.size() > groups) {
        const session_model* const to = find_session(at, extra.back().session);
        convict(invariant::shared_once, decision.at, decision.identity.number,
                to == nullptr ? 0 : to->host, decision.topic,
                "the shared subscriptions that match, " + std::to_string(groups) + ", got it " +
                    std::to_string(extra.size()) + " times");
    }
}

/// Whether one member of the group has got the message; `extra` is what was delivered beyond plain
/// subscriptions.
void ledger::judge_group(broker_model& at, const broker::broker_event& decision,
                         std::span<const shared_candidate> group,
                         std::span<const made_delivery> extra) {
    std::size_t served = 0;
    const session_model* served_absent = nullptr;
    bool one_is_present = false;
    for (const shared_candidate& each : group) {
        const session_model* const member = find_session(at, each.to.session);
        const auto times = std::count(extra.begin(), extra.end(), each.to);
        const bool present = member != nullptr && member->connection != broker::no_connection;
        served += static_cast<std::size_t>(times);
        one_is_present = one_is_present || present;
        served_absent = times != 0 && !present ? member : served_absent;
    }
    const auto blame = [&](const session_model* to, std::string what) {
        convict(invariant::shared_once, decision.at, decision.identity.number,
                to == nullptr ? 0 : to->host, decision.topic, std::move(what));
    };
    if (served == 0) {
        blame(find_session(at, group.front().to.session),
              "no member of the shared subscription got it at the QoS that is due");
    } else if (served == 1 && served_absent != nullptr && one_is_present) {
        blame(served_absent,
              "it was given to a member without a connection, though another has one");
    }
}

/// A session ends, and a shared delivery with it: if each of its groups that match has another
/// member, one of them gets the message.
void ledger::expect_heir(broker_model& at, const broker::broker_event& decision) {
    shared_.clear();
    at.subscriptions.for_each_match(
        decision.topic, [&](const ledger_subscriptions::subscription& by) {
            if (by.group != 0) {
                shared_.push_back({by.filter, by.group, {by.session, qos::at_most_once}});
            }
        });
    bool own = false;
    bool alone = false;
    for (const shared_candidate& mine : shared_) {
        if (mine.to.session != decision.session) {
            continue;
        }
        own = true;
        alone = alone || std::none_of(shared_.begin(), shared_.end(), [&](const auto& each) {
                    return each.filter == mine.filter && each.group == mine.group &&
                           each.to.session != decision.session;
                });
    }
    if (own && !alone) {
        at.orphans.push_back({decision.session, decision.identity.number});
    }
}

// Retained messages

void ledger::keep_retained(broker_model& at, const broker::broker_event& decision) {
    const std::uint64_t key = hash_text(decision.topic);
    if (at.message_is_empty) {
        at.retained.erase(key);  // v5/MQTT-3.3.1-6
        return;
    }
    retained_model& kept = *at.retained.insert(key).first;
    if (kept.topic.empty()) {
        kept.topic = decision.topic;
    }
    kept.number = decision.identity.number;
    kept.expires_at = at.message_expires_at;
    kept.qos = decision.qos;
    const session_model* const from = find_session(at, decision.session);
    kept.publisher = from == nullptr ? 0 : from->client;
}

void ledger::expect_retained(broker_model& at, const session_model& to, session_index session,
                             std::string_view filter, const subscription_options& options,
                             instant now) {
    const auto expect = [&](const retained_model& kept) {
        const bool own = options.no_local && kept.publisher == to.client;
        if (!own && now < kept.expires_at) {
            at.retained_due.push_back({session, std::min(kept.qos, options.qos), kept.number});
        }
    };
    at.turn_is_open = true;
    if (!has_wildcard(filter)) {
        if (const retained_model* const kept = at.retained.find(hash_text(filter))) {
            expect(*kept);
        }
        return;
    }
    retained_looked_at_ += at.retained.size();
    if (retained_looked_at_ > looks_free + looks_per_message * messages_) {
        retained_looked_at_ -= at.retained.size();
        ++retained_not_judged_;
        at.retained_excused.push_back(session);
        return;
    }
    at.retained.for_each([&](std::uint64_t, const retained_model& kept) {
        if (topic_matches(filter, kept.topic)) {
            expect(kept);
        }
    });
}

/// What the subscriptions made in this turn got of retained messages is all that they get.
void ledger::judge_turn(broker_model& at, instant now) {
    at.turn_is_open = false;
    at.crashing = false;
    at.handed_over.clear();
    judge_closed(at, now);
    if (at.retained_due.empty() && at.retained_made.empty()) {
        at.retained_excused.clear();
        return;
    }
    std::sort(at.retained_due.begin(), at.retained_due.end());
    std::sort(at.retained_made.begin(), at.retained_made.end());
    std::vector<retained_delivery> missing;
    std::vector<retained_delivery> superfluous;
    std::set_difference(at.retained_due.begin(), at.retained_due.end(), at.retained_made.begin(),
                        at.retained_made.end(), std::back_inserter(missing));
    std::set_difference(at.retained_made.begin(), at.retained_made.end(), at.retained_due.begin(),
                        at.retained_due.end(), std::back_inserter(superfluous));
    const auto blame = [&](const retained_delivery& of, std::string what) {
        const auto& excused = at.retained_excused;
        if (std::find(excused.begin(), excused.end(), of.session) == excused.end()) {
            const session_model* const to = find_session(at, of.session);
            convict(invariant::retained, now, of.number, to == nullptr ? 0 : to->host, {},
                    std::move(what));
        }
    };
    for (const retained_delivery& each : missing) {
        blame(each, "a new subscription did not get it, though it is retained");
    }
    for (const retained_delivery& each : superfluous) {
        blame(each,
              "it was delivered to a new subscription, though it is not retained, or not to "
              "be sent to this one");
    }
    at.retained_due.clear();
    at.retained_made.clear();
    at.retained_excused.clear();
}

// Subscriptions

void ledger::subscribe_asked(broker_index broker, std::uint32_t, std::string_view filter,
                             const subscription_options& options) {
    broker_model& at = *brokers_[broker];
    at.handed_over.clear();  // what comes now of those messages comes because they are retained
    at.asked_filter = hash_text(filter);
    at.asked_options = options;
}

void ledger::note_subscribed(broker_model& at, const broker::broker_event& decision) {
    session_model* const to = find_session(at, decision.session);
    if (to == nullptr || is_failure(decision.code) ||
        at.asked_filter != hash_text(decision.topic)) {
        return;
    }
    at.asked_filter = 0;
    subscription_options granted = at.asked_options;
    granted.qos = std::min(granted.qos, at.options.maximum_qos);
    if (static_cast<std::uint8_t>(decision.code) != static_cast<std::uint8_t>(granted.qos)) {
        convict(invariant::routing, decision.at, 0, to->host, decision.topic,
                "SUBACK grants another QoS than was asked for and is allowed");
    }
    const bool shared = is_shared_filter(decision.topic);
    const bool is_new = at.subscriptions.add(to->subscriptions, decision.session, decision.topic,
                                             granted, decision.count);
    to->subscription_count = static_cast<std::uint16_t>(to->subscription_count + is_new);
    to->had_retain_as_published = to->had_retain_as_published || granted.retain_as_published;
    // Once a message can come by two subscriptions, it may come twice.
    to->may_repeat =
        to->may_repeat || shared ||
        (to->subscription_count > 1 && !ends_merged(at.options.overlapping_subscriptions));
    const bool wanted = granted.retain_handling == retain_handling::send ||
                        (granted.retain_handling == retain_handling::send_if_new && is_new);
    if (wanted && !shared) {
        expect_retained(at, *to, decision.session, decision.topic, granted, decision.at);
    }
}

void ledger::note_unsubscribed(broker_model& at, const broker::broker_event& decision) {
    session_model* const to = find_session(at, decision.session);
    if (to == nullptr) {
        return;
    }
    const bool was = at.subscriptions.remove(to->subscriptions, decision.session, decision.topic);
    to->subscription_count = static_cast<std::uint16_t>(to->subscription_count - was);
    if (was != (decision.code == reason_code::success)) {
        convict(invariant::routing, decision.at, 0, to->host, decision.topic,
                was ? "UNSUBACK denies a subscription that there was"
                    : "UNSUBACK confirms a subscription that there was not");
    }
}

}  // namespace fleetarium::sim::detail
