// Connections, sessions and subscriptions, as clients see them.

#include <fleetarium/sim/client_ledger.hpp>

#include <fleetarium/codec/topic.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fleetarium::sim::detail {

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t for_ever_seconds = 0xFFFF'FFFF;

/// How late a broker may be to end a session, or a connection, and how early, when its clock and
/// ours differ by what a network takes.
constexpr duration late_max = 10s;
constexpr duration early_max = 1s;

}  // namespace

void client_ledger::connect_up(link& by, const connect& request, instant now) {
    if (request.client_id.empty()) {
        return;  // the broker chooses a name: nothing to hold it to
    }
    const auto [index, is_new] = by_client_.insert(hash_text(request.client_id));
    if (is_new) {
        *index = static_cast<std::uint32_t>(sessions_.size());
        sessions_.push_back(std::make_unique<session>());
    }
    by.session = *index;
    by.version = request.version;
    by.clean_start = request.clean_start;
    by.keep_alive = request.keep_alive;
    by.asked_at = now;
    const bool is_v3 = request.version == protocol_version::v3_1_1;
    by.expiry = is_v3 ? (request.clean_start ? 0 : for_ever_seconds)
                      : request.session_expiry_interval.value_or(0);
    session& of = *sessions_[*index];
    of.host = by.host;
    of.sees_tags = !is_v3 || options_.identity == identity_place::payload;
    const std::uint32_t packet_max = request.maximum_packet_size.value_or(0);
    if (packet_max != of.packet_max) {
        excuse(of, false);  // what was due may be too long now
        of.packet_max = packet_max;
    }
    by.session_was_open = of.link != none;
    if (request.clean_start && of.now == life::lives) {
        of.now = life::maybe;
        excuse(of, false);
    }
    if (request.clean_start && of.will != 0) {
        doubt_will(of);  // the end of the session brings it at once
    }
    by.will.reset();
    if (request.will) {
        const will& last = *request.will;
        publish said;
        said.payload = last.payload;
        said.user_properties = last.user_properties;
        const auto tag = read_tag(find_tag(said));
        if (tag && tag->run == options_.run) {
            by.will = will_note{tag->number, std::string(last.topic), last.qos, last.retain,
                                last.delay_interval};
        }
        if (last.retain) {
            doubt_retained(last.topic);
        }
    }
}

bool client_ledger::surely_lives(const session& of, instant now) const {
    return of.now == life::lives &&
           (of.link != none || saturating_add(now, span(early_max)) < of.expires_at);
}

void client_ledger::connack_down(std::uint32_t number, link& by, const connack& answer,
                                 instant now) {
    if (answer.code != reason_code::success) {
        return;
    }
    session& of = *sessions_[by.session];
    judge_session_present(by, of, answer.session_present, now);
    will_outlived(of, by, answer.session_present, now);
    if (answer.session_present) {
        of.of_earlier_run = of.of_earlier_run || of.now == life::unseen;
    } else {
        forget(of);
        of.of_earlier_run = false;
    }
    of.now = life::lives;
    of.link = number;
    ++of.epoch;
    by.accepted = true;
    by.connected_at = now;
    by.keep_alive = answer.server_keep_alive.value_or(by.keep_alive);
    of.expiry = answer.session_expiry_interval.value_or(by.expiry);
    by.expiry = of.expiry;
}

void client_ledger::judge_session_present(const link& by, session& of, bool present, instant now) {
    const bool was_over = of.now == life::lives && of.link == none && of.expires_at != never &&
                          saturating_add(of.expires_at, span(late_max)) < by.asked_at;
    const bool was_none = of.now == life::gone && !by.session_was_open &&
                          saturating_add(of.gone_at, span(late_max)) < by.asked_at;
    // A connection that is taken over takes a session along that was not to outlive it.
    const bool must_be =
        by.session_was_open ? of.now == life::lives && of.expiry > 1 : surely_lives(of, now);
    if (present && by.clean_start) {
        convict(invariant::session_present, now, 0, of.host, {},
                "Session Present is 1 after Clean Start");
    } else if (present && was_none) {
        convict(invariant::session_present, now, 0, of.host, {},
                "Session Present is 1, and there was no session to resume");
    } else if (present && was_over) {
        convict(invariant::session_lifetime, now, 0, of.host, {},
                "a session is resumed that was over long before");
    } else if (!present && !by.clean_start && must_be) {
        session_lost(of, now);
    }
}

