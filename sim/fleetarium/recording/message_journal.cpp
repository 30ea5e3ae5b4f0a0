#include <fleetarium/recording/message_journal.hpp>

#include <fleetarium/core/hash.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace fleetarium::recording {

namespace {

using kind = traffic_note::kind;

constexpr std::uint32_t deliveries_max = (std::uint32_t{1} << deliveries_per_message_bits) - 1;

std::vector<row_batch::column> message_columns() {
    std::vector out(15, row_batch::column::integer);
    out[12] = row_batch::column::blob;
    out[13] = row_batch::column::text;
    return out;
}

}  // namespace

std::size_t message_journal::delivery_hash::operator()(const delivery_key& key) const {
    return static_cast<std::size_t>(
        combine(key.number, std::uint64_t{key.broker} << 32 | key.session));
}

std::size_t message_journal::text_hash::operator()(std::string_view text) const {
    return static_cast<std::size_t>(hash_bytes(as_bytes_view(text), 0));
}

message_journal::message_journal(database& to, viewpoint from)
    : database_(to),
      add_broker_(to, "INSERT INTO brokers VALUES(?1, ?2)"),
      add_client_(to, "INSERT INTO clients VALUES(?1, ?2, ?3, ?4)"),
      add_topic_(to, "INSERT INTO topics VALUES(?1, ?2)"),
      add_connection_(to,
                      "INSERT INTO connections VALUES"
                      "(NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, ?8, ?9)"),
      end_connection_(to,
                      "UPDATE connections SET ended = ?2, code = ?3, lost = ?4, violation = ?5 "
                      "WHERE id = ?1"),
      add_subscription_(to, "INSERT INTO subscriptions VALUES(NULL, ?1, ?2, ?3, ?4, ?5, ?6)"),
      add_resend_(to, "INSERT INTO resends VALUES(?1, ?2, ?3, ?4)"),
      add_fault_(to, "INSERT INTO faults VALUES(NULL, ?1, ?2, ?3)"),
      add_violation_(to, "INSERT INTO violations VALUES(NULL, ?1, ?2, ?3)"),
      add_annotation_(to, "INSERT INTO annotations VALUES(NULL, ?1, ?2)"),
      add_intervention_(to, "INSERT INTO interventions VALUES(NULL, ?1, ?2, ?3)"),
      add_gap_(to, "INSERT INTO gaps VALUES(NULL, ?1, NULL, NULL, ?2)"),
      end_gap_(to, "UPDATE gaps SET ended = ?1, session_present = ?2 WHERE ended IS NULL"),
      add_checkpoint_(to, "INSERT OR REPLACE INTO checkpoints VALUES(?1, ?2, ?3)"),
      new_messages_(to, "messages",
                    "INSERT INTO messages(id, at, published, broker, publisher, topic, qos, "
                    "retain, copy, number, deliveries, reason, payload, properties, will)",
                    message_columns()),
      new_deliveries_(to, "deliveries",
                      "INSERT OR IGNORE INTO deliveries(id, receiver, qos, state, reason, made, "
                      "sent, received, ended, resent, copies, code)",
                      std::vector(12, row_batch::column::integer)),
      new_acknowledgements_(to, "acknowledgements",
                            "INSERT OR IGNORE INTO acknowledgements(message, at)",
                            std::vector(2, row_batch::column::integer)),
      metrics_(to, from) {}

