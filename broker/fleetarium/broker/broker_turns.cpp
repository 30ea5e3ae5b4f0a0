// What one client can make the broker do at a time: output and retained messages go out in turns.

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/broker/outgoing.hpp>

#include <fleetarium/core/limits.hpp>
#include <fleetarium/core/mutant.hpp>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace fleetarium::broker {

namespace {

/// Retained messages in one turn of one client, where turns are bounded.
constexpr std::int64_t retained_per_turn = 4096;

/// To look for what a filter matches counts as so many messages: it may find none in a large store.
constexpr std::int64_t search_cost = 256;

/// While output waits for a session file, the next turn is not sooner.
constexpr duration between_looks_at_disk = std::chrono::milliseconds{10};

}  // namespace

void broker_core::begin_turn() {
    retained_left_ = options_.output_bytes_per_turn_max == 0
                         ? std::numeric_limits<std::int64_t>::max()
                         : retained_per_turn;
}

bool broker_core::is_full(const connection& receiver) const {
    return options_.output_bytes_per_turn_max != 0 &&
           receiver.turn_bytes >= options_.output_bytes_per_turn_max;
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
        deadlines_.push({now + std::max(delay, duration{1}), id, deadline_kind::turn});
    }
}

/// A turn has come, or the transport has room again.
void broker_core::take_turn(connection_id id, instant now) {
    connection& receiver = connections_[id];
    if (receiver.session == no_session || receiver.congested) {
        return;  // handle_drained goes on
    }
    const bool disk_is_behind =
        held_bytes_ > limits::held_output_bytes_max && receiver.last_held != 0;
    if (is_full(receiver) || disk_is_behind) {
        await_turn(id, now, disk_is_behind ? between_looks_at_disk : duration{});
        return;
    }
    const session_index owner = receiver.session;
    begin_turn();
    send_deliveries(owner, now);
    replay_retained(owner, now);
    if (memory_.is_set() && sessions_.contains(owner)) {
        count_session(owner);
    }
}

// Retained messages

/// For one filter of a SUBSCRIBE.
void broker_core::send_retained(const subscription_request& one, const subscription& by,
                                instant now) {
    const connection_id to = sessions_[by.session].connection;
    if (retained_left_ <= 0 || replays_.contains(by.session) || is_full(connections_[to])) {
        replays_.wait(by.session, *tree_.find(one.filter));
        await_turn(to, now);
        return;
    }
    retained_left_ -= search_cost;
    std::vector<message_ptr> left;
    retained_.for_each_match(one.filter, [&](const message_ptr& kept) {
        if (retained_left_ <= 0 || is_full(connections_[to])) {
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
    --retained_left_;
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
    const connection_id connected = sessions_[to].connection;
    while (left->filter != no_filter || !left->waiting.empty()) {
        if (left->filter == no_filter) {
            find_retained_again(*left);
        }
        const subscription* const by = tree_.find(left->filter, to);
        for (; left->next < left->found.size(); ++left->next) {
            if (retained_left_ <= 0 || is_full(connections_[connected])) {
                await_turn(connected, now);
                return;
            }
            const message_ptr kept = std::move(left->found[left->next]);
            const message_ptr* const newest = retained_.find(kept->topic());
            if (newest != nullptr && *newest == kept) {  // else its successor came on its own
                send_kept(kept, *by, now);
            }
        }
        left->filter = no_filter;
        left->found = {};
        left->next = 0;
    }
    replays_.forget(to);
}

void broker_core::find_retained_again(retained_replays::replay& left) {
    const auto [filter, as_of] = *left.waiting.begin();
    left.waiting.erase(left.waiting.begin());
    left.filter = filter;
    retained_left_ -= search_cost;
    retained_.for_each_match(tree_.text(filter), [&](const message_ptr& kept) {
        if (replays_.was_retained(kept, as_of)) {
            left.found.push_back(kept);
        }
    });
}

}  // namespace fleetarium::broker
