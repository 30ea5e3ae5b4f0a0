// Connections, sessions and wills.

#include <fleetarium/sim/ledger.hpp>

#include <fleetarium/core/hash.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace fleetarium::sim::detail {

void ledger::opened(broker_index broker, std::uint32_t connection, host_id host, bool observed) {
    broker_model& at = *brokers_[broker];
    connection_model& made = connection_of(at, connection);
    if (made.closed) {
        std::erase(at.taken_over, connection);  // its number is used again in the same turn
    }
    made = {};
    made.host = host;
    made.open = true;
    made.observed = observed;
}

void ledger::connect_asked(broker_index broker, std::uint32_t connection, const connect& request) {
    broker_model& at = *brokers_[broker];
    const bool v5 = request.version == protocol_version::v5;
    connect_model& asked = at.asked;
    asked = {};
    asked.known = true;
    asked.connection = connection;
    asked.client = hash_text(request.client_id);
    asked.clean_start = request.clean_start;
    asked.is_v3 = !v5;
    asked.keep_alive =
        v5 ? at.options.server_keep_alive.value_or(request.keep_alive) : request.keep_alive;
    const std::uint32_t interval = v5 ? request.session_expiry_interval.value_or(0)
                                   : request.clean_start ? 0
                                                         : broker::session_expiry_never;
    asked.expiry_interval = std::min(interval, at.options.session_expiry_maximum);
    asked.receive_maximum =
        std::min(v5 ? request.receive_maximum.value_or(65'535) : std::uint16_t{65'535},
                 at.options.inflight_messages_max);
    asked.publish_maximum = v5 ? at.options.receive_maximum : std::uint16_t{65'535};
    if (request.will) {
        asked.has_will = true;
        asked.will.topic = hash_text(request.will->topic);
        asked.will.payload = hash_text(as_text(request.will->payload));
        asked.will.qos = request.will->qos;
        asked.will.retain = request.will->retain;
        asked.will.delay = std::chrono::seconds{request.will->delay_interval};
    }
}

void ledger::authenticates_otherwise(broker_index broker, std::uint32_t connection) {
    brokers_[broker]->asked = {};
    brokers_[broker]->asked.connection = connection;
}

void ledger::note_connected(broker_model& at, const broker::broker_event& decision) {
    const connect_model asked =
        at.asked.connection == decision.connection ? at.asked : connect_model{};
    at.asked = {};
    ++at.counted.connections_accepted;
    at.counted.sessions_resumed += decision.flag;
    const std::uint64_t client = hash_text(decision.client_id);
    connection_model& by = connection_of(at, decision.connection);
    const std::uint32_t* const before = at.by_client.find(client);
    session_model* const prior = before == nullptr ? nullptr : find_session(at, *before);
    const auto blame = [&](invariant broken, std::string what) {
        convict(broken, decision.at, 0, by.host, decision.client_id, std::move(what));
    };
    if (prior != nullptr && prior->lifetime_known && prior->expires_at <= decision.at) {
        blame(invariant::session_lifetime, "the session was resumed after its expiry interval");
    }
    if (prior != nullptr && prior->connection != broker::no_connection) {
        blame(invariant::take_over, "the older connection under this client id goes on");
    }
    if (decision.flag && (prior == nullptr || *before != decision.session)) {
        blame(invariant::session_present, "the broker resumed a session that there was not");
    } else if (decision.flag && asked.known && asked.clean_start) {
        blame(invariant::session_present, "the broker resumed a session in spite of Clean Start");
    } else if (!decision.flag && prior != nullptr) {
        blame(asked.known && asked.clean_start ? invariant::session_lifetime
                                               : invariant::session_present,
              "the broker began a session anew without having ended the one there was");
        at.subscriptions.remove_all(prior->subscriptions);
        prior->alive = false;
    }

    session_model& to = session_of(at, decision.session);
    const bool resumed = decision.flag && to.alive;
    if (!resumed) {
        at.subscriptions.remove_all(to.subscriptions);
        to = {};
        to.alive = true;
        to.observed = true;
        to.lifetime_known = true;
        to.client = client;
        *at.by_client.insert(client).first = decision.session;
    }
    if (to.host != by.host) {
        to.last_published = {};
    }
    to.epoch = ++at.epochs;
    if (!resumed) {
        to.born = to.epoch;
    }
    to.host = by.host;
    to.present = decision.flag;
    to.is_v3 = asked.is_v3;
    to.connection = decision.connection;
    to.expires_at = never;
    to.expiry_interval = asked.expiry_interval;
    to.receive_maximum = asked.receive_maximum;
    to.publish_maximum = asked.publish_maximum;
    to.open_down = 0;
    to.open_up = 0;
    to.observed = to.observed && by.observed;
    to.lifetime_known = to.lifetime_known && by.observed && asked.known;
    by.session = decision.session;
    by.keep_alive = asked.keep_alive;
    by.heard = decision.at;

    if (const will_model* const old = at.wills.find(client)) {
        if (old->due <= decision.at && to.lifetime_known) {
            blame(invariant::will, "a will was due, and was not published");
        }
        at.wills.erase(client);
    }
    if (asked.has_will) {
        *at.wills.insert(client).first = asked.will;
    }
}

void ledger::session_told(host_id host, broker_index broker, std::uint32_t connection, bool present,
                          instant now) {
    if (session_model* const to = present_session(*brokers_[broker], connection, host)) {
        to->told_anew = to->told_anew || !present;
    }
    rival_told(host, broker, connection, present, now);
}

void ledger::rival_told(host_id host, broker_index broker, std::uint32_t connection, bool present,
                        instant now) {
    session_model* const to = present_session(*brokers_[broker], connection, host);
    if (to != nullptr) {
        brokers_[broker]->connections[connection].spoke = own_time(host, now);
    }
    if (to != nullptr && to->present != present) {
        convict(invariant::session_present, now, 0, host, {},
                "CONNACK says otherwise than the broker did");
    }
}

void ledger::farewell_sent(host_id host, broker_index broker, std::uint32_t connection,
                           const disconnect& farewell) {
    broker_model& at = *brokers_[broker];
    if (connection >= at.connections_end || at.connections[connection].host != host) {
        return;
    }
    connection_model& by = at.connections[connection];
    by.said_farewell = true;
    by.farewell = farewell.code;
    by.farewell_has_expiry = farewell.session_expiry_interval.has_value();
    by.farewell_expiry = farewell.session_expiry_interval.value_or(0);
}

void ledger::note_disconnected(broker_model& at, const broker::broker_event& decision) {
    connection_model& by = connection_of(at, decision.connection);
    by.open = false;
    session_model* const to = find_session(at, decision.session);
    if (to == nullptr) {
        return;
    }
    if (decision.code == reason_code::session_taken_over && !by.closed) {
        at.taken_over.push_back(decision.connection);
        at.turn_is_open = true;
    }
    if (decision.broken == violation::keep_alive_timeout) {
        judge_cut_off(at, by, to->host, decision.at);
    }
    // A 3.1.1 client cannot know what the broker does not support.
    const bool could_not_know = to->is_v3 && (decision.broken == violation::qos_not_supported ||
                                              decision.broken == violation::retain_not_supported);
    if (to->observed && decision.broken != violation::none && !could_not_know &&
        decision.broken != violation::keep_alive_timeout &&
        decision.broken != violation::connect_timeout) {
        convict(decision.broken == violation::receive_maximum_exceeded ? invariant::receive_maximum
                                                                       : invariant::protocol,
                decision.at, 0, to->host, {},
                "the broker found fault with this client: " +
                    std::string(describe(decision.broken).name));
    }
    // What the broker says of a farewell is not taken for more than that it came.
    const bool came = by.said_farewell && !decision.flag && decision.broken == violation::none &&
                      decision.code == by.farewell;
    to->connection = broker::no_connection;
    if (came && by.farewell_has_expiry) {
        to->expiry_interval = std::min(by.farewell_expiry, at.options.session_expiry_maximum);
    }
    to->died = at.crashing;
    to->expires_at = to->expiry_interval == broker::session_expiry_never
                         ? never
                         : decision.at + std::chrono::seconds{to->expiry_interval};
    will_model* const last = at.wills.find(to->client);
    if (last == nullptr) {
        return;
    }
    const bool foreign = !to->lifetime_known && decision.code == reason_code::success;
    const bool normal = came && by.farewell == reason_code::normal_disconnection;
    if (normal || foreign || (at.crashing && to->expiry_interval == 0)) {
        at.wills.erase(to->client);  // v5/MQTT-3.14.4-3
    } else {
        last->due = saturating_add(decision.at, last->delay);
    }
}

/// Whether a session that has no connection may end now.
bool ledger::session_end_is_due(const broker_model& at, const session_model& of,
                                instant now) const {
    return of.expires_at <= now || at.crashing || !of.lifetime_known ||
           (at.asked.known && at.asked.clean_start && at.asked.client == of.client);
}

void ledger::note_session_ended(broker_model& at, const broker::broker_event& decision) {
    session_model* const to = find_session(at, decision.session);
    if (to == nullptr) {
        return;
    }
    if (to->connection != broker::no_connection || !session_end_is_due(at, *to, decision.at)) {
        convict(invariant::session_lifetime, decision.at, 0, to->host, {},
                "the session was ended before its expiry interval was over");
    }
    if (at.wills.find(to->client) != nullptr) {
        if (to->lifetime_known && !at.crashing) {
            convict(invariant::will, decision.at, 0, to->host, {},
                    "the session ended with a will that was not published");
        }
        at.wills.erase(to->client);
    }
    std::erase_if(at.orphans, [&](const orphan& each) {
        if (each.session != decision.session) {
            return false;
        }
        if (!at.crashing) {  // nobody is left to hand it over
            convict(invariant::shared_once, decision.at, each.number, to->host, {},
                    "its receiver's session ended, and no other member of the shared subscription "
                    "got it");
        }
        return true;
    });
    at.subscriptions.remove_all(to->subscriptions);
    at.by_client.erase(to->client);
    *to = {};
}

void ledger::note_will(broker_model& at, const broker::broker_event& decision) {
    ++at.counted.wills_published;
    at.will_in_hand = false;
    session_model* const of = find_session(at, decision.session);
    if (of == nullptr || !of->lifetime_known) {
        at.wills.erase(hash_text(decision.client_id));
        return;
    }
    const will_model* const due = at.wills.find(of->client);
    const auto blame = [&](std::string what) {
        convict(invariant::will, decision.at, 0, of->host, decision.topic, std::move(what));
    };
    if (due == nullptr) {
        blame("a will was published, though none was left");
        return;
    }
    if (due->topic != hash_text(decision.topic)) {
        blame("a will was published to another topic than its own");
    }
    if (of->connection != broker::no_connection) {
        blame("a will was published, though its client is connected");
    } else if (decision.at < due->due && !session_end_is_due(at, *of, decision.at)) {
        blame("a will was published before its delay was over");
    }
    at.will_in_hand = true;
    at.will_of = of->host;
    at.published_will = *due;
    at.wills.erase(of->client);
}

/// The message that a will has become.
void ledger::judge_will(broker_model& at, const publish& message, std::uint64_t number,
                        instant now) {
    at.will_in_hand = false;
    const will_model& left = at.published_will;
    if (message.retain != left.retain) {  // v5/MQTT-3.1.2-14, v5/MQTT-3.1.2-15
        convict(invariant::will, now, number, at.will_of, message.topic,
                left.retain ? "a will with Will Retain was published without RETAIN"
                            : "a will without Will Retain was published with RETAIN");
    }
    if (message.qos != left.qos || hash_text(as_text(message.payload)) != left.payload) {
        convict(invariant::will, now, number, at.will_of, message.topic,
                "a will was published with another payload or QoS than its own");
    }
}

void ledger::crashing(broker_index broker, bool keeps_sessions) {
    broker_model& at = *brokers_[broker];
    at.crashing = true;
    at.turn_is_open = true;
    for (session_index i = 0; i < at.sessions_end; ++i) {
        session_model& each = at.sessions[i];
        if (!keeps_sessions) {
            each.expiry_interval = 0;
        }
        if (each.alive && each.expiry_interval == 0) {
            at.wills.erase(each.client);
        }
    }
    if (!keeps_sessions) {
        at.retained.for_each(
            [](std::uint64_t, retained_model& each) { each.expires_at = instant::min(); });
    }
}

void ledger::restarted(broker_index broker, instant now) {
    broker_model& at = *brokers_[broker];
    for (session_index i = 0; i < at.sessions_end; ++i) {
        session_model& each = at.sessions[i];
        const bool died = each.died;
        each.died = false;
        if (!each.alive || !died || each.connection != broker::no_connection) {
            continue;
        }
        if (each.expires_at != never) {
            each.expires_at = now + std::chrono::seconds{each.expiry_interval};
        }
        if (will_model* const left = at.wills.find(each.client)) {
            left->due = saturating_add(now, left->delay);
        }
    }
}

void ledger::storage_failed(broker_index broker, std::string what, instant now) {
    convict(invariant::conservation, now, 0, first_broker_host + broker, {},
            "what was acknowledged cannot be read again: " + std::move(what));
}

void ledger::fault_found(host_id host, violation broken, instant now) {
    if (broken == violation::response_timeout) {
        return;  // silence is nobody's fault
    }
    convict(broken == violation::receive_maximum_exceeded          ? invariant::receive_maximum
            : broken == violation::session_present_without_session ? invariant::session_present
                                                                   : invariant::protocol,
            now, 0, host, {},
            "this client found fault with the broker: " + std::string(describe(broken).name));
}

}  // namespace fleetarium::sim::detail