void message_journal::take(const traffic_note& note, std::string_view text) {
    if (note.what != kind::violation) {  // they are told at the end, of instants long before
        metrics_.turn(note.at, standing());
    }
    switch (note.what) {
        case kind::broker:
            broker(note.broker);
            add_broker_.bind(1, std::int64_t{note.broker}).bind(2, text).run();
            break;
        case kind::client: note_client(note, text); break;
        case kind::connected:
        case kind::refused:
        case kind::disconnected: note_connection(note); break;
        case kind::session_ended: exchanges_.erase(note.client); break;
        case kind::subscribed:
        case kind::unsubscribed: note_subscription(note, text); break;
        case kind::repeated:
            if (const row message = find_repeated(note); message != 0) {
                add_resend_.bind(1, ++last_resend_)
                    .bind(2, note.at)
                    .bind(3, message)
                    .bind_null(4)
                    .run();
            }
            break;
        case kind::message: begin_message(note, text); break;
        case kind::routed: end_message(note); break;
        case kind::retained:
        case kind::retained_removed: keep_retained(note, text); break;
        case kind::will_published: broker(note.broker).will_of = note.client; break;
        case kind::queued: make_delivery(note); break;
        case kind::sent: note_sent(note); break;
        case kind::acknowledged:
            end_delivery(note,
                         note.code < 0x80 ? recorded_state::delivered : recorded_state::rejected);
            break;
        case kind::dropped:
            if (note.session != none) {
                end_delivery(note, recorded_state::dropped);
            } else if (note.number == 0) {
                refuse_message(note, text);
            } else if (broker(note.broker).routed.active) {
                broker(note.broker).routed.why = note.why;
            }
            break;
        case kind::received: note_received(note); break;
        case kind::complete: complete(note); break;
        case kind::lost: {
            delivery_key key{};
            const std::uint32_t which = find_of_client(note, key);
            if (which != none) {
                write_delivery(deliveries_[which], recorded_state::lost, 0, note.at);
                remove(key, which);
            }
            break;
        }
        case kind::fault:
            add_fault_.bind(1, note.extra).bind(2, note.at).bind(3, std::int64_t{note.flag}).run();
            break;
        case kind::violation:
            add_violation_.bind(1, note.at)
                .bind(2, text.substr(0, note.topic_size))
                .bind(3, text.substr(note.topic_size))
                .run();
            break;
        case kind::annotation: add_annotation_.bind(1, note.at).bind(2, text).run(); break;
        case kind::intervention:
            add_intervention_.bind(1, note.at)
                .bind(2, text.substr(0, note.topic_size))
                .bind(3, text.substr(note.topic_size))
                .run();
            break;
        case kind::heard: hear_message(note, text); break;
        case kind::gap: add_gap_.bind(1, note.at).bind(2, text).run(); break;
        case kind::gap_ended:
            end_gap_.bind(1, note.at).bind(2, std::int64_t{note.flag}).run();
            break;
        case kind::checkpoint:
            add_checkpoint_.bind(1, note.at)
                .bind(2, note.extra)
                .bind(3, trace_hash_text(note.number))
                .run();
            break;
    }
}

// Who and where

message_journal::broker_state& message_journal::broker(std::uint16_t which) {
    if (which >= brokers_.size()) {
        brokers_.resize(which + std::size_t{1});
    }
    return brokers_[which];
}

message_journal::client_state& message_journal::client(std::uint32_t which) {
    if (which >= clients_.size()) {
        clients_.resize(which + std::size_t{1});
    }
    return clients_[which];
}

/// 0 for one that is not known.
message_journal::row message_journal::client_row(std::uint32_t which) {
    return which == none ? 0 : client(which).id;
}

void message_journal::bind_client(statement& to, int parameter, std::uint32_t which) {
    const row id = client_row(which);
    id == 0 ? to.bind_null(parameter) : to.bind(parameter, id);
}

void message_journal::note_client(const traffic_note& note, std::string_view text) {
    client_state& made = client(note.client);
    made.tells = note.tells;
    if (made.id == 0) {
        made.id = ++last_client_;
        add_client_.bind(1, made.id)
            .bind(2, text.substr(note.topic_size))
            .bind(3, text.substr(0, note.topic_size))
            .bind(4, std::int64_t{note.tells})
            .run();
    }
}

message_journal::row message_journal::topic(std::string_view name) {
    const auto found = topics_.find(name);
    if (found != topics_.end()) {
        return found->second;
    }
    const row made = static_cast<row>(topics_.size()) + 1;
    topics_.emplace(name, made);
    add_topic_.bind(1, made).bind(2, name).run();
    return made;
}

