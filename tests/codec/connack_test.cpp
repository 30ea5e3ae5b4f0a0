#include <support/wire.hpp>

#include <catch2/catch.hpp>

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

TEST_CASE("bits 7 to 1 of the CONNACK flags are 0", "[connack][v5/MQTT-3.2.2-1]") {
    for (unsigned flags = 0; flags < 256; ++flags) {
        const auto byte = static_cast<std::uint8_t>(flags);
        const std::string hex = hex_digits({&byte, 1});
        CAPTURE(hex);
        const violation expected =
            flags > 1 ? violation::connack_flags_reserved : violation::none;
        CHECK(broken_by_body(0x20, hex + "0000", v5) == expected);
        CHECK(broken_by_body(0x20, hex + "00", v3) == expected);
    }
    connack in;
    CHECK(encoded_hex(in, v5) == "2003000000");
    in.session_present = true;
    CHECK(encoded_hex(in, v5) == "2003010000");
    CHECK(encoded_hex(in, v3) == "20020100");
}

TEST_CASE("the codes of a 3.1.1 CONNACK are read as those of 5.0", "[connack]") {
    const reason_code codes[] = {reason_code::success,
                                 reason_code::unsupported_protocol_version,
                                 reason_code::client_identifier_not_valid,
                                 reason_code::server_unavailable,
                                 reason_code::bad_user_name_or_password,
                                 reason_code::not_authorized};
    for (std::size_t value = 0; value < std::size(codes); ++value) {
        const byte_vector wire{0x20, 2, 0, static_cast<std::uint8_t>(value)};
        connack out;
        REQUIRE(decode(frame_of(wire), v3, out) == violation::none);
        CHECK(out.code == codes[value]);
        CHECK(encoded(out, v3) == wire);
    }
}

TEST_CASE("a refusal that no code of 3.1.1 stands for is not written as CONNACK",
          "[connack][v3/MQTT-3.2.2-6]") {
    struct code_row {
        unsigned code;
        int v3_code;  // -1: none
    };
    const code_row rows[] = {{0x80, -1}, {0x81, -1}, {0x82, -1}, {0x83, -1}, {0x84, 1},
                             {0x85, 2},  {0x86, 4},  {0x87, 5},  {0x88, 3},  {0x89, 3},
                             {0x8A, 5},  {0x8C, 5},  {0x90, -1}, {0x95, -1}, {0x97, 3},
                             {0x99, -1}, {0x9A, -1}, {0x9B, -1}, {0x9C, 3},  {0x9D, 3},
                             {0x9F, 3}};
    for (const code_row& row : rows) {
        CAPTURE(row.code);
        connack in;
        in.code = static_cast<reason_code>(row.code);
        wire_buffer out;
        CHECK(encode(in, v3, out) == (row.v3_code >= 0));
        if (row.v3_code < 0) {
            CHECK(out.empty());
        } else {
            CHECK(to_bytes(out) == byte_vector{0x20, 2, 0, static_cast<std::uint8_t>(row.v3_code)});
        }
    }
}

TEST_CASE("a CONNACK cut short or with bytes behind it is refused", "[connack]") {
    CHECK(broken_by_body(0x20, "", v3) == violation::packet_truncated);
    CHECK(broken_by_body(0x20, "00", v3) == violation::packet_truncated);
    CHECK(broken_by_body(0x20, "000000", v3) == violation::bytes_left_over);
    CHECK(broken_by_body(0x20, "0000", v5) == violation::packet_truncated);
    CHECK(broken_by_body(0x20, "00000000", v5) == violation::bytes_left_over);
}

TEST_CASE("Reason String and then User Properties are left out of a CONNACK that is too large",
          "[connack][v5/MQTT-3.2.2-19][v5/MQTT-3.2.2-20]") {
    const std::vector<user_property> pairs{{"k", "v"}};
    connack in;
    in.code = reason_code::not_authorized;
    in.assigned_client_identifier = "a";
    in.reason_string = "no";
    in.user_properties = user_properties(pairs);
    const std::string bare = "12000161";
    const std::string pair = "2600016B000176";
    CHECK(encoded_hex(in, v5, 21) == "20130087" "10" + bare + "1F00026E6F" + pair);
    CHECK(encoded_hex(in, v5, 20) == "200E0087" "0B" + bare + pair);
    CHECK(encoded_hex(in, v5, 16) == "200E0087" "0B" + bare + pair);
    CHECK(encoded_hex(in, v5, 15) == "20070087" "04" + bare);
    CHECK(encoded_hex(in, v5, 9) == "20070087" "04" + bare);
    wire_buffer out;
    CHECK_FALSE(encode(in, v5, out, 8));
    CHECK(out.empty());
}

}  // namespace
}  // namespace fleetarium::test
