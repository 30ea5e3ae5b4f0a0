#include <fleetarium/feed/live_source.hpp>

#include <fleetarium/recording/world_recorder.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace fleetarium::feed {

namespace {

using broker::broker_event;
using event_kind = kept_event::kind;
using recording::recorded_state;

constexpr std::size_t watched_max = 4;
constexpr std::size_t watched_events_max = 20'000;
constexpr std::uint64_t losses_kept_per_tick = 1'000;
constexpr std::uint64_t one_in_max = 1 << 24;
constexpr double unfollowed_seconds = 2;

std::int64_t nanoseconds(instant at) { return at.time_since_epoch().count(); }

std::int64_t nanoseconds_of(seconds at) { return std::llround(std::clamp(at, -9e9, 9e9) * 1e9); }

std::size_t index_of(enum qos qos) { return static_cast<std::size_t>(qos); }

}  // namespace

live_source::live_source() { sums_.dropped.resize(broker::drop_reason_count); }

// ---------------------------------------------------------------------------- what happened

void live_source::note_message(std::uint32_t broker, std::uint32_t publisher,
                               const fleetarium::publish& message, std::uint64_t number, bool copy,
                               instant published, instant now) {
    if (tally_.takes_message(publisher, message, number, copy)) {
        return;
    }
    if (copy) {
        tally_.routing_qos = message.qos;
        ++tally_.of(message.qos).copies;
        if (kept_message* const known = kept(number)) {
            ++known->copies;
            known->last_copy = nanoseconds(now);
        }
        return;
    }
    const std::size_t size = message.payload.size();
    tally_.count_message(message.qos, size);
    const bool watched = !watched_.empty() && is_watched(publisher);
    const bool is_followed = tally_.follows(number);
    const std::uint64_t hash = topic_table::hash_of(message.topic);
    topic_table::id topic = topic_table::none;
    if (publisher == kept_message::nobody) {
        topic = topics_.find_or_add(message.topic, hash);
        topics_.count(topic, 1, size);
    } else {
        topic = count_published(publisher, message.topic, hash, size);
    }
    if (!is_followed && !watched) {
        return;
    }
    if (!is_followed) {
        tally_.add_message(number);
    }
    std::string properties;
    recording::write_properties(message, properties);
    kept_message& made =
        messages_.add(tally_.messages, number, message.topic, message.payload, properties);
    made.at = nanoseconds(now);
    made.published = published == instant::min() ? kept_delivery::not_yet : nanoseconds(published);
    made.publisher = publisher;
    made.broker = broker;
    made.qos = static_cast<std::uint8_t>(message.qos);
    made.retain = message.retain;
    topics_.note_newest(topic, {nanoseconds(now), publisher, made.qos, message.payload});
    if (watched) {
        note_event({.at = nanoseconds(now),
                    .client = publisher,
                    .what = event_kind::published,
                    .qos = made.qos,
                    .message = made.sequence,
                    .text = std::string(message.topic)});
    }
}

topic_table::id live_source::count_published(std::uint32_t publisher, std::string_view topic,
                                             std::uint64_t hash, std::size_t size) {
    // Most clients publish to one topic: its counts are brought over when somebody asks.
    client_cell& cell = cell_of(publisher);
    ++cell.published;
    if (!cell.has_topic || cell.topic_hash != hash) {
        count_topic_of(cell);
        cell.topic_hash = hash;
        cell.topic = topics_.find_or_add(topic, hash);
        cell.has_topic = true;
    }
    ++cell.uncounted;
    cell.uncounted_bytes += static_cast<std::uint32_t>(size);
    if (cell.uncounted_bytes > (1U << 31)) {
        count_topic_of(cell);
    }
    return cell.topic;
}

void live_source::count_touches(std::span<const touch> made) {
    for (const touch& each : made) {
        prefetch_cell(each.client);  // all are on their way before the first is needed
    }
    for (const touch& each : made) {
        if (each.is_message) {
            const std::string_view topic(each.topic.data(), each.topic_size);
            count_published(each.client, topic, topic_table::hash_of(topic), each.size);
        } else {
            ++cell_of(each.client).received;
            if (each.latency != touch::unknown) {
                ++latency_[latency_buckets::of(duration{each.latency})];
            }
        }
    }
}