void message_journal::note_connection(const traffic_note& note) {
    client_state& whose = client(note.client);
    auto& connections = broker(note.broker).connections;
    if (note.what == kind::disconnected) {
        const auto open = connections.find(note.client);
        if (open != connections.end()) {
            end_connection_.bind(1, open->second)
                .bind(2, note.at)
                .bind(3, std::int64_t{note.code})
                .bind(4, std::int64_t{note.flag})
                .bind(5, std::int64_t{note.why})
                .run();
            connections.erase(open);
        }
        connected_ -= whose.connected;
        whose.connected = false;
        return;
    }
    const bool accepted = note.what == kind::connected;
    add_connection_.bind(1, std::int64_t{note.broker});
    bind_client(add_connection_, 2, note.client);
    add_connection_.bind(3, note.at)
        .bind(4, std::int64_t{accepted})
        .bind(5, std::int64_t{note.flag});
    if (accepted) {
        add_connection_.bind_null(6).bind_null(7).bind_null(8);
    } else {
        add_connection_.bind(6, note.at)
            .bind(7, std::int64_t{note.code})
            .bind(8, std::int64_t{note.why});
    }
    note.extra == 0 ? add_connection_.bind_null(9) : add_connection_.bind(9, note.extra);
    add_connection_.run();
    if (accepted) {
        connections[note.client] = database_.last_row();
        connected_ += !whose.connected;
        whose.connected = true;
        if (whose.session != note.session || whose.broker != note.broker) {
            whose.last_session = whose.session;
        }
        whose.session = note.session;
        whose.broker = note.broker;
    }
}

void message_journal::note_subscription(const traffic_note& note, std::string_view filter) {
    add_subscription_.bind(1, std::int64_t{note.broker});
    bind_client(add_subscription_, 2, note.client);
    add_subscription_.bind(3, note.at)
        .bind(4, filter)
        .bind(5, std::int64_t{note.code})
        .bind(6, std::int64_t{note.what == kind::unsubscribed})
        .run();
}

// Messages

void message_journal::begin_message(const traffic_note& note, std::string_view text) {
    broker_state& at = broker(note.broker);
    routed_message& made = at.routed;
    made.active = true;
    made.note = note;
    if (note.client == none) {
        made.note.client = std::exchange(at.will_of, none);
        made.note.known = made.note.client != none;
    }
    made.id = ++last_message_;
    made.topic = topic(text.substr(0, note.topic_size));
    made.deliveries = 0;
    made.why = 0;
    made.retained = false;
    made.text.assign(text);
}

void message_journal::end_message(const traffic_note& note) {
    routed_message& ended = broker(note.broker).routed;
    if (!ended.active) {
        return;
    }
    ended.active = false;
    const traffic_note& what = ended.note;
    if (note.extra == 0 && ended.why == 0) {
        ended.why = static_cast<std::uint8_t>(broker::drop_reason::no_subscriber);
    }
    const std::string_view text = ended.text;
    const std::string_view properties = text.substr(what.topic_size, what.properties_size);
    write_message(ended.id, what, ended.topic, note.extra, ended.why,
                  text.substr(what.topic_size + what.properties_size), properties);
    if (!what.copy) {
        metrics_.published(what.qos);
    }
    if (what.session != none && what.client != none) {
        exchanges_[what.client][static_cast<std::uint16_t>(what.session)] = ended.id;
    }

    // What may be heard of later; QoS 0 that is not retained goes out at once or not at all.
    const bool acknowledged = what.qos != 0 && what.client != none && client(what.client).tells;
    const auto known = messages_.find(what.number);
    if (known != messages_.end()) {
        known->second.awaits_acknowledgement = acknowledged && !what.copy;
        if (known->second.id == ended.id) {
            known->second.deliveries = ended.deliveries;
        }
        release(what.number);
    } else if (acknowledged && !what.copy) {
        messages_[what.number] = {.id = ended.id,
                                  .published = what.extra,
                                  .deliveries = ended.deliveries,
                                  .awaits_acknowledgement = true};
    }
}

