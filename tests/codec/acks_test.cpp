#include <support/packet_text.hpp>
#include <support/wire.hpp>

#include <catch2/catch.hpp>

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

/// A code other than success that the packet may hold.
template <class Packet>
constexpr reason_code failure_of = reason_code::packet_identifier_not_found;
template <>
constexpr reason_code failure_of<puback> = reason_code::not_authorized;
template <>
constexpr reason_code failure_of<pubrec> = reason_code::not_authorized;

template <class Packet>
std::string first_byte_hex() {
    const auto byte = static_cast<std::uint8_t>(
        (static_cast<unsigned>(Packet::type) << 4) | (Packet::type == packet_type::pubrel ? 2 : 0));
    return hex_digits({&byte, 1});
}

TEMPLATE_TEST_CASE("an acknowledgement is read in all its forms", "[acks]", puback, pubrec, pubrel,
                   pubcomp) {
    struct form {
        std::string rest;
        std::string text;
    };
    const auto failure = static_cast<std::uint8_t>(failure_of<TestType>);
    const std::string code = hex_digits({&failure, 1});
    const std::string name{name_of(TestType::type)};
    const form forms[] = {
        {"02 000A", " packet_id=10 code=00"},
        {"03 000A 00", " packet_id=10 code=00"},
        {"03 000A" + code, " packet_id=10 code=" + code},
        {"04 000A 00 00", " packet_id=10 code=00"},
        {"04 000A" + code + "00", " packet_id=10 code=" + code},
        {"0F 000A" + code + "0B 1F 0001 72 26 0001 6B 0001 76",
         " packet_id=10 code=" + code + " reason_string=\"r\" user_property=\"k\":\"v\""},
    };
    for (const form& each : forms) {
        const byte_vector wire = from_hex(first_byte_hex<TestType>() + each.rest);
        // What was in the packet before must not show.
        TestType out{.packet_id = 99,
                     .code = failure_of<TestType>,
                     .reason_string = "old",
                     .user_properties = {}};
        REQUIRE(decode(frame_of(wire), v5, out) == violation::none);
        CHECK(packet_text::of(out) == name + each.text);
    }
}

TEMPLATE_TEST_CASE("an acknowledgement is written in its shortest form", "[acks]", puback, pubrec,
                   pubrel, pubcomp) {
    const auto failure = static_cast<std::uint8_t>(failure_of<TestType>);
    const std::string code = hex_digits({&failure, 1});
    TestType in;
    in.packet_id = 0x1234;
    CHECK(encoded_hex(in, v5) == first_byte_hex<TestType>() + "021234");
    CHECK(encoded_hex(in, v3) == first_byte_hex<TestType>() + "021234");
    in.code = failure_of<TestType>;
    CHECK(encoded_hex(in, v5) == first_byte_hex<TestType>() + "031234" + code);
    in.reason_string = "r";
    CHECK(encoded_hex(in, v5) == first_byte_hex<TestType>() + "081234" + code + "041F000172");
    in.code = reason_code::success;
    CHECK(encoded_hex(in, v5) == first_byte_hex<TestType>() + "08123400041F000172");
    // 3.1.1 has the identifier only.
    CHECK(encoded_hex(in, v3) == first_byte_hex<TestType>() + "021234");
}

TEMPLATE_TEST_CASE("an acknowledgement with a wrong length is refused", "[acks]", puback, pubrec,
                   pubrel, pubcomp) {
    const byte_vector type = from_hex(first_byte_hex<TestType>());
    CHECK(broken_by_body(type[0], "", v5) == violation::packet_truncated);
    CHECK(broken_by_body(type[0], "00", v5) == violation::packet_truncated);
    CHECK(broken_by_body(type[0], "000A 00 00 00", v5) == violation::bytes_left_over);
    CHECK(broken_by_body(type[0], "000A 00 01", v5) == violation::packet_truncated);
    CHECK(broken_by_body(type[0], "000A 00", v3) == violation::bytes_left_over);
}

template <class Packet>
void check_diagnostics() {
    const std::vector<user_property> pairs{{"k", "v"}};
    Packet in;
    in.packet_id = 0x0A0B;
    in.code = failure_of<Packet>;
    in.reason_string = "why";
    in.user_properties = user_properties(pairs);
    const auto failure = static_cast<std::uint8_t>(in.code);
    const std::string type = first_byte_hex<Packet>();
    const std::string head = "0A0B" + hex_digits({&failure, 1});
    const std::string pair = "2600016B000176";
    CHECK(encoded_hex(in, v5, 19) == type + "11" + head + "0D" "1F0003776879" + pair);
    CHECK(encoded_hex(in, v5, 18) == type + "0B" + head + "07" + pair);
    CHECK(encoded_hex(in, v5, 13) == type + "0B" + head + "07" + pair);
    CHECK(encoded_hex(in, v5, 12) == type + "03" + head);
    CHECK(encoded_hex(in, v5, 5) == type + "03" + head);
    wire_buffer out;
    CHECK_FALSE(encode(in, v5, out, 4));
    CHECK(out.empty());
    in.code = reason_code::success;
    CHECK(encoded_hex(in, v5, 4) == type + "02" "0A0B");
    CHECK_FALSE(encode(in, v5, out, 3));
    CHECK_FALSE(encode(in, v3, out, 3));
}

TEST_CASE("Reason String and then User Properties are left out of a PUBACK that is too large",
          "[acks][v5/MQTT-3.4.2-2][v5/MQTT-3.4.2-3]") {
    check_diagnostics<puback>();
}

TEST_CASE("Reason String and then User Properties are left out of a PUBREC that is too large",
          "[acks][v5/MQTT-3.5.2-2][v5/MQTT-3.5.2-3]") {
    check_diagnostics<pubrec>();
}

TEST_CASE("Reason String and then User Properties are left out of a PUBREL that is too large",
          "[acks][v5/MQTT-3.6.2-2][v5/MQTT-3.6.2-3]") {
    check_diagnostics<pubrel>();
}

TEST_CASE("Reason String and then User Properties are left out of a PUBCOMP that is too large",
          "[acks][v5/MQTT-3.7.2-2][v5/MQTT-3.7.2-3]") {
    check_diagnostics<pubcomp>();
}

}  // namespace
}  // namespace fleetarium::test
