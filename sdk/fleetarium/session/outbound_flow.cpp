#include <fleetarium/session/outbound_flow.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/block_pool.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace fleetarium {

namespace {

// With four deliveries a ring fills a block of 96 bytes.
constexpr std::uint8_t first_capacity_log2 = 2;
constexpr std::size_t packet_ids = 65'535;

}  // namespace

outbound_flow::outbound_flow(outbound_flow&& other) noexcept
    : ring_(std::exchange(other.ring_, nullptr)), last_packet_id_(other.last_packet_id_) {}

outbound_flow& outbound_flow::operator=(outbound_flow&& other) noexcept {
    std::swap(ring_, other.ring_);
    std::swap(last_packet_id_, other.last_packet_id_);
    return *this;
}

std::size_t outbound_flow::memory_bytes() const noexcept {
    return ring_ == nullptr ? 0 : ring_->bytes();
}

outbound_flow::ring* outbound_flow::make_ring(std::uint8_t capacity_log2) {
    ring wanted{};
    wanted.capacity_log2 = capacity_log2;
    return ::new (block_pool::allocate(wanted.bytes())) ring(wanted);
}

void outbound_flow::free_ring(ring* dead) noexcept { block_pool::deallocate(dead, dead->bytes()); }

void outbound_flow::make_room() {
    if (ring_ == nullptr) {
        ring_ = make_ring(first_capacity_log2);
        return;
    }
    if (ring_->count < ring_->capacity()) {
        return;
    }
    // A ring that is mostly completed deliveries is compacted instead of doubled, so that one
    // delivery never acknowledged cannot make it grow without bound.
    const bool sparse = ring_->live <= ring_->count / 2;
    ring* const old = ring_;
    ring* const made = make_ring(static_cast<std::uint8_t>(old->capacity_log2 + (sparse ? 0 : 1)));
    for (std::uint32_t i = 0; i < old->count; ++i) {
        delivery& from = at(i);
        if (from.state != delivery_state::completed) {
            made->cursor += i < old->cursor ? 1 : 0;
            made->released += i < old->released ? 1 : 0;
            made->assigned += i < old->assigned ? 1 : 0;
            made->sorted_from += i < old->sorted_from ? 1 : 0;
            ::new (&made->entries()[made->count++]) delivery(std::move(from));
        }
        at(i).~delivery();
    }
    made->live = old->live;
    made->flying = old->flying;
    free_ring(old);
    ring_ = made;
}

void outbound_flow::push(delivery added) {
    FLEETARIUM_ASSERT(added.message);
    added.state = delivery_state::pending;
    added.packet_id = 0;
    added.holds_quota = false;
    make_room();
    ::new (&at(ring_->count)) delivery(std::move(added));
    ++ring_->count;
    ++ring_->live;
}

// The cursor

delivery* outbound_flow::at_cursor() noexcept {
    while (ring_ != nullptr && ring_->cursor < ring_->count) {
        delivery& here = at(ring_->cursor);
        const bool released =
            here.state == delivery_state::wait_pubcomp && ring_->cursor < ring_->released;
        if (here.state != delivery_state::completed && !released) {
            return &here;
        }
        if (ring_->cursor == ring_->assigned) {
            assign(last_packet_id_);
        }
        ++ring_->cursor;
    }
    return nullptr;
}

/// Gives the first place without a packet id one. A completed place passed by takes one too: what
/// `find` searches has no place of unknown id.
void outbound_flow::assign(std::uint16_t packet_id) noexcept {
    const bool overtaken =
        ring_->assigned > ring_->sorted_from &&
        distance_from_sorted(packet_id) < distance_from_sorted(at(ring_->assigned - 1).packet_id);
    if (overtaken) {
        // The ids have come round to a delivery still unanswered: a new ascent begins.
        ring_->sorted_from = ring_->assigned;
    }
    at(ring_->assigned).packet_id = packet_id;
    ++ring_->assigned;
}

void outbound_flow::begin_at_cursor(std::uint16_t packet_id) noexcept {
    delivery& here = at(ring_->cursor);
    FLEETARIUM_ASSERT(here.state == delivery_state::pending && ring_->cursor == ring_->assigned);
    FLEETARIUM_ASSERT(here.qos != qos::at_most_once && packet_id != 0);
    here.state =
        here.qos == qos::at_least_once ? delivery_state::wait_puback : delivery_state::wait_pubrec;
    assign(packet_id);
    ++ring_->flying;
    ++ring_->cursor;
}

void outbound_flow::repeat_at_cursor() noexcept {
    FLEETARIUM_ASSERT(ring_->cursor < ring_->assigned);
    ++ring_->cursor;
}

void outbound_flow::remove_at_cursor() noexcept {
    bury(at(ring_->cursor));
    reclaim();
}

