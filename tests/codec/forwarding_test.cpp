#include <support/packet_text.hpp>
#include <support/wire.hpp>

#include <catch2/catch.hpp>

// What a server does with a PUBLISH: it keeps the properties that it forwards unchanged as bytes,
// and writes them into the packets for each receiver.

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

byte_vector forwardable(const publish& in) {
    byte_vector block(forwardable_properties_size(in) + 1, 0xEE);
    const std::uint8_t* const end = write_forwardable_properties(in, block.data());
    REQUIRE(end == block.data() + block.size() - 1);
    REQUIRE(block.back() == 0xEE);
    block.pop_back();
    return block;
}

/// A PUBLISH with every property.
const char* const full_hex =
    "3D 2D 0001 61 000A 26 01 01 02 0000003C 23 0001 03 0001 74 08 0001 72 09 0001 FF 0B 05"
    "26 0001 62 0001 32 26 0001 61 0001 31 78";

TEST_CASE("the forwardable properties are those that a server must not change", "[forwarding]") {
    const byte_vector wire = from_hex(full_hex);
    publish in;
    REQUIRE(decode(frame_of(wire), v5, in) == violation::none);
    CHECK(hex_digits(forwardable(in)) == "0101" "03000174" "08000172" "090001FF"
                                     "26000162000132" "26000161000131");
    CHECK(forwardable(publish{.topic = "a"}).empty());
    // These three belong to the hop, or change.
    const std::vector<std::uint32_t> identifiers{1};
    const publish hop{.topic = "a",
                      .message_expiry_interval = 5,
                      .topic_alias = std::uint16_t{1},
                      .subscription_identifiers = subscription_identifiers(identifiers)};
    CHECK(forwardable(hop).empty());
}

TEST_CASE("forwardable properties are read back as they were", "[forwarding]") {
    const byte_vector wire = from_hex(full_hex);
    publish in;
    REQUIRE(decode(frame_of(wire), v5, in) == violation::none);
    const byte_vector block = forwardable(in);
    publish out{.topic = "kept", .message_expiry_interval = 7};
    read_forwardable_properties(block, out);
    CHECK(packet_text::of(out) ==
          "PUBLISH topic=\"kept\" payload=\"\" qos=0 payload_format_indicator=1 "
          "message_expiry_interval=7 content_type=\"t\" response_topic=\"r\" "
          "correlation_data=\"\\FF\" user_property=\"b\":\"2\" user_property=\"a\":\"1\"");
    CHECK(forwardable(out) == block);
    read_forwardable_properties({}, out);
    CHECK(packet_text::of(out) ==
          "PUBLISH topic=\"kept\" payload=\"\" qos=0 message_expiry_interval=7");
}

TEST_CASE("an encoded PUBLISH has the same meaning as the PUBLISH with those properties",
          "[forwarding]") {
    const auto version = GENERATE(v3, v5);
    const auto level = GENERATE(qos::at_most_once, qos::at_least_once, qos::exactly_once);
    const bool with_forwardable = GENERATE(false, true);
    const bool with_hop = GENERATE(false, true);
    const std::size_t payload_size = GENERATE(0U, 1U, 64U, 5'000U);
    const bool shared = GENERATE(false, true);
    const byte_vector payload(payload_size, 0x5A);
    const shared_bytes held{bytes_view(payload)};
    const std::vector<std::uint32_t> identifiers{1, 200, 268'435'455};
    const std::vector<user_property> pairs{{"k", "v"}, {"", "w"}};

    publish message{.topic = "building/7/temperature", .payload = payload, .qos = level};
    message.retain = with_hop;
    if (level != qos::at_most_once) {
        message.packet_id = 0x1234;
        message.dup = with_hop;
    }
    if (with_forwardable) {
        message.payload_format_indicator = 1;
        message.response_topic = "r";
        message.user_properties = user_properties(pairs);
    }
    const byte_vector block = forwardable(message);
    encoded_publish in{.topic = message.topic,
                       .forwardable_properties = block,
                       .packet_id = message.packet_id,
                       .qos = level,
                       .dup = message.dup,
                       .retain = message.retain};
    if (shared) {
        in.shared_payload = &held;
    } else {
        in.payload = payload;
    }
    if (with_hop) {
        in.topic_alias = 3;
        in.message_expiry_interval = 60;
        in.subscription_identifiers = identifiers;
        message.topic_alias = std::uint16_t{3};
        message.message_expiry_interval = 60;
        message.subscription_identifiers = subscription_identifiers(identifiers);
    }

    wire_buffer out;
    REQUIRE(encode(in, version, out));
    const byte_vector wire = to_bytes(out);
    const byte_vector expected = encoded(message, version);
    CHECK(wire.size() == expected.size());
    publish from_bytes;
    publish from_expected;
    REQUIRE(decode(frame_of(wire), version, from_bytes) == violation::none);
    REQUIRE(decode(frame_of(expected), version, from_expected) == violation::none);
    CHECK(packet_text::of(from_bytes) == packet_text::of(from_expected));

    wire_buffer small;
    const auto size = static_cast<std::uint32_t>(wire.size());
    CHECK_FALSE(encode(in, version, small, size - 1));
    CHECK(small.empty());
    CHECK(encode(in, version, small, size));
}

TEST_CASE("a shared payload is referred to, not copied", "[forwarding]") {
    const byte_vector payload(2'000, 0x5A);
    const shared_bytes held{bytes_view(payload)};
    wire_buffer out;
    REQUIRE(encode(encoded_publish{.topic = "a", .shared_payload = &held}, v5, out));
    std::vector<bytes_view> parts;
    out.for_each_part([&parts](bytes_view part) { parts.push_back(part); });
    REQUIRE(parts.size() == 2);
    CHECK(parts[1].data() == held.view().data());
    // What is written next comes behind the payload.
    REQUIRE(encode(pingreq{}, v5, out));
    const byte_vector wire = to_bytes(out);
    bytes_view rest = wire;
    frame in;
    REQUIRE(split_frame(rest, in).complete);
    CHECK(hex_digits(rest) == "C000");
}

}  // namespace
}  // namespace fleetarium::test
