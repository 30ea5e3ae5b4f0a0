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

TEST_CASE("a thread keeps no more free blocks than its bound", "[block_pool]") {
    constexpr std::size_t size = 64 * 1024;
    constexpr std::size_t kept = limits::pooled_bytes_per_class_max / size;
    block_pool::trim();
    std::vector<void*> blocks(2 * kept);
    std::generate(blocks.begin(), blocks.end(), [] { return block_pool::allocate(size); });
    for (void* const block : blocks) {
        block_pool::deallocate(block, size);
    }
    // The blocks kept are the first ones freed, and come back last in, first out.
    for (std::size_t i = kept; i-- != 0;) {
        REQUIRE(block_pool::allocate(size) == blocks[i]);
    }
    for (std::size_t i = 0; i != kept; ++i) {
        block_pool::deallocate(blocks[i], size);
    }
    block_pool::trim();
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
