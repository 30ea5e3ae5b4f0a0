#include <fleetarium/broker/broker_core.hpp>

#include <fleetarium/broker/session_journal.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/codec/utf8.hpp>
#include <fleetarium/core/mutant.hpp>

#include <algorithm>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace fleetarium::broker {

namespace {

broker_hooks& default_hooks() {
    static broker_hooks hooks;  // has no state
    return hooks;
}

void require(bool fine, const char* what) {
    if (!fine) {
        throw std::invalid_argument(what);
    }
}

}  // namespace

broker_core::broker_core(const broker_options& options, broker_hooks* hooks)
    : options_(options),
      hooks_(hooks == nullptr ? &default_hooks() : hooks),
      observed_(hooks_->wants_events()),
      observes_messages_(observed_ && hooks_->wants_message_events()),
      asks_(hooks_->wants_authorization()),
      memory_(options.memory_max),
      tree_(options.hash_seed),
      retained_(options.hash_seed),
      sessions_(options.hash_seed) {
    require(options.receive_maximum >= 1, "receive_maximum must be 1 or more");
    require(options.maximum_packet_size >= 1, "maximum_packet_size must be 1 or more");
    require(options.inflight_messages_max >= 1, "inflight_messages_max must be 1 or more");
    require(options.connect_packet_size_max >= 64, "connect_packet_size_max must be 64 or more");
    require(options.connect_timeout > duration{}, "connect_timeout must be positive");
    require(options.topic_levels_max >= 1 && options.topic_levels_max <= limits::topic_levels_max,
            "topic_levels_max must be from 1 to 128");
    require(options.topic_bytes_max >= 1, "topic_bytes_max must be 1 or more");
    require(options.output_bytes_per_turn_max <= std::size_t{1} << 30,
            "output_bytes_per_turn_max must be 1 GiB or less");
    require(options.sys_interval >= duration{}, "sys_interval must not be negative");
    require(options.response_information.size() <= limits::string_size_max &&
                detail::check_string(options.response_information) == violation::none,
            "response_information must be UTF-8 of at most 65,535 bytes");
}

broker_core::~broker_core() = default;

// Input

void broker_core::start(instant now) {
    if (started_) {
        return;
    }
    started_ = now;
    if (options_.sys_interval > duration{}) {
        deadlines_.push({now, 0, deadline_kind::sys});
    }
}

connection_id broker_core::handle_open(const connection_manner& manner, instant now) {
    start(now);
    const connection_id id = connections_.emplace();
    connection& made = connections_[id];
    made.maximum_packet_size = manner.maximum_packet_size;
    connection_limits own;
    own.maximum_packet_size = std::min(options_.connect_packet_size_max, packet_size_maximum(made));
    made.protocol.open(own, options_.inflight_messages_max, options_.connect_timeout, now);
    if (!options_.use_topic_aliases) {
        made.protocol.use_no_topic_aliases();
    }
    if (journal_ != nullptr) {
        made.protocol.tell_progress();
    }
    made.refused = manner.refused || connections_.size() > options_.connections_max;
    made.refusal = manner.refused ? manner.refusal : reason_code::server_busy;
    arm_connection(id, now);
    ++metrics_.connections_opened;
    return id;
}

void broker_core::handle_bytes(connection_id from, bytes_view bytes, instant now) {
    connection& source = connections_[from];
    metrics_.bytes_received += bytes.size();
    if (source.dismissed) {
        return;  // on its way when the close was told
    }
    if (is_on(mutant::subscription_effective_late)) {
        source.refused = source.refused && !source.protocol.is_accepted();  // see handle_subscribe
    }
    begin_turn();
    // The answer to a lone PINGREQ promises nothing, and shows that somebody is here.
    bool promises =
        !(bytes.size() == 2 && bytes.front() == 0xC0 && source.protocol.is_between_packets());
    for (;;) {
        server_event event = source.protocol.handle_bytes(bytes, now);
        if (!std::holds_alternative<std::monostate>(event)) {
            promises = true;
            handle_event(from, event, now);
        } else if (bytes.empty()) {
            break;
        }
    }
    if (source.protocol.has_output() || source.protocol.should_close()) {
        list_output(from, promises && source.accepted);
    }
    if (memory_.is_set()) {
        settle_memory(from, now);
    }
}

