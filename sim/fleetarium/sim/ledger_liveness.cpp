// Who may fall silent for how long, and which connections have to end.

#include <fleetarium/sim/ledger.hpp>

#include <fleetarium/core/prefetch.hpp>

#include <cstddef>

namespace fleetarium::sim::detail {

// Bytes

/// Asks the processor for the session of a connection: in a large fleet, most of what the ledger
/// costs is waiting for memory, and what will be said in the bytes is nearly always about it.
void ledger::prefetch_session(const broker_model& at, const connection_model& of) {
    if (of.session < at.sessions_end) {
        const void* const begin = at.sessions.place(of.session);
        prefetch(begin);
        prefetch(static_cast<const std::byte*>(begin) + sizeof(session_model) - 1);
    }
}

void ledger::prefetch_connection(broker_index broker, std::uint32_t connection) const {
    const broker_model& at = *brokers_[broker];
    if (connection < at.connections_end) {
        prefetch(&at.connections[connection]);
    }
}

void ledger::prefetch_session(broker_index broker, std::uint32_t connection) const {
    const broker_model& at = *brokers_[broker];
    if (connection < at.connections_end) {
        prefetch_session(at, at.connections[connection]);
    }
}

void ledger::heard(broker_index broker, std::uint32_t connection, bytes_view bytes, instant now) {
    connection_model& by = connection_of(*brokers_[broker], connection);
    prefetch_session(*brokers_[broker], by);
    // Only whole packets count: v5/MQTT-3.1.2-22.
    bool whole = false;
    frame_progress& in = by.frame;
    for (std::size_t at = 0; at < bytes.size();) {
        if (in.header == 0 && in.left != 0) {
            const std::size_t taken = std::min<std::size_t>(in.left, bytes.size() - at);
            in.left -= static_cast<std::uint32_t>(taken);
            at += taken;
        } else if (const std::uint8_t byte = bytes[at++]; in.header == 0) {
            in.header = 1;
        } else {
            in.left |= static_cast<std::uint32_t>(byte & 0x7f) << (7 * (in.header - 1));
            in.header = (byte & 0x80) != 0 && in.header < 4 ? in.header + 1 : 0;
        }
        whole = whole || (in.header == 0 && in.left == 0);
    }
    if (!whole) {
        return;
    }
    if (by.open && is_cut_off_late(by, std::min(now, brokers_[broker]->turn_began))) {
        convict(invariant::keep_alive, now, 0, by.host, {},
                "the broker let it be silent for more than one and a half times its Keep Alive");
    }
    by.heard = now;
}

void ledger::spoke(host_id host, broker_index broker, std::uint32_t connection, instant now) {
    broker_model& at = *brokers_[broker];
    if (connection >= at.connections_end) {
        return;
    }
    connection_model& by = at.connections[connection];
    if (by.spoke == never || by.host != host) {
        return;  // CONNACK has not come yet, or the broker has ended this link
    }
    if (by.keep_alive != 0 && is_silent_too_long(by, host, now)) {
        convict(invariant::keep_alive, now, 0, host, {},
                "this client was silent for longer than its Keep Alive");
    }
    by.spoke = own_time(host, now);
    prefetch_session(at, by);
}

void ledger::left(host_id host, broker_index broker, std::uint32_t connection) {
    broker_model& at = *brokers_[broker];
    if (connection < at.connections_end && at.connections[connection].host == host) {
        at.connections[connection].left = true;
    }
}

// Clocks

void ledger::clock_set(host_id host, std::uint64_t rate, instant now) {
    clocks_.insert(mix64(host + 1)).first->set(now, rate, duration{}, true);
}

instant ledger::own_time(host_id host, instant now) {
    const device_clock* const clock = clocks_.find(mix64(host + 1));
    return clock == nullptr ? now : clock->own(now);
}

// Keep Alive

/// A client keeps its Keep Alive by its own clock: it has no other.
bool ledger::is_silent_too_long(const connection_model& by, host_id host, instant now) {
    // What is due between two nanoseconds of a clock that goes wrong is late by less than this.
    constexpr duration rounding = std::chrono::microseconds{2};
    const device_clock* const clock = clocks_.find(mix64(host + 1));
    return clock == nullptr
               ? now > by.spoke + std::chrono::seconds{by.keep_alive}
               : clock->own(now) > by.spoke + std::chrono::seconds{by.keep_alive} + rounding;
}

bool ledger::is_cut_off_late(const connection_model& by, instant now) {
    return by.keep_alive != 0 && now > by.heard + std::chrono::milliseconds{by.keep_alive * 1500};
}

/// The broker cuts a client off that has been silent.
void ledger::judge_cut_off(const broker_model& at, const connection_model& by, host_id host,
                           instant now) {
    if (!by.observed) {
        return;
    }
    const auto grace = std::chrono::milliseconds{by.keep_alive * 1500};
    if (by.keep_alive == 0 || now < by.heard + grace) {
        convict(invariant::keep_alive, now, 0, host, {},
                "the broker cut this client off before one and a half times its Keep Alive was "
                "over");
    } else if (is_cut_off_late(by, std::min(now, at.turn_began))) {
        convict(invariant::keep_alive, now, 0, host, {},
                "the broker cut this client off after more than one and a half times its Keep "
                "Alive");
    }
    if (!by.left && by.spoke != never && is_silent_too_long(by, host, now)) {
        convict(invariant::keep_alive, now, 0, host, {},
                "this client was silent for longer than its Keep Alive, and was cut off");
    }
}

// Ends

void ledger::closed(broker_index broker, std::uint32_t connection) {
    connection_of(*brokers_[broker], connection).closed = true;
}

/// All that the broker had to say in this turn is out.
void ledger::judge_closed(broker_model& at, instant now) {
    for (const std::uint32_t each : at.taken_over) {
        const connection_model& by = at.connections[each];
        if (!by.closed) {
            convict(invariant::take_over, now, 0, by.host, {},
                    "another connection took its session over, but it was not closed");
        }
    }
    at.taken_over.clear();
}

}  // namespace fleetarium::sim::detail
