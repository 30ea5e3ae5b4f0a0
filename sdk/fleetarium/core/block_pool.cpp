#include <fleetarium/core/block_pool.hpp>

#include <fleetarium/core/limits.hpp>

#include <limits>
#include <new>

#ifdef FLEETARIUM_POISON_FREE_BLOCKS
#include <sanitizer/asan_interface.h>
#endif

namespace fleetarium::block_pool {

using detail::class_count;
using detail::class_of_size;
using detail::free_block;
using detail::free_list;
using detail::largest_class;
using detail::lists;
using detail::round_to_page;
using detail::size_of_class;
using detail::smallest_class;

// The lists have no destructor: what dies later in its thread than `closer` still finds them,
// without room, and its blocks go straight to the general allocator.
constinit thread_local std::array<free_list, class_count> detail::lists{};

namespace {

static_assert(class_of_size(1) == 0 && class_of_size(32) == 0 && class_of_size(33) == 1);
static_assert(class_of_size(48) == 1 && class_of_size(49) == 2 && class_of_size(64) == 2);
static_assert(class_of_size(largest_class) == class_count - 1);
static_assert(size_of_class(class_count - 1) == largest_class);

/// Makes a use of a block after it was freed visible to AddressSanitizer, though the block stays
/// here; its link is spared.
void hide(free_block* block, std::size_t size) {
#ifdef FLEETARIUM_POISON_FREE_BLOCKS
    ASAN_POISON_MEMORY_REGION(block + 1, size - sizeof(free_block));
#else
    static_cast<void>(block);
    static_cast<void>(size);
#endif
}

void reveal(free_block* block, std::size_t size) {
#ifdef FLEETARIUM_POISON_FREE_BLOCKS
    ASAN_UNPOISON_MEMORY_REGION(block, size);
#else
    static_cast<void>(block);
    static_cast<void>(size);
#endif
}

/// Gives a thread's lists their room on first use and takes it away at the thread's end.
struct list_closer {
    list_closer() {
        for (std::size_t i = 0; i != class_count; ++i) {
            lists[i].room = limits::pooled_bytes_per_class_max / size_of_class(i);
        }
    }
    list_closer(const list_closer&) = delete;
    list_closer& operator=(const list_closer&) = delete;
    ~list_closer() {
        trim();
        lists = {};
    }
};

/// Called for a list without room: the first time in a thread this opens the lists.
bool has_room(const free_list& list) {
    static thread_local list_closer closer;
    static_cast<void>(closer);
    return list.room != 0;
}

}  // namespace

void* detail::allocate_slowly(std::size_t size) {
    if (size > largest_class) {
        if (size > std::numeric_limits<std::size_t>::max() / 2) {
            throw std::bad_alloc();
        }
        return ::operator new(round_to_page(size));
    }
    const std::size_t index = class_of_size(size);
    free_list& list = lists[index];
    if (list.head == nullptr) {
        return ::operator new(size_of_class(index));
    }
    free_block* const block = list.head;
    list.head = block->next;
    ++list.room;
    reveal(block, size_of_class(index));
    return block;
}

void detail::deallocate_slowly(void* block, std::size_t size) {
    if (size > largest_class) {
        ::operator delete(block);
        return;
    }
    const std::size_t index = class_of_size(size);
    free_list& list = lists[index];
    if (list.room == 0 && !has_room(list)) {
        ::operator delete(block);
        return;
    }
    list.head = ::new (block) free_block{list.head};
    --list.room;
    hide(list.head, size_of_class(index));
}

void trim() {
    for (std::size_t i = 0; i != class_count; ++i) {
        while (lists[i].head != nullptr) {
            free_block* const block = lists[i].head;
            lists[i].head = block->next;
            ++lists[i].room;
            reveal(block, size_of_class(i));
            ::operator delete(block);
        }
    }
}

}  // namespace fleetarium::block_pool