kept_message* live_source::keep_loss(std::uint64_t number, std::string_view topic, enum qos qos,
                                     instant published, instant now) {
    // Looked up whatever the masks say: one that was kept when it was first lost is kept once.
    if (kept_message* const known = messages_.find(number)) {
        return known;
    }
    if (losses_kept_ >= losses_kept_per_tick) {
        return nullptr;
    }
    ++losses_kept_;
    kept_message& made = messages_.add(++tally_.messages, number, topic, {}, {});
    made.at = nanoseconds(now);
    made.published = published == instant::min() ? kept_delivery::not_yet : nanoseconds(published);
    made.qos = static_cast<std::uint8_t>(qos);
    made.is_part = true;
    made.was_routed = true;
    return &made;
}

void live_source::note_decision(std::uint32_t client, const broker_event& decision,
                                std::uint64_t number, bool is_copy) {
    using kind = broker_event::kind;
    if (tally_.takes_decision(client, decision, number, is_copy)) {
        return;
    }
    switch (decision.what) {
        case kind::repeated:
            ++tally_.of(qos::exactly_once).copies;
            if (kept_message* const known = kept(number)) {
                ++known->copies;
                known->last_copy = nanoseconds(decision.at);
            }
            return;
        case kind::routed:
            tally_.count_routed(decision, is_copy);
            if (!is_copy) {
                if (kept_message* const known = kept(number)) {
                    known->was_routed = true;
                }
            }
            return;
        case kind::retained:
        case kind::retained_removed: {
            const std::uint64_t hash = topic_table::hash_of(decision.topic);
            topics_.set_retained(topics_.find_or_add(decision.topic, hash),
                                 decision.what == kind::retained);
            return;
        }
        case kind::queued: {
            ++tally_.of(decision.qos).deliveries;
            sums_.queued_max = std::max(sums_.queued_max, static_cast<std::uint64_t>(++queued_));
            if (client != kept_message::nobody) {
                ++cell_of(client).backlog;
            }
            if (kept_message* const known = kept(number)) {
                if (kept_delivery* const made =
                        messages_.delivery_to(*known, client, true, nanoseconds(decision.at))) {
                    made->qos = static_cast<std::uint8_t>(decision.qos);
                }
            }
            break;
        }
        case kind::sent: {
            const bool again = decision.flag;
            tally_.count_sent(decision);
            queued_ -= !again && decision.known;
            const bool ends = decision.qos == qos::at_most_once;
            bool tells = false;
            if (client != kept_message::nobody) {
                if (!again && decision.known) {
                    client_cell& cell = cell_of(client);
                    cell.backlog -= cell.backlog != 0;
                }
                tells = tells_what_it_receives(client);
                if (ends && !tells) {
                    ++tally_.of(decision.qos).delivered;
                    ++cell_of(client).received;
                }
            }
            if (kept_message* const known = kept(number)) {
                kept_delivery* const to = messages_.delivery_to(*known, client, !decision.known,
                                                                nanoseconds(decision.at));
                known->resent += again;
                if (to != nullptr) {
                    to->qos = static_cast<std::uint8_t>(decision.qos);
                    to->state = ends ? recorded_state::sent : recorded_state::in_flight;
                    if (again) {
                        ++to->resent;
                        to->last_resent = nanoseconds(decision.at);
                    } else {
                        to->sent = nanoseconds(decision.at);
                    }
                    if (ends && !tells) {
                        to->ended = nanoseconds(decision.at);
                        ++known->ended;
                        ++known->delivered;
                    }
                }
            }
            break;
        }
        case kind::acknowledged: {
            tally_.count_acknowledged(decision);
            const bool rejected = is_failure(decision.code);
            if (client != kept_message::nobody && !tells_what_it_receives(client)) {
                ++tally_.of(decision.qos).delivered;
                ++cell_of(client).received;
                const duration latency = decision.at - decision.identity.published_at;
                if (decision.identity.published_at != instant::min() && latency >= duration{}) {
                    ++latency_[latency_buckets::of(latency)];
                }
            }
            if (kept_message* const known = kept(number)) {
                if (kept_delivery* const to = messages_.delivery_to(*known, client, false, 0)) {
                    known->delivered += to->received == kept_delivery::not_yet && !rejected;
                    to->ended = nanoseconds(decision.at);
                    to->state = rejected ? recorded_state::rejected : recorded_state::delivered;
                    to->code = static_cast<std::uint8_t>(decision.code);
                }
                ++known->ended;
            }
            break;
        }
        case kind::dropped: note_drop(decision, client, number); break;
        default: note_client(decision, client); return;
    }
    if (!watched_.empty() && is_watched(client)) {
        kept_message* const known = kept(number);
        note_event({.at = nanoseconds(decision.at),
                    .client = client,
                    .what = decision.what == kind::queued         ? event_kind::queued
                            : decision.what == kind::acknowledged ? event_kind::acknowledged
                            : decision.what == kind::dropped      ? event_kind::dropped
                            : decision.flag                       ? event_kind::resent
                                                                  : event_kind::sent,
                    .qos = static_cast<std::uint8_t>(decision.qos),
                    .message = known == nullptr ? 0 : known->sequence,
                    .text = decision.what == kind::dropped
                                ? std::string(broker::name_of(decision.why))
                                : std::string(decision.topic)});
    }
}

