#include <fleetarium/feed/live_source.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/recording/world_recorder.hpp>

#include <algorithm>
#include <utility>

namespace fleetarium::feed {

namespace {

using broker::broker_event;
using event_kind = kept_event::kind;

constexpr std::size_t watched_max = 4;
constexpr std::size_t watched_events_max = 20'000;
constexpr std::uint64_t losses_kept_per_tick = 1'000;
constexpr double look_back_seconds = 30;

std::int64_t nanoseconds(instant at) { return at.time_since_epoch().count(); }

std::size_t index_of(enum qos qos) { return static_cast<std::size_t>(qos); }

}  // namespace

// ---------------------------------------------------------------------------- what happened

void live_source::note_message(std::uint32_t broker, std::uint32_t publisher,
                               const fleetarium::publish& message, std::uint64_t number, bool copy,
                               instant published, instant now) {
    qos_totals& of = sums_.qos[index_of(message.qos)];
    routing_qos_ = static_cast<std::uint8_t>(message.qos);
    if (copy) {
        ++of.copies;
        if (kept_message* const known = kept(number)) {
            ++known->copies;
            known->last_copy = nanoseconds(now);
        }
        return;
    }
    ++of.published;
    ++sequence_;
    const std::size_t size = message.payload.size();
    routing_size_ = size;
    sums_.payload_bytes_in += size;

    topic_table::id topic = topic_table::none;
    const std::uint64_t hash = topic_table::hash_of(message.topic);
    if (publisher != kept_message::nobody) {
        // Most clients publish to one topic: its counts are brought over when somebody asks.
        client_cell& cell = cell_of(publisher);
        ++cell.published;
        if (!cell.has_topic || cell.topic_hash != hash) {
            if (cell.uncounted != 0) {
                topics_.count(cell.topic, cell.uncounted, cell.uncounted_bytes);
            }
            cell.topic_hash = hash;
            cell.topic = topics_.find_or_add(message.topic, hash);
            cell.has_topic = true;
            cell.uncounted = 0;
            cell.uncounted_bytes = 0;
        }
        topic = cell.topic;
        ++cell.uncounted;
        cell.uncounted_bytes += static_cast<std::uint32_t>(size);
        if (cell.uncounted_bytes > (1U << 31)) {
            topics_.count(cell.topic, cell.uncounted, cell.uncounted_bytes);
            cell.uncounted = 0;
            cell.uncounted_bytes = 0;
        }
    } else {
        topic = topics_.find_or_add(message.topic, hash);
        topics_.count(topic, 1, size);
    }
    const bool watched = !watched_.empty() && is_watched(publisher);
    if (!is_followed(number) && !watched) {
        return;
    }
    std::string properties;
    recording::write_properties(message, properties);
    kept_message& made =
        messages_.add(sequence_, number, message.topic, message.payload, properties);
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
                    .message = sequence_,
                    .text = std::string(message.topic)});
    }
}

kept_message* live_source::kept(std::uint64_t number) {
    return may_be_kept(number) || !watched_.empty() ? messages_.find(number) : nullptr;
}

