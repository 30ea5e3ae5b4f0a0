#include <fleetarium/sim/memory_network.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>
#include <set>
#include <stdexcept>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace fleetarium::sim::detail;
using namespace std::chrono_literals;

namespace {

constexpr random_key key{12345};

wire_buffer buffer_of(std::size_t size, std::uint8_t first = 0) {
    wire_buffer out;
    std::uint8_t* const at = out.extend(size);
    std::iota(at, at + size, first);
    return out;
}

std::vector<std::uint8_t> bytes_of(const wire_buffer& from) {
    std::vector<std::uint8_t> out;
    from.for_each_part([&](bytes_view part) { out.insert(out.end(), part.begin(), part.end()); });
    return out;
}

struct arrival {
    instant at;
    std::vector<std::uint8_t> bytes;
    std::size_t identities = 0;
};

/// Sends through one direction and takes what arrives.
std::vector<arrival> send(const direction& way, link_progress& progress, wire_buffer bytes,
                          instant now, std::size_t identities = 0) {
    std::vector<arrival> out;
    std::vector<wire_buffer> scratch;
    segment* riding = nullptr;
    for (std::size_t i = 0; i < identities; ++i) {
        riding = segment::add(riding == nullptr ? segment::make() : riding, {i + 1, now});
    }
    transmit(way, progress, key, std::move(bytes), riding, now, scratch, nullptr,
             [&](instant at, event_kind kind, std::uint64_t payload) {
                 arrival& made = out.emplace_back();
                 made.at = at;
                 if (kind == event_kind::messages) {
                     auto* const arrived = reinterpret_cast<segment*>(payload);
                     made.bytes = bytes_of(arrived->bytes);
                     while (!arrived->empty()) {
                         CHECK(arrived->take().number == ++made.identities);
                     }
                     segment::destroy(arrived);
                 } else {
                     wire_buffer taken =
                         wire_buffer::adopt(reinterpret_cast<void*>(payload));
                     made.bytes = bytes_of(taken);
                 }
             });
    return out;
}

}  // namespace

TEST_CASE("bytes arrive whole after the latency, and their identities with them", "[network]") {
    const network n({.up = {.latency = distribution::constant(5e6)}});
    link_progress progress;
    const auto identities = GENERATE(0u, 1u, 2u, 3u, 100u);
    const auto arrived = send(n.up, progress, buffer_of(100), instant{1s}, identities);
    REQUIRE(arrived.size() == 1);
    CHECK(arrived[0].at == instant{1s + 5ms});
    CHECK(arrived[0].bytes == bytes_of(buffer_of(100)));
    CHECK(arrived[0].identities == identities);
    CHECK(progress.draws == 0);
}

TEST_CASE("nothing overtakes on a link, however latencies are drawn", "[network]") {
    const network n({.up = {.latency = distribution::exponential(10e6)}});
    link_progress progress;
    instant last{};
    std::set<duration> latencies;
    for (int i = 0; i < 1000; ++i) {
        const instant now{i * 1ms};
        const auto arrived = send(n.up, progress, buffer_of(3), now);
        REQUIRE(arrived.size() == 1);
        CHECK(arrived[0].at >= last);
        CHECK(arrived[0].at >= now);
        last = arrived[0].at;
        latencies.insert(arrived[0].at - now);
    }
    CHECK(latencies.size() > 100);
    CHECK(progress.draws == 1000);
}

TEST_CASE("a bandwidth makes bytes wait for those before them", "[network]") {
    const network n({.up = {.latency = distribution::constant(1e6), .bandwidth = 1000}});
    link_progress progress;
    CHECK(send(n.up, progress, buffer_of(100), instant{0s})[0].at == instant{101ms});
    CHECK(send(n.up, progress, buffer_of(50), instant{0s})[0].at == instant{151ms});
    CHECK(send(n.up, progress, buffer_of(1), instant{10s})[0].at == instant{10s + 2ms});
}

TEST_CASE("an mtu and random cuts change where bytes are split and nothing else", "[network]") {
    network_spec spec{.up = {.latency = distribution::exponential(1e6)}};
    SECTION("mtu") { spec.mtu = 10; }
    SECTION("cuts") { spec.split_probability = 1; }
    SECTION("both") {
        spec.mtu = 7;
        spec.split_probability = 0.5;
    }
    const network n(spec);
    link_progress progress;
    std::set<std::size_t> sizes;
    for (int round = 0; round < 200; ++round) {
        wire_buffer sent = buffer_of(64, static_cast<std::uint8_t>(round));
        sent.append_shared(shared_bytes(bytes_view(bytes_of(buffer_of(9)))));
        const auto whole = bytes_of(sent);
        const auto arrived = send(n.up, progress, std::move(sent), instant{round * 1s}, 3);
        std::vector<std::uint8_t> joined;
        for (std::size_t i = 0; i < arrived.size(); ++i) {
            CHECK_FALSE(arrived[i].bytes.empty());
            CHECK(arrived[i].identities == (i == 0 ? 3 : 0));
            if (spec.mtu) {
                CHECK(arrived[i].bytes.size() <= *spec.mtu);
            }
            if (i != 0) {
                CHECK(arrived[i].at >= arrived[i - 1].at);
            }
            sizes.insert(arrived[i].bytes.size());
            joined.insert(joined.end(), arrived[i].bytes.begin(), arrived[i].bytes.end());
        }
        CHECK(joined == whole);
        CHECK(arrived.size() > 1);
    }
    CHECK(sizes.size() > (spec.split_probability > 0 ? 6u : 1u));
}

TEST_CASE("a single byte cannot be cut", "[network]") {
    const network n({.split_probability = 1});
    link_progress progress;
    CHECK(send(n.up, progress, buffer_of(1), instant{})[0].bytes.size() == 1);
}

TEST_CASE("a network's numbers are checked", "[network]") {
    CHECK_THROWS_AS(network({.mtu = 0}), std::invalid_argument);
    CHECK_THROWS_AS(network({.split_probability = 1.5}), std::invalid_argument);
    CHECK_THROWS_AS(network({.up = {.bandwidth = 0}}), std::invalid_argument);
}

TEST_CASE("events are ordered by time, origin and sequence, also where sequences wrap",
          "[network]") {
    const auto make = [](duration time, host_id origin, std::uint32_t sequence) {
        event made{};
        made.time = instant{time};
        made.origin = origin;
        made.sequence = sequence;
        return made;
    };
    CHECK(make(1s, 9, 9) < make(2s, 1, 1));
    CHECK(make(1s, 1, 9) < make(1s, 2, 1));
    CHECK(make(1s, 1, 1) < make(1s, 1, 2));
    CHECK_FALSE(make(1s, 1, 2) < make(1s, 1, 2));
    CHECK(make(1s, 1, 0xFFFF'FFFF) < make(1s, 1, 0));
    CHECK_FALSE(make(1s, 1, 0) < make(1s, 1, 0xFFFF'FFFF));
}

TEST_CASE("a message number says what it is of", "[network]") {
    const std::uint64_t made = message_number::make(qos::exactly_once, 8000, 0xEF'FFFF, 0xABCDEF);
    CHECK(message_number::qos_of(made) == qos::exactly_once);
    CHECK(message_number::source_of(made) == 8000);
    CHECK(message_number::count_of(made) == 0xABCDEF);
    CHECK_FALSE(message_number::is_copy(made));
    CHECK(message_number::is_copy(made | message_number::copy_bit));
    const std::uint64_t lower = message_number::with_qos(made, qos::at_most_once);
    CHECK(message_number::qos_of(lower) == qos::at_most_once);
    CHECK(message_number::source_of(lower) == 8000);
}
