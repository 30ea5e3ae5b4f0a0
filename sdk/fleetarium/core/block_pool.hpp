#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define FLEETARIUM_POISON_FREE_BLOCKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FLEETARIUM_POISON_FREE_BLOCKS 1
#endif
#endif

namespace fleetarium {

/// Memory blocks of a few size classes, recycled.
///
/// A message on the hot path takes its bytes from here, so that in steady state no message calls
/// the general allocator. A block may be freed on another thread than the one that allocated it,
/// also where that is the rule: each thread keeps up to two magazines of free blocks per class, of
/// 128 KiB each, and exchanges full ones with a depot that all share. The depot keeps at most
/// `limits::pooled_bytes_per_class_max` per class; more than that goes back to the general
/// allocator, as does what `age` finds to be needed no more.
namespace block_pool {

namespace detail {

inline constexpr std::size_t smallest_class = 32;
inline constexpr std::size_t largest_class = 64 * 1024;

// Two classes per power of two (32, 48, 64, 96, ...) keep the waste below a third.
inline constexpr std::size_t class_count = 2 * std::countr_zero(largest_class / smallest_class) + 1;

struct free_block {
    free_block* next;
};

/// The magazine of a thread that is in use.
struct free_list {
    free_block* head;
    std::size_t room;  // how many more blocks make it full
};

extern constinit thread_local std::array<free_list, class_count> lists;

constexpr std::size_t size_of_class(std::size_t index) {
    const std::size_t power = smallest_class << (index / 2);
    return index % 2 == 0 ? power : power + power / 2;
}

constexpr std::size_t class_of_size(std::size_t size) {
    if (size <= smallest_class) {
        return 0;
    }
    const auto power = static_cast<std::size_t>(std::bit_width(size - 1)) - 1;
    const std::size_t base = std::size_t{1} << power;
    const std::size_t index = 2 * (power - std::countr_zero(smallest_class));
    return size <= base + base / 2 ? index + 1 : index + 2;
}

constexpr std::size_t round_to_page(std::size_t size) { return (size + 4095) / 4096 * 4096; }

void* allocate_slowly(std::size_t size);
void deallocate_slowly(void* block, std::size_t size);

}  // namespace detail

/// The usable size of the block that `allocate(size)` returns: the smallest class that holds
/// `size` bytes, or `size` rounded up to 4 KiB where no class does.
inline std::size_t class_size(std::size_t size) {
    return size > detail::largest_class ? detail::round_to_page(size)
                                        : detail::size_of_class(detail::class_of_size(size));
}

/// Returns a block of `class_size(size)` bytes, aligned to 16. Throws std::bad_alloc.
inline void* allocate(std::size_t size) {
#ifndef FLEETARIUM_POISON_FREE_BLOCKS
    if (size <= detail::largest_class) {
        detail::free_list& list = detail::lists[detail::class_of_size(size)];
        if (list.head != nullptr) {
            ++list.room;
            return std::exchange(list.head, list.head->next);
        }
    }
#endif
    return detail::allocate_slowly(size);
}

/// Gives back a block; `size` is any size that has the block's class.
inline void deallocate(void* block, std::size_t size) {
#ifndef FLEETARIUM_POISON_FREE_BLOCKS
    if (size <= detail::largest_class) {
        detail::free_list& list = detail::lists[detail::class_of_size(size)];
        if (list.room != 0) {
            --list.room;
            list.head = ::new (block) detail::free_block{list.head};
            return;
        }
    }
#endif
    detail::deallocate_slowly(block, size);
}

/// Begins a period, and gives half of what the depot has had too much all through the last one back
/// to the general allocator: what a burst has left is gone after some periods, what the traffic
/// needs stays. Returns whether the depot keeps anything. Linear in the blocks given back.
/// Thread rule: any; a program calls it about once a second while there is traffic.
bool age();

/// Gives this thread's free blocks back to the general allocator.
void trim();

/// Bytes of the free blocks that this thread keeps.
std::size_t free_bytes();

/// Bytes of the free blocks in the depot.
std::size_t depot_bytes();

}  // namespace block_pool

}  // namespace fleetarium
