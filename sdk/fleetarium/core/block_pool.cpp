#include <fleetarium/core/block_pool.hpp>

#include <fleetarium/core/limits.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <new>

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
    free_block* head = nullptr;
    std::size_t count = 0;
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

struct thread_pool {
    std::array<free_list, class_count> lists;

    ~thread_pool() { trim(); }

    void trim() {
        for (auto& list : lists) {
            while (list.head != nullptr) {
                free_block* const block = list.head;
                list.head = block->next;
                ::operator delete(block);
            }
            list.count = 0;
        }
    }
};

thread_local thread_pool pool;

constexpr std::size_t round_to_page(std::size_t size) { return (size + 4095) / 4096 * 4096; }

}  // namespace

std::size_t class_size(std::size_t size) {
    return size > largest_class ? round_to_page(size) : size_of_class(class_of_size(size));
}

void* allocate(std::size_t size) {
    if (size > largest_class) {
        return ::operator new(round_to_page(size));
    }
    const std::size_t index = class_of_size(size);
    free_list& list = pool.lists[index];
    if (list.head == nullptr) {
        return ::operator new(size_of_class(index));
    }
    free_block* const block = list.head;
    list.head = block->next;
    --list.count;
    return block;
}

void deallocate(void* block, std::size_t size) {
    if (size > largest_class) {
        ::operator delete(block);
        return;
    }
    const std::size_t index = class_of_size(size);
    free_list& list = pool.lists[index];
    if ((list.count + 1) * size_of_class(index) > limits::pooled_bytes_per_class_max) {
        ::operator delete(block);
        return;
    }
    list.head = ::new (block) free_block{list.head};
    ++list.count;
}

void trim() { pool.trim(); }

}  // namespace fleetarium::block_pool
