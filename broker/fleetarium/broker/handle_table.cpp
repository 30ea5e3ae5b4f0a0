#include <fleetarium/broker/handle_table.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/large_pages.hpp>

#include <utility>

namespace fleetarium::broker {

namespace {

constexpr std::size_t slots_min = 8;

}  // namespace

void handle_table::insert(std::uint64_t hash, std::uint32_t handle) {
    FLEETARIUM_ASSERT(handle != none);
    // At three quarters full a look-up still reads two or three slots of one cache line.
    if ((size_ + 1) * 4 > slots_.size() * 3) {
        resize(slots_.empty() ? slots_min : slots_.size() * 2);
    }
    place({tag_of(hash), handle});
    ++size_;
}

void handle_table::erase(std::uint64_t hash, std::uint32_t handle) {
    // Slots behind the gap move into it unless that would put them before their home, so that no
    // search ever meets a gap too early.
    std::size_t gap = position_of(hash, handle);
    for (std::size_t at = (gap + 1) & mask_; slots_[at].handle != none; at = (at + 1) & mask_) {
        const std::size_t home = slots_[at].tag & mask_;
        if (((at - home) & mask_) >= ((at - gap) & mask_)) {
            slots_[gap] = slots_[at];
            gap = at;
        }
    }
    slots_[gap] = {};
    --size_;
    if (size_ == 0) {
        resize(0);
    } else if (slots_.size() > slots_min && size_ * 8 < slots_.size()) {
        resize(slots_.size() / 2);
    }
}

void handle_table::replace(std::uint64_t hash, std::uint32_t before, std::uint32_t after) {
    slots_[position_of(hash, before)].handle = after;
}

std::size_t handle_table::position_of(std::uint64_t hash, std::uint32_t handle) const {
    FLEETARIUM_ASSERT(size_ != 0);
    std::size_t at = tag_of(hash) & mask_;
    while (slots_[at].handle != handle) {
        FLEETARIUM_ASSERT(slots_[at].handle != none);
        at = (at + 1) & mask_;
    }
    return at;
}

void handle_table::place(slot added) {
    std::size_t at = added.tag & mask_;
    while (slots_[at].handle != none) {
        at = (at + 1) & mask_;
    }
    slots_[at] = added;
}

void handle_table::resize(std::size_t slots) {
    std::vector<slot> made;
    made.reserve(slots);
    prefer_large_pages(made.data(), slots * sizeof(slot));
    made.resize(slots);
    const std::vector<slot> before = std::exchange(slots_, std::move(made));
    mask_ = slots == 0 ? 0 : slots - 1;
    for (const slot& held : before) {
        if (held.handle != none) {
            place(held);
        }
    }
}

}  // namespace fleetarium::broker