void broker_core::handle_event(connection_id from, server_event& event, instant now) {
    std::visit(
        [&](auto& what) {
            using event_type = std::remove_cvref_t<decltype(what)>;
            if constexpr (std::is_same_v<event_type, fleetarium::publish>) {
                handle_publish(from, what, now);
            } else if constexpr (std::is_same_v<event_type, delivery_acknowledged>) {
                const session_index owner = connections_[from].session;
                ++metrics_.acknowledged[static_cast<std::size_t>(what.done.qos)];
                emit({.what = broker_event::kind::acknowledged,
                      .at = now,
                      .connection = from,
                      .session = owner,
                      .topic = what.done.message->topic(),
                      .identity = what.done.message->identity(),
                      .qos = what.done.qos,
                      .code = what.code});
                if (session_journal* const journal = journal_of(owner)) {
                    journal->completed(owner, what.done);
                }
                send_deliveries(owner, now);
            } else if constexpr (std::is_same_v<event_type, delivery_received>) {
                const session_index owner = connections_[from].session;
                if (session_journal* const journal = journal_of(owner)) {
                    journal->received(owner, what.packet_id);
                }
            } else if constexpr (std::is_same_v<event_type, publish_released>) {
                const session_index owner = connections_[from].session;
                if (session_journal* const journal = journal_of(owner)) {
                    journal->identifier_released(owner, what.packet_id);
                }
            } else if constexpr (std::is_same_v<event_type, publish_repeated>) {
                emit({.what = broker_event::kind::repeated,
                      .at = now,
                      .connection = from,
                      .session = connections_[from].session,
                      .count = what.packet_id});
            } else if constexpr (std::is_same_v<event_type, connect>) {
                handle_connect(from, what, now);
            } else if constexpr (std::is_same_v<event_type, subscribe>) {
                handle_subscribe(from, what, now);
            } else if constexpr (std::is_same_v<event_type, unsubscribe>) {
                handle_unsubscribe(from, what, now);
            } else if constexpr (std::is_same_v<event_type, auth>) {
                handle_auth(from, what, now);
            } else if constexpr (std::is_same_v<event_type, fleetarium::disconnect>) {
                handle_disconnect(from, what, now);
            } else if constexpr (std::is_same_v<event_type, protocol_violation>) {
                detach(from, describe(what.broken).code, what.broken, now);
            }
        },
        event);
}

void broker_core::handle_closed(connection_id gone, instant now) {
    connections_[gone].protocol.detach();
    detach(gone, reason_code::unspecified_error, violation::none, now);
    forget_held_outputs(connections_[gone]);
    memory_.count(connections_[gone].counted_bytes, 0);
    connections_.erase(gone);
    ++metrics_.connections_closed;
    count_tables();
}

void broker_core::handle_congested(connection_id slow, instant) {
    connections_[slow].congested = true;
}

void broker_core::handle_drained(connection_id drained, instant now) {
    connection& freed = connections_[drained];
    freed.congested = false;
    begin_turn();
    take_turn(drained, now);
}

void broker_core::handle_reading(connection_id of, bool reads, instant now) {
    connections_[of].unread = !reads;
    if (reads) {
        connections_[of].protocol.forgive_silence(now);
    }
}

void broker_core::vouch_for_user(connection_id from, std::string_view user_name) {
    connections_[from].user_name = std::make_unique<std::string>(user_name);
    connections_[from].vouched = true;
}

void broker_core::fail(connection_id id, violation broken, instant now) {
    connections_[id].protocol.fail(broken, now);
    detach(id, describe(broken).code, broken, now);
}

// Time

void broker_core::handle_timeout(instant now) {
    start(now);
    begin_turn();
    while (deadlines_.next_time() <= now) {
        fire(deadlines_.pop(), now);
    }
    count_tables();
}

instant broker_core::poll_timeout() const { return deadlines_.next_time(); }

// A deadline that moves later is not taken out of the wheel: its entry fires, finds that nothing is
// due, and goes back in. So a message costs no timer work. Nor is the entry of a connection or
// session that is gone; so that such entries do not pile up while clients come and go, none is put
// in further ahead than this.
constexpr duration arming_horizon = std::chrono::hours{1};

void broker_core::arm(instant& armed, instant due, deadline_kind kind, std::uint32_t index,
                      instant now) {
    const instant entry = std::min(due, saturating_add(now, arming_horizon));
    if (due != never && entry < armed) {
        armed = entry;
        deadlines_.push({entry, index, kind});
    }
}

void broker_core::arm_connection(connection_id id, instant now) {
    connection& armed = connections_[id];
    arm(armed.armed, armed.protocol.poll_timeout(), deadline_kind::connection, id, now);
}

void broker_core::arm_session(session_index index, instant now) {
    session& armed = sessions_[index];
    const instant due = std::min(armed.expires_at, armed.will ? armed.will->due : never);
    arm(armed.armed, due, deadline_kind::session, index, now);
}

void broker_core::arm_retained(instant now) {
    if (!expiring_retained_.empty()) {
        const instant due = (*expiring_retained_.begin())->expires_at();
        arm(retained_armed_, due, deadline_kind::retained, 0, now);
    }
}

