#include <fleetarium/session/outbound_flow.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/block_pool.hpp>

#include <new>
#include <utility>

namespace fleetarium {

namespace {

constexpr std::uint32_t first_capacity = 4;

}  // namespace

outbound_flow::outbound_flow(outbound_flow&& other) noexcept
    : ring_(std::exchange(other.ring_, nullptr)), last_packet_id_(other.last_packet_id_) {}

outbound_flow& outbound_flow::operator=(outbound_flow&& other) noexcept {
    std::swap(ring_, other.ring_);
    std::swap(last_packet_id_, other.last_packet_id_);
    return *this;
}

std::size_t outbound_flow::size() const noexcept { return ring_ == nullptr ? 0 : ring_->live; }

std::size_t outbound_flow::in_flight() const noexcept {
    return ring_ == nullptr ? 0 : ring_->flying;
}

std::size_t outbound_flow::pending() const noexcept { return size() - in_flight(); }

std::size_t outbound_flow::memory_bytes() const noexcept {
    return ring_ == nullptr ? 0 : sizeof(ring) + ring_->capacity * sizeof(delivery);
}

outbound_flow::ring* outbound_flow::make_ring(std::uint32_t capacity) {
    const std::size_t bytes = sizeof(ring) + capacity * sizeof(delivery);
    return ::new (block_pool::allocate(bytes)) ring{capacity, 0, 0, 0, 0, 0, 0, true};
}

void outbound_flow::free_ring(ring* dead) noexcept {
    block_pool::deallocate(dead, sizeof(ring) + dead->capacity * sizeof(delivery));
}

void outbound_flow::make_room() {
    if (ring_ == nullptr) {
        ring_ = make_ring(first_capacity);
        return;
    }
    if (ring_->count < ring_->capacity) {
        return;
    }
    // A ring that is mostly completed deliveries is compacted instead of doubled, so that one
    // delivery never acknowledged cannot make it grow without bound.
    const bool sparse = ring_->live <= ring_->count / 2;
    ring* const old = ring_;
    ring* const made = make_ring(sparse ? old->capacity : 2 * old->capacity);
    for (std::uint32_t i = 0; i < old->count; ++i) {
        delivery& from = at(i);
        if (from.state != delivery_state::completed) {
            made->cursor += i < old->cursor ? 1 : 0;
            made->assigned += i < old->assigned ? 1 : 0;
            ::new (&made->entries()[made->count++]) delivery(std::move(from));
        }
        from.~delivery();
    }
    made->live = old->live;
    made->flying = old->flying;
    made->ids_in_order = old->ids_in_order;
    free_ring(old);
    ring_ = made;
}

void outbound_flow::push(delivery added) {
    FLEETARIUM_ASSERT(added.message && added.state == delivery_state::pending);
    make_room();
    ::new (&at(ring_->count)) delivery(std::move(added));
    ++ring_->count;
    ++ring_->live;
}

delivery* outbound_flow::at_cursor() noexcept {
    while (ring_ != nullptr && ring_->cursor < ring_->count) {
        delivery& here = at(ring_->cursor);
        if (here.state != delivery_state::completed) {
            return &here;
        }
        advance(ring_->cursor < ring_->assigned ? here.packet_id : last_packet_id_);
    }
    return nullptr;
}

void outbound_flow::advance(std::uint16_t packet_id) noexcept {
    delivery& here = at(ring_->cursor);
    if (ring_->cursor == ring_->assigned) {
        // A place passed for the first time takes the id, a completed one too: `find` needs ids
        // that go up without gaps of unknown value.
        here.packet_id = packet_id;
        if (ring_->assigned > 0 && distance_from_first(packet_id) <
                                       distance_from_first(at(ring_->assigned - 1).packet_id)) {
            ring_->ids_in_order = false;
        }
        ++ring_->assigned;
        ring_->flying += here.state != delivery_state::completed ? 1 : 0;
    }
    ++ring_->cursor;
}

void outbound_flow::remove_at_cursor() noexcept {
    bury(at(ring_->cursor));
    reclaim();
}

delivery* outbound_flow::find(std::uint16_t packet_id) noexcept {
    if (ring_ == nullptr || ring_->assigned == 0) {
        return nullptr;
    }
    const auto is_it = [&](const delivery& candidate) {
        return candidate.packet_id == packet_id && candidate.state != delivery_state::completed;
    };
    if (!ring_->ids_in_order) {
        for (std::uint32_t i = 0; i < ring_->assigned; ++i) {
            if (is_it(at(i))) {
                return &at(i);
            }
        }
        return nullptr;
    }
    const std::uint16_t distance = distance_from_first(packet_id);
    if (distance > distance_from_first(at(ring_->assigned - 1).packet_id)) {
        return nullptr;
    }
    if (distance < ring_->assigned && is_it(at(distance))) {
        return &at(distance);
    }
    std::uint32_t low = 0;
    std::uint32_t high = ring_->assigned;
    while (low < high) {
        const std::uint32_t middle = low + (high - low) / 2;
        if (distance_from_first(at(middle).packet_id) < distance) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < ring_->assigned && at(low).packet_id == packet_id; ++low) {
        if (is_it(at(low))) {
            return &at(low);
        }
    }
    return nullptr;
}

void outbound_flow::complete(delivery& done) noexcept {
    bury(done);
    reclaim();
}

void outbound_flow::bury(delivery& done) noexcept {
    FLEETARIUM_ASSERT(done.state != delivery_state::completed);
    ring_->flying -= done.state != delivery_state::pending ? 1 : 0;
    --ring_->live;
    done.message = {};
    done.state = delivery_state::completed;
}

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
        ring_->head = (ring_->head + 1) & (ring_->capacity - 1);
        --ring_->count;
        ring_->cursor -= ring_->cursor > 0 ? 1 : 0;
        ring_->assigned -= ring_->assigned > 0 ? 1 : 0;
    }
}

void outbound_flow::rewind() noexcept {
    if (ring_ != nullptr) {
        ring_->cursor = 0;
    }
}

delivery outbound_flow::remove_oldest_pending() noexcept {
    for (std::uint32_t i = ring_ == nullptr ? 0 : ring_->assigned; ring_ != nullptr && i < ring_->count;
         ++i) {
        delivery& candidate = at(i);
        if (candidate.state == delivery_state::pending) {
            delivery taken = candidate;
            bury(candidate);
            reclaim();
            return taken;
        }
    }
    return delivery{};
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
