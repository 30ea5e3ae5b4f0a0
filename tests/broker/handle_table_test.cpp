#include <fleetarium/broker/handle_table.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/core/random.hpp>

#include <catch2/catch.hpp>

#include <map>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;

TEST_CASE("handles are found under their hashes through any mix of insert, erase and replace",
          "[handle_table]") {
    // Few distinct hashes make long runs of slots that wrap around the end of the table.
    const std::uint64_t distinct = GENERATE(1U, 3U, 64U, 1'000'000U);
    random_stream random(1, distinct, "handle_table");
    handle_table table;
    std::map<std::uint32_t, std::uint64_t> hashes;  // of the handles in the table
    const auto find = [&](std::uint64_t hash, std::uint32_t handle) {
        return table.find(hash, [handle](std::uint32_t asked) { return asked == handle; });
    };
    for (std::uint32_t step = 0; step < 4000; ++step) {
        if (random.below(step < 2000 ? 3 : 2) == 0 && !hashes.empty()) {
            auto held = hashes.lower_bound(static_cast<std::uint32_t>(random.below(step)));
            if (held == hashes.end()) {
                held = hashes.begin();
            }
            if (random.below(4) == 0) {
                const std::uint32_t other = 1'000'000 + step;
                table.replace(held->second, held->first, other);
                hashes[other] = held->second;
            } else {
                table.erase(held->second, held->first);
            }
            CHECK(find(held->second, held->first) == handle_table::none);
            hashes.erase(held);
        } else {
            hashes[step] = mix64(random.below(distinct) + 7);
            table.insert(hashes[step], step);
        }
        REQUIRE(table.size() == hashes.size());
        if (step % 50 == 0) {
            for (const auto& [handle, hash] : hashes) {
                REQUIRE(find(hash, handle) == handle);
            }
        }
    }
    for (const auto& [handle, hash] : hashes) {
        table.erase(hash, handle);
    }
    CHECK(table.size() == 0);
    CHECK(table.memory_bytes() == 0);
}

TEST_CASE("a table costs at most 22 bytes a handle while it grows and shrinks with its handles",
          "[handle_table]") {
    handle_table table;
    constexpr std::uint32_t count = 100'000;
    for (std::uint32_t handle = 0; handle < count; ++handle) {
        table.insert(mix64(handle), handle);
        if (handle > 100) {
            REQUIRE(table.memory_bytes() <= 22 * (handle + 1));
        }
    }
    for (std::uint32_t handle = 0; handle < count - 100; ++handle) {
        table.erase(mix64(handle), handle);
    }
    CHECK(table.memory_bytes() <= 100 * 64);
}
