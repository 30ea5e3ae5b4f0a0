#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <malloc.h>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

/// Bytes in use by the process as its allocator counts them, mapped blocks included.
std::size_t bytes_in_use() {
    const struct mallinfo2 all = mallinfo2();
    return all.uordblks + all.hblkhd;
}

// An instrumented allocator answers for itself and holds more.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool counts_bytes = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool counts_bytes = false;
#else
constexpr bool counts_bytes = true;
#endif
#else
constexpr bool counts_bytes = true;
#endif

}  // namespace

namespace {

/// Bytes of a connected device with a subscription of its own, all included.
std::size_t bytes_of_device(bool ledger) {
    constexpr std::uint32_t count = 100'000;
    const std::size_t before = bytes_in_use();
    world w({.ledger = ledger});
    w.add_broker();
    fleet_spec spec{.name = "devices", .count = count, .ramp_up = 10s};
    spec.subscriptions.push_back({.filter = "devices/{index}/command"});
    spec.publications.push_back({.topic = "devices/{index}/state",
                                 .period = distribution::constant(3600e9),
                                 .phase = 1800s});
    auto& f = w.add_fleet(spec);
    w.run_until(instant{2min});
    REQUIRE(f.connected() == count);
    REQUIRE(w.find_broker("broker")->core().subscription_count() == count);
    return (bytes_in_use() - before) / count;
}

}  // namespace

TEST_CASE("a connected device with a subscription of its own costs at most 1 KiB, and in the "
          "ledger at most 304 bytes more",
          "[memory]") {
    const std::size_t each = bytes_of_device(false);
    const std::size_t audited = bytes_of_device(true);
    if (counts_bytes) {
        INFO(each << " bytes a device, " << audited << " with the ledger");
        CHECK(each > 400);   // else the count itself is wrong
        CHECK(each <= 1024);
        CHECK(audited > each);
        CHECK(audited <= each + 304);
    }
}