kept_message* live_source::keep_loss(std::uint64_t number, std::string_view topic, enum qos qos,
                                     instant published, instant now) {
    if (kept_message* const known = kept(number)) {
        return known;
    }
    if (losses_kept_ >= losses_kept_per_tick) {
        return nullptr;
    }
    ++losses_kept_;
    kept_message& made = messages_.add(++sequence_, number, topic, {}, {});
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
    switch (decision.what) {
        case kind::received: return;
        case kind::repeated:
            ++sums_.qos[index_of(qos::exactly_once)].copies;
            if (kept_message* const known = kept(number)) {
                ++known->copies;
                known->last_copy = nanoseconds(decision.at);
            }
            return;
        case kind::routed:
            if (!is_copy) {
                sums_.qos[routing_qos_].routed += decision.count != 0;
                sums_.payload_bytes_out += routing_size_ * decision.count;
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
            ++sums_.qos[index_of(decision.qos)].deliveries;
            ++queued_;
            if (client != kept_message::nobody) {
                ++cell_of(client).backlog;
            }
            if (kept_message* const known = kept(number)) {
                if (kept_delivery* const made =
                        delivery_to(*known, client, true, nanoseconds(decision.at))) {
                    made->qos = static_cast<std::uint8_t>(decision.qos);
                }
            }
            break;
        }
        case kind::sent: {
            qos_totals& of = sums_.qos[index_of(decision.qos)];
            const bool again = decision.flag;
            of.deliveries += !decision.known;
            ++(again ? of.resent : of.sent);
            if (!again) {
                queued_ -= decision.known;
                in_flight_ += decision.qos != qos::at_most_once;
            }
            const bool ends = decision.qos == qos::at_most_once;
            bool tells = false;
            if (client != kept_message::nobody) {
                client_cell& cell = cell_of(client);
                cell.backlog -= !again && decision.known && cell.backlog != 0;
                tells = cell.tells;
                if (ends && !tells) {
                    ++of.delivered;
                    ++cell.received;
                }
            }
            if (kept_message* const known = kept(number)) {
                kept_delivery* const to =
                    delivery_to(*known, client, !decision.known, nanoseconds(decision.at));
                known->resent += again;
                if (to != nullptr) {
                    to->qos = static_cast<std::uint8_t>(decision.qos);
                    to->state = ends ? kept_delivery::state::sent : kept_delivery::state::in_flight;
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
            qos_totals& of = sums_.qos[index_of(decision.qos)];
            ++of.acknowledged;
            --in_flight_;
            const bool rejected = is_failure(decision.code);
            if (client != kept_message::nobody && !cell_of(client).tells) {
                ++of.delivered;
                ++cell_of(client).received;
                const duration latency = decision.at - decision.identity.published_at;
                if (decision.identity.published_at != instant::min() && latency >= duration{}) {
                    ++latency_[latency_buckets::of(latency)];
                }
            }
            if (kept_message* const known = kept(number)) {
                if (kept_delivery* const to = delivery_to(*known, client, false, 0)) {
                    known->delivered += to->received == kept_delivery::not_yet && !rejected;
                    to->ended = nanoseconds(decision.at);
                    to->state =
                        rejected ? kept_delivery::state::rejected : kept_delivery::state::delivered;
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
        qos_totals& of = sums_.qos[index_of(decision.qos)];
        ++of.dropped;
        of.deliveries += !decision.known;
        in_flight_ -= decision.flag;
        queued_ -= decision.known && !decision.flag;
        if (client != kept_message::nobody) {
            client_cell& cell = cell_of(client);
            ++cell.losses;
            cell.backlog -= decision.known && !decision.flag && cell.backlog != 0;
        }
    } else if (client != kept_message::nobody && refused) {
        ++cell_of(client).losses;
    }
    if (decision.why == broker::drop_reason::no_subscriber && !is_followed(number)) {
        return;  // the commonest, and no loss
    }
    kept_message* const known =
        keep_loss(refused ? ~sequence_ : number, decision.topic, decision.qos,
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
    kept_delivery* const to =
        delivery_to(*known, client, !decision.known || known->is_part, nanoseconds(decision.at));
    ++known->ended;
    if (to != nullptr) {
        to->qos = static_cast<std::uint8_t>(decision.qos);
        to->state = kept_delivery::state::dropped;
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
        } else if (decision.what == kind::refused) {
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
    if (changes_.size() >= changes_max) {
        changes_.pop_front();
        forgot_changes_ = true;
    }
    changes_.push_back({nanoseconds(now), client, cell.state, state});
    cell.state = state;
}

void live_source::note_received(std::uint32_t client, std::uint64_t number, enum qos qos,
                                bool repeated, instant published, instant now) {
    if (!repeated) {
        ++sums_.qos[index_of(qos)].delivered;
        ++cell_of(client).received;
        if (published != instant::min()) {
            ++latency_[latency_buckets::of(now - published)];
        }
    }
    if (kept_message* const known = kept(number)) {
        if (kept_delivery* const to = delivery_to(*known, client, false, 0)) {
            if (repeated) {
                ++to->copies;
            } else if (to->received == kept_delivery::not_yet) {
                to->received = nanoseconds(now);
                ++known->delivered;
                if (qos == qos::at_most_once && !to->has_ended()) {
                    to->state = kept_delivery::state::delivered;
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
    ++sums_.qos[index_of(qos)].completed;
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
    if (kept_delivery* const to = delivery_to(*known, client, known->is_part, nanoseconds(now))) {
        to->state = kept_delivery::state::lost;
        to->ended = nanoseconds(now);
    }
}

void live_source::note_fault(const fault_row& what, bool ends) {
    constexpr std::size_t faults_max = 2'000;
    if (!ends || what.until) {  // of one that happens at once only this is told
        const auto open = std::find_if(
            faults_.rbegin(), faults_.rend(),
            [&](const fault_row& each) { return each.fault == what.fault && !each.until; });
        if (ends && open != faults_.rend()) {
            open->until = what.until;
            --faults_active_;
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
    note_event({.at = static_cast<std::int64_t>((ends ? *what.until : what.from) * 1e9),
                .what = ends && what.from != *what.until ? event_kind::healed : event_kind::fault,
                .text = what.name + (what.where.empty() ? "" : " (" + what.where + ")")});
}

void live_source::note_event(kept_event happened) {
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
    return std::find(watched_.begin(), watched_.end(), client) != watched_.end();
}

void live_source::watch(std::uint32_t client) {
    if (is_watched(client)) {
        return;
    }
    if (watched_.size() >= watched_max) {
        watched_.erase(watched_.begin());
    }
    watched_.push_back(client);
    watched_since_ = present();
}

// ------------------------------------------------------------------------------- in time

void live_source::tick(double wall, bool paused) {
    const instant now = present();
    const double passed = wall - wall_;
    if (passed > 0) {
        speed_ = in_seconds(now) - in_seconds(at_tick_);
        speed_ /= passed;
        const double rate = static_cast<double>(sequence_ - messages_at_tick_) / passed;
        const auto one_in = static_cast<double>(follow_mask_ + 1);
        if (rate / one_in > followed_per_second) {
            while (rate / static_cast<double>(follow_mask_ + 1) > followed_per_second &&
                   follow_mask_ < 0xFF'FFFF) {
                follow_mask_ = follow_mask_ << 1 | 1;
            }
        } else if (follow_mask_ != 0 && rate / one_in < followed_per_second / 4) {
            follow_mask_ >>= 1;
            look_mask_ = std::min(look_mask_, follow_mask_);
            look_mask_until_ = wall + look_back_seconds;
        }
        if (wall >= look_mask_until_ && look_mask_ != follow_mask_) {
            look_mask_ = follow_mask_;
            look_mask_until_ = wall + look_back_seconds;
        }
    }
    wall_ = wall;
    at_tick_ = now;
    messages_at_tick_ = sequence_;
    losses_kept_ = 0;
    paused_ = paused;

    if (sums_.dropped.empty()) {
        sums_.dropped.resize(broker::drop_reason_count);
    }
    feed::totals point = now_totals();
    if (points_.empty() || point.at > points_.back().at) {
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

void live_source::note_end() { ended_ = true; }

feed::totals live_source::now_totals() {
    feed::totals out = sums_;
    if (out.dropped.empty()) {
        out.dropped.resize(broker::drop_reason_count);
    }
    out.at = in_seconds(present());
    out.wall = wall_;
    out.speed = paused_ || ended_ ? 0 : speed_;
    out.paused = paused_;
    out.ended = ended_;
    out.queued = static_cast<std::uint64_t>(std::max<std::int64_t>(queued_, 0));
    out.in_flight = static_cast<std::uint64_t>(std::max<std::int64_t>(in_flight_, 0));
    sums_.queued_max = out.queued_max = std::max(sums_.queued_max, out.queued);
    sums_.in_flight_max = out.in_flight_max = std::max(sums_.in_flight_max, out.in_flight);
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

// ------------------------------------------------------------------------------- answers

void live_source::require_present(const std::optional<seconds>& at) const {
    if (at && *at < in_seconds(present())) {
        throw feed_error(feed_error::kind::not_possible,
                         "a live run keeps no more than its present of this: --record keeps "
                         "all, and fleetarium dashboard --open shows it");
    }
}

std::vector<device_state> live_source::states_at(seconds at, std::size_t clients) {
    std::vector<device_state> out(clients);
    for (std::uint32_t i = 0; i < clients; ++i) {
        out[i] = cell_of(i).state;
    }
    const auto then = static_cast<std::int64_t>(at * 1e9);
    for (auto each = changes_.rbegin(); each != changes_.rend() && each->at > then; ++each) {
        if (each->client < out.size()) {
            out[each->client] = each->before;
        }
    }
    return out;
}

seconds live_source::shown_at(seconds asked) const {
    return forgot_changes_ && !changes_.empty()
               ? std::max(asked, static_cast<double>(changes_.front().at) * 1e-9)
               : asked;
}

device_look live_source::look_of(const client_cell& cell, device_state state, measure show) {
    device_look out{state, 0};
    switch (show) {
        case measure::none: break;
        case measure::messages: out.measure = std::uint64_t{cell.published} + cell.received; break;
        case measure::backlog: out.measure = cell.backlog; break;
        case measure::losses: out.measure = cell.losses; break;
    }
    return out;
}

void live_source::add_session(const broker::broker_core& core, const std::string& client_id,
                              device_answer& to) {
    const auto session = core.find_session(client_id);
    if (!session) {
        return;
    }
    if (session->connection != broker::no_connection) {
        to.protocol = static_cast<std::uint8_t>(core.describe_client(session->connection).version);
    }
    constexpr std::size_t subscriptions_max = 500;
    for (const auto filter : core.sessions()[session->index].filters.view()) {
        const broker::subscription* const held = core.subscriptions().find(filter, session->index);
        if (held != nullptr && to.subscriptions.size() < subscriptions_max) {
            to.subscriptions.push_back({std::string(core.subscriptions().text(filter)),
                                        static_cast<std::uint8_t>(held->options.qos)});
        }
    }
}

party_names live_source::names() const {
    return {[this](std::uint32_t client) {
                return client == kept_message::nobody ? std::string() : name_of(client);
            },
            [this](std::uint32_t broker) { return broker_name(broker); }};
}

timeline_answer live_source::timeline(const timeline_question& asked) {
    timeline_answer out;
    for (const fault_row& each : faults_) {
        if (!asked.at || each.from <= *asked.at) {
            out.faults.push_back(each);
        }
    }
    for (violation_row& each : violations()) {
        if (!asked.at || each.at <= *asked.at) {
            out.violations.push_back(std::move(each));
        }
    }
    constexpr std::size_t marks_max = 500;
    for (auto each = events_.rbegin(); each != events_.rend() && out.marks.size() < marks_max;
         ++each) {
        if (each->what >= event_kind::annotation &&
            (!asked.at || static_cast<double>(each->at) * 1e-9 <= *asked.at)) {
            out.marks.push_back(row_of_event(*each));
        }
    }
    std::reverse(out.marks.begin(), out.marks.end());
    return out;
}

event_row live_source::row_of_event(const kept_event& happened) const {
    return row_of_event(happened, happened.client == kept_message::nobody
                                      ? std::string()
                                      : name_of(happened.client));
}

event_row live_source::row_of_event(const kept_event& happened, const std::string& name) const {
    static constexpr std::array<std::string_view, 22> kinds{
        "connected", "refused",      "disconnected", "subscribed", "unsubscribed", "session_ended",
        "will",      "published",    "copy",         "queued",     "sent",         "resent",
        "received",  "acknowledged", "completed",    "dropped",    "lost",         "fault",
        "healed",    "violation",    "annotation",   "command"};
    event_row out;
    out.at = static_cast<double>(happened.at) * 1e-9;
    out.what = kinds[static_cast<std::size_t>(happened.what)];
    out.who = name;
    if (happened.message != 0) {
        out.message = happened.message;
    }
    if (happened.qos != 0xFF) {
        out.qos = happened.qos;
    }
    const bool has_topic =
        happened.what == event_kind::subscribed || happened.what == event_kind::unsubscribed ||
        (happened.what >= event_kind::published && happened.what <= event_kind::completed);
    (has_topic ? out.topic : out.text) = happened.text;
    return out;
}

log_answer live_source::log(const log_question& asked) {
    if (asked.limit == 0 || asked.limit > 2'000) {
        throw feed_error(feed_error::kind::bad_question, "limit: expected 1 to 2,000");
    }
    log_answer out;
    out.forgotten = events_forgotten_;
    for (auto each = events_.rbegin(); each != events_.rend() && out.rows.size() < asked.limit;
         ++each) {
        if (asked.at && static_cast<double>(each->at) * 1e-9 > *asked.at) {
            continue;
        }
        if (!asked.connections && each->what <= event_kind::session_ended) {
            continue;
        }
        event_row row = row_of_event(*each);
        if (!asked.search.empty() && row.what.find(asked.search) == std::string::npos &&
            row.who.find(asked.search) == std::string::npos &&
            row.topic.find(asked.search) == std::string::npos &&
            row.text.find(asked.search) == std::string::npos) {
            continue;
        }
        out.rows.push_back(std::move(row));
    }
    std::reverse(out.rows.begin(), out.rows.end());
    return out;
}

void live_source::count_topics() {
    for_each_client([this](std::uint32_t, const client_cell& cell) {
        auto& open = const_cast<client_cell&>(cell);
        if (open.uncounted != 0) {
            topics_.count(open.topic, open.uncounted, open.uncounted_bytes);
            open.uncounted = 0;
            open.uncounted_bytes = 0;
        }
        return true;
    });
}

topics_answer live_source::topics(const topics_question& asked) {
    require_present(asked.at);
    count_topics();
    topics_answer out = topics_.answer(asked, names().client);
    out.at = in_seconds(present());
    return out;
}

device_row live_source::row_of_client(std::uint32_t client, const client_cell& cell) const {
    device_row out;
    out.device = client;
    out.name = name_of(client);
    out.state = cell.state;
    out.published = cell.published;
    out.received = cell.received;
    out.backlog = cell.backlog;
    out.losses = cell.losses;
    out.connects = cell.connects;
    complete(out, client);
    return out;
}

devices_answer live_source::devices(const devices_question& asked) {
    require_present(asked.at);
    if (asked.limit == 0 || asked.limit > 1'000) {
        throw feed_error(feed_error::kind::bad_question, "limit: expected 1 to 1,000");
    }
    struct candidate {
        std::uint32_t client;
        std::uint64_t rank;
    };
    std::vector<candidate> found;
    for_each_client([&](std::uint32_t client, const client_cell& cell) {
        if (asked.state && cell.state != *asked.state) {
            return true;
        }
        if (!asked.fleet.empty() && fleet_of(client) != asked.fleet) {
            return true;
        }
        if (!asked.search.empty()) {
            device_row row;
            complete(row, client);
            if (name_of(client).find(asked.search) == std::string::npos &&
                row.client_id.find(asked.search) == std::string::npos) {
                return true;
            }
        }
        std::uint64_t rank = 0;
        switch (asked.order) {
            case device_order::name: break;
            case device_order::published: rank = cell.published; break;
            case device_order::received: rank = cell.received; break;
            case device_order::backlog: rank = cell.backlog; break;
            case device_order::losses: rank = cell.losses; break;
            case device_order::connects: rank = cell.connects; break;
        }
        found.push_back({client, rank});
        return true;
    });
    const std::size_t begin = std::min<std::size_t>(asked.offset, found.size());
    const std::size_t end = std::min<std::size_t>(begin + asked.limit, found.size());
    std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(end), found.end(),
                      [](const candidate& a, const candidate& b) {
                          return a.rank != b.rank ? a.rank > b.rank : a.client < b.client;
                      });
    devices_answer out;
    out.at = in_seconds(present());
    out.all = static_cast<std::uint32_t>(found.size());
    for (std::size_t i = begin; i < end; ++i) {
        out.rows.push_back(row_of_client(found[i].client, cell_of(found[i].client)));
    }
    return out;
}

device_answer live_source::device(const device_question& asked) {
    if (asked.events > 2'000) {
        throw feed_error(feed_error::kind::bad_question, "events: expected 0 to 2,000");
    }
    const auto client = find_client(asked.name);
    if (!client) {
        throw feed_error(feed_error::kind::bad_question,
                         "name: there is no device \"" + asked.name + "\"");
    }
    watch(*client);
    const seconds until = asked.at.value_or(1e300);
    device_answer out;
    out.at = std::min(until, in_seconds(present()));
    out.device = row_of_client(*client, cell_of(*client));
    out.fleet = fleet_of(*client);
    const std::string name = out.device.name;
    const auto add = [&](const kept_event& each) {
        if (each.client == *client && static_cast<double>(each.at) * 1e-9 <= until) {
            out.events.push_back(row_of_event(each, name));
        }
    };
    // Before somebody looked there were connections only, and what was followed anyway.
    for (const kept_event& each : events_) {
        if (each.at < nanoseconds(watched_since_)) {
            add(each);
        }
    }
    for (const kept_event& each : watched_events_) {
        add(each);
    }
    messages_.for_each_newest([&](const kept_message& each) {
        if (each.at >= nanoseconds(watched_since_) || each.is_part) {
            return true;
        }
        event_row row;
        row.message = each.sequence;
        row.topic = each.topic;
        row.qos = each.qos;
        row.who = name;
        const auto put = [&](std::int64_t at, const char* what) {
            if (at != kept_delivery::not_yet && at < nanoseconds(watched_since_) &&
                static_cast<double>(at) * 1e-9 <= until) {
                row.at = static_cast<double>(at) * 1e-9;
                row.what = what;
                out.events.push_back(row);
            }
        };
        if (each.publisher == *client) {
            put(each.at, "published");
            put(each.completed, "completed");
        }
        for (const kept_delivery& to : each.deliveries) {
            if (to.client == *client) {
                put(to.sent, "sent");
                put(to.received, "received");
                put(to.ended, to.state == kept_delivery::state::dropped ? "dropped"
                              : to.qos == 0                             ? "received"
                                                                        : "acknowledged");
            }
        }
        return true;
    });
    std::stable_sort(out.events.begin(), out.events.end(),
                     [](const event_row& a, const event_row& b) { return a.at < b.at; });
    const std::size_t all = out.events.size();
    if (all > asked.events) {
        out.events.erase(out.events.begin(),
                         out.events.end() - static_cast<std::ptrdiff_t>(asked.events));
    }
    out.events_complete =
        all > asked.events
            ? !out.events.empty() && out.events.front().at >= in_seconds(watched_since_)
            : look_mask_ == 0 && events_forgotten_ == 0 && !messages_.has_forgotten();
    complete(out, *client);
    return out;
}

messages_answer live_source::messages(const messages_question& asked) {
    if (asked.limit == 0 || asked.limit > 1'000) {
        throw feed_error(feed_error::kind::bad_question, "limit: expected 1 to 1,000");
    }
    if (!asked.filter.empty() && !is_valid_topic_filter(asked.filter)) {
        throw feed_error(feed_error::kind::bad_question,
                         "filter: \"" + asked.filter + "\" is no topic filter");
    }
    std::optional<std::uint32_t> client;
    if (!asked.client.empty()) {
        client = find_client(asked.client);
        if (!client) {
            throw feed_error(feed_error::kind::bad_question,
                             "client: there is none called \"" + asked.client + "\"");
        }
    }
    const party_names called = names();
    messages_answer out;
    out.at = asked.at.value_or(in_seconds(present()));
    out.one_in = static_cast<std::uint32_t>(follow_mask_ + 1);
    out.kept_from = messages_.empty() || !messages_.has_forgotten()
                        ? 0
                        : static_cast<double>(messages_.oldest().at) * 1e-9;
    messages_.for_each_newest([&](const kept_message& each) {
        const seconds at = static_cast<double>(each.at) * 1e-9;
        if (asked.from && at < *asked.from) {
            return false;
        }
        if ((asked.at && at > *asked.at) || (asked.before && each.sequence >= *asked.before) ||
            (asked.qos && each.qos != *asked.qos) ||
            (asked.state && each.state() != *asked.state) ||
            (!asked.filter.empty() && !topic_matches(asked.filter, each.topic))) {
            return true;
        }
        if (!asked.reason.empty() &&
            !(asked.reason == "lost" ? each.was_lost
                                     : each.reason != broker::drop_reason::none &&
                                           broker::name_of(each.reason) == asked.reason)) {
            return true;
        }
        if (client && each.publisher != *client &&
            std::none_of(each.deliveries.begin(), each.deliveries.end(),
                         [&](const kept_delivery& to) { return to.client == *client; })) {
            return true;
        }
        out.rows.push_back(row_of(each, called));
        return out.rows.size() < asked.limit;
    });
    return out;
}

message_answer live_source::message(const message_question& asked) {
    const kept_message* const found = messages_.find_sequence(asked.message);
    if (found == nullptr) {
        throw feed_error(
            feed_error::kind::bad_question,
            "message: number " + std::to_string(asked.message) + " is not kept (any more)");
    }
    message_answer out = answer_of(*found, names());
    bool passed = false;
    messages_.for_each_newest([&](const kept_message& each) {
        if (passed && each.topic == found->topic && !each.is_part) {
            out.payload_before = answer_of(each, names()).payload;
            return false;
        }
        passed = passed || &each == found;
        return true;
    });
    return out;
}

}  // namespace fleetarium::feed
