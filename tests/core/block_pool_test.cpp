#include <fleetarium/core/block_pool.hpp>

#include <fleetarium/core/limits.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <thread>
#include <vector>

using namespace fleetarium;

TEST_CASE("a block's class holds the size asked for and wastes less than a third", "[block_pool]") {
    std::size_t last = 0;
    for (std::size_t size = 0; size <= 70'000; ++size) {
        const std::size_t held = block_pool::class_size(size);
        REQUIRE(held >= size);
        REQUIRE(held >= last);
        REQUIRE(block_pool::class_size(held) == held);
        if (size > 32) {
            REQUIRE((held - size) * 3 <= held);
        }
        last = held;
    }
}

TEST_CASE("a block can be written in full and is aligned to 16", "[block_pool]") {
    for (const std::size_t size :
         {0u, 1u, 32u, 33u, 48u, 100u, 4096u, 65'536u, 65'537u, 1u << 20}) {
        void* const block = block_pool::allocate(size);
        CHECK(reinterpret_cast<std::uintptr_t>(block) % 16 == 0);
        std::memset(block, 0xa5, block_pool::class_size(size));
        block_pool::deallocate(block, size);
    }
}

TEST_CASE("a freed block is the next of its class, under any size of it", "[block_pool]") {
    void* const block = block_pool::allocate(100);
    block_pool::deallocate(block, 127);
    void* const again = block_pool::allocate(97);
    CHECK(again == block);
    block_pool::deallocate(again, 128);
}

TEST_CASE("live blocks never overlap", "[block_pool]") {
    struct piece {
        std::uint8_t* at;
        std::size_t size;
    };
    std::vector<piece> live;
    for (std::size_t i = 0; i != 2000; ++i) {
        const std::size_t size = i * 37 % 3000;
        auto* const at = static_cast<std::uint8_t*>(block_pool::allocate(size));
        std::memset(at, static_cast<int>(i % 251), size);
        live.push_back({at, size});
        if (i % 3 == 0) {
            const piece freed = live[i / 3 % live.size()];
            live.erase(live.begin() + static_cast<std::ptrdiff_t>(i / 3 % live.size()));
            block_pool::deallocate(freed.at, freed.size);
        }
    }
    std::sort(live.begin(), live.end(), [](const piece& a, const piece& b) { return a.at < b.at; });
    for (std::size_t i = 1; i < live.size(); ++i) {
        REQUIRE(live[i - 1].at + live[i - 1].size <= live[i].at);
    }
    for (const piece& each : live) {
        REQUIRE(std::all_of(each.at, each.at + each.size,
                            [&](std::uint8_t byte) { return byte == each.at[0]; }));
        block_pool::deallocate(each.at, each.size);
    }
}

namespace {

constexpr std::size_t magazine_bytes = std::size_t{128} * 1024;

std::vector<void*> take(std::size_t count, std::size_t size) {
    std::vector<void*> blocks(count);
    std::generate(blocks.begin(), blocks.end(), [=] { return block_pool::allocate(size); });
    return blocks;
}

void free_all(const std::vector<void*>& blocks, std::size_t size) {
    for (void* const block : blocks) {
        block_pool::deallocate(block, size);
    }
}

/// Nothing is left of what other tests freed.
void empty_the_pool() {
    block_pool::trim();
    while (block_pool::age()) {
    }
}

}  // namespace

TEST_CASE("a thread keeps two magazines of free blocks of a class, the depot the rest",
          "[block_pool]") {
    const std::size_t size = GENERATE(std::size_t{32}, std::size_t{48}, std::size_t{64 * 1024});
    empty_the_pool();
    const std::size_t magazine = magazine_bytes / size;
    std::vector<void*> blocks = take(5 * magazine, size);
    free_all(blocks, size);
    CHECK(block_pool::free_bytes() == 2 * magazine * size);
    CHECK(block_pool::depot_bytes() == 3 * magazine * size);

    // All of them are taken again before the general allocator is asked.
    std::vector<void*> again = take(5 * magazine, size);
    CHECK(block_pool::free_bytes() == 0);
    CHECK(block_pool::depot_bytes() == 0);
    std::sort(blocks.begin(), blocks.end());
    std::sort(again.begin(), again.end());
    CHECK((again == blocks));
    free_all(again, size);
    empty_the_pool();
}

TEST_CASE("blocks that one thread frees are taken by another", "[block_pool]") {
    constexpr std::size_t size = 1024;
    constexpr std::size_t magazine = magazine_bytes / size;
    empty_the_pool();
    const std::vector<void*> blocks = take(10 * magazine, size);
    std::thread([&] { free_all(blocks, size); }).join();  // what it keeps itself ends with it
    CHECK(block_pool::depot_bytes() == 8 * magazine_bytes);
    std::vector<void*> again = take(8 * magazine, size);
    CHECK(block_pool::depot_bytes() == 0);
    std::sort(again.begin(), again.end());
    CHECK(std::count_if(blocks.begin(), blocks.end(), [&](void* block) {
              return std::binary_search(again.begin(), again.end(), block);
          }) == 8 * magazine);
    free_all(again, size);
    empty_the_pool();
}

TEST_CASE("the depot keeps no more free blocks of a class than its bound", "[block_pool]") {
    constexpr std::size_t size = 64 * 1024;
    empty_the_pool();
    free_all(take(2 * limits::pooled_bytes_per_class_max / size, size), size);
    CHECK(block_pool::depot_bytes() == limits::pooled_bytes_per_class_max);
    CHECK(block_pool::free_bytes() == 2 * magazine_bytes);
    empty_the_pool();
}

TEST_CASE("what the depot has too much for whole periods is gone after some", "[block_pool]") {
    constexpr std::size_t size = 64;
    empty_the_pool();
    free_all(take(12 * magazine_bytes / size, size), size);
    REQUIRE(block_pool::depot_bytes() == 10 * magazine_bytes);
    CHECK(block_pool::age());  // in the period that ends it was needed
    CHECK(block_pool::depot_bytes() == 10 * magazine_bytes);
    CHECK(block_pool::age());
    CHECK(block_pool::depot_bytes() == 5 * magazine_bytes);
    CHECK(block_pool::age());
    CHECK(block_pool::depot_bytes() == 2 * magazine_bytes);
    CHECK(block_pool::age());
    CHECK_FALSE(block_pool::age());
    CHECK(block_pool::depot_bytes() == 0);
    empty_the_pool();
}

TEST_CASE("what each period needs stays in the depot", "[block_pool]") {
    constexpr std::size_t size = 64;
    empty_the_pool();
    for (int period = 0; period < 20; ++period) {
        free_all(take((period == 0 ? 40 : 10) * magazine_bytes / size, size), size);
        block_pool::age();
    }
    CHECK(block_pool::depot_bytes() == 8 * magazine_bytes);
    empty_the_pool();
}

TEST_CASE("a block may be freed on another thread, which outlives its pool", "[block_pool]") {
    void* const block = block_pool::allocate(500);
    std::memset(block, 1, 500);
    void* other = nullptr;
    std::thread([&] {
        other = block_pool::allocate(500);
        std::memset(other, 2, 500);
        block_pool::deallocate(block, 500);
    }).join();
    CHECK(*static_cast<std::uint8_t*>(other) == 2);
    block_pool::deallocate(other, 500);
}

TEST_CASE("a size that no memory holds is refused", "[block_pool]") {
    CHECK_THROWS_AS(block_pool::allocate(std::numeric_limits<std::size_t>::max() - 100),
                    std::bad_alloc);
}
