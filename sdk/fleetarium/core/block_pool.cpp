#include <fleetarium/core/block_pool.hpp>

#include <fleetarium/core/limits.hpp>

#include <algorithm>
#include <limits>
#include <mutex>
#include <new>
#include <utility>

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

constexpr std::size_t magazine_bytes = std::size_t{128} * 1024;
static_assert(magazine_bytes / largest_class >= 2);

constexpr std::size_t blocks_of_magazine(std::size_t index) {
    return magazine_bytes / size_of_class(index);
}

/// The first block of a full magazine in the depot.
struct magazine : free_block {
    magazine* behind;
};
static_assert(sizeof(magazine) <= smallest_class);

// A full magazine of each class, or none. With one behind the one in use, a thread that takes and
// frees about as much goes to the depot once for all the blocks of a magazine at most.
constinit thread_local std::array<free_block*, class_count> spare{};

struct depot {
    std::mutex guard;
    magazine* first = nullptr;
    std::size_t count = 0;
    std::size_t count_min = 0;  // of the present period

    static constexpr std::size_t count_max = limits::pooled_bytes_per_class_max / magazine_bytes;
};

constinit std::array<depot, class_count> depots{};

/// Makes a use of a block after it was freed visible to AddressSanitizer, though the block stays
/// here; its links are spared.
void hide(free_block* block, std::size_t size) {
#ifdef FLEETARIUM_POISON_FREE_BLOCKS
    ASAN_POISON_MEMORY_REGION(reinterpret_cast<std::byte*>(block) + sizeof(magazine),
                              size - sizeof(magazine));
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

void give_back_all(free_block* first, std::size_t index) {
    while (first != nullptr) {
        free_block* const block = std::exchange(first, first->next);
        reveal(block, size_of_class(index));
        ::operator delete(block);
    }
}

/// A full magazine, or null.
free_block* take_from_depot(std::size_t index) {
    depot& from = depots[index];
    const std::lock_guard lock(from.guard);
    if (from.first == nullptr) {
        return nullptr;
    }
    --from.count;
    from.count_min = std::min(from.count_min, from.count);
    return std::exchange(from.first, from.first->behind);
}

void put_into_depot(free_block* full, std::size_t index) {
    depot& to = depots[index];
    free_block* const second = full->next;
    {
        const std::lock_guard lock(to.guard);
        if (to.count < depot::count_max) {
            to.first = ::new (full) magazine{{second}, to.first};
            ++to.count;
            return;
        }
    }
    give_back_all(full, index);
}

/// Gives a thread's lists their room on first use and takes it away at the thread's end.
struct list_closer {
    list_closer() {
        for (std::size_t i = 0; i != class_count; ++i) {
            lists[i].room = blocks_of_magazine(i);
        }
    }
    list_closer(const list_closer&) = delete;
    list_closer& operator=(const list_closer&) = delete;
    ~list_closer() {
        trim();
        lists = {};
    }
};

/// Called for a list with neither blocks nor room: the first time in a thread this opens the lists.
bool is_open(const free_list& list) {
    static thread_local list_closer closer;
    static_cast<void>(closer);
    return list.room != 0;
}

/// Puts a full magazine into an empty list, if there is one.
void refill(free_list& list, std::size_t index) {
    if (list.room == 0 && !is_open(list)) {
        return;
    }
    list.head = std::exchange(spare[index], nullptr);
    if (list.head == nullptr) {
        list.head = take_from_depot(index);
    }
    list.room = list.head == nullptr ? blocks_of_magazine(index) : 0;
}

}  // namespace

void* detail::allocate_slowly(std::size_t size) {
    if (size > largest_class) {
        if (size > std::numeric_limits<std::size_t>::max() / 2) {
            throw std::bad_alloc();
        }
        return ::operator new(detail::round_to_page(size));
    }
    const std::size_t index = class_of_size(size);
    free_list& list = lists[index];
    if (list.head == nullptr) {
        refill(list, index);
    }
    if (list.head == nullptr) {
        return ::operator new(size_of_class(index));
    }
    free_block* const block = std::exchange(list.head, list.head->next);
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
    if (list.room == 0) {
        if (list.head == nullptr && !is_open(list)) {
            ::operator delete(block);
            return;
        }
        if (list.head != nullptr) {
            free_block* const full = std::exchange(list.head, nullptr);
            list.room = blocks_of_magazine(index);
            if (free_block* const before = std::exchange(spare[index], full)) {
                put_into_depot(before, index);
            }
        }
    }
    list.head = ::new (block) free_block{list.head};
    --list.room;
    hide(list.head, size_of_class(index));
}

bool age() {
    bool keeps = false;
    for (std::size_t i = 0; i != class_count; ++i) {
        depot& of = depots[i];
        magazine* gone = nullptr;
        {
            const std::lock_guard lock(of.guard);
            for (std::size_t left = (of.count_min + 1) / 2; left != 0; --left) {
                magazine* const each = std::exchange(of.first, of.first->behind);
                each->behind = std::exchange(gone, each);
                --of.count;
            }
            of.count_min = of.count;
            keeps = keeps || of.count != 0;
        }
        while (gone != nullptr) {
            give_back_all(std::exchange(gone, gone->behind), i);
        }
    }
    return keeps;
}

void trim() {
    for (std::size_t i = 0; i != class_count; ++i) {
        if (lists[i].head != nullptr) {
            give_back_all(std::exchange(lists[i].head, nullptr), i);
            lists[i].room = blocks_of_magazine(i);
        }
        give_back_all(std::exchange(spare[i], nullptr), i);
    }
}

std::size_t free_bytes() {
    std::size_t total = 0;
    for (std::size_t i = 0; i != class_count; ++i) {
        const std::size_t loaded =
            lists[i].head == nullptr ? 0 : blocks_of_magazine(i) - lists[i].room;
        const std::size_t spared = spare[i] == nullptr ? 0 : blocks_of_magazine(i);
        total += (loaded + spared) * size_of_class(i);
    }
    return total;
}

std::size_t depot_bytes() {
    std::size_t total = 0;
    for (std::size_t i = 0; i != class_count; ++i) {
        const std::lock_guard lock(depots[i].guard);
        total += depots[i].count * blocks_of_magazine(i) * size_of_class(i);
    }
    return total;
}

}  // namespace fleetarium::block_pool