void broker_core::fire(const deadline& due, instant now) {
    switch (due.kind) {
        case deadline_kind::connection: {
            if (!connections_.contains(due.index) || connections_[due.index].armed != due.time) {
                return;  // of a connection that is gone, or not its newest entry
            }
            connection& late = connections_[due.index];
            late.armed = never;
            if (late.unread) {
                constexpr duration between_looks = std::chrono::seconds{1};
                arm(late.armed, now + between_looks, deadline_kind::connection, due.index, now);
                return;
            }
            server_event event = late.protocol.handle_timeout(now);
            handle_event(due.index, event, now);
            arm_connection(due.index, now);
            return;
        }
        case deadline_kind::session: {
            if (sessions_.contains(due.index) && sessions_[due.index].armed == due.time) {
                sessions_[due.index].armed = never;
                settle_session(due.index, now);
            }
            return;
        }
        case deadline_kind::retained:
            if (retained_armed_ == due.time) {
                retained_armed_ = never;
                expire_retained(now);
            }
            return;
        case deadline_kind::turn:
            if (connections_.contains(due.index) && connections_[due.index].awaits_turn) {
                connections_[due.index].awaits_turn = false;
                take_turn(due.index, now);
            }
            return;
        case deadline_kind::sys:
            publish_sys_topics(now);
            deadlines_.push({now + options_.sys_interval, 0, deadline_kind::sys});
            return;
    }
}

void broker_core::expire_retained(instant now) {
    while (!expiring_retained_.empty() && (*expiring_retained_.begin())->expires_at() <= now) {
        const message_ptr expired = *expiring_retained_.begin();
        remove_retained(expired->topic(), expired->identity(), drop_reason::expired, now);
    }
    arm_retained(now);
}

// Output

void broker_core::list_output(connection_id id, bool promises) {
    connection& listed = connections_[id];
    listed.promises = listed.promises || promises;
    if (!listed.listed && !listed.dismissed) {
        listed.listed = true;
        outputs_.push_back(id);
    }
}

std::optional<broker_output> broker_core::poll_output() {
    if (!held_.empty()) {
        if (auto durable = poll_held_output()) {
            return durable;
        }
    }
    while (outputs_begin_ < outputs_.size()) {
        const connection_id id = outputs_[outputs_begin_++];
        if (!connections_.contains(id) || !connections_[id].listed) {
            continue;  // closed since it was listed
        }
        connection& ready = connections_[id];
        ready.listed = false;
        ready.turn_bytes = 0;
        broker_output out{id, ready.protocol.poll_transmit(), ready.protocol.should_close(),
                          ready.protocol.has_client_left()};
        metrics_.bytes_sent += out.bytes.size();
        ready.dismissed = out.close;
        if (journal_ != nullptr) {
            const bool waits = ready.promises && journal_->position() > durable_;
            ready.promises = false;
            if (waits || ready.last_held != 0) {
                hold_output(std::move(out), waits);
                continue;
            }
        }
        return out;
    }
    outputs_.clear();
    outputs_begin_ = 0;
    return std::nullopt;
}

// Verbs

result<void> broker_core::publish(const fleetarium::publish& message, instant now) {
    start(now);
    if (!is_valid_topic_name(message.topic) ||
        topic_level_count(message.topic) > limits::topic_levels_max) {
        return error::invalid_topic_name;
    }
    if (message.qos > qos::exactly_once ||
        message.payload.size() > limits::remaining_length_max - limits::string_size_max) {
        return error::invalid_argument;
    }
    take_on(message, no_session, no_connection, now);
    return {};
}

void broker_core::shut_down(instant now) {
    for (connection_id id = 0; id < connections_.end(); ++id) {
        if (connections_.contains(id) && !connections_[id].protocol.is_closing()) {
            end_connection(id, reason_code::server_shutting_down, now);
        }
    }
}

// Getters

client_info broker_core::info_of(connection_id id) const {
    const connection& known = connections_[id];
    client_info out;
    out.connection = id;
    out.version = known.protocol.version();
    out.vouched = known.vouched;
    if (known.session != no_session) {
        out.client_id = sessions_[known.session].client_id();
    }
    if (known.user_name) {
        out.user_name = *known.user_name;
    }
    return out;
}

session_info broker_core::describe_session(session_index index) const {
    const session& known = sessions_[index];
    return {index,
            known.client_id(),
            known.connection,
            known.filters.size(),
            known.state.outbound.pending(),
            known.state.outbound.in_flight()};
}

std::optional<session_info> broker_core::find_session(std::string_view client_id) const {
    const session_index index = sessions_.find(client_id);
    if (index == no_session) {
        return std::nullopt;
    }
    return describe_session(index);
}

std::size_t broker_core::deliveries_waiting() const {
    std::size_t total = 0;
    for_each_session([&](const session_info& one) { total += one.queued + one.in_flight; });
    return total;
}

std::size_t broker_core::memory_bytes() const {
    return sessions_.memory_bytes() + connections_.memory_bytes() + tree_.memory_bytes() +
           retained_.memory_bytes() + retained_.message_bytes() + deadlines_.memory_bytes() +
           outputs_.capacity() * sizeof(connection_id) +
           expiring_retained_.size() * (sizeof(message_ptr) + 4 * sizeof(void*));
}

}  // namespace fleetarium::broker
