#include <fleetarium/core/block_pool.hpp>

#include <fleetarium/core/limits.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define FLEETARIUM_POISON_FREE_BLOCKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FLEETARIUM_POISON_FREE_BLOCKS 1
#endif
#endif
#ifdef FLEETARIUM_POISON_FREE_BLOCKS
#include <sanitizer/asan_interface.h>
#endif

namespace fleetarium::block_pool {

namespace {

constexpr std::size_t smallest_class = 32;
constexpr std::size_t largest_class = 64 * 1024;

// Two classes per power of two (32, 48, 64, 96, ...) keep the waste below a third.
constexpr std::size_t class_count = 2 * std::countr_zero(largest_class / smallest_class) + 1;

struct free_block {
    free_block* next;
};

struct free_list {
    free_block* head;
    std::size_t room;  // how many more blocks may be kept
};

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

// The lists have no destructor: what dies later in its thread than `closer` still finds them,
// without room, and its blocks go straight to the general allocator.
constinit thread_local std::array<free_list, class_count> lists{};

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

constexpr std::size_t round_to_page(std::size_t size) { return (size + 4095) / 4096 * 4096; }

}  // namespace

std::size_t class_size(std::size_t size) {
    return size > largest_class ? round_to_page(size) : size_of_class(class_of_size(size));
}

void* allocate(std::size_t size) {
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

void deallocate(void* block, std::size_t size) {
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
