#include <fleetarium/broker/record_arena.hpp>
#include <fleetarium/core/random.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;

namespace {

struct held {
    std::uint32_t handle;
    std::size_t size;
    std::uint8_t fill;
};

bool intact(const record_arena& arena, const held& record) {
    const auto* bytes = static_cast<const std::uint8_t*>(arena.at(record.handle));
    return std::all_of(bytes, bytes + record.size,
                       [&](std::uint8_t byte) { return byte == record.fill; });
}

}  // namespace

TEST_CASE("records of mixed sizes keep their bytes while others come and go", "[record_arena]") {
    random_stream random(1, 0, "record_arena");
    record_arena arena;
    std::vector<held> records;
    for (int step = 0; step < 20'000; ++step) {
        if (random.below(step < 10'000 ? 3 : 2) == 0 && !records.empty()) {
            const auto at = static_cast<std::ptrdiff_t>(random.below(records.size()));
            const held gone = records[static_cast<std::size_t>(at)];
            REQUIRE(intact(arena, gone));
            arena.free(gone.handle, gone.size);
            records.erase(records.begin() + at);
        } else {
            const std::size_t size =
                random.below(50) == 0 ? random.below(70'000) : random.below(200);
            const held made{arena.allocate(size), size, static_cast<std::uint8_t>(step)};
            auto* bytes = static_cast<std::uint8_t*>(arena.at(made.handle));
            REQUIRE(reinterpret_cast<std::uintptr_t>(bytes) % 8 == 0);
            std::fill(bytes, bytes + size, made.fill);
            records.push_back(made);
        }
    }
    for (const held& record : records) {
        REQUIRE(intact(arena, record));
        arena.free(record.handle, record.size);
    }
    CHECK(arena.memory_bytes() == 0);
}

TEST_CASE("records of one size cost little more than their bytes", "[record_arena]") {
    const std::size_t size = GENERATE(8U, 24U, 56U, 200U);
    constexpr std::size_t count = 50'000;
    record_arena arena;
    std::vector<std::uint32_t> handles;
    for (std::size_t n = 0; n < count; ++n) {
        handles.push_back(arena.allocate(size));
    }
    CHECK(arena.memory_bytes() < count * size + count * size / 50 + 20'000);

    // Half of them, spread over all chunks, goes and its room is used again.
    const std::size_t before = arena.memory_bytes();
    for (std::size_t n = 0; n < count; n += 2) {
        arena.free(handles[n], size);
    }
    for (std::size_t n = 0; n < count; n += 2) {
        handles[n] = arena.allocate(size);
    }
    CHECK(arena.memory_bytes() == before);
    std::sort(handles.begin(), handles.end());
    CHECK(std::adjacent_find(handles.begin(), handles.end()) == handles.end());
}
