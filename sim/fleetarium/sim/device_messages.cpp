// What a device publishes: on its own account, as requests, and in reply.

#include <fleetarium/sim/fleet_state.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/sim/remote_host.hpp>

#include <algorithm>
#include <array>
#include <optional>

namespace fleetarium::sim::detail {

namespace {

/// What a request carries as correlation data: fleet, device, publication, number of the message.
/// Nothing in it depends on other fleets.
using correlation = std::array<std::uint8_t, 16>;

std::uint32_t short_hash(std::string_view name) {
    return static_cast<std::uint32_t>(hash_text(name));
}

correlation make_correlation(std::string_view fleet, std::uint32_t index, std::size_t which,
                             std::uint32_t number) {
    correlation out{};
    const std::array<std::uint32_t, 4> words{short_hash(fleet), index,
                                             static_cast<std::uint32_t>(which), number};
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<std::uint8_t>(words[i / 4] >> (24 - 8 * (i % 4)));
    }
    return out;
}

std::uint32_t word_of(bytes_view data, std::size_t which) {
    std::uint32_t word = 0;
    for (const std::uint8_t byte : data.subspan(which * 4, 4)) {
        word = word << 8 | byte;
    }
    return word;
}

std::uint32_t seconds_of(duration value) {
    return static_cast<std::uint32_t>(value / std::chrono::seconds{1});
}

}  // namespace

// When

duration fleet_state::period(const context& at, std::size_t which, std::uint32_t number) const {
    if (publications_[which].constant_period) {
        return *publications_[which].constant_period;
    }
    const random_key key = make_random_key(key_of(at.index).value, 1, purpose::publication + which);
    random_stream stream(key, number);
    return std::max(publications_[which].spec->period.sample_duration(stream), period_min);
}

duration fleet_state::jitter(const context& at, std::size_t which, std::uint32_t number) const {
    const duration most = publications_[which].spec->jitter;
    if (most == duration{}) {
        return most;
    }
    const random_key key = make_random_key(key_of(at.index).value, 2, purpose::publication + which);
    random_stream stream(key, number);
    return duration{stream.between(0, most.count())};
}

instant fleet_state::first_due(const context& at, std::size_t which) const {
    const publication_spec& spec = *publications_[which].spec;
    if (!publications_[which].on_time) {
        return never;
    }
    if (publications_[which].arrival) {
        const instant due = publications_[which].arrival->first(arrival_key(at, which));
        return due != never && within_limits(which, due, 0)
                   ? saturating_add(due, jitter(at, which, 0))
                   : never;
    }
    duration phase{};
    if (spec.phase) {
        phase = *spec.phase;
    } else {
        const random_key key =
            make_random_key(key_of(at.index).value, 0, purpose::publication + which);
        const auto first = static_cast<std::uint64_t>(period(at, which, 0).count());
        random_stream stream(key);
        phase = duration{static_cast<duration::rep>(stream.below(first))};
    }
    const instant base = saturating_add(saturating_add(added_at_, spec.start), phase);
    return within_limits(which, base, 0) ? saturating_add(base, jitter(at, which, 0)) : never;
}

random_key fleet_state::arrival_key(const context& at, std::size_t which) const {
    return make_random_key(key_of(at.index).value, 3, purpose::publication + which);
}

bool fleet_state::within_limits(std::size_t which, instant base, std::uint32_t made) const {
    const publication_spec& spec = *publications_[which].spec;
    return !(spec.count && made >= *spec.count) &&
           !(spec.until && base >= saturating_add(added_at_, *spec.until));
}

/// The timed message number timed - 1 has just been made; jitter is per message, so the next one
/// counts from where this one would have been without it.
void fleet_state::schedule_next(const context& at, std::size_t which) {
    publication_state& state = states(at.self)[which];
    const instant base = state.due - jitter(at, which, state.timed - 1);
    const auto& arrival = publications_[which].arrival;
    const instant next = arrival ? arrival->next(base, state.timed, arrival_key(at, which))
                                 : saturating_add(base, period(at, which, state.timed));
    state.due = next != never && within_limits(which, next, state.made)
                    ? saturating_add(next, jitter(at, which, state.timed))
                    : never;
}

void fleet_state::publish_due(const context& at) {
    if (!world_.publishes) {
        return;
    }
    for (std::size_t which = 0; which < publications_.size(); ++which) {
        publication_state& state = states(at.self)[which];
        while (state.due <= own_now(at.self)) {
            ++state.timed;
            ++state.made;
            if (at.self.outages == 0 && runs(at.self, which)) {
                publish_one(at, which, publication_cause::time);
            }
            schedule_next(at, which);
        }
    }
}

// What

