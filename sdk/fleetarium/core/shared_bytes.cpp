#include <fleetarium/core/shared_bytes.hpp>

#include <fleetarium/core/block_pool.hpp>

#include <atomic>
#include <cstring>
#include <new>

namespace fleetarium {

struct shared_bytes::block {
    std::size_t size;
    std::atomic<std::size_t> references;

    std::uint8_t* data() { return reinterpret_cast<std::uint8_t*>(this + 1); }
};

shared_bytes::shared_bytes(bytes_view bytes) {
    if (bytes.empty()) {
        return;
    }
    block_ = ::new (block_pool::allocate(sizeof(block) + bytes.size())) block{bytes.size(), 1};
    std::memcpy(block_->data(), bytes.data(), bytes.size());
}

bytes_view shared_bytes::view() const noexcept {
    return block_ == nullptr ? bytes_view{} : bytes_view{block_->data(), block_->size};
}

void shared_bytes::retain() noexcept { block_->references.fetch_add(1, std::memory_order_relaxed); }

void shared_bytes::release() noexcept {
    // Who finds the count at one is the last: nobody is left to add to it.
    if (block_->references.load(std::memory_order_acquire) == 1 ||
        block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        block_pool::deallocate(block_, sizeof(block) + block_->size);
    }
}

}  // namespace fleetarium