/// There is nothing to wait for: nobody tells what else becomes of it.
void message_journal::hear_message(const traffic_note& note, std::string_view text) {
    traffic_note heard = note;
    const row id = ++last_message_;
    heard.number = static_cast<std::uint64_t>(id);
    const std::string_view properties = text.substr(note.topic_size, note.properties_size);
    write_message(id, heard, topic(text.substr(0, note.topic_size)), std::nullopt, 0,
                  text.substr(note.topic_size + note.properties_size), properties);
    metrics_.published(note.qos);
}

void message_journal::refuse_message(const traffic_note& note, std::string_view topic_name) {
    traffic_note refused = note;
    refused.extra = traffic_note::not_known;
    refused.flag = false;
    write_message(++last_message_, refused, topic(topic_name), 0, note.why, std::nullopt, {});
}

void message_journal::write_message(row id, const traffic_note& what, row topic_row,
                                    std::optional<std::int64_t> deliveries, std::uint8_t why,
                                    std::optional<std::string_view> payload,
                                    std::string_view properties) {
    const bool will = what.what == kind::message && what.known;
    const row publisher = client_row(what.client);
    new_messages_.add(id)
        .add(what.at)
        .add(what.extra == traffic_note::not_known ? row_batch::null : what.extra)
        .add(what.broker)
        .add(publisher == 0 ? row_batch::null : publisher)
        .add(topic_row)
        .add(what.qos)
        .add(what.flag)
        .add(what.copy)
        .add(static_cast<std::int64_t>(what.number))
        .add(deliveries.value_or(row_batch::null))
        .add(why);
    payload ? new_messages_.add_text(*payload) : new_messages_.add_null();
    properties.empty() ? new_messages_.add_null() : new_messages_.add_text(properties);
    new_messages_.add(will).end_row();
    ++counted_.messages;
    if (why != 0) {
        metrics_.dropped(what.qos);
    }
}

void message_journal::keep_retained(const traffic_note& note, std::string_view removed_topic) {
    broker_state& at = broker(note.broker);
    const bool removed = note.what == kind::retained_removed;
    const row of = removed ? topic(removed_topic) : at.routed.topic;
    const auto before = at.retained.find(of);
    if (before != at.retained.end()) {
        const std::uint64_t number = before->second;
        at.retained.erase(before);
        const auto known = messages_.find(number);
        if (known != messages_.end()) {
            known->second.retained = false;
            release(number);
        }
    }
    if (!removed && at.routed.active) {
        at.retained.emplace(of, note.number);
        known_message& kept = messages_[note.number];
        if (kept.id == 0) {
            kept.id = at.routed.id;
            kept.published = at.routed.note.extra;
        }
        kept.retained = true;
    }
}

void message_journal::release(std::uint64_t number) {
    const auto known = messages_.find(number);
    if (known != messages_.end() && known->second.open == 0 && !known->second.retained &&
        !known->second.awaits_acknowledgement) {
        last_released_number_ = number;
        last_released_ = known->second;
        messages_.erase(known);
    }
}

void message_journal::complete(const traffic_note& note) {
    const auto known = messages_.find(note.number);
    if (known == messages_.end()) {
        return;
    }
    new_acknowledgements_.add(known->second.id).add(note.at).end_row();
    known->second.awaits_acknowledgement = false;
    release(note.number);
}

/// The row of a message that came once more; 0: it is not known.
message_journal::row message_journal::find_repeated(const traffic_note& note) {
    if (note.number != 0) {
        const auto known = messages_.find(note.number);
        return known == messages_.end() ? 0 : known->second.id;
    }
    const auto whose = exchanges_.find(note.client);
    if (whose == exchanges_.end()) {
        return 0;
    }
    const auto found = whose->second.find(static_cast<std::uint16_t>(note.extra));
    return found == whose->second.end() ? 0 : found->second;
}

// Deliveries