void fleet_state::render_topic(std::uint32_t index, std::size_t which, std::uint32_t number,
                               std::string& out) const {
    const publication& what = publications_[which];
    if (what.target == nullptr) {
        render(what.topic, index, out);
        return;
    }
    const std::uint32_t targets = what.target->spec_.count;
    std::uint32_t target = (number - 1) % targets;
    if (what.spec->to->pick == pick::random) {
        random_stream stream(make_random_key(key_of(index).value, 0, purpose::target + which),
                             number);
        target = static_cast<std::uint32_t>(stream.below(targets));
    }
    what.target->render(what.topic, target, out);
}

void fleet_state::publish_one(const context& at, std::size_t which, publication_cause cause) {
    device& self = at.self;
    const publication& what = publications_[which];
    const publication_spec& spec = *what.spec;
    const std::uint32_t number = states(self)[which].made;
    const bool v5 = spec_.version == protocol_version::v5;
    if (what.sparkplug && !may_say(at, *what.sparkplug, cause)) {
        return;
    }
    std::string& topic = world_.topic_text;
    topic.clear();
    if (what.in_topic.is_empty()) {
        render_topic(at.index, which, number, topic);
    } else {
        render(what.topic, at, number, {}, {}, *generate(at, what.in_topic), {}, topic);
    }
    const auto generated = generate(at, what.content);
    if (!generated && !(what.sparkplug && what.sparkplug->is_birth())) {
        return;
    }
    fleetarium::publish message;
    message.topic = topic;
    const random_key random = make_random_key(key_of(at.index).value, 0, purpose::content + which);
    if (what.sparkplug) {
        std::string& payload = world_.payload_text;
        payload.clear();
        write_sparkplug(at, *what.sparkplug, number, random,
                        generated.value_or(std::span<const generator_value>()), payload);
        message.payload = as_bytes_view(payload);
    } else if (what.payload.is_constant()) {
        message.payload = as_bytes_view(what.payload.constant());
    } else {
        std::string& payload = world_.payload_text;
        payload.clear();
        render(what.payload, at, number, random,
               walks(self, what.first_walk, what.payload.walk_count()), *generated, {}, payload);
        message.payload = as_bytes_view(payload);
    }
    message.qos = spec.qos;
    message.retain = spec.retain;
    if (spec.message_expiry && v5) {
        message.message_expiry_interval = seconds_of(*spec.message_expiry);
    }
    correlation asked{};
    if (what.response_topic && v5) {
        std::string& response_topic = world_.other_text;
        response_topic.clear();
        render(*what.response_topic, at.index, response_topic);
        asked = make_correlation(spec_.name, at.index, which, number);
        message.response_topic = response_topic;
        message.correlation_data = asked;
        note_request(at, which, number);
    }
    send_message(at, what.source, message);
}

void fleet_state::send_message(const context& at, accounting::source source,
                               const fleetarium::publish& message) {
    device& self = at.self;
    const bool lost = message.qos == qos::at_most_once && !self.session.is_connected();
    world_.accounts.publisher(source, message.topic, [&](publisher_counts& counts) {
        ++counts.published;
        counts.lost_offline += lost;
    });
    if (lost) {
        return;
    }
    const std::uint64_t number = message_number::make(message.qos, source, at.host, ++self.count);
    self.session.log_sent_to(&world_.sent_log);
    bytes_view mark = message.payload;
    std::optional<carried_tag> tag;
    const message_identity identity{number, world_.now};
    const auto publish = [&] {
        if (remote_ == nullptr || !remote_->tags(self.session.version())) {
            return self.session.publish(message, own_now(self), identity);
        }
        tag.emplace(message_tag{world_.audit.run, number, world_.now});
        const bool in_payload = remote_->place() == identity_place::payload;
        fleetarium::publish tagged = message;
        tag->put_into(tagged, in_payload, world_.tagged_text);
        if (in_payload && !message.payload.empty()) {
            mark = as_bytes_view(tag->text());
        }
        return self.session.publish(tagged, own_now(self), identity);
    };
    const auto sent = publish();
    if (sent.has_error()) {
        const bool full = sent.error() == error::queue_full;
        world_.accounts.publisher(source, message.topic, [&](publisher_counts& counts) {
            ++(full ? counts.queue_full : counts.rejected);
        });
    } else if (remote_ != nullptr) {
        remote_->matcher().note_published(message.topic, mark, {number, world_.now});
    }
    give_up_dropped(at);
}

// Requests

void fleet_state::note_request(const context& at, std::size_t which, std::uint32_t number) {
    device_extras& extras = extras_of(at.self);
    extras.requests.resize(publications_.size());
    device_extras::request_log& log = extras.requests[which];
    close_requests(at, which);
    if (log.open.empty()) {
        log.first = number;
    }
    log.open.push_back({own_now(at.self), world_.now, false});
    world_.accounts.publisher(publications_[which].source, world_.topic_text,
                              [](publisher_counts& counts) { ++counts.requests; });
}