void live_source::note_drop(const broker_event& decision, std::uint32_t client,
                            std::uint64_t number) {
    ++sums_.dropped[static_cast<std::size_t>(decision.why)];
    const bool of_delivery = decision.session != broker::no_session;
    const bool refused = !of_delivery && decision.identity.number == 0;
    if (of_delivery) {
        ++sums_.qos[index_of(decision.qos)].dropped;
        tally_.of(decision.qos).deliveries += !decision.known;
        tally_.in_flight -= decision.flag;
        queued_ -= decision.known && !decision.flag;
        if (client != kept_message::nobody) {
            client_cell& cell = cell_of(client);
            ++cell.losses;
            cell.backlog -= decision.known && !decision.flag && cell.backlog != 0;
        }
    } else if (client != kept_message::nobody && refused) {
        ++cell_of(client).losses;
    }
    if (decision.why == broker::drop_reason::no_subscriber && !tally_.follows(number)) {
        return;  // the commonest, and no loss
    }
    kept_message* const known =
        keep_loss(refused ? ~tally_.messages : number, decision.topic, decision.qos,
                  refused ? decision.at : decision.identity.published_at, decision.at);
    if (known == nullptr) {
        return;
    }
    if (known->reason == broker::drop_reason::none) {
        known->reason = decision.why;
    }
    if (refused) {
        known->was_refused = true;
        known->publisher = client;
        return;
    }
    if (!of_delivery) {
        known->was_routed = true;
        return;
    }
    kept_delivery* const to = messages_.delivery_to(
        *known, client, !decision.known || known->is_part, nanoseconds(decision.at));
    ++known->ended;
    if (to != nullptr) {
        to->qos = static_cast<std::uint8_t>(decision.qos);
        to->state = recorded_state::dropped;
        to->reason = decision.why;
        to->ended = nanoseconds(decision.at);
    }
}

void live_source::note_client(const broker_event& decision, std::uint32_t client) {
    using kind = broker_event::kind;
    kept_event happened{.at = nanoseconds(decision.at), .client = client};
    switch (decision.what) {
        case kind::connected:
            happened.what = event_kind::connected;
            happened.text = decision.flag ? "session present" : "";
            ++sums_.connects;
            ++sums_.connected;
            break;
        case kind::refused:
            happened.what = event_kind::refused;
            happened.text = decision.broken != violation::none
                                ? fleetarium::describe(decision.broken).phrase
                                : fleetarium::name_of(decision.code);
            ++sums_.connects_refused;
            break;
        case kind::disconnected:
            happened.what = event_kind::disconnected;
            happened.text = decision.broken != violation::none
                                ? fleetarium::describe(decision.broken).phrase
                            : decision.flag ? "the network closed it"
                                            : fleetarium::name_of(decision.code);
            ++sums_.disconnects;
            sums_.connected -= sums_.connected != 0;
            break;
        case kind::session_ended: happened.what = event_kind::session_ended; break;
        case kind::subscribed:
        case kind::unsubscribed:
            happened.what = decision.what == kind::subscribed ? event_kind::subscribed
                                                              : event_kind::unsubscribed;
            happened.text = decision.topic;
            if (is_failure(decision.code)) {
                happened.text += ": " + std::string(fleetarium::name_of(decision.code));
            }
            break;
        case kind::will_published: happened.what = event_kind::will; break;
        default: return;
    }
    if (client != kept_message::nobody) {
        client_cell& cell = cell_of(client);
        if (decision.what == kind::connected) {
            ++cell.connects;
            set_state(client, cell, device_state::connected, decision.at);
        } else if (decision.what == kind::refused && cell.state != device_state::connected) {
            set_state(client, cell, device_state::refused, decision.at);
        } else if (decision.what == kind::disconnected) {
            set_state(client, cell, device_state::offline, decision.at);
        }
    }
    note_event(std::move(happened));
}