std::uint32_t message_journal::find(const delivery_key& key) const {
    const auto found = open_.find(key);
    return found == open_.end() ? none : found->second;
}

/// The delivery that a client speaks of.
std::uint32_t message_journal::find_of_client(const traffic_note& note, delivery_key& key) {
    const client_state& whose = client(note.client);
    for (const std::uint32_t session : {whose.session, whose.last_session}) {
        if (session == none) {
            continue;
        }
        key = {note.number, session, whose.broker};
        const std::uint32_t found = find(key);
        if (found != none) {
            return found;
        }
    }
    return none;
}

bool message_journal::receiver_tells(std::uint32_t which) {
    return which != none && client(which).tells;
}

std::uint32_t message_journal::make_delivery(const traffic_note& note) {
    delivery made;
    made.number = note.number;
    made.made = note.at;
    made.receiver = note.client;
    made.qos = note.qos;
    routed_message& routed = broker(note.broker).routed;
    const bool is_routed = routed.active && routed.note.number == note.number;
    row message = 0;
    std::uint32_t ordinal = 0;
    if (is_routed) {
        message = routed.id;
        made.published = routed.note.extra;
        ordinal = routed.deliveries++;
    }
    // What ends at once is not looked for later.
    const bool ends_at_once =
        note.what == kind::sent && note.qos == 0 && !receiver_tells(note.client);
    if (!is_routed || note.qos != 0 || note.what == kind::queued) {
        known_message& of = messages_[note.number];
        if (of.id == 0 && last_released_number_ == note.number) {
            of = last_released_;
        }
        if (is_routed && of.id == 0) {
            of.id = message;
            of.published = made.published;
        } else if (!is_routed) {
            message = of.id;
            made.published = of.published;
            made.routed_before = true;
            ordinal = of.deliveries++;
        }
        if (!ends_at_once) {
            ++of.open;
            made.counted = true;
        }
    }
    made.id = message << deliveries_per_message_bits | std::min(ordinal, deliveries_max);
    if (ends_at_once) {
        made.sent = note.at;
        write_delivery(made, recorded_state::sent, 0, note.at);
        metrics_.delivered(0);
        if (!is_routed) {
            release(note.number);
        }
        return none;
    }
    std::uint32_t place = free_;
    if (place != none) {
        free_ = deliveries_[place].next;
        deliveries_[place] = made;
    } else {
        place = static_cast<std::uint32_t>(deliveries_.size());
        deliveries_.push_back(made);
    }
    ++counted_.under_way;
    const auto [entry, added] =
        open_.try_emplace(delivery_key{note.number, note.session, note.broker}, place);
    if (!added) {
        // By another subscription, once more: behind those that are there.
        std::uint32_t last = entry->second;
        while (deliveries_[last].next != none) {
            last = deliveries_[last].next;
        }
        deliveries_[last].next = place;
    }
    return place;
}

void message_journal::note_sent(const traffic_note& note) {
    const delivery_key key{note.number, note.session, note.broker};
    std::uint32_t which = none;
    if (note.known) {
        which = find(key);
        if (!note.flag) {
            while (which != none && deliveries_[which].sent >= 0) {
                which = deliveries_[which].next;
            }
        }
    }
    if (which == none) {
        which = make_delivery(note);
        if (which == none) {
            return;
        }
    }
    delivery& sent = deliveries_[which];
    if (sent.sent < 0) {
        sent.sent = note.at;
    } else {
        ++sent.resent;
        add_resend_.bind(1, ++last_resend_)
            .bind(2, note.at)
            .bind(3, sent.id >> deliveries_per_message_bits)
            .bind(4, sent.id)
            .run();
    }
    if (sent.qos == 0 && !receiver_tells(note.client)) {
        write_delivery(sent, recorded_state::sent, 0, note.at);
        metrics_.delivered(0);
        remove(key, which);
    }
}

