#include <support/wire.hpp>

#include <catch2/catch.hpp>

namespace fleetarium::test {
namespace {

/// First byte and size of the body.
std::string line_of(const frame& in) {
    return hex_digits({&in.first_byte, 1}) + " " + std::to_string(in.body.size());
}

TEST_CASE("packets of a stream come out whole however its bytes are split", "[frame]") {
    // PUBLISH of 200 bytes payload (two bytes of Remaining Length), PINGREQ, PUBACK.
    byte_vector stream = from_hex("30 CE 01 00 03 61 2F 62 00");
    stream.insert(stream.end(), 200, 0x41);
    const byte_vector rest = from_hex("C0 00 40 02 00 0A");
    stream.insert(stream.end(), rest.begin(), rest.end());
    for (std::size_t split = 0; split <= stream.size(); ++split) {
        std::vector<std::string> frames;
        bytes_view input{stream.data(), split};
        frame out;
        while (split_frame(input, out).complete) {
            frames.push_back(line_of(out));
        }
        // A receiver keeps what was not taken and adds what comes.
        const auto taken = static_cast<std::size_t>(input.data() - stream.data());
        input = bytes_view{stream}.subspan(taken);
        while (split_frame(input, out).complete) {
            frames.push_back(line_of(out));
        }
        CHECK(input.empty());
        CHECK(frames == std::vector<std::string>{"30 206", "C0 0", "40 2"});
    }
}

TEST_CASE("the size of a packet is known as soon as its Remaining Length is whole", "[frame]") {
    const byte_vector wire = from_hex("30 CE 01 00");
    for (std::size_t size = 0; size <= wire.size(); ++size) {
        bytes_view input{wire.data(), size};
        frame out;
        const frame_result result = split_frame(input, out);
        CHECK(result.broken == violation::none);
        CHECK_FALSE(result.complete);
        CHECK(result.packet_size == (size < 3 ? 0U : 209U));
        CHECK(input.size() == size);
    }
}

TEST_CASE("a packet above the maximum is refused before its body is there", "[frame]") {
    const byte_vector wire = from_hex("30 CE 01");
    frame out;
    bytes_view input = wire;
    CHECK(split_frame(input, out, 209).broken == violation::none);
    CHECK(split_frame(input, out, 208).broken == violation::packet_too_large);
    const byte_vector largest = from_hex("30 FF FF FF 7F");
    input = largest;
    const frame_result result = split_frame(input, out);
    CHECK(result.broken == violation::none);
    CHECK(result.packet_size == 268'435'460);
}

TEST_CASE("the Remaining Length takes the fewest bytes", "[frame][v5/MQTT-1.5.5-1]") {
    struct size_row {
        std::size_t remaining_length;
        std::string_view hex;
    };
    const size_row row = GENERATE(values<size_row>({{127, "7F"},
                                                    {128, "8001"},
                                                    {16'383, "FF7F"},
                                                    {16'384, "808001"},
                                                    {2'097'151, "FFFF7F"},
                                                    {2'097'152, "80808001"}}));
    // Topic a and the length of the empty property block take four bytes.
    const byte_vector payload(row.remaining_length - 4, 0x2A);
    publish message;
    message.topic = "a";
    message.payload = payload;
    const byte_vector wire = encoded(message, protocol_version::v5);
    const std::size_t length_size = row.hex.size() / 2;
    REQUIRE(wire.size() == 1 + length_size + row.remaining_length);
    CHECK(hex_digits({wire.data() + 1, length_size}) == row.hex);
    publish again;
    REQUIRE(decode(frame_of(wire), protocol_version::v5, again) == violation::none);
    CHECK(again.payload.size() == payload.size());
}

TEST_CASE("a Remaining Length that is longer than needed or than four bytes is malformed",
          "[frame][v5/MQTT-1.5.5-1]") {
    const auto* const hex =
        GENERATE("30 80 00", "30 C0 80 00", "30 FF 80 80 00", "30 80 80 80 80", "30 FF FF FF FF",
                 "30 80 80 80 80 01");
    const byte_vector wire = from_hex(hex);
    bytes_view input = wire;
    frame out;
    const frame_result result = split_frame(input, out);
    CHECK(result.broken == violation::remaining_length_malformed);
    CHECK_FALSE(result.complete);
}

TEST_CASE("a Remaining Length of which bytes are missing is awaited", "[frame]") {
    const auto* const hex = GENERATE("30", "30 80", "30 80 80", "30 80 80 80");
    const byte_vector wire = from_hex(hex);
    bytes_view input = wire;
    frame out;
    const frame_result result = split_frame(input, out);
    CHECK(result.broken == violation::none);
    CHECK_FALSE(result.complete);
}

TEST_CASE("packet type 0 is refused at its first byte", "[frame]") {
    const byte_vector wire = from_hex(GENERATE("00", "0F", "00 00"));
    bytes_view input = wire;
    frame out;
    CHECK(split_frame(input, out).broken == violation::packet_type_reserved);
}

TEST_CASE("flags of the fixed header other than those of the packet type are refused",
          "[frame][v5/MQTT-2.1.3-1][v3/MQTT-2.2.2-1][v5/MQTT-3.6.1-1][v3/MQTT-3.6.1-1]"
          "[v5/MQTT-3.8.1-1][v3/MQTT-3.8.1-1][v5/MQTT-3.10.1-1][v3/MQTT-3.10.1-1]"
          "[v5/MQTT-3.14.1-1][v5/MQTT-3.15.1-1]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    struct sample {
        unsigned first_byte;
        std::string_view body_v3;
        std::string_view body_v5;
    };
    const sample row = GENERATE(values<sample>({
        {0x10, "00044D51545404020000000161", "00044D5154540502000000000161"},
        {0x20, "0000", "000000"},
        {0x40, "000A", "000A"},
        {0x50, "000A", "000A"},
        {0x62, "000A", "000A"},
        {0x70, "000A", "000A"},
        {0x82, "000A00016101", "000A0000016101"},
        {0x90, "000A01", "000A0001"},
        {0xA2, "000A000161", "000A00000161"},
        {0xB0, "000A", "000A0000"},
        {0xC0, "", ""},
        {0xD0, "", ""},
        {0xE0, "", ""},
        {0xF0, "-", ""},
    }));
    const bool v5 = version == protocol_version::v5;
    const std::string_view body = v5 ? row.body_v5 : row.body_v3;
    if (body == "-") {
        CHECK(broken_by_body(0xF0, "", version) == violation::packet_type_not_in_version);
        return;
    }
    for (unsigned flags = 0; flags < 16; ++flags) {
        const unsigned first_byte = (row.first_byte & 0xF0U) | flags;
        CAPTURE(first_byte);
        CHECK(broken_by_body(static_cast<std::uint8_t>(first_byte), body, version) ==
              (first_byte == row.first_byte ? violation::none
                                            : violation::fixed_header_flags_invalid));
    }
}

}  // namespace
}  // namespace fleetarium::test
