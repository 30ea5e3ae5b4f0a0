#include <support/packet_text.hpp>
#include <support/wire.hpp>

#include <catch2/catch.hpp>

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

/// Topic a, packet identifier 10 if `level` is not 0, no properties, payload x.
std::string publish_body(protocol_version version, unsigned level) {
    return std::string("000161") + (level != 0 ? "000A" : "") + (version == v5 ? "00" : "") + "78";
}

TEST_CASE("a QoS 0 PUBLISH has no packet identifier",
          "[publish][v5/MQTT-2.2.1-2][v3/MQTT-2.3.1-5]") {
    const byte_vector payload = from_hex("78");
    publish in{.topic = "a", .payload = payload};
    CHECK(encoded_hex(in, v5) == "30050001610078");
    CHECK(encoded_hex(in, v3) == "300400016178");
    in.packet_id = 10;
    in.qos = qos::at_least_once;
    CHECK(encoded_hex(in, v5) == "3207000161000A0078");
    CHECK(encoded_hex(in, v3) == "3206000161000A78");
    publish out;
    const byte_vector wire = from_hex("30050001610078");
    REQUIRE(decode(frame_of(wire), v5, out) == violation::none);
    CHECK(out.packet_id == 0);
    CHECK(as_text(out.payload) == "x");
}

TEST_CASE("the flags of PUBLISH are DUP, QoS and RETAIN", "[publish]") {
    const auto version = GENERATE(v3, v5);
    for (unsigned flags = 0; flags < 16; ++flags) {
        const unsigned level = flags >> 1 & 3U;
        if (level == 3 || flags == 8 || flags == 9) {
            continue;
        }
        CAPTURE(flags);
        const byte_vector wire = with_fixed_header(static_cast<std::uint8_t>(0x30U | flags),
                                                    from_hex(publish_body(version, level)));
        publish out;
        REQUIRE(decode(frame_of(wire), version, out) == violation::none);
        CHECK(out.dup == ((flags & 8U) != 0));
        CHECK(static_cast<unsigned>(out.qos) == level);
        CHECK(out.retain == ((flags & 1U) != 0));
        CHECK(out.packet_id == (level == 0 ? 0 : 10));
        CHECK(encoded(out, version) == wire);
    }
}

TEST_CASE("QoS 3 is refused", "[publish][v5/MQTT-3.3.1-4]") {
    const auto version = GENERATE(v3, v5);
    const int first_byte = GENERATE(0x36, 0x37, 0x3E, 0x3F);
    CHECK(broken_by_body(static_cast<std::uint8_t>(first_byte), publish_body(version, 3),
                         version) == violation::qos_invalid);
}

TEST_CASE("DUP with QoS 0 is refused", "[publish][v5/MQTT-3.3.1-2][v3/MQTT-3.3.1-2]") {
    const auto version = GENERATE(v3, v5);
    const int first_byte = GENERATE(0x38, 0x39);
    CHECK(broken_by_body(static_cast<std::uint8_t>(first_byte), publish_body(version, 0),
                         version) == violation::dup_with_qos_0);
}

TEST_CASE("a packet identifier of 0 is refused wherever one is needed",
          "[publish][v3/MQTT-2.3.1-1]") {
    const auto version = GENERATE(v3, v5);
    const std::string none = version == v5 ? "00" : "";
    CHECK(broken_by_body(0x32, "0001610000" + none, version) == violation::packet_id_zero);
    CHECK(broken_by_body(0x34, "0001610000" + none, version) == violation::packet_id_zero);
    CHECK(broken_by_body(0x82, "0000" + none + "00016101", version) == violation::packet_id_zero);
    CHECK(broken_by_body(0xA2, "0000" + none + "000161", version) == violation::packet_id_zero);
    for (const int first_byte : {0x40, 0x50, 0x62, 0x70}) {
        CHECK(broken_by_body(static_cast<std::uint8_t>(first_byte), "0000", version) ==
              violation::packet_id_zero);
    }
    CHECK(broken_by_body(0x90, "0000" + none + "00", version) == violation::packet_id_zero);
    CHECK(broken_by_body(0xB0, "0000" + none + (version == v5 ? "00" : ""), version) ==
          violation::packet_id_zero);
}

TEST_CASE("the topic of PUBLISH is its first field and UTF-8",
          "[publish][v5/MQTT-3.3.2-1][v3/MQTT-3.3.2-1]") {
    const auto version = GENERATE(v3, v5);
    const std::string none = version == v5 ? "00" : "";
    CHECK(broken_by_body(0x30, "0002C3A9" + none, version) == violation::none);
    CHECK(broken_by_body(0x30, "0002C328" + none, version) == violation::string_not_utf8);
    CHECK(broken_by_body(0x30, "0004 61EDA080" + none, version) == violation::string_not_utf8);
    CHECK(broken_by_body(0x30, "0002 6100" + none, version) == violation::string_has_null);
    CHECK(encoded_hex(publish{.topic = "b/c"}, version).substr(4, 10) == "0003622F63");
}