void live_source::set_state(std::uint32_t client, client_cell& cell, device_state state,
                            instant now) {
    if (cell.state == state) {
        return;
    }
    clients_changed_ = std::max(clients_changed_, client + std::size_t{1});
    const std::size_t most =
        std::clamp(clients_changed_ * changes_per_client, changes_min, changes_max);
    if (changes_.size() >= most) {
        changes_.pop_front();
        forgot_changes_ = true;
    }
    changes_.push_back({nanoseconds(now), client, cell.state, state});
    cell.state = state;
}

void live_source::note_received(std::uint32_t client, std::uint64_t number, enum qos qos,
                                bool repeated, instant published, instant now) {
    if (tally_.takes_received(client, number, qos, repeated, published, now)) {
        return;
    }
    if (!repeated) {
        tally_.count_received(client, qos, published, now);
    }
    if (kept_message* const known = kept(number)) {
        if (kept_delivery* const to = messages_.delivery_to(*known, client, false, 0)) {
            if (repeated) {
                ++to->copies;
            } else if (to->received == kept_delivery::not_yet) {
                to->received = nanoseconds(now);
                ++known->delivered;
                if (qos == qos::at_most_once && !to->has_ended()) {
                    to->state = recorded_state::delivered;
                    to->ended = nanoseconds(now);
                    ++known->ended;
                }
            }
        }
    }
    if (!watched_.empty() && is_watched(client)) {
        kept_message* const known = kept(number);
        note_event({.at = nanoseconds(now),
                    .client = client,
                    .what = event_kind::received,
                    .qos = static_cast<std::uint8_t>(qos),
                    .message = known == nullptr ? 0 : known->sequence,
                    .text = known == nullptr ? std::string() : known->topic});
    }
}

void live_source::note_completed(std::uint32_t publisher, std::uint64_t number, enum qos qos,
                                 instant now) {
    if (tally_.takes_completed(publisher, number, qos)) {
        return;
    }
    ++tally_.of(qos).completed;
    kept_message* const known = kept(number);
    if (known != nullptr) {
        known->completed = nanoseconds(now);
    }
    if (!watched_.empty() && is_watched(publisher)) {
        note_event({.at = nanoseconds(now),
                    .client = publisher,
                    .what = event_kind::completed,
                    .message = known == nullptr ? 0 : known->sequence,
                    .text = known == nullptr ? std::string() : known->topic});
    }
}

void live_source::note_lost(std::uint32_t client, std::uint64_t number, instant now) {
    ++sums_.qos[0].lost;
    ++cell_of(client).losses;
    kept_message* const known = keep_loss(number, {}, qos::at_most_once, instant::min(), now);
    if (known == nullptr) {
        return;
    }
    known->was_lost = true;
    ++known->ended;
    if (kept_delivery* const to =
            messages_.delivery_to(*known, client, known->is_part, nanoseconds(now))) {
        to->state = recorded_state::lost;
        to->ended = nanoseconds(now);
    }
}

