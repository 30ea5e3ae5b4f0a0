#include <fleetarium/session/inbound_flow.hpp>

#include <fleetarium/core/random.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <set>
#include <utility>

using namespace fleetarium;

TEST_CASE("an inbound flow without ids holds no memory", "[inbound_flow]") {
    inbound_flow flow;
    CHECK(sizeof(flow) == sizeof(void*));
    CHECK(flow.memory_bytes() == 0);
    flow.insert(7);
    CHECK(flow.contains(7));
    CHECK_FALSE(flow.contains(8));
    CHECK(flow.memory_bytes() <= 32);
    CHECK(flow.erase(7));
    CHECK_FALSE(flow.erase(7));
    CHECK(flow.memory_bytes() == 0);
}

TEST_CASE("an inbound flow holds all 65,535 ids at once", "[inbound_flow]") {
    inbound_flow flow;
    for (std::uint32_t id = 1; id <= 65'535; ++id) {
        flow.insert(static_cast<std::uint16_t>(id));
    }
    CHECK(flow.size() == 65'535);
    CHECK_FALSE(flow.contains(0));
    CHECK(flow.memory_bytes() < 9'000);
    inbound_flow moved(std::move(flow));
    for (std::uint32_t id = 65'535; id >= 1; --id) {
        REQUIRE(moved.erase(static_cast<std::uint16_t>(id)));
    }
    CHECK(moved.size() == 0);
    CHECK(moved.memory_bytes() == 0);
}

TEST_CASE("an inbound flow behaves as a set does, through random steps", "[inbound_flow][random]") {
    // Few ids, as many as a list takes, and so many that it becomes a map and a list again.
    const std::uint32_t ids = GENERATE(5u, 40u, 80u, 1'000u);
    inbound_flow flow;
    std::set<std::uint16_t> plain;
    random_stream random(1, ids, "inbound");
    bool filling = true;
    for (int i = 0; i < 200'000; ++i) {
        const auto id = static_cast<std::uint16_t>(1 + random.below(ids));
        REQUIRE(flow.contains(id) == (plain.count(id) != 0));
        if (random.below(10) < (filling ? 7u : 3u)) {
            if (plain.insert(id).second) {
                flow.insert(id);
            }
        } else {
            REQUIRE(flow.erase(id) == (plain.erase(id) == 1));
        }
        REQUIRE(flow.size() == plain.size());
        filling = plain.empty() || (filling && plain.size() < ids * 9 / 10);
    }
}
