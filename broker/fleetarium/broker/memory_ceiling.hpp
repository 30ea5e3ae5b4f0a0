#pragma once

#include <fleetarium/session/message.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace fleetarium::broker {

/// What a broker gives up as its memory fills, in this order; each step goes on in those that
/// follow. A step begins where the memory in use reaches its share of the ceiling, and ends where
/// it is a twentieth of the ceiling below.
enum class shedding : std::uint8_t {
    none,
    /// From 80 %: no more clients; CONNECT is answered with "server busy", known sessions too.
    connections,
    /// From 85 %: nothing more to keep; SUBACK has "quota exceeded" for new subscriptions, and a
    /// message is not retained where its topic has none.
    growth,
    /// From 90 %: QoS 0 that would have to wait for a slow or absent client is dropped.
    qos_0,
    /// From 95 %: absent sessions lose the oldest messages of their queues, those with most bytes
    /// first, until 90 % are left.
    queues,
    /// From 100 %: PUBLISH is refused. MQTT 5 gets "quota exceeded" for QoS 1 and 2; 3.1.1, which
    /// cannot be told, loses its connection instead of the acknowledgement; QoS 0 is dropped. A
    /// client that is in the middle of a large packet loses its connection.
    publishers,
};

inline constexpr std::size_t shedding_step_count = 5;

/// The place of a step other than none in a table of them.
constexpr std::size_t index_of(shedding step) { return static_cast<std::size_t>(step) - 1; }

/// "connections" and so on; "none".
std::string_view name_of(shedding step);

/// The account of what clients make a broker hold, and the step of shedding that follows from it.
///
/// Counted are: messages (retained, queued, in flight, wills), each once however many sessions hold
/// it; sessions, subscriptions and connections with their queues, partial packets and topic
/// aliases; the tables around them; output that waits for a journal; what transports hold. Each
/// change costs constant time. One read of one connection may pass the ceiling by what it makes the
/// broker hold.
/// Thread rule: one thread at a time.
class memory_ceiling {
public:
    /// Bytes; 0: there is none, nothing is counted and nothing shed.
    explicit memory_ceiling(std::size_t ceiling) : ceiling_(ceiling) { enter(shedding::none); }

    bool is_set() const { return ceiling_ != 0; }
    std::size_t ceiling() const { return ceiling_; }
    std::size_t used() const { return messages_.bytes + parts_ + tables_ + outside_; }
    shedding step() const { return step_; }
    bool sheds(shedding what) const { return step_ >= what; }
    /// Where the step after this one begins, and where this one ends.
    static std::size_t begin_of(shedding step, std::size_t ceiling);
    static std::size_t end_of(shedding step, std::size_t ceiling);

    /// The account of messages; null without a ceiling.
    memory_account* messages() { return is_set() ? &messages_ : nullptr; }

    /// A part that had `counted` bytes has `bytes` now; keeps that in `counted`.
    void count(std::uint32_t& counted, std::size_t bytes) {
        constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max();
        const auto now = static_cast<std::uint32_t>(bytes < most ? bytes : most);
        parts_ += now;
        parts_ -= counted;
        counted = now;
    }
    void set_tables(std::size_t bytes) { tables_ = bytes; }
    void set_outside(std::size_t bytes) { outside_ = bytes; }

    /// The step that follows from what is used now.
    void update() {
        const std::size_t now = used();
        if (is_set() && (now >= next_begin_ || now < end_)) {
            move(now);
        }
    }

private:
    void move(std::size_t now);
    void enter(shedding step);

    std::size_t ceiling_;
    memory_account messages_;
    std::size_t parts_ = 0;
    std::size_t tables_ = 0;
    std::size_t outside_ = 0;
    std::size_t next_begin_ = 0;  // where the next step begins
    std::size_t end_ = 0;         // where this step ends
    shedding step_ = shedding::none;
};

}  // namespace fleetarium::broker