void message_journal::note_received(const traffic_note& note) {
    delivery_key key{};
    std::uint32_t which = find_of_client(note, key);
    if (which == none) {
        return;
    }
    const std::uint32_t first = which;
    while (which != none && deliveries_[which].received >= 0) {
        which = deliveries_[which].next;
    }
    if (which == none || note.flag) {
        ++deliveries_[first].copies;
        return;
    }
    delivery& had = deliveries_[which];
    had.received = note.at;
    had.receiver = note.client;
    metrics_.delivered(had.qos);
    if (!had.routed_before) {
        metrics_.took(had.qos, duration(std::max<std::int64_t>(note.at - had.published, 0)));
    }
    if (had.qos == 0) {
        write_delivery(had, recorded_state::delivered, 0, note.at);
        remove(key, which);
    }
}

void message_journal::end_delivery(const traffic_note& note, recorded_state state) {
    const delivery_key key{note.number, note.session, note.broker};
    std::uint32_t which = find(key);
    if (state == recorded_state::dropped) {
        metrics_.dropped(note.qos);
        if (!note.known) {
            which = none;  // nobody has told of it yet
        }
    }
    if (which == none) {
        traffic_note made = note;
        made.what = kind::queued;
        which = make_delivery(made);
        std::uint32_t last = which;
        while (last != none) {
            which = last;
            last = deliveries_[last].next;
        }
    }
    if (state != recorded_state::dropped && deliveries_[which].received < 0 &&
        !receiver_tells(note.client)) {
        metrics_.delivered(note.qos);
    }
    write_delivery(deliveries_[which], state, note.why, note.at,
                   state == recorded_state::dropped ? std::uint8_t{0} : note.code);
    remove(key, which);
}

void message_journal::write_delivery(const delivery& what, recorded_state state, std::uint8_t why,
                                     std::int64_t ended, std::uint8_t code) {
    const auto instant = [](std::int64_t at) { return at < 0 ? row_batch::null : at; };
    const row receiver = client_row(what.receiver);
    new_deliveries_.add(what.id)
        .add(receiver == 0 ? row_batch::null : receiver)
        .add(what.qos)
        .add(static_cast<std::int64_t>(state))
        .add(why)
        .add(what.made)
        .add(instant(what.sent))
        .add(instant(what.received))
        .add(instant(ended))
        .add(what.resent)
        .add(what.copies)
        .add(code)
        .end_row();
    ++counted_.deliveries;
}

void message_journal::remove(const delivery_key& key, std::uint32_t which) {
    delivery& gone = deliveries_[which];
    const auto entry = open_.find(key);
    if (entry->second == which) {
        if (gone.next == none) {
            open_.erase(entry);
        } else {
            entry->second = gone.next;
        }
    } else {
        std::uint32_t before = entry->second;
        while (deliveries_[before].next != which) {
            before = deliveries_[before].next;
        }
        deliveries_[before].next = gone.next;
    }
    if (gone.counted) {
        const auto known = messages_.find(gone.number);
        if (known != messages_.end()) {
            --known->second.open;
            release(gone.number);
        }
    }
    gone.next = std::exchange(free_, which);
    --counted_.under_way;
}

// The end

void message_journal::finish(std::int64_t now) {
    metrics_.turn(now, standing());
    // In the order of their rows, which does not depend on how a hash table lies.
    std::vector<const delivery*> left;
    left.reserve(open_.size());
    for (const auto& [key, first] : open_) {
        for (std::uint32_t each = first; each != none; each = deliveries_[each].next) {
            left.push_back(&deliveries_[each]);
        }
    }
    std::sort(left.begin(), left.end(),
              [](const delivery* a, const delivery* b) { return a->id < b->id; });
    for (const delivery* const each : left) {
        write_delivery(*each, each->sent < 0 ? recorded_state::queued : recorded_state::in_flight,
                       0, -1);
    }
    metrics_.write(standing());
    write_rows();
}

void message_journal::write_rows() {
    new_messages_.write();
    new_deliveries_.write();
    new_acknowledgements_.write();
}

}  // namespace fleetarium::recording