/// Forgets the oldest requests as far as they are answered or their time is over.
void fleet_state::close_requests(const context& at, std::size_t which) {
    device_extras::request_log& log = at.self.extras->requests[which];
    const publication& what = publications_[which];
    while (!log.open.empty()) {
        const device_extras::request& oldest = log.open.front();
        if (!oldest.answered) {
            if (own_now(at.self) - oldest.sent_at <= what.spec->reply_timeout) {
                return;
            }
            std::string topic;
            if (world_.accounts.needs_topic(what.source)) {
                render_topic(at.index, which, log.first, topic);
            }
            world_.accounts.publisher(what.source, topic,
                                      [](publisher_counts& counts) { ++counts.replies_missing; });
            if (machine_ != nullptr && machine_->has_timeouts) {
                machine_->missed.push_back(static_cast<std::uint32_t>(which));
            }
        }
        log.open.pop_front();
        ++log.first;
    }
}

/// The publication that asked for it, if the reply is in time.
std::optional<std::uint32_t> fleet_state::match_reply(const context& at,
                                                      const fleetarium::publish& message) {
    const bytes_view data = *message.correlation_data;
    if (data.size() != sizeof(correlation) || word_of(data, 0) != short_hash(spec_.name) ||
        word_of(data, 1) != at.index || at.self.extras == nullptr) {
        return std::nullopt;
    }
    const std::size_t which = word_of(data, 2);
    if (which >= at.self.extras->requests.size()) {
        return std::nullopt;
    }
    device_extras::request_log& log = at.self.extras->requests[which];
    const std::uint32_t number = word_of(data, 3);
    const std::uint32_t place = number - log.first;
    if (place >= log.open.size() || log.open[place].answered) {
        return std::nullopt;
    }
    const publication& what = publications_[which];
    // A device that subscribes to its own requests sees them too: they are no replies.
    std::string& response_topic = world_.other_text;
    response_topic.clear();
    render(*what.response_topic, at.index, response_topic);
    if (message.topic != response_topic) {
        return std::nullopt;
    }
    const duration waited = own_now(at.self) - log.open[place].sent_at;
    const bool in_time = waited <= what.spec->reply_timeout;
    if (in_time) {
        log.open[place].answered = true;
        const duration latency = world_.now - log.open[place].sent_in_world;
        std::string topic;
        if (world_.accounts.needs_topic(what.source)) {
            render_topic(at.index, which, number, topic);
        }
        world_.accounts.publisher(what.source, topic, [&](publisher_counts& counts) {
            ++counts.replies_in_time;
            counts.reply_latency.record(latency);
        });
    }
    close_requests(at, which);
    return in_time ? std::optional(static_cast<std::uint32_t>(which)) : std::nullopt;
}

// What comes in

/// Takes out what other devices have put into the payload for the audit.
void fleet_state::handle_tagged(const context& at, fleetarium::publish message) {
    const tagged_payload found = find_tag(message.payload);
    if (!found.tag.empty()) {
        std::string& plain = world_.untagged_text;
        plain.assign(as_text(message.payload.first(found.kept))).append(found.rest);
        message.payload = as_bytes_view(plain);
    }
    handle_message(at, message, nullptr, as_bytes_view(found.tag));
}

void fleet_state::handle_message(const context& at, const fleetarium::publish& message,
                                 const message_identity* identity, bytes_view mark) {
    device& self = at.self;
    bool copy = identity != nullptr && message_number::is_copy(identity->number);
    if (message.qos != qos::at_most_once) {
        // The broker numbers what it sends upwards and sends again in the same order: a resent
        // packet that is not ahead of the newest one received was received before.
        const auto ahead = static_cast<std::int16_t>(message.packet_id - self.last_packet_id);
        if (message.dup && self.last_packet_id != 0 && ahead <= 0) {
            copy = true;
        } else {
            self.last_packet_id = message.packet_id;
        }
    }
    if (book() != nullptr && identity != nullptr) {
        book()->message_received(at.host, broker_index(), self.link.connection, message, *identity,
                                 world_.now);
    } else if (book() != nullptr) {
        book()->unknown_received(at.host, message.topic, world_.now);
    }
    message_identity matched;
    if (remote_ != nullptr) {
        matched = match_remote(at, message, mark.empty() ? message.payload : mark, copy);
        identity = &matched;
    }
    if (world_.observer != nullptr && identity != nullptr) {
        world_.tell_received(at.host, *identity, copy);
    }
    if (identity != nullptr) {
        world_.accounts.flow(message_number::source_of(identity->number), index_, message.qos,
                             message.topic, [&](flow_counts& counts) {
                                 if (copy) {
                                     ++counts.duplicates;
                                     return;
                                 }
                                 ++counts.delivered;
                                 if (identity->published_at != no_latency) {
                                     counts.latency.record(world_.now - identity->published_at);
                                 }
                             });
    }
    std::optional<std::uint32_t> reply_to;
    if (has_requests_ && message.correlation_data) {
        reply_to = match_reply(at, message);
    }
    for (std::size_t which = 0; which < replies_.size(); ++which) {
        std::string& filter = world_.other_text;
        filter.clear();
        render(replies_[which].on, at.index, filter);
        if (topic_matches(filter, message.topic) && meets(replies_[which].spec->when, message)) {
            answer(at, which, message);
        }
    }
    if (has_triggers_) {
        note_triggered(at, message);
    }
    if (shadows_) {
        answers_ = shadows_->handle(message.topic, message.payload, shown_now(self));
    }
    if (machine_ != nullptr) {
        behave_on_message(at, message, reply_to);
    }
    // Only from here on: sending may end the life of the message's views.
    if (has_triggers_) {
        publish_triggered(at);
    }
    if (shadows_) {
        send_answers(at);
    }
    if (self.extras != nullptr && !self.extras->replies.empty()) {
        send_due_replies(at);
    }
}

