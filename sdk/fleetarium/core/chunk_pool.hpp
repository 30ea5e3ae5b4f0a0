#pragma once

#include <cstddef>
#include <vector>

namespace fleetarium {

/// Equal, self-aligned chunks of memory for one container.
///
/// A chunk's address is a multiple of its size, so a pointer into it finds its start by a mask.
/// Chunks are cut from slabs of growing size and recycled; slabs live as long as the pool.
/// Thread rule: one thread at a time.
class chunk_pool {
public:
    /// `chunk_size` is a power of two of at least 64. Allocates nothing yet.
    explicit chunk_pool(std::size_t chunk_size);

    chunk_pool(const chunk_pool&) = delete;
    chunk_pool& operator=(const chunk_pool&) = delete;

    /// Gives all slabs back: no chunk may be in use any more.
    ~chunk_pool();

    /// Returns a chunk with unspecified contents. Throws std::bad_alloc.
    void* take() {
        if (free_ == nullptr) {
            return take_from_slab();
        }
        free_chunk* const taken = free_;
        free_ = taken->next;
        return taken;
    }

    /// Takes back a chunk of this pool.
    void give_back(void* chunk) noexcept;

    /// Bytes held, in use or not.
    std::size_t memory_bytes() const noexcept;

private:
    struct free_chunk {
        free_chunk* next;
    };

    void* take_from_slab();

    std::size_t chunk_size_;
    free_chunk* free_ = nullptr;
    std::byte* unused_ = nullptr;  // of the newest slab: chunks never taken yet
    std::byte* unused_end_ = nullptr;
    std::size_t slab_bytes_ = 0;
    std::vector<std::byte*> slabs_;
};

}  // namespace fleetarium
