#include <fleetarium/session/inbound_flow.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
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
