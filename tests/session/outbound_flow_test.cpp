#include <fleetarium/session/outbound_flow.hpp>

#include <fleetarium/core/random.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

using namespace fleetarium;

namespace {

delivery delivery_of(std::uint64_t number, enum qos qos = qos::at_least_once) {
    publish in;
    in.topic = "t";
    delivery made;
    made.message = message::make(in, {{number, instant{}}, 0, never});
    made.qos = qos;
    return made;
}

std::uint64_t number_of(const delivery& one) { return one.message->identity().number; }

/// Sends what is at the cursor, which is new, under the next id.
std::uint16_t begin(outbound_flow& flow) {
    const std::uint16_t id = flow.take_packet_id();
    REQUIRE(flow.at_cursor() != nullptr);
    flow.begin_at_cursor(id);
    return id;
}

}  // namespace

TEST_CASE("an idle flow holds no memory", "[outbound_flow]") {
    outbound_flow flow;
    CHECK(sizeof(flow) == 16);
    CHECK(flow.empty());
    CHECK(flow.memory_bytes() == 0);
    flow.push(delivery_of(1));
    CHECK(flow.memory_bytes() == 96);
    const std::uint16_t id = begin(flow);
    flow.complete(*flow.find(id));
    CHECK(flow.empty());
    CHECK(flow.memory_bytes() == 0);
}

TEST_CASE("packet ids go up from 1, wrap, and are never 0", "[outbound_flow]") {
    outbound_flow flow;
    std::uint16_t last = 0;
    for (int i = 1; i <= 65'535; ++i) {
        last = flow.take_packet_id();
        REQUIRE(last == i);
    }
    CHECK(flow.take_packet_id() == 1);
}

TEST_CASE("an id in use is not given out again, here or elsewhere", "[outbound_flow]") {
    outbound_flow flow;
    for (std::uint64_t i = 0; i < 3; ++i) {
        flow.push(delivery_of(i));
        begin(flow);  // 1, 2, 3
    }
    for (int i = 4; i <= 65'535; ++i) {
        flow.take_packet_id();
    }
    flow.complete(*flow.find(2));
    const std::uint16_t elsewhere[] = {4, 5};
    CHECK(flow.take_packet_id(elsewhere) == 2);
    CHECK(flow.take_packet_id(elsewhere) == 6);
}

