#include <fleetarium/session/inbound_flow.hpp>

#include <fleetarium/core/block_pool.hpp>

#include <algorithm>
#include <cstring>
#include <new>

namespace fleetarium {

namespace {

constexpr std::size_t list_capacity_first = 12;
constexpr std::size_t list_capacity_max = 60;
constexpr std::size_t map_capacity = 65'536;

}  // namespace

/// A list of up to 60 ids in their order, or a bit map of all: `capacity` tells which.
struct inbound_flow::id_set {
    std::uint32_t capacity;
    std::uint32_t count;

    bool is_map() const { return capacity == map_capacity; }
    std::uint16_t* list() { return reinterpret_cast<std::uint16_t*>(this + 1); }
    std::uint64_t* map() { return reinterpret_cast<std::uint64_t*>(this + 1); }

    static std::size_t bytes_for(std::size_t capacity) {
        return sizeof(id_set) +
               (capacity == map_capacity ? map_capacity / 8 : capacity * sizeof(std::uint16_t));
    }
    void set_in_map(std::uint16_t id) { map()[id / 64] |= std::uint64_t{1} << (id % 64); }
    bool is_in_map(std::uint16_t id) { return (map()[id / 64] >> (id % 64) & 1) != 0; }
};

inbound_flow::id_set* inbound_flow::make_set(std::size_t capacity) {
    const std::size_t bytes = id_set::bytes_for(capacity);
    auto* const made =
        ::new (block_pool::allocate(bytes)) id_set{static_cast<std::uint32_t>(capacity), 0};
    if (made->is_map()) {
        std::memset(made->map(), 0, map_capacity / 8);
    }
    return made;
}

void inbound_flow::free_set(id_set* dead) noexcept {
    block_pool::deallocate(dead, id_set::bytes_for(dead->capacity));
}

bool inbound_flow::contains(std::uint16_t packet_id) const noexcept {
    if (set_ == nullptr) {
        return false;
    }
    if (set_->is_map()) {
        return set_->is_in_map(packet_id);
    }
    return std::find(set_->list(), set_->list() + set_->count, packet_id) !=
           set_->list() + set_->count;
}

void inbound_flow::insert(std::uint16_t packet_id) {
    if (set_ == nullptr) {
        set_ = make_set(list_capacity_first);
    }
    if (!set_->is_map() && set_->count == set_->capacity) {
        id_set* const bigger =
            make_set(set_->capacity < list_capacity_max ? list_capacity_max : map_capacity);
        for (std::uint32_t i = 0; i < set_->count; ++i) {
            if (bigger->is_map()) {
                bigger->set_in_map(set_->list()[i]);
            } else {
                bigger->list()[i] = set_->list()[i];
            }
        }
        bigger->count = set_->count;
        free_set(set_);
        set_ = bigger;
    }
    if (set_->is_map()) {
        set_->set_in_map(packet_id);
    } else {
        set_->list()[set_->count] = packet_id;
    }
    ++set_->count;
}

bool inbound_flow::erase(std::uint16_t packet_id) noexcept {
    if (!contains(packet_id)) {
        return false;
    }
    if (set_->is_map()) {
        set_->map()[packet_id / 64] &= ~(std::uint64_t{1} << (packet_id % 64));
    } else {
        std::uint16_t* const end = set_->list() + set_->count;
        std::uint16_t* const found = std::find(set_->list(), end, packet_id);
        std::copy(found + 1, end, found);
    }
    if (--set_->count == 0) {
        clear();
    }
    return true;
}

std::size_t inbound_flow::size() const noexcept { return set_ == nullptr ? 0 : set_->count; }

std::size_t inbound_flow::memory_bytes() const noexcept {
    return set_ == nullptr ? 0 : id_set::bytes_for(set_->capacity);
}

void inbound_flow::clear() noexcept {
    if (set_ != nullptr) {
        free_set(std::exchange(set_, nullptr));
    }
}

}  // namespace fleetarium