/// Which message a delivery of a remote broker is; of strangers' messages the broker is the source.
message_identity fleet_state::match_remote(const context& at, const fleetarium::publish& message,
                                           bytes_view mark, bool& copy) const {
    const message_identity unknown{message_number::make(message.qos, remote_->source(), 0, 0),
                                   no_latency};
    delivery_matcher& matcher = remote_->matcher();
    const bool stored = message.retain && !keeps_retain_;
    if (stored || copy) {
        const auto found = matcher.find_retained(message.topic, mark);
        return found ? found->identity : unknown;
    }
    const device_extras& extras = extras_of(at.self);
    const auto found = matcher.find(
        at.host, message.topic, mark,
        message.qos == qos::at_most_once ? extras.connected_since : extras.session_since);
    if (!found) {
        return unknown;
    }
    if (found->copy && message.retain) {
        // As published, or stored: it has had the one, so this is the other.
        return {found->identity.number, no_latency};
    }
    copy = found->copy;
    return found->identity;
}

// Replies

void fleet_state::answer(const context& at, std::size_t which, const fleetarium::publish& message) {
    const reply& what = replies_[which];
    if (!what.to && !message.response_topic) {
        return;  // nobody asked for an answer
    }
    const random_key key = make_random_key(key_of(at.index).value, 0, purpose::reply + which);
    publication_state& state = states(at.self)[publications_.size() + which];
    random_stream stream(key, state.made);
    const duration delay = what.spec->delay.sample_duration(stream);
    ++state.made;
    device_extras::reply due;
    due.due = saturating_add(own_now(at.self), delay);
    due.which = static_cast<std::uint32_t>(which);
    due.number = state.made;
    if (!what.to) {
        due.topic = *message.response_topic;
    }
    if (message.correlation_data) {
        due.correlation_data = as_text(*message.correlation_data);
    }
    due.request = as_text(message.payload);
    auto& waiting = extras_of(at.self).replies;
    const auto place = std::upper_bound(
        waiting.begin(), waiting.end(), due.due,
        [](instant time, const device_extras::reply& each) { return time < each.due; });
    if (delay != duration{}) {
        arm(at, due.due);
    }
    waiting.insert(place, std::move(due));
}

void fleet_state::send_due_replies(const context& at) {
    auto& waiting = at.self.extras->replies;
    std::size_t sent = 0;
    for (; sent < waiting.size() && waiting[sent].due <= own_now(at.self); ++sent) {
        send_reply(at, waiting[sent]);
    }
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(sent));
}

void fleet_state::send_reply(const context& at, const device_extras::reply& due) {
    const reply& what = replies_[due.which];
    const auto generated = generate(at, what.content);
    if (!generated) {
        return;
    }
    std::string& topic = world_.topic_text;
    topic = due.topic;
    if (what.to) {
        render(*what.to, at.index, topic);
    }
    std::string& payload = world_.payload_text;
    payload.clear();
    const random_key random =
        make_random_key(key_of(at.index).value, 0, purpose::reply_content + due.which);
    render(what.payload, at, due.number, random,
           walks(at.self, what.first_walk, what.payload.walk_count()), *generated, due.request,
           payload);

    fleetarium::publish message;
    message.topic = topic;
    message.payload = as_bytes_view(payload);
    message.qos = what.spec->qos;
    message.retain = what.spec->retain;
    if (due.correlation_data && spec_.version == protocol_version::v5) {
        message.correlation_data = as_bytes_view(*due.correlation_data);
    }
    send_message(at, what.source, message);
}

}  // namespace fleetarium::sim::detail
