// What crosses the links, and what follows from it for the messages of publishers.

#include <fleetarium/sim/client_ledger.hpp>

#include <fleetarium/core/limits.hpp>

#include <algorithm>

namespace fleetarium::sim::detail {

namespace {

template <class Aliases>
std::string_view topic_of(const publish& message, Aliases& aliases) {
    if (!message.topic_alias) {
        return message.topic;
    }
    std::string& known = aliases[*message.topic_alias];
    if (!message.topic.empty()) {
        known = message.topic;
    }
    return known;
}

/// More than a message grows by on its way: subscription identifiers, an expiry, a topic alias.
constexpr std::size_t grows_by = 64;

}  // namespace

duration client_ledger::span(duration at_broker) const {
    const double made = static_cast<double>(at_broker.count()) * options_.pace;
    return made >= 9e18 ? duration::max() : duration{static_cast<duration::rep>(made)};
}

instant client_ledger::after_seconds(instant from, std::uint32_t seconds) const {
    return saturating_add(from, span(std::chrono::seconds{seconds}));
}

void client_ledger::opened(std::uint32_t number, host_id host, instant now) {
    if (number >= links_.size()) {
        links_.resize(number + 1);
    }
    links_[number] = std::make_unique<link>();
    links_[number]->host = host;
    links_[number]->open = true;
    links_[number]->spoke_at = now;
}

void client_ledger::sent(std::uint32_t number, const wire_buffer& bytes, instant now) {
    pass_wills(now);
    link& by = *links_[number];
    judge_silence(by, now);
    by.spoke_at = now;
    bytes.for_each_part([&](bytes_view part) {
        frame in;
        while (!part.empty() && !by.unreadable) {
            const frame_result read = by.up.next(part, in, limits::packet_size_max);
            by.unreadable = read.broken != violation::none;
            if (!read.complete) {
                break;
            }
            take_up(number, by, in, now);
        }
    });
}

void client_ledger::received(std::uint32_t number, const wire_buffer& bytes, instant now) {
    pass_wills(now);
    link& by = *links_[number];
    bytes.for_each_part([&](bytes_view part) {
        frame in;
        while (!part.empty() && !by.unreadable) {
            const frame_result read = by.down.next(part, in, limits::packet_size_max);
            by.unreadable = read.broken != violation::none;  // the client will say so
            if (!read.complete) {
                break;
            }
            ++packets_;
            take_down(number, by, in, now);
        }
    });
}

void client_ledger::take_up(std::uint32_t number, link& by, const frame& in, instant now) {
    // Of a link that another one has taken over nothing is certain any more.
    const bool is_current = by.session != none && sessions_[by.session]->link == number;
    const auto decoded = [&](auto& out) {
        by.unreadable = decode(in, by.version, out) != violation::none;
        return !by.unreadable && is_current;
    };
    const auto answer = [&](auto out, bool completes) {
        if (!decoded(out)) {
            return;
        }
        session& of = *sessions_[by.session];
        if (record_down* const known = of.down.find(packet_key(out.packet_id))) {
            known->answered = true;
            if (completes || is_failure(out.code)) {
                of.down.remove(known);
            }
        }
    };
    switch (in.type()) {
        case packet_type::connect: {
            connect request;
            by.unreadable = decode(in, request) != violation::none;
            if (!by.unreadable) {
                connect_up(by, request, now);
            }
            return;
        }
        case packet_type::publish: {
            publish message;
            if (decoded(message)) {
                publish_up(by, message, topic_of(message, by.aliases_up), in.body.size(), now);
            }
            return;
        }
        // An answer may be lost with the link: its record stays, so that a resend is known.
        case packet_type::puback: answer(puback{}, false); return;
        case packet_type::pubrec: answer(pubrec{}, false); return;
        case packet_type::pubcomp: answer(pubcomp{}, true); return;
        case packet_type::pubrel: {
            pubrel release;
            if (decoded(release)) {
                session& of = *sessions_[by.session];
                if (record_up* const known = of.up.find(packet_key(release.packet_id))) {
                    known->epoch = of.epoch;
                    known->broker_owes = true;
                }
            }
            return;
        }
        case packet_type::subscribe: {
            subscribe request;
            if (decoded(request)) {
                subscribe_up(by, request);
            }
            return;
        }
        case packet_type::unsubscribe: {
            unsubscribe request;
            if (decoded(request)) {
                unsubscribe_up(by, request);
            }
            return;
        }
        case packet_type::disconnect: {
            disconnect farewell;
            if (decoded(farewell)) {
                by.farewell = farewell.code == reason_code::normal_disconnection;
                by.expiry = farewell.session_expiry_interval.value_or(by.expiry);
            }
            return;
        }
        default: return;
    }
}

void client_ledger::take_down(std::uint32_t number, link& by, const frame& in, instant now) {
    const bool is_current = by.session != none && (sessions_[by.session]->link == number ||
                                                   in.type() == packet_type::connack);
    const auto decoded = [&](auto& out) {
        by.unreadable = decode(in, by.version, out) != violation::none;
        return !by.unreadable && is_current;
    };
    switch (in.type()) {
        case packet_type::connack: {
            connack answer;
            if (decoded(answer)) {
                connack_down(number, by, answer, now);
            }
            return;
        }
        case packet_type::publish: {
            publish message;
            if (decoded(message)) {
                publish_down(by, message, topic_of(message, by.aliases_down), now);
            }
            return;
        }
        case packet_type::puback: {
            puback answer;
            if (decoded(answer)) {
                answered_up(by, answer.packet_id, answer.code, true);
            }
            return;
        }
        case packet_type::pubrec: {
            pubrec answer;
            if (decoded(answer)) {
                answered_up(by, answer.packet_id, answer.code, is_failure(answer.code));
            }
            return;
        }
        case packet_type::pubcomp: {
            pubcomp answer;
            if (decoded(answer)) {
                answered_up(by, answer.packet_id, reason_code::success, true);
            }
            return;
        }
        case packet_type::pubrel: {
            pubrel answer;
            if (decoded(answer)) {
                session& of = *sessions_[by.session];
                if (record_down* const known = of.down.find(packet_key(answer.packet_id))) {
                    known->released = true;
                    known->answered = false;  // PUBCOMP is the next word
                    known->epoch = of.epoch;
                }
            }
            return;
        }
        case packet_type::suback: {
            suback answer;
            if (decoded(answer)) {
                suback_down(by, answer);
            }
            return;
        }
        case packet_type::disconnect: {
            disconnect farewell;
            if (decoded(farewell)) {
                disconnect_down(by, farewell, now);
            }
            return;
        }
        default: return;
    }
}

// Publishers

void client_ledger::publish_up(link& by, const publish& message, std::string_view topic,
                               std::size_t size, instant now) {
    const auto tag = read_tag(find_tag(message));
    if (!tag || tag->run != options_.run) {
        if (message.retain) {
            doubt_retained(topic);
        }
        return;
    }
    session& of = *sessions_[by.session];
    if (message.qos != qos::at_most_once) {
        const auto [known, is_new] = of.up.insert(packet_key(message.packet_id));
        const std::uint64_t before = known->number;
        *known = {tag->number, of.epoch};
        if (!is_new && before != tag->number) {
            complete_publication(key_of(before), true);  // given up: it may be there, or not
        }
        if ((!is_new && before == tag->number) || message.dup) {
            sent_again_[key_of(tag->number)] = true;
            return;
        }
    }
    ++messages_;
    publication made;
    made.number = tag->number;
    made.topic = topic;
    made.retain = message.retain;
    if (message.message_expiry_interval) {
        made.expires_at = after_seconds(now, *message.message_expiry_interval);
    }
    if (message.retain) {
        retain_up(message, topic, tag->number);
    }
    expect(made, message.qos, by.session, size, now);
}

/// To whom a message is due that leaves now.
void client_ledger::expect(const publication& of, enum qos qos, std::uint32_t publisher,
                           std::size_t size, instant now) {
    if (qos == qos::at_most_once) {
        return;
    }
    receivers_.clear();
    subscriptions_.for_each_match(of.topic, [&](const ledger_subscriptions::subscription& each) {
        const session& to = *sessions_[each.session];
        const bool is_own = each.options.no_local && each.session == publisher;
        const bool fits = to.packet_max == 0 || size + grows_by <= to.packet_max;
        if (each.group == 0 && !is_own && each.options.qos != qos::at_most_once && fits &&
            to.sees_tags && surely_lives(to, now)) {
            receivers_.push_back(each.session);
        }
    });
    std::sort(receivers_.begin(), receivers_.end());
    receivers_.erase(std::unique(receivers_.begin(), receivers_.end()), receivers_.end());
    std::erase_if(receivers_, [&](std::uint32_t each) {
        beyond_queue_ += sessions_[each]->overflown;
        return sessions_[each]->overflown;
    });
    const std::uint64_t key = key_of(of.number);
    publication& made = *publications_.insert(key).first;
    made = of;
    made.outstanding = static_cast<std::uint32_t>(receivers_.size());
    for (const std::uint32_t each : receivers_) {
        session& to = *sessions_[each];
        *to.due.insert(key).first = of.number;
        if (to.due.size() > options_.queue_limit) {
            excuse(to, true);
        }
    }
}

void client_ledger::answered_up(link& by, std::uint16_t packet_id, reason_code code, bool is_last) {
    session& of = *sessions_[by.session];
    record_up* const known = of.up.find(packet_key(packet_id));
    if (known == nullptr) {
        return;  // of a message without a tag
    }
    known->epoch = of.epoch;
    known->broker_owes = false;
    if (!is_last) {
        return;
    }
    const std::uint64_t key = key_of(known->number);
    of.up.remove(known);
    complete_publication(key, is_failure(code));
}

void client_ledger::complete_publication(std::uint64_t key, bool failed) {
    if (publication* const about = publications_.find(key)) {
        about->complete = true;
        about->void_ = about->void_ || failed;
        if (about->retain) {
            retained_answered(*about, failed);
        }
        settle(key);
    }
}

void client_ledger::settle(std::uint64_t key) {
    publication* const about = publications_.find(key);
    if (about != nullptr && about->outstanding == 0 && (about->complete || about->void_)) {
        publications_.remove(about);
    }
}

}  // namespace fleetarium::sim::detail
