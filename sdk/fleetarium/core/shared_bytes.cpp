#include <fleetarium/core/shared_bytes.hpp>

#include <fleetarium/core/block_pool.hpp>

#include <cstring>
#include <new>

namespace fleetarium {

struct shared_bytes::block {
    std::size_t size;
    std::size_t references;

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

void shared_bytes::retain() noexcept { ++block_->references; }

void shared_bytes::release() noexcept {
    if (--block_->references == 0) {
        block_pool::deallocate(block_, sizeof(block) + block_->size);
    }
}

}  // namespace fleetarium
