#pragma once

#include <cstddef>

namespace fleetarium {

/// Memory blocks of a few size classes, recycled by the thread that frees them.
///
/// A message on the hot path takes its bytes from here, so that in steady state no message calls
/// the general allocator. Each thread keeps at most `limits::pooled_bytes_per_class_max` of free
/// blocks per class; more than that goes back to the general allocator. A block may be freed on
/// another thread than the one that allocated it.
namespace block_pool {

/// The usable size of the block that `allocate(size)` returns: the smallest class that holds
/// `size` bytes, or `size` rounded up to 4 KiB where no class does.
std::size_t class_size(std::size_t size);

/// Returns a block of `class_size(size)` bytes, aligned to 16. Throws std::bad_alloc.
void* allocate(std::size_t size);

/// Gives back a block; `size` is any size that has the block's class.
void deallocate(void* block, std::size_t size);

/// Gives this thread's free blocks back to the general allocator.
void trim();

}  // namespace block_pool

}  // namespace fleetarium
