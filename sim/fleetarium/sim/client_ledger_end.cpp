// What came of it.

#include <fleetarium/sim/client_ledger.hpp>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

namespace fleetarium::sim::detail {

void client_ledger::fault_found(host_id host, violation broken, instant now) {
    // Silence is nobody's fault; and a broker may well keep a session of an earlier run, which a
    // device that has just been made knows nothing of.
    if (broken == violation::response_timeout ||
        broken == violation::session_present_without_session) {
        return;
    }
    convict(broken == violation::receive_maximum_exceeded ? invariant::receive_maximum
                                                          : invariant::protocol,
            now, 0, host, {},
            "this client found fault with the broker: " + std::string(describe(broken).name));
}

std::uint64_t client_ledger::violation_count() const {
    return std::accumulate(by_invariant_.begin(), by_invariant_.end(), std::uint64_t{0});
}

std::uint64_t client_ledger::owed() {
    std::uint64_t out = will_deadlines_.size();
    for (const auto& each : sessions_) {
        session& of = *each;
        if (of.link == none) {
            continue;
        }
        out += of.up.size();
        of.due.for_each([&](std::uint64_t key, std::uint64_t) {
            const publication* const about = publications_.find(key);
            out += about != nullptr && !about->void_;
        });
        out += static_cast<std::uint64_t>(
            std::count_if(of.claims.begin(), of.claims.end(),
                          [](const retained_claim& claim) { return claim.must_come; }));
    }
    return out;
}

/// Keys of what the broker has acknowledged, and the session must get, in the order of numbers.
std::vector<std::uint64_t> client_ledger::surely_due(session& of, instant now) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> found;
    of.due.for_each([&](std::uint64_t key, std::uint64_t number) {
        const publication* const about = publications_.find(key);
        if (about != nullptr && about->complete && !about->void_ &&
            saturating_add(now, span(std::chrono::seconds{2})) < about->expires_at) {
            found.emplace_back(number, key);
        }
    });
    std::sort(found.begin(), found.end());
    std::vector<std::uint64_t> out;
    std::transform(found.begin(), found.end(), std::back_inserter(out),
                   [](const auto& each) { return each.second; });
    return out;
}

void client_ledger::end(instant now) {
    complete_ = true;
    pass_wills(now);
    for (const auto& each : links_) {
        if (each == nullptr || !each->open || !each->accepted) {
            continue;
        }
        const session& of = *sessions_[each->session];
        if (of.link == none || links_[of.link].get() == each.get()) {
            judge_silence(*each, now);
        } else {
            convict(invariant::take_over, now, 0, each->host, {},
                    "another connection has taken over its client id, and it is still open");
        }
    }
    for (const auto& each : sessions_) {
        judge_end_of(*each, now);
    }
}

void client_ledger::judge_end_of(session& of, instant now) {
    const std::vector<std::uint64_t> lost = surely_due(of, now);
    bool client_owes = false;
    of.down.for_each([&](std::uint64_t, record_down& one) {
        client_owes = client_owes || (one.epoch == of.epoch && !one.answered);
    });
    if (of.link == none || client_owes) {
        waiting_ += lost.size();  // the broker may wait for the client
        return;
    }
    std::vector<std::uint64_t> unanswered;
    of.up.for_each([&](std::uint64_t, record_up& one) {
        if (one.epoch == of.epoch && one.broker_owes) {
            unanswered.push_back(one.number);
        }
    });
    std::sort(unanswered.begin(), unanswered.end());
    for (const std::uint64_t number : unanswered) {
        const publication* const about = publications_.find(key_of(number));
        convict(invariant::stalled, now, number, of.host,
                about == nullptr ? std::string_view() : about->topic,
                "the broker has not answered, and all is silent");
    }
    convict_lost(of, lost, "never delivered", now);
    for (const retained_claim& each : of.claims) {
        if (each.must_come) {
            convict(invariant::retained, now, each.number, of.host,
                    retained_[*retained_by_topic_.find(each.topic)].topic,
                    "retained, and did not come to a new subscription");
        }
    }
}

void client_ledger::convict_lost(const session& of, const std::vector<std::uint64_t>& lost,
                                 const std::string& what, instant now) {
    lost_ += lost.size();
    for (const std::uint64_t key : lost) {
        const publication& about = *publications_.find(key);
        convict(
            about.is_will ? invariant::will : invariant::conservation, now, about.number, of.host,
            about.topic,
            (about.is_will ? "a will that was due, and " : "acknowledged to its publisher, and ") +
                what);
    }
}

void client_ledger::convict(invariant broken, instant at, std::uint64_t number, host_id receiver,
                            std::string_view topic, std::string what) {
    const auto is_disturbed = [&](host_id host) {
        return disturbed_.find(combine(host, 0)) != nullptr;
    };
    if (is_disturbed(receiver) || (number != 0 && is_disturbed(message_number::host_of(number)))) {
        return;
    }
    ++by_invariant_[static_cast<std::size_t>(broken)];
    if (findings_.size() < violations_kept) {
        findings_.push_back({broken, at, number, receiver, std::string(topic), std::move(what)});
    }
}

void client_ledger::add_to(ledger_report& out, const std::string& broker,
                           std::uint64_t devices_not_seen, const name_function& name_of) const {
    for (const finding& each : findings_) {
        ledger_violation made{.broken = each.broken,
                              .at = each.at,
                              .receiver = name_of(each.receiver),
                              .topic = each.topic,
                              .what = each.what};
        if (each.number != 0) {
            made.publisher = name_of(message_number::host_of(each.number));
            made.message = message_number::count_of(each.number);
            made.qos = message_number::qos_of(each.number);
        }
        out.violations.push_back(std::move(made));
    }
    for (std::size_t i = 0; i < invariant_count; ++i) {
        out.by_invariant[i] += by_invariant_[i];
    }
    out.receptions += receptions_;
    out.flows += flows_.size();
    out.flows_not_kept += flows_not_kept_;
    out.retained_not_judged += retained_not_judged_;
    outside_audit& audit = out.audits.emplace_back();
    audit.broker = broker;
    audit.identity = options_.identity == identity_place::payload ? "payload" : "user property";
    audit.messages = messages_;
    audit.receptions = receptions_;
    audit.strangers = strangers_;
    audit.lost = lost_;
    audit.waiting = waiting_;
    audit.beyond_queue = beyond_queue_;
    audit.devices_not_seen = devices_not_seen;
    audit.complete = complete_;
    audit.by_invariant = by_invariant_;
}

}  // namespace fleetarium::sim::detail