TEST_CASE("the topic of PUBLISH has no wildcard",
          "[publish][v5/MQTT-3.3.2-2][v3/MQTT-3.3.2-2][v5/MQTT-4.7.0-1][v3/MQTT-4.7.1-1]") {
    const auto version = GENERATE(v3, v5);
    const std::string none = version == v5 ? "00" : "";
    for (const auto* const topic : {"0001 2B", "0001 23", "0003 612F2B", "0003 612F23", "0002 612B",
                                    "000C 6162632F6465662F676869 2B"}) {
        CHECK(broken_by_body(0x30, topic + none, version) == violation::topic_name_has_wildcard);
    }
}

TEST_CASE("an empty topic needs a topic alias", "[publish][v5/MQTT-4.7.3-1][v3/MQTT-4.7.3-1]") {
    CHECK(broken_by_body(0x30, "0000", v3) == violation::topic_name_empty);
    CHECK(broken_by_body(0x30, "0000 00", v5) == violation::topic_name_empty);
    CHECK(broken_by_body(0x30, "0000 05 0200000001", v5) == violation::topic_name_empty);
    CHECK(broken_by_body(0x30, "0000 03 230001", v5) == violation::none);
}

TEST_CASE("topic alias 0 is refused", "[publish]") {
    CHECK(broken_by_body(0x30, "000161 03 230000", v5) == violation::topic_alias_invalid);
    CHECK(broken_by_body(0x30, "0000 03 230000", v5) == violation::topic_alias_invalid);
}

TEST_CASE("the response topic is a topic name", "[publish][v5/MQTT-3.3.2-14]") {
    CHECK(broken_by_body(0x30, "000161 06 080003612F23", v5) ==
          violation::response_topic_invalid);
    CHECK(broken_by_body(0x30, "000161 06 080003612F2B", v5) ==
          violation::response_topic_invalid);
    CHECK(broken_by_body(0x30, "000161 03 080000", v5) == violation::response_topic_invalid);
    CHECK(broken_by_body(0x30, "000161 06 080003612F62", v5) == violation::none);
}

TEST_CASE("a PUBLISH cut short before its payload is refused", "[publish]") {
    const auto version = GENERATE(v3, v5);
    const byte_vector whole = from_hex(std::string("0003612F62 000A") +
                                       (version == v5 ? "0B 02 0000003C 26 0001 6B 0000" : ""));
    REQUIRE(broken_by(with_fixed_header(0x32, whole), version) == violation::none);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const byte_vector part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK(broken_by(with_fixed_header(0x32, part), version) == violation::packet_truncated);
    }
}

TEST_CASE("decoding into a used PUBLISH leaves nothing of what was there", "[publish]") {
    const byte_vector full = from_hex(
        "3D 26 0001 61 000A 1F 01 01 02 0000003C 23 0001 03 0001 74 08 0001 72 09 0001 FF 0B 05"
        "26 0001 6B 0001 76 78");
    const byte_vector plain = from_hex("30 04 000162 00");
    publish out;
    REQUIRE(broken_by(full, v5) == violation::none);
    REQUIRE(decode(frame_of(full), v5, out) == violation::none);
    REQUIRE(decode(frame_of(plain), v5, out) == violation::none);
    CHECK(packet_text::of(out) == packet_text::of(publish{.topic = "b"}));
    REQUIRE(decode(frame_of(full), v5, out) == violation::none);
    const byte_vector plain_v3 = from_hex("30 03 000162");
    REQUIRE(decode(frame_of(plain_v3), v3, out) == violation::none);
    CHECK(packet_text::of(out) == packet_text::of(publish{.topic = "b"}));
}

TEST_CASE("a PUBLISH is written whole or not at all", "[publish]") {
    const std::vector<user_property> pairs{{"k", "v"}};
    const publish in{.topic = "a", .user_properties = user_properties(pairs)};
    const std::size_t size = encoded(in, v5).size();
    wire_buffer out;
    CHECK_FALSE(encode(in, v5, out, static_cast<std::uint32_t>(size) - 1));
    CHECK(out.empty());
    CHECK(encode(in, v5, out, static_cast<std::uint32_t>(size)));
    CHECK(out.size() == size);
}

TEST_CASE("topics of up to 65,535 bytes are written and read",
          "[publish][v5/MQTT-4.7.3-3][v3/MQTT-4.7.3-3]") {
    const auto version = GENERATE(v3, v5);
    const std::string topic(65'535, 'a');
    const byte_vector wire = encoded(publish{.topic = topic}, version);
    publish out;
    REQUIRE(decode(frame_of(wire), version, out) == violation::none);
    CHECK(out.topic == topic);
}

TEST_CASE("fields of every size are copied whole", "[publish]") {
    // The copies of small fields are written out by size class; each size has its own path.
    for (std::size_t size = 0; size < 200; ++size) {
        byte_vector payload;
        std::string topic;
        for (std::size_t index = 0; index < size; ++index) {
            payload.push_back(static_cast<std::uint8_t>(index + 1));
            topic += static_cast<char>('A' + index % 26);
        }
        topic += '/';
        const byte_vector wire = encoded(publish{.topic = topic, .payload = payload}, v5);
        publish out;
        REQUIRE(decode(frame_of(wire), v5, out) == violation::none);
        CHECK(out.topic == topic);
        CHECK(hex_digits(out.payload) == hex_digits(payload));
    }
}

}  // namespace
}  // namespace fleetarium::test
