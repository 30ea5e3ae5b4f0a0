#include <support/packet_text.hpp>
#include <support/wire.hpp>

#include <catch2/catch.hpp>

// DISCONNECT, AUTH, PINGREQ and PINGRESP: the packets that may be two bytes long.

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

TEST_CASE("PINGREQ and PINGRESP are two bytes", "[ping]") {
    const auto version = GENERATE(v3, v5);
    CHECK(encoded_hex(pingreq{}, version) == "C000");
    CHECK(encoded_hex(pingresp{}, version) == "D000");
    CHECK(broken_by_body(0xC0, "00", version) == violation::bytes_left_over);
    CHECK(broken_by_body(0xD0, "00", version) == violation::bytes_left_over);
    wire_buffer out;
    CHECK_FALSE(encode(pingreq{}, version, out, 1));
    CHECK_FALSE(encode(pingresp{}, version, out, 1));
    CHECK(out.empty());
}

TEST_CASE("a DISCONNECT of 5.0 is read in all its forms", "[disconnect]") {
    struct form {
        const char* hex;
        const char* text;
    };
    const form forms[] = {
        {"E0 00", "DISCONNECT code=00"},
        {"E0 01 00", "DISCONNECT code=00"},
        {"E0 01 04", "DISCONNECT code=04"},
        {"E0 02 00 00", "DISCONNECT code=00"},
        {"E0 02 8E 00", "DISCONNECT code=8E"},
        {"E0 14 9D 12 1F 0001 72 1C 0001 68 11 00000000 26 0000 0000",
         "DISCONNECT code=9D session_expiry_interval=0 reason_string=\"r\" "
         "server_reference=\"h\" user_property=\"\":\"\""},
    };
    for (const form& each : forms) {
        const byte_vector wire = from_hex(each.hex);
        disconnect out{.code = reason_code::server_busy, .reason_string = "old"};
        CAPTURE(each.hex);
        REQUIRE(decode(frame_of(wire), v5, out) == violation::none);
        CHECK(packet_text::of(out) == each.text);
    }
}

TEST_CASE("a DISCONNECT is written in its shortest form", "[disconnect]") {
    disconnect in;
    CHECK(encoded_hex(in, v5) == "E000");
    in.code = reason_code::disconnect_with_will_message;
    CHECK(encoded_hex(in, v5) == "E00104");
    CHECK(encoded_hex(in, v3) == "E000");
    in.session_expiry_interval = 0;
    CHECK(encoded_hex(in, v5) == "E00704051100000000");
    CHECK(encoded_hex(in, v3) == "E000");
    in.code = reason_code::normal_disconnection;
    CHECK(encoded_hex(in, v5) == "E00700051100000000");
}

TEST_CASE("a DISCONNECT of 3.1.1 is empty", "[disconnect]") {
    CHECK(broken_by("E0 00", v3) == violation::none);
    CHECK(broken_by("E0 01 00", v3) == violation::bytes_left_over);
}

TEST_CASE("a DISCONNECT with bytes behind its properties is refused", "[disconnect]") {
    CHECK(broken_by("E0 03 00 00 00", v5) == violation::bytes_left_over);
    CHECK(broken_by("E0 02 00 01", v5) == violation::packet_truncated);
}

TEST_CASE("Reason String and then User Properties are left out of a DISCONNECT that is too large",
          "[disconnect][v5/MQTT-3.14.2-3][v5/MQTT-3.14.2-4]") {
    const std::vector<user_property> pairs{{"k", "v"}};
    disconnect in{.code = reason_code::server_moved,
                  .reason_string = "why",
                  .server_reference = "h",
                  .user_properties = user_properties(pairs)};
    const std::string reference = "1C000168";
    const std::string pair = "2600016B000176";
    CHECK(encoded_hex(in, v5, 21) == "E0139D" "11" "1F0003776879" + reference + pair);
    CHECK(encoded_hex(in, v5, 20) == "E00D9D" "0B" + reference + pair);
    CHECK(encoded_hex(in, v5, 15) == "E00D9D" "0B" + reference + pair);
    CHECK(encoded_hex(in, v5, 14) == "E0069D" "04" + reference);
    CHECK(encoded_hex(in, v5, 8) == "E0069D" "04" + reference);
    wire_buffer out;
    CHECK_FALSE(encode(in, v5, out, 7));
    CHECK(out.empty());
    // The short form returns with the last property.
    in.server_reference.reset();
    CHECK(encoded_hex(in, v5, 7) == "E0019D");
}

TEST_CASE("AUTH is for 5.0 only", "[auth]") {
    CHECK(broken_by("F0 00", v3) == violation::packet_type_not_in_version);
    wire_buffer out;
    CHECK_FALSE(encode(auth{}, v3, out));
    CHECK(out.empty());
}

TEST_CASE("an AUTH is read and written in its forms", "[auth]") {
    CHECK(encoded_hex(auth{}, v5) == "F000");
    CHECK(encoded_hex(auth{.code = reason_code::continue_authentication}, v5) == "F0021800");
    const byte_vector data = from_hex("00FF");
    const auth in{.code = reason_code::continue_authentication,
                  .authentication_method = "M",
                  .authentication_data = data};
    const byte_vector wire = encoded(in, v5);
    CHECK(hex_digits(wire) == "F00B18091500014D16000200FF");
    auth out;
    REQUIRE(decode(frame_of(wire), v5, out) == violation::none);
    CHECK(packet_text::of(out) == packet_text::of(in));
    const byte_vector empty = from_hex("F0 00");
    REQUIRE(decode(frame_of(empty), v5, out) == violation::none);
    CHECK(packet_text::of(out) == "AUTH code=00");
    CHECK(broken_by("F0 01 18", v5) == violation::packet_truncated);
    CHECK(broken_by("F0 03 18 00 00", v5) == violation::bytes_left_over);
}

TEST_CASE("Reason String and then User Properties are left out of an AUTH that is too large",
          "[auth][v5/MQTT-3.15.2-2][v5/MQTT-3.15.2-3]") {
    const std::vector<user_property> pairs{{"k", "v"}};
    const auth in{.code = reason_code::continue_authentication,
                  .authentication_method = "M",
                  .reason_string = "why",
                  .user_properties = user_properties(pairs)};
    const std::string method = "1500014D";
    const std::string pair = "2600016B000176";
    CHECK(encoded_hex(in, v5, 21) == "F01318" "11" + method + "1F0003776879" + pair);
    CHECK(encoded_hex(in, v5, 20) == "F00D18" "0B" + method + pair);
    CHECK(encoded_hex(in, v5, 14) == "F00618" "04" + method);
    CHECK(encoded_hex(in, v5, 8) == "F00618" "04" + method);
    wire_buffer out;
    CHECK_FALSE(encode(in, v5, out, 7));
    CHECK(out.empty());
}

}  // namespace
}  // namespace fleetarium::test
