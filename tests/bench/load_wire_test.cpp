#include <fleetarium/codec/codec.hpp>

#include <catch2/catch.hpp>

#include "load_wire.hpp"

#include <vector>

// What the load generator writes and reads by hand, judged by the codec.

namespace fleetarium::cli::load {
namespace {

frame frame_of(bytes_view bytes) {
    frame out;
    const frame_result split = split_frame(bytes, out);
    REQUIRE(split.broken == violation::none);
    REQUIRE(split.complete);
    REQUIRE(bytes.empty());
    return out;
}

std::vector<std::uint8_t> publish_bytes(protocol_version version, enum qos level,
                                        std::uint16_t packet_id, const stamp& mark) {
    const publish_template packet(version, "pairs/0001/state", level, 64);
    std::vector<std::uint8_t> out(packet.size());
    packet.write(out.data(), packet_id, mark);
    return out;
}

TEST_CASE("the load's PUBLISH is what the codec reads, with packet id and mark in place") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    const auto level = GENERATE(qos::at_most_once, qos::at_least_once, qos::exactly_once);
    const stamp mark{7, 123'456, 987'654'321'000};
    const std::vector<std::uint8_t> bytes = publish_bytes(version, level, 0xABCD, mark);
    publish message;
    REQUIRE(decode(frame_of(bytes), version, message) == violation::none);
    CHECK(message.topic == "pairs/0001/state");
    CHECK(message.qos == level);
    CHECK(message.packet_id == (level == qos::at_most_once ? 0 : 0xABCD));
    CHECK(message.payload.size() == 64);

    const std::uint8_t* at = bytes.data();
    raw_frame in;
    REQUIRE(take_frame(at, bytes.data() + bytes.size(), in));
    const raw_publish read = read_publish(in, version);
    CHECK(read.topic == message.topic);
    CHECK(read.qos == static_cast<unsigned>(level));
    CHECK(read.packet_id == message.packet_id);
    CHECK(read.payload_size == 64);
    CHECK(read.mark.publisher == 7);
    CHECK(read.mark.sequence == 123'456);
    CHECK(read.mark.due_ns == 987'654'321'000);
}

TEST_CASE("a frame is taken when its last byte is there, and not before") {
    const auto payload_size = GENERATE(16u, 64u, 200u, 20'000u);
    const publish_template packet(protocol_version::v5, "a", qos::at_least_once, payload_size);
    std::vector<std::uint8_t> bytes(packet.size());
    packet.write(bytes.data(), 1, {});
    raw_frame in;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const std::uint8_t* at = bytes.data();
        REQUIRE_FALSE(take_frame(at, bytes.data() + size, in));
        REQUIRE(at == bytes.data());
    }
    const std::uint8_t* at = bytes.data();
    REQUIRE(take_frame(at, bytes.data() + bytes.size(), in));
    CHECK(at == bytes.data() + bytes.size());
    CHECK(read_publish(in, protocol_version::v5).payload_size == payload_size);
}

TEST_CASE("a length of five bytes is no packet") {
    const std::vector<std::uint8_t> bytes{0x30, 0x80, 0x80, 0x80, 0x80, 0x01};
    const std::uint8_t* at = bytes.data();
    raw_frame in;
    CHECK_THROWS_AS(take_frame(at, bytes.data() + bytes.size(), in), load_error);
}

TEST_CASE("the load's acknowledgements are what the codec reads") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    byte_queue out;
    append_acknowledgement(out, packet_type::puback, 0x1234);
    puback accepted;
    CHECK(decode(frame_of({out.data(), out.size()}), version, accepted) == violation::none);
    CHECK(accepted.packet_id == 0x1234);

    out.reset();
    append_acknowledgement(out, packet_type::pubrel, 0x1235);
    pubrel released;
    CHECK(decode(frame_of({out.data(), out.size()}), version, released) == violation::none);
    CHECK(released.packet_id == 0x1235);
}

TEST_CASE("an acknowledgement that says no ends the load with the broker's code") {
    const std::vector<std::uint8_t> quota_exceeded{0x12, 0x34, 0x97};
    const raw_frame in{0x40, quota_exceeded.data(), quota_exceeded.size()};
    CHECK_THROWS_WITH(read_acknowledgement(in),
                      Catch::Contains("PUBACK") && Catch::Contains("0x97"));
    const std::vector<std::uint8_t> no_subscribers{0x12, 0x34, 0x10};
    CHECK(read_acknowledgement({0x40, no_subscribers.data(), 3}) == 0x1234);
}

TEST_CASE("the load heeds the Receive Maximum that a broker announces") {
    const std::vector<std::uint8_t> answer{0x00, 0x00, 0x03, 0x21, 0x00, 0x14};
    const raw_frame in{0x20, answer.data(), answer.size()};
    CHECK(read_connack(in, protocol_version::v5).receive_maximum == 20);
}

TEST_CASE("a broker that wants a user name is told apart from one that is broken") {
    const std::vector<std::uint8_t> not_authorised{0x00, 0x05};
    CHECK_THROWS_WITH(read_connack({0x20, not_authorised.data(), 2}, protocol_version::v3_1_1),
                      Catch::Contains("without a user name"));
    CHECK_THROWS_WITH(read_connack({0xD0, nullptr, 0}, protocol_version::v3_1_1),
                      Catch::Contains("PINGRESP") && Catch::Contains("CONNACK"));
}

TEST_CASE("bytes leave a queue in the order in which they came, however it grows") {
    byte_queue queue;
    std::size_t written = 0;
    std::size_t read = 0;
    for (std::size_t round = 0; round < 2'000; ++round) {
        for (std::size_t i = 0; i < round % 97; ++i) {
            const auto each = static_cast<std::uint8_t>(written++ % 251);
            queue.append({&each, 1});
        }
        for (std::size_t i = 0; i < round % 89 && !queue.empty(); ++i) {
            REQUIRE(*queue.data() == read++ % 251);
            queue.consume(1);
        }
        REQUIRE(queue.size() == written - read);
    }
    CHECK(queue.size() > 1'000);
}

}  // namespace
}  // namespace fleetarium::cli::load
