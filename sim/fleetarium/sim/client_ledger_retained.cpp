// What brokers keep: retained messages, and wills.

#include <fleetarium/sim/client_ledger.hpp>

#include <fleetarium/codec/topic.hpp>

#include <algorithm>
#include <limits>

namespace fleetarium::sim::detail {

namespace {

using namespace std::chrono_literals;

/// How much earlier or later than its delay says a will may come.
constexpr duration will_tolerance = 3s;

}  // namespace

// Retained messages
//
// What is retained on a topic is certain if one flow alone writes it, at QoS 1 or 2, and all of it
// is answered. Then a new subscription leads to that message, or to a later one.

void client_ledger::doubt_retained(std::string_view topic) {
    const auto [index, is_new] = retained_by_topic_.insert(hash_text(topic));
    if (is_new) {
        *index = static_cast<std::uint32_t>(retained_.size());
        retained_.emplace_back().topic = topic;
    }
    retained_[*index].is_certain = false;
}

void client_ledger::retain_up(const publish& message, std::string_view topic,
                              std::uint64_t number) {
    const auto [index, is_new] = retained_by_topic_.insert(hash_text(topic));
    if (is_new) {
        *index = static_cast<std::uint32_t>(retained_.size());
        retained_.emplace_back().topic = topic;
    }
    retained_topic& of = retained_[*index];
    of.is_certain = of.is_certain && message.qos != qos::at_most_once &&
                    !message.message_expiry_interval &&
                    (of.newest == 0 || flow_of(of.newest) == flow_of(number));
    of.newest = number;
    of.newest_is_empty = message.payload.empty();
    of.pending += message.qos != qos::at_most_once;
}

void client_ledger::retained_answered(const publication& about, bool failed) {
    const std::uint32_t* const index = retained_by_topic_.find(hash_text(about.topic));
    if (index == nullptr) {
        return;
    }
    retained_topic& of = retained_[*index];
    of.pending -= of.pending != 0;
    of.is_certain = of.is_certain && !failed;
}

std::vector<client_ledger::retained_claim> client_ledger::claims_of(const session& of,
                                                                    std::string_view filter,
                                                                    retain_handling handling) {
    std::vector<retained_claim> out;
    if (of.of_earlier_run || !of.sees_tags) {
        return out;
    }
    if (retained_.size() > retained_max) {
        ++retained_not_judged_;
        return out;
    }
    for (const retained_topic& each : retained_) {
        const bool is_certain = each.is_certain && each.pending == 0 && each.newest != 0;
        const bool is_other = std::any_of(
            of.subscriptions.begin(), of.subscriptions.end(),
            [&](const subscription& one) { return topic_matches(one.plain, each.topic); });
        if (!is_certain || is_other || !topic_matches(filter, each.topic)) {
            continue;
        }
        const bool comes = handling != retain_handling::do_not_send && !each.newest_is_empty;
        out.push_back({hash_text(each.topic), each.newest, comes, !comes});
    }
    return out;
}

/// With SUBACK: what has not changed since SUBSCRIBE left is what the broker had.
void client_ledger::add_claims(session& of, const asked& made) {
    const bool fits = !of.overflown && of.packet_max == 0 &&
                      of.due.size() + of.claims.size() + made.claims.size() <= options_.queue_limit;
    for (retained_claim each : made.claims) {
        const retained_topic& now = retained_[*retained_by_topic_.find(each.topic)];
        const bool is_same = now.is_certain && now.pending == 0 && now.newest == each.number;
        if (each.must_not && !is_same) {
            continue;  // an empty one may have been followed by another message
        }
        each.must_come = each.must_come && is_same && fits;
        of.claims.push_back(each);
    }
}

void client_ledger::judge_claims(session& to, const reception& what, instant now) {
    const std::uint64_t topic = hash_text(what.topic);
    const auto found =
        std::find_if(to.claims.begin(), to.claims.end(),
                     [&](const retained_claim& each) { return each.topic == topic; });
    if (found == to.claims.end() || flow_of(found->number) != flow_of(what.number)) {
        return;
    }
    const std::int32_t later = ahead(what.number, found->number);
    if (found->must_not && later <= 0) {
        convict(invariant::retained, now, what.number, to.host, what.topic,
                "came with a new subscription, which was not to be told");
    } else if (later < 0) {
        convict(invariant::retained, now, what.number, to.host, what.topic,
                "retained no longer: a later one was acknowledged before SUBSCRIBE");
    } else if (later == 0 && !what.message.retain) {
        convict(invariant::retained, now, what.number, to.host, what.topic,
                "the retained message came without RETAIN");
    }
    if (later > 0 || !found->must_not) {
        to.claims.erase(found);
    }
}

// Wills

/// A client is gone without a farewell: it is due, unless the client comes back before the delay.
void client_ledger::will_left(std::uint32_t whose, const will_note& left, std::uint32_t expiry,
                              instant now) {
    const std::uint64_t key = key_of(left.number);
    const instant due = after_seconds(now, std::min(left.delay, expiry));
    publication made;
    made.number = left.number;
    made.topic = left.topic;
    made.retain = left.retain;
    made.is_will = true;
    *wills_due_.insert(key).first = due;
    will_deadlines_.emplace(std::pair(saturating_add(due, span(will_tolerance)), left.number),
                            true);
    const std::size_t size_max = left.topic.size() + std::numeric_limits<std::uint16_t>::max();
    expect(made, left.qos, whose, size_max, now);
    sessions_[whose]->will = due > now ? left.number : 0;
}

void client_ledger::will_outlived(session& of, const link& by, bool present, instant now) {
    if (of.will == 0) {
        return;
    }
    const std::uint64_t key = key_of(of.will);
    const instant* const due = wills_due_.find(key);
    if (due == nullptr) {
        of.will = 0;
        return;
    }
    const bool in_time = saturating_add(now, span(will_tolerance)) < *due;
    if (in_time && present && !by.clean_start) {
        disowned_wills_[key] = true;
    }
    if (now < saturating_add(*due, span(will_tolerance))) {
        doubt_will(of);
    }
    of.will = 0;
}

/// Whether it comes, and when, only the broker knows.
void client_ledger::doubt_will(session& of) {
    const std::uint64_t key = key_of(of.will);
    wills_due_.erase(key);
    if (publication* const about = publications_.find(key)) {
        about->void_ = true;
        settle(key);
    }
    of.will = 0;
}

/// Wills whose time is over by now must have been published.
void client_ledger::pass_wills(instant now) {
    while (!will_deadlines_.empty() && will_deadlines_.begin()->first.first <= now) {
        const std::uint64_t key = key_of(will_deadlines_.begin()->first.second);
        will_deadlines_.erase(will_deadlines_.begin());
        wills_due_.erase(key);  // unless somebody has had it
        if (publication* const about = publications_.find(key)) {
            about->complete = true;
            settle(key);
        }
    }
}

void client_ledger::judge_will(const session& to, const reception& what, instant now) {
    const std::uint64_t key = key_of(what.number);
    if (const bool* const came_back = disowned_wills_.find(key)) {
        convict(invariant::will, now, what.number, to.host, what.topic,
                *came_back ? "a will, although its client was back before its delay was over"
                           : "a will, although its client had said DISCONNECT");
    }
    const instant* const due = wills_due_.find(key);
    if (due != nullptr && saturating_add(now, span(will_tolerance)) < *due) {
        convict(invariant::will, now, what.number, to.host, what.topic,
                "a will, before its delay was over");
    }
}

}  // namespace fleetarium::sim::detail
