// What outlives the process: a core made from what storage kept, and outputs that wait until what
// they promise is durable.

#include <fleetarium/broker/broker_core.hpp>

#include <fleetarium/broker/session_journal.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/assert.hpp>

#include <algorithm>
#include <bit>
#include <utility>

namespace fleetarium::broker {

void broker_core::keep_journal(session_journal* journal) {
    journal_ = journal;
    durable_ = journal == nullptr ? 0 : journal->position();
}

// Going on from storage

session_index broker_core::restore_session(restored_session kept) {
    const bool has_valid_will =
        !kept.will || (is_valid_topic_name(kept.will->message->topic()) &&
                       topic_level_count(kept.will->message->topic()) <= limits::topic_levels_max);
    const bool usable = has_valid_will && kept.expiry_interval != 0 && !kept.client_id.empty() &&
                        kept.client_id.size() <= limits::string_size_max &&
                        sessions_.find(kept.client_id) == no_session;
    if (!usable) {
        return no_session;
    }
    const session_index index = sessions_.make(kept.client_id);
    session& made = sessions_[index];
    made.expiry_interval = kept.expiry_interval;
    made.expires_at = kept.was_connected ? never : kept.expires_at;
    made.will = std::move(kept.will);
    made.owner_hash = kept.owner_hash;
    if (kept.was_connected && made.will) {
        made.will->due = never;
    }
    if (kept.was_connected) {
        cut_off_.push_back(index);
    }
    return index;
}

bool broker_core::restore_subscription(session_index owner, std::string_view filter,
                                       std::uint32_t identifier,
                                       const subscription_options& options) {
    if (!is_storable_filter(filter)) {
        return false;
    }
    insert_subscription(filter, {owner, identifier, options});
    return true;
}

bool broker_core::restore_delivery(session_index to, delivery kept) {
    outbound_flow& flow = sessions_[to].state.outbound;
    const std::uint16_t packet_id = kept.packet_id;
    const bool released = kept.state == delivery_state::wait_pubcomp;
    const bool possible =
        kept.message && kept.qos != qos::at_most_once && kept.qos <= qos::exactly_once &&
        (packet_id == 0 ? kept.state == delivery_state::pending
                        : flow.find(packet_id) == nullptr && flow.pending() == 0) &&
        (!released || kept.qos == qos::exactly_once);
    if (!possible) {
        return false;
    }
    const std::size_t bytes = kept.message->memory_bytes();
    messages_taken_on_ = std::max(messages_taken_on_, kept.message->identity().number);
    kept.waited = true;
    flow.push(std::move(kept));
    if (packet_id == 0) {
        sessions_[to].queued_bytes += bytes;
        return true;
    }
    flow.at_cursor();
    flow.begin_at_cursor(packet_id);
    flow.continue_packet_ids_behind(packet_id);
    if (released) {
        flow.find(packet_id)->state = delivery_state::wait_pubcomp;
    }
    return true;
}

bool broker_core::restore_identifier(session_index from, std::uint16_t packet_id) {
    inbound_flow& flow = sessions_[from].state.inbound;
    if (packet_id == 0 || flow.contains(packet_id)) {
        return false;
    }
    flow.insert(packet_id);
    return true;
}

bool broker_core::restore_retained(message_ptr kept) {
    if (!is_valid_topic_name(kept->topic()) ||
        topic_level_count(kept->topic()) > limits::topic_levels_max ||
        retained_.find(kept->topic()) != nullptr) {
        return false;
    }
    messages_taken_on_ = std::max(messages_taken_on_, kept->identity().number);
    if (kept->expires_at() != never) {
        expiring_retained_.insert(kept);
    }
    retained_.set(std::move(kept));
    return true;
}

namespace {

/// By a clock that was ahead when they were stored, or is behind now, an absent session and its
/// will would wait longer than from the beginning on. Returns whether that was so.
bool bound_waits(session& absent, instant now) {
    bool changed = false;
    const auto bound = [&](instant& due, std::uint32_t seconds) {
        const instant latest = saturating_add(now, std::chrono::seconds{seconds});
        if (due != never && due > latest) {
            due = latest;
            changed = true;
        }
    };
    bound(absent.expires_at, absent.expiry_interval);
    if (absent.will) {
        bound(absent.will->due, absent.will->delay_interval);
    }
    return changed;
}

}  // namespace

void broker_core::go_on(instant now) {
    start(now);
    arm_retained(now);
    for (session_index i = 0; i < sessions_.slots().end(); ++i) {
        if (sessions_.slots().contains(i)) {
            sessions_[i].state.outbound.rewind();
        }
    }
    // The process died under these: their connections end now [v5/MQTT-3.1.2-8].
    for (const session_index index : std::exchange(cut_off_, {})) {
        set_out_of_connection(index, now);
    }
    for (session_index i = 0; i < sessions_.slots().end(); ++i) {
        if (sessions_.slots().contains(i) && sessions_[i].connection == no_connection) {
            if (bound_waits(sessions_[i], now) && journal_ != nullptr) {
                journal_->session_changed(i, sessions_[i]);
            }
            settle_session(i, now);
        }
    }
    for (session_index i = 0; memory_.is_set() && i < sessions_.slots().end(); ++i) {
        if (sessions_.slots().contains(i)) {
            count_session(i);
        }
    }
    count_tables();
}

/// A QoS 2 message was answered: if it was taken on, its packet id is not to be taken on again.
void broker_core::note_identifier(session_index from, std::uint16_t packet_id) {
    if (journal_of(from) != nullptr && sessions_[from].state.inbound.contains(packet_id)) {
        journal_->identifier_taken(from, packet_id);
    }
}

// Outputs that wait

/// Output that was taken from its connection and waits for the journal. All of them stand in the
/// order taken, which is that of the positions they wait for.
void broker_core::hold_output(broker_output out, bool after_commit) {
    // Places of connections that are gone stay empty. While nothing becomes durable, clients that
    // come and leave would make more and more of them.
    constexpr std::size_t places_min = 1024;
    if (held_.size() >= places_min && std::has_single_bit(held_.size())) {
        const auto is_empty = [](const held_output& each) {
            return each.out.connection == no_connection;
        };
        if (2 * std::count_if(held_.begin(), held_.end(), is_empty) >= std::ssize(held_)) {
            std::erase_if(held_, is_empty);
            for (const held_output& each : held_) {
                connections_[each.out.connection].last_held = 0;
            }
            std::uint32_t number = first_held_;
            for (held_output& each : held_) {
                connection& its = connections_[each.out.connection];
                each.previous = std::exchange(its.last_held, number);
                number += 2;
            }
        }
    }
    connection& of = connections_[out.connection];
    const std::uint64_t newest = held_.empty() ? durable_ : held_.back().position;
    held_bytes_ += out.bytes.size();
    held_.push_back({std::move(out), after_commit ? journal_->position() : newest, of.last_held});
    of.last_held = first_held_ + 2 * static_cast<std::uint32_t>(held_.size() - 1);
}

std::optional<broker_output> broker_core::poll_held_output() {
    while (!held_.empty() && held_.front().position <= durable_) {
        held_output next = std::move(held_.front());
        held_.pop_front();
        held_bytes_ -= next.out.bytes.size();
        const std::uint32_t number = std::exchange(first_held_, first_held_ + 2);
        if (next.out.connection == no_connection) {
            continue;  // closed while it waited
        }
        connection& of = connections_[next.out.connection];
        if (of.last_held == number) {
            of.last_held = 0;
        }
        return std::move(next.out);
    }
    return std::nullopt;
}

void broker_core::forget_held_outputs(const connection& gone) {
    std::uint32_t number = gone.last_held;
    while (number != 0 && (number - first_held_) / 2 < held_.size()) {
        held_output& lost = held_[(number - first_held_) / 2];
        held_bytes_ -= lost.out.bytes.size();
        lost.out.bytes = {};
        lost.out.connection = no_connection;
        number = lost.previous;
    }
}

void broker_core::handle_durable(std::uint64_t position) {
    FLEETARIUM_ASSERT(journal_ != nullptr && position <= journal_->position());
    durable_ = std::max(durable_, position);
}

}  // namespace fleetarium::broker
