#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/session/message.hpp>

#include <cstdint>

namespace fleetarium {

/// Where an outgoing message stands.
enum class delivery_state : std::uint8_t {
    pending,       ///< not sent yet; has no packet id
    wait_puback,   ///< QoS 1, sent
    wait_pubrec,   ///< QoS 2, sent
    wait_pubcomp,  ///< QoS 2, PUBREC came, PUBREL owed or sent
    completed,     ///< done; its place is reclaimed when all before it are done
};

/// One message on its way to the peer.
struct delivery {
    message_ptr message = {};
    std::uint32_t subscription_identifier = 0;  ///< 0 is none
    std::uint16_t packet_id = 0;
    delivery_state state = delivery_state::pending;
    enum qos qos : 2 = qos::at_most_once;  ///< of this delivery, not of the message
    bool retain : 1 = false;
    bool shared : 1 = false;  ///< came by a shared subscription (server only)
    bool waited : 1 = false;  ///< was reported as queued (server only)
};

static_assert(sizeof(delivery) == 16);

/// The sender's half of a session: messages waiting to be sent and messages in flight, in one ring
/// in their sending order. Eight bytes of heap pointer and two of packet id while idle.
///
/// Rules it keeps: packet ids are not 0 and not in use [v5/MQTT-2.2.1-3, v5/MQTT-2.2.1-4]; what is
/// resent is resent in the order first sent [v5/MQTT-4.6.0-1] and before anything new.
/// The cursor is the next delivery to send on the present connection; `rewind` puts it back to the
/// first, so that after a reconnect the same loop resends and then goes on.
class outbound_flow {
public:
    outbound_flow() = default;
    outbound_flow(outbound_flow&& other) noexcept;
    outbound_flow& operator=(outbound_flow&& other) noexcept;
    ~outbound_flow() { clear(); }

    bool empty() const noexcept { return ring_ == nullptr; }
    /// Deliveries not completed.
    std::size_t size() const noexcept;
    /// Deliveries that have a packet id and are not completed.
    std::size_t in_flight() const noexcept;
    /// Deliveries never sent.
    std::size_t pending() const noexcept;
    /// Bytes of heap memory held, the messages' own not counted.
    std::size_t memory_bytes() const noexcept;

    /// Appends a delivery to be sent.
    void push(delivery added);

    /// The delivery at the cursor, or null if all have been sent on this connection.
    delivery* at_cursor() noexcept;
    /// The delivery at the cursor was sent under `packet_id` (again or for the first time): moves
    /// the cursor behind it.
    void advance(std::uint16_t packet_id) noexcept;
    /// The delivery at the cursor goes out as QoS 0 or not at all: takes it out.
    void remove_at_cursor() noexcept;

    /// The delivery in flight under `packet_id`, or null. Constant time where ids are acknowledged
    /// about in their sending order; logarithmic otherwise.
    delivery* find(std::uint16_t packet_id) noexcept;

    /// Takes out a delivery got from `find`.
    void complete(delivery& done) noexcept;

    /// A packet id that is not in use here, or 0 if all are. `also_used(id)` names ids in use
    /// elsewhere. Ids go up by one and wrap.
    template <class AlsoUsed>
    std::uint16_t take_packet_id(AlsoUsed&& also_used) {
        for (std::uint32_t tries = 0; tries < 65'535; ++tries) {
            last_packet_id_ = last_packet_id_ == 65'535 ? std::uint16_t{1}
                                                        : static_cast<std::uint16_t>(last_packet_id_ + 1);
            if (find(last_packet_id_) == nullptr && !also_used(last_packet_id_)) {
                return last_packet_id_;
            }
        }
        return 0;
    }
    std::uint16_t take_packet_id() {
        return take_packet_id([](std::uint16_t) { return false; });
    }

    /// Takes packet ids from where `other` has come to.
    void continue_packet_ids_of(const outbound_flow& other) noexcept {
        last_packet_id_ = other.last_packet_id_;
    }

    /// The connection is gone: everything in flight is to be resent on the next.
    void rewind() noexcept;

    /// Takes out the oldest delivery that was never sent and returns it; null message if none.
    delivery remove_oldest_pending() noexcept;

    /// Takes out each delivery never sent for which `unwanted(const delivery&)` is true.
    template <class Unwanted>
    void remove_pending_if(Unwanted&& unwanted) {
        for (std::uint32_t i = 0; ring_ != nullptr && i < ring_->count; ++i) {
            delivery& candidate = at(i);
            if (candidate.state == delivery_state::pending && unwanted(std::as_const(candidate))) {
                bury(candidate);
            }
        }
        reclaim();
    }

    /// Calls `visit(const delivery&)` for each delivery not completed, first to last.
    template <class Visitor>
    void for_each(Visitor&& visit) const {
        for (std::uint32_t i = 0; ring_ != nullptr && i < ring_->count; ++i) {
            if (at(i).state != delivery_state::completed) {
                visit(std::as_const(at(i)));
            }
        }
    }

    /// Drops everything; the session has ended.
    void clear() noexcept;

private:
    struct ring {
        std::uint32_t capacity;  // a power of two
        std::uint32_t head;      // index of the first delivery
        std::uint32_t count;     // deliveries, completed ones among them
        std::uint32_t cursor;    // offset from head of the next delivery to send
        std::uint32_t assigned;  // the first so many have a packet id
        std::uint32_t live;      // deliveries not completed
        std::uint32_t flying;    // live deliveries with a packet id
        // Ids go up (modulo 65,536) from the head unless one long unanswered has been overtaken by
        // a full turn of the ids; only then must `find` look at each.
        bool ids_in_order;

        delivery* entries() { return reinterpret_cast<delivery*>(this + 1); }
    };

    delivery& at(std::uint32_t offset) const noexcept {
        return ring_->entries()[(ring_->head + offset) & (ring_->capacity - 1)];
    }
    std::uint16_t distance_from_first(std::uint16_t packet_id) const noexcept {
        return static_cast<std::uint16_t>(packet_id - at(0).packet_id);
    }
    static ring* make_ring(std::uint32_t capacity);
    static void free_ring(ring* dead) noexcept;
    void make_room();
    void bury(delivery& done) noexcept;
    void reclaim() noexcept;

    ring* ring_ = nullptr;
    std::uint16_t last_packet_id_ = 0;
};

}  // namespace fleetarium
