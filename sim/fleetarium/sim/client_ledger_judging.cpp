// What a PUBLISH from the broker is judged by.

#include <fleetarium/sim/client_ledger.hpp>

#include <fleetarium/codec/topic.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace fleetarium::sim::detail {

namespace {

using namespace std::chrono_literals;

/// Records of answered packets of a session that are kept to know a resend by.
constexpr std::size_t answered_max = 1024;

/// Of what is left of an expiry: seconds are whole, and the way takes time.
constexpr duration expiry_tolerance = 2s;

}  // namespace

void client_ledger::publish_down(link& by, const publish& message, std::string_view topic,
                                 instant now) {
    session& to = *sessions_[by.session];
    const auto tag = read_tag(find_tag(message));
    const bool is_ours = tag && tag->run == options_.run;
    const std::uint64_t number = is_ours ? tag->number : 0;
    if (message.qos != qos::at_most_once && is_resend(by, to, message, number, topic, now)) {
        return;
    }
    if (!is_ours) {
        judge_stranger(by, message, topic, now);
        return;
    }
    ++receptions_;
    const std::uint64_t key = key_of(number);
    const bool was_due = to.due.find(key) != nullptr;
    publication* const about = was_due ? publications_.find(key) : nullptr;
    const reception what{message, topic, number, tag->made, was_due, about};
    const match matched = judge_permission(by, to, what, now);
    judge_form(by, to, what, matched, now);
    judge_expiry(to, what, now);
    judge_claims(to, what, now);
    judge_will(to, what, now);
    if (matched.shared && matched.one != nullptr) {
        judge_shared(by, to, what, *matched.one, now);
    }
    // What was stored came with the subscription: neither its order nor its count is known.
    const bool may_be_stored = message.retain && !was_due;
    if (!may_be_stored) {
        judge_flow(by, what, matched, now);
    }
    if (message.dup && was_due && what.made > by.connected_at) {
        convict(invariant::resent_as_duplicate, now, number, to.host, topic,
                "DUP on the first copy");
    }
    wills_due_.erase(key);
    if (was_due) {
        to.due.erase(key);
        --about->outstanding;
        settle(key);
    }
}

/// Of a message without a tag of this run only where it may go is known.
void client_ledger::judge_stranger(const link& by, const publish&, std::string_view topic,
                                   instant now) {
    ++strangers_;
    const session& to = *sessions_[by.session];
    bool shielded = false;
    if (!to.of_earlier_run && match_of(to, topic, shielded).matching == 0) {
        convict(shielded ? invariant::dollar_topics : invariant::routing, now, 0, to.host, topic,
                "no subscription of the receiver matches");
    }
}

/// Whether it is a packet that came before, on this connection or an earlier one; judges DUP, and
/// the packet id of a new one.
bool client_ledger::is_resend(link& by, session& to, const publish& message, std::uint64_t number,
                              std::string_view topic, instant now) {
    const auto [known, is_new] = to.down.insert(packet_key(message.packet_id));
    const bool is_known = !is_new && known->number == number && number != 0 &&
                          (message.dup || !known->answered || known->qos == qos::exactly_once);
    if (!is_known) {
        if (!is_new && number != 0 && known->number != 0 &&
            !(known->answered && known->qos == qos::at_least_once)) {
            convict(invariant::packet_id, now, number, to.host, topic,
                    fmt::format("takes packet id {}, which another message under way has",
                                message.packet_id));
        }
        *known = {number, to.epoch, message.qos};
        if (to.down.size() > answered_max) {
            std::vector<std::uint64_t> old;
            to.down.for_each([&](std::uint64_t key, record_down& each) {
                if (each.answered && each.qos == qos::at_least_once) {
                    old.push_back(key);
                }
            });
            for (const std::uint64_t each : old) {
                to.down.erase(each);
            }
        }
        return false;
    }
    if (known->released) {
        convict(invariant::exactly_once, now, number, to.host, topic,
                "PUBLISH again, after its PUBREL");
    } else if (!message.dup) {
        convict(invariant::resent_as_duplicate, now, number, to.host, topic,
                "sent again without DUP");
    } else if (known->epoch == to.epoch && by.version == protocol_version::v5) {
        convict(invariant::resent_as_duplicate, now, number, to.host, topic,
                "sent again on the same connection");
    }
    *known = {number, to.epoch, message.qos};
    return true;
}

client_ledger::match client_ledger::match_of(const session& to, std::string_view topic,
                                             bool& shielded) const {
    match out;
    for (const subscription& each : to.subscriptions) {
        if (!topic_matches(each.plain, topic)) {
            const bool wild = each.plain.front() == '#' || each.plain.front() == '+';
            shielded = shielded || (wild && topic.front() == '$');
            continue;
        }
        out.one = out.matching == 0 ? &each : nullptr;
        ++out.matching;
        out.shared = out.shared || each.shared;
        out.is_certain = out.is_certain && each.granted && !each.changed;
    }
    return out;
}

