// What one client can make the broker do at a time: output and retained messages go out in turns.

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/broker/outgoing.hpp>
#include <fleetarium/codec/topic.hpp>

#include <fleetarium/core/limits.hpp>
#include <fleetarium/core/mutant.hpp>

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetarium::broker {

namespace {

/// What one turn may cost where turns are bounded: a retained message costs one.
constexpr std::int64_t turn_cost_max = 4096;

/// Output costs one for so many bytes.
constexpr std::uint32_t bytes_per_cost = 4096;

/// To look for what a wildcard matches may find nothing in all that is retained, a node of which
/// costs a small part of a message.
std::int64_t search_cost(std::string_view filter, std::size_t retained) {
    constexpr std::int64_t least = 64;
    return has_wildcard(filter) ? least + static_cast<std::int64_t>(retained / 16) : 1;
}

/// While output waits for a session file, the next turn is not sooner.
constexpr duration between_looks_at_disk = std::chrono::milliseconds{10};

/// Who has had a turn comes after all whose turn found nothing left to spend; these are a
/// nanosecond apart.
constexpr duration behind_others = std::chrono::microseconds{100};

}  // namespace

void broker_core::begin_turn() {
    turn_left_ = has_turns() ? turn_cost_max : std::numeric_limits<std::int64_t>::max();
}

bool broker_core::is_full(const connection& receiver) const {
    return has_turns() && receiver.turn_bytes >= options_.output_bytes_per_turn_max;
}

void broker_core::note_sent(connection& receiver, std::size_t bytes) {
    constexpr std::size_t around = 12;  // headers, lengths, packet id: at most about that
    constexpr std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
    receiver.turn_bytes += static_cast<std::uint32_t>(
        std::min<std::size_t>(bytes + around, most - receiver.turn_bytes));
}

/// There is more for the connection than this turn may have: it goes on in a later one.
void broker_core::await_turn(connection_id id, instant now, duration delay) {
    connection& waiting = connections_[id];
    if (!waiting.awaits_turn) {
        waiting.awaits_turn = true;
        // Never at this instant: within one call of handle_timeout nobody else would come between.
        last_turn_ = std::max(last_turn_, now) + duration{1};
        deadlines_.push({last_turn_ + behind_others + delay, id, deadline_kind::turn});
    }
}

/// A turn has come, or the transport has room again.
void broker_core::take_turn(connection_id id, instant now) {
    connection& receiver = connections_[id];
    if (receiver.session == no_session || receiver.congested) {
        return;  // handle_drained goes on
    }
    if (has_turns() && held_bytes_ > limits::held_output_bytes_max && receiver.last_held != 0) {
        await_turn(id, now, between_looks_at_disk);
        return;
    }
    if (turn_left_ <= 0 || is_full(receiver)) {
        await_turn(id, now, -behind_others);
        return;
    }
    const session_index owner = receiver.session;
    send_deliveries(owner, now);
    replay_retained(owner, now);
    turn_left_ -= connections_[id].turn_bytes / bytes_per_cost;
    if (memory_.is_set()) {
        count_session(owner);
    }
}

// Retained messages

/// Whether what is retained has to wait: for a later turn, or until the client has acknowledged
/// what fills its window.
bool broker_core::must_wait(session_index to) const {
    const session& receiver = sessions_[to];
    const connection& target = connections_[receiver.connection];
    const bool disk_is_behind =
        held_bytes_ > limits::held_output_bytes_max && target.last_held != 0;
    return turn_left_ <= 0 || is_full(target) ||
           (has_turns() && (disk_is_behind || receiver.state.outbound.pending() != 0));
}

/// For one filter of a SUBSCRIBE.
void broker_core::send_retained(const subscription_request& one, const subscription& by,
                                instant now) {
    const connection_id to = sessions_[by.session].connection;
    if (replays_.contains(by.session) || must_wait(by.session)) {
        replays_.wait(by.session, *tree_.find(one.filter));
        await_turn(to, now);
        return;
    }
    turn_left_ -= search_cost(one.filter, retained_.size());
    std::vector<message_ptr> left;
    retained_.for_each_match(one.filter, [&](const message_ptr& kept) {
        if (!left.empty() || must_wait(by.session)) {
            left.push_back(kept);
        } else {
            send_kept(kept, by, now);
        }
    });
    if (!left.empty()) {
        replays_.begin(by.session, *tree_.find(one.filter), std::move(left));
        await_turn(to, now);
    }
}

void broker_core::send_kept(const message_ptr& kept, const subscription& by, instant now) {
    --turn_left_;
    if (kept->expired(now) ||
        (by.options.no_local && kept->publisher() == sessions_[by.session].client_id_hash)) {
        return;
    }
    outgoing out(kept);
    ++metrics_.retained_sent;
    // v5/MQTT-3.3.1-9, v3/MQTT-3.3.1-8: with RETAIN, since the subscription asked for it.
    deliver(out, by.session, std::min(by.options.qos, options_.maximum_qos),
            !is_on(mutant::retained_sent_without_flag),
            {&by.identifier, by.identifier == 0 ? 0u : 1u}, nullptr, now);
}

/// Goes on with what earlier turns left.
void broker_core::replay_retained(session_index to, instant now) {
    retained_replays::replay* const left = replays_.find(to);
    if (left == nullptr) {
        return;
    }
    while (left->filter != no_filter || !left->waiting.empty()) {
        if (must_wait(to)) {
            await_turn_if_due(to, now);
            return;
        }
        if (left->filter == no_filter) {
            find_retained_again(*left);
        } else if (left->next == left->found.size()) {
            left->filter = no_filter;
            left->found = {};
            left->next = 0;
        } else {
            send_next_kept(*left, to, now);
        }
    }
    replays_.forget(to);
}

/// Whose window is full takes its next turn when something is acknowledged: see send_deliveries.
void broker_core::await_turn_if_due(session_index to, instant now) {
    if (sessions_[to].state.outbound.pending() == 0) {
        await_turn(sessions_[to].connection, now);
    }
}

void broker_core::find_retained_again(retained_replays::replay& left) {
    const auto [filter, as_of] = *left.waiting.begin();
    left.waiting.erase(left.waiting.begin());
    left.filter = filter;
    turn_left_ -= search_cost(tree_.text(filter), retained_.size());
    retained_.for_each_match(tree_.text(filter), [&](const message_ptr& kept) {
        if (replays_.was_retained(kept, as_of)) {
            left.found.push_back(kept);
        }
    });
}

void broker_core::send_next_kept(retained_replays::replay& left, session_index to, instant now) {
    const message_ptr kept = std::move(left.found[left.next++]);
    const message_ptr* const newest = retained_.find(kept->topic());
    if (newest != nullptr && *newest == kept) {
        send_kept(kept, *tree_.find(left.filter, to), now);
    } else {
        --turn_left_;  // its successor came on its own
    }
}

/// The client has gone before it was sent all: the messages found for it that outlive a connection
/// wait in its queue, as far as there is room, and no search is made for one who is not there.
void broker_core::end_replay(session_index of, instant now) {
    retained_replays::replay* const left = replays_.find(of);
    if (left == nullptr) {
        return;
    }
    const subscription* const by =
        left->filter == no_filter ? nullptr : tree_.find(left->filter, of);
    if (by != nullptr && by->options.qos != qos::at_most_once) {
        const std::int64_t left_of_others = std::exchange(turn_left_, turn_cost_max);
        while (turn_left_ > 0 && left->next < left->found.size() &&
               sessions_[of].state.outbound.pending() < options_.queue_messages_max) {
            send_next_kept(*left, of, now);
        }
        turn_left_ = left_of_others;
        metrics_.dropped[static_cast<std::size_t>(drop_reason::queue_full)] +=
            left->found.size() - left->next;
    }
    replays_.forget(of);
    if (memory_.is_set()) {
        count_session(of);
    }
}

}  // namespace fleetarium::broker
