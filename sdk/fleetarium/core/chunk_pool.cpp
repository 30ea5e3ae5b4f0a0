#include <fleetarium/core/chunk_pool.hpp>

#include <fleetarium/core/assert.hpp>

#include <algorithm>
#include <bit>
#include <new>

namespace fleetarium {

namespace {

// A slab grows with what the pool already holds, so a small pool stays small and a large one
// takes few system calls; pages of a slab that are not touched yet cost nothing.
constexpr std::size_t slab_size_min = 16 * 1024;
constexpr std::size_t slab_size_max = 1024 * 1024;

}  // namespace

chunk_pool::chunk_pool(std::size_t chunk_size) : chunk_size_(chunk_size) {
    FLEETARIUM_ASSERT(std::has_single_bit(chunk_size) && chunk_size >= 64);
    FLEETARIUM_ASSERT(chunk_size <= slab_size_min);
}

chunk_pool::~chunk_pool() {
    for (std::byte* const each : slabs_) {
        ::operator delete (each, std::align_val_t{chunk_size_});
    }
}

void chunk_pool::give_back(void* chunk) noexcept { free_ = ::new (chunk) free_chunk{free_}; }

std::size_t chunk_pool::memory_bytes() const noexcept {
    return slab_bytes_ + slabs_.capacity() * sizeof(std::byte*);
}

void* chunk_pool::take_from_slab() {
    if (unused_ == unused_end_) {
        const std::size_t size =
            std::clamp(std::bit_floor(slab_bytes_ / 4), slab_size_min, slab_size_max);
        slabs_.reserve(slabs_.size() + 1);
        unused_ = static_cast<std::byte*>(::operator new (size, std::align_val_t{chunk_size_}));
        unused_end_ = unused_ + size;
        slabs_.push_back(unused_);
        slab_bytes_ += size;
    }
    void* const taken = unused_;
    unused_ += chunk_size_;
    return taken;
}

}  // namespace fleetarium
