// The memory ceiling: what is counted, and what is shed near it (memory_ceiling.hpp).

#include <fleetarium/broker/broker_core.hpp>

#include <algorithm>
#include <vector>

namespace fleetarium::broker {

namespace {

/// Where queues could not be shed to the end, they are not walked again sooner: the walk is linear
/// in the number of sessions, and a flood of PUBLISHes must not buy one each.
constexpr duration between_walks = std::chrono::seconds{1};

/// A client in the middle of a smaller packet keeps its connection above the ceiling,
constexpr std::size_t small_packet = 64 * 1024;
/// up to so many percent of it: there may be very many such clients.
constexpr std::size_t percent_with_small_packets = 110;

}  // namespace

void broker_core::count_connection(connection_id id) {
    connection& counted = connections_[id];
    memory_.count(counted.counted_bytes, counted.protocol.memory_bytes());
}

void broker_core::count_session(session_index index) {
    session& counted = sessions_[index];
    memory_.count(counted.counted_bytes,
                  counted.client_id_size + counted.filters.memory_bytes() +
                      counted.state.outbound.memory_bytes() + counted.state.inbound.memory_bytes() +
                      replays_.memory_bytes(index) + (counted.will ? sizeof(stored_will) : 0));
}

/// After a connection's bytes were handled: counts what they may have changed.
void broker_core::settle_memory(connection_id after, instant now) {
    count_connection(after);
    if (connections_[after].session != no_session) {
        count_session(connections_[after].session);
    }
    count_tables();
    if (!memory_.sheds(shedding::queues)) {
        return;
    }
    shed_queues(now);
    if (!memory_.sheds(shedding::publishers)) {
        return;
    }
    server_session& source = connections_[after].protocol;
    const bool is_far_above =
        memory_.used() / percent_with_small_packets >= memory_.ceiling() / 100;
    const bool keeps_nothing =
        !source.is_between_packets() && (is_far_above || !source.is_accepted());
    if (!source.is_closing() &&
        connections_[after].counted_bytes > (keeps_nothing ? 0 : small_packet)) {
        ++metrics_.shed[index_of(shedding::publishers)];
        end_connection(after, reason_code::quota_exceeded, now);
    }
    if (source.is_closing()) {
        source.forget_input();
        count_connection(after);
    }
}

void broker_core::count_tables() {
    if (!memory_.is_set()) {
        return;
    }
    memory_.set_tables(sessions_.places_bytes() + connections_.size() * sizeof(connection) +
                       tree_.memory_estimate() + retained_.memory_bytes() +
                       deadlines_.memory_bytes() + held_bytes_ +
                       held_.size() * sizeof(held_output) +
                       replays_.numbers_bytes() +
                       expiring_retained_.size() * (sizeof(message_ptr) + 4 * sizeof(void*)));
    memory_.update();
}

bool broker_core::refuse_publish_for_memory(connection_id from, const fleetarium::publish& message,
                                            instant now) {
    memory_.update();
    if (memory_.sheds(shedding::queues)) {
        shed_queues(now);
    }
    if (!memory_.sheds(shedding::publishers)) {
        return false;
    }
    ++metrics_.shed[index_of(shedding::publishers)];
    report_drop({}, message.topic, message.qos, no_session, drop_reason::memory_ceiling, now);
    if (message.qos != qos::at_most_once) {
        server_session& protocol = connections_[from].protocol;
        if (protocol.version() == protocol_version::v5) {
            protocol.acknowledge(message, reason_code::quota_exceeded, now);
        } else {
            end_connection(from, reason_code::quota_exceeded, now);  // it will send it again
        }
    }
    return true;
}

/// Absent sessions give their oldest messages, the largest queues first, until the step ends. One
/// walk frees a twentieth of the ceiling, or is not repeated for a while.
void broker_core::shed_queues(instant now) {
    if (now < next_shedding_) {
        return;
    }
    const auto smaller = [&](session_index a, session_index b) {
        const std::size_t left = sessions_[a].queued_bytes;
        const std::size_t right = sessions_[b].queued_bytes;
        return left != right ? left < right : a > b;
    };
    std::vector<session_index> absent;
    for (session_index i = 0; i < sessions_.slots().end(); ++i) {
        if (sessions_.contains(i) && sessions_[i].connection == no_connection &&
            sessions_[i].queued_bytes != 0) {
            absent.push_back(i);
        }
    }
    std::make_heap(absent.begin(), absent.end(), smaller);
    while (memory_.sheds(shedding::queues) && !absent.empty()) {
        std::pop_heap(absent.begin(), absent.end(), smaller);
        if (shed_oldest(absent.back(), now)) {
            std::push_heap(absent.begin(), absent.end(), smaller);
        } else {
            absent.pop_back();
        }
        memory_.update();
    }
    if (memory_.sheds(shedding::queues)) {
        next_shedding_ = now + between_walks;
    }
}

/// Whether the session has more to give.
bool broker_core::shed_oldest(session_index from, instant now) {
    if (!drop_oldest(from, drop_reason::memory_ceiling, now)) {
        return false;
    }
    ++metrics_.shed[index_of(shedding::queues)];
    count_session(from);
    return sessions_[from].queued_bytes != 0;
}

}  // namespace fleetarium::broker