delivery* outbound_flow::next_release() noexcept {
    if (ring_ == nullptr) {
        return nullptr;
    }
    ring_->released = std::max(ring_->released, ring_->cursor);
    while (ring_->released < ring_->assigned) {
        delivery& here = at(ring_->released++);
        if (here.state == delivery_state::wait_pubcomp) {
            return &here;
        }
    }
    return nullptr;
}

void outbound_flow::rewind() noexcept {
    if (ring_ == nullptr) {
        return;
    }
    ring_->cursor = 0;
    ring_->released = 0;
    for (std::uint32_t i = 0; i < ring_->assigned; ++i) {
        at(i).holds_quota = false;
    }
}

// Packet ids

std::uint16_t outbound_flow::distance_from_sorted(std::uint16_t packet_id) const noexcept {
    return static_cast<std::uint16_t>(packet_id - at(ring_->sorted_from).packet_id);
}

std::uint16_t outbound_flow::take_packet_id(std::span<const std::uint16_t> also_used) noexcept {
    if (in_flight() + also_used.size() >= packet_ids) {
        return 0;
    }
    for (;;) {
        last_packet_id_ = static_cast<std::uint16_t>(last_packet_id_ + 1);
        if (last_packet_id_ != 0 && find(last_packet_id_) == nullptr &&
            std::find(also_used.begin(), also_used.end(), last_packet_id_) == also_used.end()) {
            return last_packet_id_;
        }
    }
}

delivery* outbound_flow::find(std::uint16_t packet_id) noexcept {
    if (ring_ == nullptr || ring_->flying == 0) {
        return nullptr;
    }
    if (delivery* const found = find_sorted(packet_id)) {
        return found;
    }
    for (std::uint32_t i = 0; i < ring_->sorted_from; ++i) {
        if (at(i).packet_id == packet_id && at(i).state != delivery_state::completed) {
            return &at(i);
        }
    }
    return nullptr;
}

delivery* outbound_flow::find_sorted(std::uint16_t packet_id) noexcept {
    const std::uint32_t first = ring_->sorted_from;
    const std::uint32_t end = ring_->assigned;
    const std::uint16_t distance = first < end ? distance_from_sorted(packet_id) : std::uint16_t{0};
    if (first == end || distance > distance_from_sorted(at(end - 1).packet_id)) {
        return nullptr;
    }
    const auto is_it = [packet_id](const delivery& candidate) {
        return candidate.packet_id == packet_id && candidate.state != delivery_state::completed;
    };
    // Without gaps the place follows from the id; 0 is no id.
    const std::uint32_t guess = first + distance - (packet_id < at(first).packet_id ? 1 : 0);
    if (guess < end && is_it(at(guess))) {
        return &at(guess);
    }
    std::uint32_t low = first;
    std::uint32_t high = end;
    while (low < high) {
        const std::uint32_t middle = low + (high - low) / 2;
        if (distance_from_sorted(at(middle).packet_id) < distance) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < end && at(low).packet_id == packet_id; ++low) {
        if (is_it(at(low))) {
            return &at(low);
        }
    }
    return nullptr;
}

// Taking out

void outbound_flow::complete(delivery& done) noexcept {
    bury(done);
    reclaim();
}

void outbound_flow::bury(delivery& done) noexcept {
    FLEETARIUM_ASSERT(done.state != delivery_state::completed);
    if (done.state != delivery_state::pending) {
        --ring_->flying;
    }
    --ring_->live;
    done.message = {};
    done.state = delivery_state::completed;
}

/// Frees the completed places at the head.
void outbound_flow::reclaim() noexcept {
    if (ring_ == nullptr) {
        return;
    }
    if (ring_->live == 0) {
        clear();
        return;
    }
    while (at(0).state == delivery_state::completed) {
        at(0).~delivery();
        ring_->head = (ring_->head + 1) & (ring_->capacity() - 1);
        --ring_->count;
        ring_->cursor -= ring_->cursor > 0 ? 1 : 0;
        ring_->released -= ring_->released > 0 ? 1 : 0;
        ring_->assigned -= ring_->assigned > 0 ? 1 : 0;
        ring_->sorted_from -= ring_->sorted_from > 0 ? 1 : 0;
    }
}

delivery outbound_flow::remove_oldest_pending() noexcept {
    if (pending() == 0) {
        return delivery{};
    }
    // Completed places behind those in flight are passed for good, so that the next call need not
    // pass them again.
    while (at(ring_->assigned).state == delivery_state::completed) {
        ring_->cursor += ring_->cursor == ring_->assigned ? 1 : 0;
        assign(last_packet_id_);
    }
    delivery& oldest = at(ring_->assigned);
    delivery taken = oldest;
    bury(oldest);
    reclaim();
    return taken;
}

void outbound_flow::clear() noexcept {
    if (ring_ == nullptr) {
        return;
    }
    for (std::uint32_t i = 0; i < ring_->count; ++i) {
        at(i).~delivery();
    }
    free_ring(std::exchange(ring_, nullptr));
}

}  // namespace fleetarium