void live_source::note_fault(const fault_row& what, bool ends) {
    constexpr std::size_t faults_max = 2'000;
    bool healed = false;
    if (!ends || what.until) {  // of one that happens at once only this is told
        const auto open = std::find_if(
            faults_.rbegin(), faults_.rend(),
            [&](const fault_row& each) { return each.fault == what.fault && !each.until; });
        if (ends && open != faults_.rend()) {
            open->until = what.until;
            --faults_active_;
            healed = true;
        } else {
            faults_.push_back(what);
            faults_active_ += !ends;
            if (faults_.size() > faults_max) {
                const auto over = std::find_if(faults_.begin(), faults_.end(),
                                               [](const fault_row& each) { return each.until; });
                faults_.erase(over == faults_.end() ? faults_.begin() : over);
            }
        }
    }
    note_event({.at = nanoseconds_of(ends ? *what.until : what.from),
                .what = healed ? event_kind::healed : event_kind::fault,
                .text = what.name + (what.where.empty() ? "" : " (" + what.where + ")")});
}

void live_source::note_event(kept_event happened) {
    constexpr std::size_t text_max = 4'000;
    if (happened.text.size() > text_max) {
        std::size_t size = text_max;
        while (size != 0 && (static_cast<unsigned char>(happened.text[size]) & 0xC0U) == 0x80U) {
            --size;  // no half character
        }
        happened.text.resize(size);
        happened.text.shrink_to_fit();
    }
    const bool of_traffic =
        happened.what >= event_kind::published && happened.what <= event_kind::lost;
    if (of_traffic || is_watched(happened.client)) {
        watched_events_.push_back(happened);
        if (watched_events_.size() > watched_events_max) {
            watched_events_.pop_front();
        }
    }
    if (of_traffic) {
        return;
    }
    events_.push_back(std::move(happened));
    if (events_.size() > events_max) {
        events_.pop_front();
        ++events_forgotten_;
    }
}

bool live_source::is_watched(std::uint32_t client) const {
    return since_watched(client) != nullptr;
}

const instant* live_source::since_watched(std::uint32_t client) const {
    const auto found =
        std::find_if(watched_.begin(), watched_.end(),
                     [client](const watched_client& each) { return each.client == client; });
    return found == watched_.end() ? nullptr : &found->since;
}

void live_source::watch(std::uint32_t client) {
    if (is_watched(client)) {
        return;
    }
    if (watched_.size() >= watched_max) {
        const std::uint32_t gone = watched_.front().client;
        watched_.erase(watched_.begin());
        std::erase_if(watched_events_,
                      [gone](const kept_event& each) { return each.client == gone; });
    }
    watched_.push_back({client, present()});
    std::vector<std::uint32_t> clients;
    for (const watched_client& each : watched_) {
        clients.push_back(each.client);
    }
    tally_.set_clients(clients);
}

// ------------------------------------------------------------------------------- in time

void live_source::tick(double wall, bool paused) {
    const instant now = present();
    const double passed = wall - wall_;
    wall_ = wall;
    if (passed > 0) {
        speed_ = in_seconds(now) - in_seconds(at_tick_);
        speed_ /= passed;
        const double rate = static_cast<double>(tally_.messages - messages_at_tick_) / passed;
        std::uint64_t one_in = tally_.follows_one_in();
        const auto followed = [&] { return rate / static_cast<double>(one_in); };
        if (followed() > followed_per_second) {
            while (followed() > followed_per_second && one_in < one_in_max) {
                one_in *= 2;
            }
            tally_.follow_one_in(one_in);
            has_thinned_ = true;
            note_unfollowed();
        } else if (one_in > 1 && followed() < followed_per_second / 4) {
            tally_.follow_one_in(one_in / 2);
        }
        if (tally_.has_other_messages() && wall - unfollowed_at_ >= unfollowed_seconds) {
            note_unfollowed();
        }
    }
    at_tick_ = now;
    messages_at_tick_ = tally_.messages;
    losses_kept_ = 0;
    paused_ = paused;

    feed::totals point = now_totals();
    if (!points_.empty() && point.at == points_.back().at) {
        points_.back() = std::move(point);  // time stands, but somebody may have acted
    } else if (points_.empty() || point.at > points_.back().at) {
        // The newest point moves until it is far enough from the one before it.
        if (points_.size() >= 2 && point.at - points_[points_.size() - 2].at < point_spacing_) {
            points_.back() = std::move(point);
        } else {
            points_.push_back(std::move(point));
        }
    }
    if (points_.size() >= points_max) {
        std::size_t kept_points = 0;
        for (std::size_t i = 0; i < points_.size(); i += 2) {
            points_[kept_points++] = std::move(points_[i]);
        }
        points_.resize(kept_points);
        point_spacing_ =
            (points_.back().at - points_.front().at) / static_cast<double>(points_max / 2);
    }
}