/// The broker says that it has no session, where it should have one.
void client_ledger::session_lost(session& of, instant now) {
    const std::vector<std::uint64_t> lost = surely_due(of, now);
    const auto granted = std::count_if(of.subscriptions.begin(), of.subscriptions.end(),
                                       [](const auto& each) { return each.granted; });
    convict(invariant::session_lifetime, now, 0, of.host, {},
            fmt::format("the broker says that it has no session; with it go {} subscriptions and "
                        "{} messages that it had acknowledged",
                        granted, lost.size()));
    convict_lost(of, lost, "lost with the receiver's session", now);
}

void client_ledger::forget(session& of) {
    excuse(of, false);
    of.overflown = false;
    subscriptions_.remove_all(of.first_subscription);
    of.subscriptions.clear();
    of.claims.clear();
    of.down = {};
    std::vector<std::uint64_t> given_up;
    of.up.for_each(
        [&](std::uint64_t, record_up& each) { given_up.push_back(key_of(each.number)); });
    of.up = {};
    for (const std::uint64_t key : given_up) {
        complete_publication(key, true);
    }
}

/// What is due to the session is so no longer.
void client_ledger::excuse(session& of, bool beyond_queue) {
    ledger_table<std::uint64_t> due;
    std::swap(due, of.due);
    beyond_queue_ += beyond_queue ? due.size() : 0;
    of.overflown = of.overflown || beyond_queue;
    for (retained_claim& each : of.claims) {
        each.must_come = false;
    }
    due.for_each([&](std::uint64_t key, std::uint64_t) {
        if (publication* const about = publications_.find(key)) {
            --about->outstanding;
            settle(key);
        }
    });
}

/// The same for what one filter matches, which need not be delivered any more.
void client_ledger::excuse_matching(session& of, std::string_view filter) {
    std::vector<std::uint64_t> given_up;
    of.due.for_each([&](std::uint64_t key, std::uint64_t) {
        const publication* const about = publications_.find(key);
        if (about != nullptr && topic_matches(filter, about->topic)) {
            given_up.push_back(key);
        }
    });
    for (const std::uint64_t key : given_up) {
        of.due.erase(key);
        --publications_.find(key)->outstanding;
        settle(key);
    }
    of.claims.clear();
}

void client_ledger::ended(std::uint32_t number, ended_by whom, instant now) {
    pass_wills(now);
    link& by = *links_[number];
    by.open = false;
    if (by.session == none || sessions_[by.session]->link != number) {
        return;
    }
    if (whom != ended_by::broker) {
        judge_silence(by, now);
    }
    session& of = *sessions_[by.session];
    of.link = none;
    for (retained_claim& each : of.claims) {
        each.must_come = false;  // at QoS 0 it may be gone with the connection
    }
    if (by.will && whom != ended_by::broker) {
        if (by.farewell) {
            disowned_wills_[key_of(by.will->number)] = false;
        } else {
            will_left(by.session, *by.will, by.expiry, now);
        }
    }
    if (by.expiry == 0) {
        of.now = life::gone;
        of.gone_at = now;
        forget(of);
        return;
    }
    of.expires_at = by.expiry == for_ever_seconds ? never : after_seconds(now, by.expiry);
}