TEST_CASE("with all packet ids in use there is none left, and one that is freed is found",
          "[outbound_flow]") {
    outbound_flow flow;
    const std::uint16_t elsewhere[] = {40'000};
    for (std::uint64_t i = 0; i < 65'534; ++i) {
        flow.push(delivery_of(i));
        const std::uint16_t id = flow.take_packet_id(elsewhere);
        REQUIRE(id != 40'000);
        flow.at_cursor();
        flow.begin_at_cursor(id);
    }
    CHECK(flow.in_flight() == 65'534);
    CHECK(flow.take_packet_id(elsewhere) == 0);
    CHECK(flow.take_packet_id() == 40'000);
    flow.complete(*flow.find(777));
    CHECK(flow.take_packet_id(elsewhere) == 777);
}

TEST_CASE("after a rewind what is in flight comes again in its first order, then what is new",
          "[outbound_flow]") {
    outbound_flow flow;
    for (std::uint64_t i = 1; i <= 5; ++i) {
        flow.push(delivery_of(i));
    }
    begin(flow);
    begin(flow);
    begin(flow);
    flow.complete(*flow.find(2));
    flow.rewind();
    std::vector<std::uint64_t> order;
    while (delivery* const next = flow.at_cursor()) {
        order.push_back(number_of(*next));
        if (next->state == delivery_state::pending) {
            begin(flow);
        } else {
            flow.repeat_at_cursor();
        }
    }
    CHECK(order == std::vector<std::uint64_t>{1, 3, 4, 5});
    CHECK(flow.find(4)->state == delivery_state::wait_puback);
    CHECK(number_of(*flow.find(4)) == 4);
}

TEST_CASE("PUBRELs owed are found behind a cursor that cannot move, each once", "[outbound_flow]") {
    outbound_flow flow;
    for (std::uint64_t i = 1; i <= 5; ++i) {
        flow.push(delivery_of(i, qos::exactly_once));
        begin(flow);
    }
    flow.find(3)->state = delivery_state::wait_pubcomp;
    flow.find(5)->state = delivery_state::wait_pubcomp;
    flow.rewind();
    REQUIRE(flow.at_cursor()->packet_id == 1);
    CHECK(flow.next_release()->packet_id == 3);
    CHECK(flow.next_release()->packet_id == 5);
    CHECK(flow.next_release() == nullptr);
    std::vector<std::uint16_t> order;
    while (delivery* const next = flow.at_cursor()) {
        order.push_back(next->packet_id);
        flow.repeat_at_cursor();
    }
    CHECK(order == std::vector<std::uint16_t>{1, 2, 4});

    flow.rewind();
    REQUIRE(flow.at_cursor()->packet_id == 1);
    CHECK(flow.next_release()->packet_id == 3);
}

TEST_CASE("one delivery never acknowledged does not make the ring grow without bound",
          "[outbound_flow]") {
    outbound_flow flow;
    flow.push(delivery_of(0));
    const std::uint16_t stuck = begin(flow);
    for (std::uint64_t i = 1; i < 200'000; ++i) {
        flow.push(delivery_of(i));
        flow.complete(*flow.find(begin(flow)));
    }
    CHECK(flow.size() == 1);
    CHECK(flow.memory_bytes() <= 96);
    REQUIRE(flow.find(stuck) != nullptr);
    CHECK(number_of(*flow.find(stuck)) == 0);
}

TEST_CASE("the oldest pending delivery is taken out from behind those in flight",
          "[outbound_flow]") {
    outbound_flow flow;
    for (std::uint64_t i = 1; i <= 6; ++i) {
        flow.push(delivery_of(i));
    }
    begin(flow);
    begin(flow);
    CHECK(number_of(flow.remove_oldest_pending()) == 3);
    CHECK(number_of(flow.remove_oldest_pending()) == 4);
    CHECK(number_of(*flow.at_cursor()) == 5);
    CHECK(begin(flow) == 3);
    CHECK(number_of(*flow.find(3)) == 5);
    CHECK(number_of(flow.remove_oldest_pending()) == 6);
    CHECK_FALSE(flow.remove_oldest_pending().message);
    CHECK(flow.in_flight() == 3);
}

TEST_CASE("a flow moved to another place goes on from where it was", "[outbound_flow]") {
    outbound_flow flow;
    flow.push(delivery_of(1));
    flow.push(delivery_of(2));
    begin(flow);
    outbound_flow moved(std::move(flow));
    CHECK(begin(moved) == 2);
    outbound_flow fresh;
    fresh.continue_packet_ids_of(moved);
    CHECK(fresh.take_packet_id() == 3);
    fresh = std::move(moved);
    CHECK(fresh.size() == 2);
    CHECK(number_of(*fresh.find(1)) == 1);
}

TEST_CASE("ids come round to deliveries still unanswered, some of them in every turn",
          "[outbound_flow][random]") {
    // Every turn of the ids leaves stragglers behind, which are found in any order.
    outbound_flow flow;
    random_stream random(7, 0, "stragglers");
    std::vector<std::pair<std::uint16_t, std::uint64_t>> stragglers;
    std::deque<std::pair<std::uint16_t, std::uint64_t>> window;
    for (std::uint64_t i = 0; i < 400'000; ++i) {
        flow.push(delivery_of(i));
        const std::uint16_t id = begin(flow);
        REQUIRE(std::none_of(stragglers.begin(), stragglers.end(),
                             [id](const auto& one) { return one.first == id; }));
        if (i % 9'973 == 0) {
            stragglers.emplace_back(id, i);
        } else {
            window.emplace_back(id, i);
        }
        if (window.size() > 40) {
            const auto at = static_cast<std::ptrdiff_t>(random.below(window.size()));
            delivery* const found = flow.find(window[static_cast<std::size_t>(at)].first);
            REQUIRE(found != nullptr);
            REQUIRE(number_of(*found) == window[static_cast<std::size_t>(at)].second);
            flow.complete(*found);
            window.erase(window.begin() + at);
        }
        if (stragglers.size() > 25) {
            const auto at = static_cast<std::ptrdiff_t>(random.below(stragglers.size()));
            delivery* const found = flow.find(stragglers[static_cast<std::size_t>(at)].first);
            REQUIRE(found != nullptr);
            REQUIRE(number_of(*found) == stragglers[static_cast<std::size_t>(at)].second);
            flow.complete(*found);
            stragglers.erase(stragglers.begin() + at);
        }
    }
    CHECK(flow.size() == stragglers.size() + window.size());
}