/// Those that are followed already are followed to their end.
void live_source::note_unfollowed() {
    tally_.clear_messages();
    messages_.for_each_newest([this](const kept_message& each) {
        const bool is_under_way =
            each.state() == message_state::under_way ||
            (each.qos != 0 && each.completed == kept_delivery::not_yet && !each.is_part);
        if (is_under_way && !tally_.follows(each.number)) {
            tally_.add_message(each.number);
        }
        return true;
    });
    unfollowed_at_ = wall_;
}

void live_source::note_end() { ended_ = true; }

feed::totals live_source::now_totals() {
    count_touches();  // latencies are among them
    feed::totals out = sums_;
    for (std::size_t i = 0; i < out.qos.size(); ++i) {
        const sim::message_tally::qos_counts& counts = tally_.of(static_cast<enum qos>(i));
        out.qos[i].published = counts.published;
        out.qos[i].copies = counts.copies;
        out.qos[i].routed = counts.routed;
        out.qos[i].completed = counts.completed;
        out.qos[i].deliveries = counts.deliveries;
        out.qos[i].sent = counts.sent;
        out.qos[i].resent = counts.resent;
        out.qos[i].delivered = counts.delivered;
        out.qos[i].acknowledged = counts.acknowledged;
    }
    out.payload_bytes_in = tally_.payload_bytes_in;
    out.payload_bytes_out = tally_.payload_bytes_out;
    out.at = in_seconds(present());
    out.wall = wall_;
    out.speed = paused_ || ended_ ? 0 : speed_;
    out.paused = paused_;
    out.ended = ended_;
    out.queued = static_cast<std::uint64_t>(std::max<std::int64_t>(queued_, 0));
    out.in_flight = static_cast<std::uint64_t>(std::max<std::int64_t>(tally_.in_flight, 0));
    out.in_flight_max = static_cast<std::uint64_t>(tally_.in_flight_max);
    out.faults_active = faults_active_;
    out.latency = latency_buckets::trimmed(latency_);
    complete(out);
    return out;
}

feed::totals live_source::totals(const totals_question& asked) {
    if (!asked.at || points_.empty() || *asked.at >= points_.back().at) {
        return now_totals();
    }
    const auto after =
        std::upper_bound(points_.begin(), points_.end(), *asked.at,
                         [](seconds wanted, const feed::totals& each) { return wanted < each.at; });
    return after == points_.begin() ? points_.front() : *std::prev(after);
}

history_answer live_source::history(const history_question& asked) {
    if (asked.points < 2 || asked.points > 4'000) {
        throw feed_error(feed_error::kind::bad_question, "points: expected 2 to 4,000");
    }
    const seconds from = asked.from.value_or(0);
    const seconds until = asked.until.value_or(1e300);
    auto begin =
        std::lower_bound(points_.begin(), points_.end(), from,
                         [](const feed::totals& each, seconds wanted) { return each.at < wanted; });
    if (begin != points_.begin()) {
        --begin;  // so that the first rate has something to count from
    }
    auto end =
        std::upper_bound(begin, points_.end(), until,
                         [](seconds wanted, const feed::totals& each) { return wanted < each.at; });
    if (end != points_.end()) {
        ++end;
    }
    history_answer out;
    const auto all = static_cast<std::size_t>(end - begin);
    const std::size_t wanted = std::min<std::size_t>(asked.points, all);
    for (std::size_t i = 0; i < wanted; ++i) {
        const std::size_t which = wanted < 2 ? 0 : i * (all - 1) / (wanted - 1);
        out.points.push_back(begin[static_cast<std::ptrdiff_t>(which)]);
    }
    return out;
}

}  // namespace fleetarium::feed
