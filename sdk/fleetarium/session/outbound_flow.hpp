#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/session/message.hpp>

#include <cstdint>
#include <span>

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
    bool shared : 1 = false;       ///< came by a shared subscription (server only)
    bool waited : 1 = false;       ///< could not be sent at once (server only)
    bool holds_quota : 1 = false;  ///< its PUBLISH took a unit of the connection's send quota
    /// Of a shared one: which of the receiver's shared subscriptions it came by, counted among
    /// those that match, up to group_place_max (server only).
    std::uint8_t group_place : 2 = 0;

    static constexpr unsigned group_place_max = 3;
};

static_assert(sizeof(delivery) == 16);

/// The sender's half of a session: messages waiting to be sent and messages in flight, in one ring
/// in their sending order. Eight bytes of heap pointer and two of packet id while idle.
///
/// Rules it keeps: packet ids are not 0 and not in use [v5/MQTT-2.2.1-3, v5/MQTT-2.2.1-4]; what is
/// resent is resent in the order first sent [v5/MQTT-4.6.0-1] and before anything new.
/// The cursor is the next delivery to send on the present connection; `rewind` puts it back to the
/// first, so that after a reconnect the same loop resends and then goes on.
/// Thread rule: one thread at a time.
class outbound_flow {
public:
    outbound_flow() = default;
    outbound_flow(outbound_flow&& other) noexcept;
    outbound_flow& operator=(outbound_flow&& other) noexcept;
    ~outbound_flow() { clear(); }

    bool empty() const noexcept { return ring_ == nullptr; }
    /// Deliveries not completed.
    std::size_t size() const noexcept { return ring_ == nullptr ? 0 : ring_->live; }
    /// Deliveries that have a packet id and are not completed.
    std::size_t in_flight() const noexcept { return ring_ == nullptr ? 0 : ring_->flying; }
    /// Deliveries never sent.
    std::size_t pending() const noexcept { return size() - in_flight(); }
    /// Bytes of heap memory held, the messages' own not counted.
    std::size_t memory_bytes() const noexcept;

    /// Appends a delivery to be sent; its packet id and state are set here. Amortized constant.
    void push(delivery added);

    /// The delivery at the cursor, or null if all have been sent on this connection.
    delivery* at_cursor() noexcept;
    /// The pending delivery at the cursor, of QoS 1 or 2, is sent under `packet_id`, which
    /// `take_packet_id` gave: it is in flight, and the cursor moves behind it.
    void begin_at_cursor(std::uint16_t packet_id) noexcept;
    /// The delivery in flight at the cursor is sent again: the cursor moves behind it.
    void repeat_at_cursor() noexcept;
    /// The delivery at the cursor went out as QoS 0 or not at all: takes it out.
    void remove_at_cursor() noexcept;

    /// The next delivery behind the cursor for which PUBREL is owed on this connection, or null:
    /// where the window keeps the cursor from moving, PUBREL need not wait [v5/MQTT-3.3.4-8]. Each
    /// is named once, and the cursor passes over it then.
    delivery* next_release() noexcept;

    /// The delivery in flight under `packet_id`, or null. Constant time where ids are acknowledged
    /// about in their sending order, logarithmic otherwise; linear for the few that all the other
    /// packet ids have overtaken.
    delivery* find(std::uint16_t packet_id) noexcept;

    /// Takes out a delivery got from `find`. Amortized constant.
    void complete(delivery& done) noexcept;

    /// A packet id that is not in use here nor named in `also_used` (ids in use elsewhere, none of
    /// them here), or 0 if all are. Ids go up by one and wrap.
    std::uint16_t take_packet_id(std::span<const std::uint16_t> also_used = {}) noexcept;

    /// Takes packet ids from where `other` has come to.
    void continue_packet_ids_of(const outbound_flow& other) noexcept {
        last_packet_id_ = other.last_packet_id_;
    }

    /// Takes packet ids from behind this one.
    void continue_packet_ids_behind(std::uint16_t last) noexcept { last_packet_id_ = last; }

    /// The connection is gone: everything in flight is to be resent on the next. Linear in what is
    /// in flight.
    void rewind() noexcept;

    /// Takes out the oldest delivery that was never sent and returns it; null message if none.
    /// Amortized constant.
    delivery remove_oldest_pending() noexcept;

    /// Takes out each delivery never sent for which `unwanted(const delivery&)` is true.
    template <class Unwanted>
    void remove_pending_if(Unwanted&& unwanted) {
        for (std::uint32_t i = first_unassigned(); ring_ != nullptr && i < ring_->count; ++i) {
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
    // Places are counted from the head, which is never a completed delivery.
    struct ring {
        std::uint32_t head;         // index of the first delivery
        std::uint32_t count;        // deliveries, completed ones among them
        std::uint32_t live;         // deliveries not completed
        std::uint32_t cursor;       // place of the next delivery to send
        std::uint32_t released;     // before this place no PUBREL is owed on this connection
        std::uint32_t assigned;     // the first so many have a packet id
        std::uint32_t sorted_from;  // from here to `assigned` ids go up (modulo 65,536)
        std::uint16_t flying;       // live deliveries with a packet id
        std::uint8_t capacity_log2;

        std::uint32_t capacity() const { return std::uint32_t{1} << capacity_log2; }
        delivery* entries() { return reinterpret_cast<delivery*>(this + 1); }
        std::size_t bytes() const { return sizeof(ring) + capacity() * sizeof(delivery); }
    };
    static_assert(sizeof(ring) == 32);

    delivery& at(std::uint32_t place) const noexcept {
        return ring_->entries()[(ring_->head + place) & (ring_->capacity() - 1)];
    }
    std::uint32_t first_unassigned() const noexcept {
        return ring_ == nullptr ? 0 : ring_->assigned;
    }
    static ring* make_ring(std::uint8_t capacity_log2);
    static void free_ring(ring* dead) noexcept;
    void make_room();
    std::uint16_t distance_from_sorted(std::uint16_t packet_id) const noexcept;
    delivery* find_sorted(std::uint16_t packet_id) noexcept;
    void assign(std::uint16_t packet_id) noexcept;
    void bury(delivery& done) noexcept;
    void reclaim() noexcept;

    ring* ring_ = nullptr;
    std::uint16_t last_packet_id_ = 0;
};

}  // namespace fleetarium