/// A client that says nothing for one and a half times its Keep Alive is to be cut off.
void client_ledger::judge_silence(link& by, instant now) {
    if (!by.accepted || by.keep_alive == 0 || sessions_[by.session]->now != life::lives) {
        return;
    }
    const duration allowed = span(by.keep_alive * 1500ms);
    if (now - by.spoke_at > allowed + span(late_max)) {
        convict(
            invariant::keep_alive, now, 0, by.host, {},
            fmt::format("silent for {:.0f} s with a Keep Alive of {} s, and still connected",
                        std::chrono::duration<double>(now - by.spoke_at).count() / options_.pace,
                        by.keep_alive));
    }
    if (now - by.spoke_at + span(early_max) >= allowed) {
        by.broke_silence = now;
    }
}

void client_ledger::disconnect_down(link& by, const disconnect& farewell, instant now) {
    const duration allowed = span(by.keep_alive * 1500ms);
    const bool has_crossed = by.broke_silence && now - *by.broke_silence <= span(late_max);
    if (farewell.code == reason_code::keep_alive_timeout && !has_crossed &&
        (by.keep_alive == 0 || now - by.spoke_at + span(early_max) < allowed)) {
        convict(invariant::keep_alive, now, 0, by.host, {},
                fmt::format(
                    "cut off for its keep alive of {} s after {:.3g} s of silence", by.keep_alive,
                    std::chrono::duration<double>(now - by.spoke_at).count() / options_.pace));
    }
}

// Subscriptions

void client_ledger::subscribe_up(link& by, const subscribe& request) {
    session& of = *sessions_[by.session];
    auto& filters = by.pending[request.packet_id];
    filters.clear();
    request.requests.for_each([&](const subscription_request& each) {
        const auto known = std::find_if(of.subscriptions.begin(), of.subscriptions.end(),
                                        [&](const auto& one) { return one.whole == each.filter; });
        subscription made;
        made.whole = each.filter;
        made.options = each.options;
        made.identifier = request.subscription_identifier.value_or(0);
        const auto shared = is_shared_filter(each.filter) ? parse_shared_filter(each.filter)
                                                          : std::optional<shared_filter>();
        made.shared = shared.has_value();
        made.plain = shared ? shared->filter : each.filter;
        filters.push_back({made.whole, each.options.retain_handling, {}});
        if (known != of.subscriptions.end()) {
            // Until SUBACK nobody knows which of the two it is.
            subscriptions_.remove(of.first_subscription, by.session, each.filter);
            excuse_matching(of, made.plain);
            made.changed = true;
            *known = std::move(made);
            return;
        }
        if (!made.shared) {
            filters.back().claims = claims_of(of, made.plain, each.options.retain_handling);
        }
        of.subscriptions.push_back(std::move(made));
    });
}

void client_ledger::suback_down(link& by, const suback& answer) {
    const auto found = by.pending.find(answer.packet_id);
    if (found == by.pending.end()) {
        return;
    }
    session& of = *sessions_[by.session];
    const std::vector<asked>& filters = found->second;
    for (std::size_t i = 0; i < std::min(filters.size(), answer.codes.size()); ++i) {
        const auto each =
            std::find_if(of.subscriptions.begin(), of.subscriptions.end(),
                         [&](const auto& one) { return one.whole == filters[i].filter; });
        if (each == of.subscriptions.end()) {
            continue;
        }
        if (is_failure(answer.codes[i])) {
            if (!each->changed) {
                of.subscriptions.erase(each);
            }
            continue;
        }
        each->granted = true;
        each->options.qos = static_cast<enum qos>(answer.codes[i]);
        subscriptions_.add(of.first_subscription, by.session, each->whole, each->options,
                           each->identifier);
        add_claims(of, filters[i]);
    }
    by.pending.erase(found);
}

void client_ledger::unsubscribe_up(link& by, const unsubscribe& request) {
    session& of = *sessions_[by.session];
    request.filters.for_each([&](std::string_view filter) {
        subscriptions_.remove(of.first_subscription, by.session, filter);
        for (subscription& each : of.subscriptions) {
            if (each.whole == filter) {
                each.former = true;
                each.granted = false;
                excuse_matching(of, each.plain);
            }
        }
    });
}

}  // namespace fleetarium::sim::detail