client_ledger::match client_ledger::judge_permission(const link& by, const session& to,
                                                     const reception& what, instant now) {
    bool shielded = false;
    const match found = match_of(to, what.topic, shielded);
    if (to.of_earlier_run) {
        return found;
    }
    const enum qos published = message_number::qos_of(what.number);
    bool fits = false;
    bool only_no_local = true;
    for (const subscription& each : to.subscriptions) {
        if (topic_matches(each.plain, what.topic)) {
            only_no_local = only_no_local && each.options.no_local && !each.changed;
            fits = fits || std::min(published, each.options.qos) == what.message.qos;
        }
    }
    if (found.matching == 0) {
        convict(shielded ? invariant::dollar_topics : invariant::routing, now, what.number, to.host,
                what.topic, "no subscription of the receiver matches");
    } else if (only_no_local && message_number::host_of(what.number) == by.host) {
        convict(invariant::no_local, now, what.number, to.host, what.topic,
                "to its own publisher, by a subscription with No Local");
    } else if (!fits && found.is_certain) {
        convict(invariant::routing, now, what.number, to.host, what.topic,
                fmt::format("at QoS {}, which no subscription leads to",
                            static_cast<int>(what.message.qos)));
    }
    return found;
}

/// What one subscription alone leads to says which one it is, and is marked as it asks.
void client_ledger::judge_form(const link& by, const session& to, const reception& what,
                               const match& matched, instant now) {
    const subscription* const through = matched.one;
    if (through == nullptr || !matched.is_certain || to.of_earlier_run) {
        return;
    }
    std::size_t others = 0;
    bool is_named = through->identifier == 0;
    what.message.subscription_identifiers.for_each([&](std::uint32_t each) {
        is_named = is_named || each == through->identifier;
        others += each != through->identifier;
    });
    if (by.version == protocol_version::v5 && (!is_named || others != 0)) {
        convict(invariant::subscription_identifier, now, what.number, to.host, what.topic,
                is_named ? "names another subscription" : "does not name its subscription");
    }
    const bool is_live = what.was_due && !through->shared;
    if (is_live && !what.about->void_ &&
        what.message.retain != (through->options.retain_as_published && what.about->retain)) {
        convict(invariant::retained, now, what.number, to.host, what.topic,
                what.message.retain ? "RETAIN is set, without Retain As Published"
                                    : "RETAIN is not set, in spite of Retain As Published");
    }
}

void client_ledger::judge_expiry(const session& to, const reception& what, instant now) {
    if (what.about == nullptr || what.message.dup || what.about->expires_at == never) {
        return;
    }
    const instant last = saturating_add(what.about->expires_at, span(expiry_tolerance));
    if (now > last) {
        convict(invariant::expiry, now, what.number, to.host, what.topic,
                "delivered after its expiry");
    } else if (what.message.message_expiry_interval &&
               after_seconds(now, *what.message.message_expiry_interval) > last) {
        convict(invariant::expiry, now, what.number, to.host, what.topic,
                "says that more of its expiry is left than is");
    }
}

/// A member has it; another one may only get it if the first one's connection is over.
void client_ledger::judge_shared(link& by, const session& to, const reception& what,
                                 const subscription& through, instant now) {
    const std::uint64_t key = combine(key_of(what.number), hash_text(through.whole));
    const std::uint64_t here = std::uint64_t{by.session} << 32 | to.epoch;
    std::uint64_t& holder = shared_[key];
    const std::uint64_t before = std::exchange(holder, here);
    if (before == 0) {
        return;
    }
    const session& first = *sessions_[before >> 32];
    const bool first_is_there =
        first.link != none && first.epoch == static_cast<std::uint32_t>(before);
    const bool sent_again = sent_again_.find(key_of(what.number)) != nullptr &&
                            message_number::qos_of(what.number) == qos::at_least_once;
    if (!sent_again && (first_is_there || what.message.qos == qos::at_most_once)) {
        convict(invariant::shared_once, now, what.number, to.host, what.topic,
                "a second time to " + through.whole);
    }
}

/// First copies of a flow come in the order of publishing: what is not ahead came before, or late.
void client_ledger::judge_flow(const link& by, const reception& what, const match& matched,
                               instant now) {
    const session& to = *sessions_[by.session];
    const enum qos level = what.message.qos;
    const std::uint64_t flow =
        combine(combine(flow_of(what.number), hash_text(what.topic)),
                std::uint64_t{by.session} * 4 + static_cast<std::uint64_t>(level));
    std::uint64_t* last = flows_.find(flow);
    if (last == nullptr) {
        if (flows_.size() >= flows_max) {
            ++flows_not_kept_;
        } else {
            *flows_.insert(flow).first = what.number;
        }
        return;
    }
    const std::int32_t later = ahead(what.number, *last);
    if (later > 0) {
        *last = what.number;
        return;
    }
    // A publisher's resend at QoS 1 may be delivered again, at any time; at QoS 2 it may not.
    const bool sent_again = sent_again_.find(key_of(what.number)) != nullptr &&
                            message_number::qos_of(what.number) != qos::exactly_once;
    if (to.of_earlier_run || matched.matching > 1 || matched.shared || sent_again) {
        return;
    }
    if (what.was_due) {
        convict(invariant::order, now, what.number, to.host, what.topic,
                "after a message that was published later");
        return;
    }
    switch (level) {
        case qos::at_most_once:
            convict(later == 0 ? invariant::at_most_once : invariant::order, now, what.number,
                    to.host, what.topic,
                    later == 0 ? "a second time" : "after one that was published later");
            return;
        case qos::at_least_once:
            if (!what.message.dup) {
                convict(invariant::resent_as_duplicate, now, what.number, to.host, what.topic,
                        "a second time, as if it were new");
            }
            return;
        case qos::exactly_once:
            convict(invariant::exactly_once, now, what.number, to.host, what.topic,
                    "a second time");
            return;
    }
}

}  // namespace fleetarium::sim::detail
