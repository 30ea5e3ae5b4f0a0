#include <support/packet_text.hpp>
#include <support/wire.hpp>

#include <catch2/catch.hpp>

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

/// Protocol name, level, flags, keep alive 10 and, in 5.0, no properties.
std::string head(protocol_version version, const std::string& flags) {
    return "00044D515454" + std::string(version == v5 ? "05" : "04") + flags + "000A" +
           (version == v5 ? "00" : "");
}

/// A will without properties: topic w, payload x.
std::string will_fields(protocol_version version) {
    return (version == v5 ? std::string("00") : std::string()) + "000177000178";
}

violation broken_by_connect(const std::string& body) { return broken_by_body(0x10, body, v5); }

TEST_CASE("a protocol name that is not MQTT is told from a version that is not supported",
          "[connect]") {
    const std::string rest = "02000A 00 000161";
    CHECK(broken_by_connect("0004 4D515458 05" + rest) == violation::protocol_name_invalid);
    CHECK(broken_by_connect("0004 6D717474 05" + rest) == violation::protocol_name_invalid);
    CHECK(broken_by_connect("0000 05" + rest) == violation::protocol_name_invalid);
    CHECK(broken_by_connect("0006 4D5149736470 04" + rest) == violation::protocol_name_invalid);
    CHECK(broken_by_connect("0006 4D5149736470 03" + rest) ==
          violation::protocol_version_unsupported);
    for (unsigned level = 0; level < 256; ++level) {
        const auto byte = static_cast<std::uint8_t>(level);
        const std::string hex = hex_digits({&byte, 1});
        CAPTURE(hex);
        const std::string body =
            "0004 4D515454" + hex + (level == 4 ? "02000A 000161" : "02000A 00 000161");
        CHECK(broken_by_connect(body) == (level == 4 || level == 5
                                              ? violation::none
                                              : violation::protocol_version_unsupported));
    }
}

TEST_CASE("the reserved connect flag is refused", "[connect][v5/MQTT-3.1.2-3][v3/MQTT-3.1.2-3]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_connect(head(version, "02") + "000161") == violation::none);
    CHECK(broken_by_connect(head(version, "03") + "000161") == violation::connect_flags_reserved);
}

TEST_CASE("without the will flag will QoS is 0",
          "[connect][v5/MQTT-3.1.2-11][v3/MQTT-3.1.2-13][v3/MQTT-3.1.2-11]") {
    const auto version = GENERATE(v3, v5);
    const auto* const flags = GENERATE("0A", "12", "1A");
    CHECK(broken_by_connect(head(version, flags) + "000161") ==
          violation::will_flags_without_will);
}

TEST_CASE("without the will flag will retain is 0",
          "[connect][v5/MQTT-3.1.2-13][v3/MQTT-3.1.2-15][v3/MQTT-3.1.2-11]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_connect(head(version, "22") + "000161") ==
          violation::will_flags_without_will);
}

TEST_CASE("without the will flag there are no will fields", "[connect][v3/MQTT-3.1.2-11]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_connect(head(version, "02") + "000161" + will_fields(version)) ==
          violation::bytes_left_over);
}

TEST_CASE("a will QoS of 3 is refused", "[connect][v5/MQTT-3.1.2-12][v3/MQTT-3.1.2-14]") {
    const auto version = GENERATE(v3, v5);
    for (const auto* const flags : {"06", "0E", "16"}) {
        CHECK(broken_by_connect(head(version, flags) + "000161" + will_fields(version)) ==
              violation::none);
    }
    CHECK(broken_by_connect(head(version, "1E") + "000161" + will_fields(version)) ==
          violation::will_qos_invalid);
}

TEST_CASE("with the will flag the will fields are there",
          "[connect][v5/MQTT-3.1.2-9][v3/MQTT-3.1.2-9]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_connect(head(version, "06") + "000161") == violation::packet_truncated);
    const byte_vector wire =
        with_fixed_header(0x10, from_hex(head(version, "2E") + "000161" + will_fields(version)));
    connect out;
    REQUIRE(decode(frame_of(wire), out) == violation::none);
    REQUIRE(out.will);
    CHECK(out.will->topic == "w");
    CHECK(as_text(out.will->payload) == "x");
    CHECK(out.will->qos == qos::at_least_once);
    CHECK(out.will->retain);
}

TEST_CASE("the will topic is a topic name", "[connect]") {
    const auto version = GENERATE(v3, v5);
    const std::string before =
        head(version, "06") + "000161" + (version == v5 ? "00" : "");
    CHECK(broken_by_connect(before + "0000 0000") == violation::topic_name_empty);
    CHECK(broken_by_connect(before + "0001 2B 0000") == violation::topic_name_has_wildcard);
    CHECK(broken_by_connect(before + "0003 612F23 0000") == violation::topic_name_has_wildcard);
}

TEST_CASE("the will topic is UTF-8", "[connect][v5/MQTT-3.1.3-11][v3/MQTT-3.1.3-10]") {
    const auto version = GENERATE(v3, v5);
    const std::string before =
        head(version, "06") + "000161" + (version == v5 ? "00" : "");
    CHECK(broken_by_connect(before + "0001 FF 0000") == violation::string_not_utf8);
    CHECK(broken_by_connect(before + "0001 00 0000") == violation::string_has_null);
}

TEST_CASE("without the user name flag there is no user name",
          "[connect][v5/MQTT-3.1.2-16][v3/MQTT-3.1.2-18]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_connect(head(version, "02") + "000161 000175") == violation::bytes_left_over);
}

TEST_CASE("with the user name flag there is a user name",
          "[connect][v5/MQTT-3.1.2-17][v3/MQTT-3.1.2-19]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_connect(head(version, "82") + "000161") == violation::packet_truncated);
    CHECK(broken_by_connect(head(version, "82") + "000161 000175") == violation::none);
}

TEST_CASE("without the password flag there is no password",
          "[connect][v5/MQTT-3.1.2-18][v3/MQTT-3.1.2-20]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_connect(head(version, "82") + "000161 000175 000170") ==
          violation::bytes_left_over);
}

TEST_CASE("with the password flag there is a password",
          "[connect][v5/MQTT-3.1.2-19][v3/MQTT-3.1.2-21]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_connect(head(version, "C2") + "000161 000175") == violation::packet_truncated);
    CHECK(broken_by_connect(head(version, "C2") + "000161 000175 000170") == violation::none);
}

TEST_CASE("a password without a user name is for 5.0 only",
          "[connect][v5/MQTT-3.1.2-19][v3/MQTT-3.1.2-22]") {
    CHECK(broken_by_connect(head(v3, "42") + "000161 000170") ==
          violation::password_without_user_name);
    CHECK(broken_by_connect(head(v5, "42") + "000161 000170") == violation::none);
}

TEST_CASE("the client identifier is always there and may be empty",
          "[connect][v5/MQTT-3.1.3-3][v3/MQTT-3.1.3-3]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_connect(head(version, "02")) == violation::packet_truncated);
    CHECK(broken_by_connect(head(version, "02") + "0000") == violation::none);
}

TEST_CASE("the client identifier is UTF-8", "[connect][v5/MQTT-3.1.3-4][v3/MQTT-3.1.3-4]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_connect(head(version, "02") + "0002 C328") == violation::string_not_utf8);
    CHECK(broken_by_connect(head(version, "02") + "0001 00") == violation::string_has_null);
}

TEST_CASE("the user name is UTF-8 and the password any bytes",
          "[connect][v5/MQTT-3.1.3-12][v3/MQTT-3.1.3-11]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_connect(head(version, "82") + "000161 0001FE") == violation::string_not_utf8);
    CHECK(broken_by_connect(head(version, "C2") + "000161 000175 000300FFFE") == violation::none);
}

TEST_CASE("a CONNECT cut short anywhere is refused", "[connect]") {
    const auto version = GENERATE(v3, v5);
    const byte_vector whole =
        from_hex(head(version, "CE") + "000161" + will_fields(version) + "000175 000170");
    REQUIRE(broken_by(with_fixed_header(0x10, whole), v5) == violation::none);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const byte_vector part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK(broken_by(with_fixed_header(0x10, part), v5) == violation::packet_truncated);
    }
}

TEST_CASE("authentication data needs a method", "[connect]") {
    const std::string before = "00044D51545405 02 000A";
    CHECK(broken_by_connect(before + "04 16 0001 AA 000161") ==
          violation::authentication_data_without_method);
    CHECK(broken_by_connect(before + "08 16 0001 AA 15 0001 4D 000161") == violation::none);
}

TEST_CASE("the payload of CONNECT has its fields in the order of the standard",
          "[connect][v5/MQTT-3.1.3-1][v3/MQTT-3.1.3-1]") {
    const auto version = GENERATE(v3, v5);
    const byte_vector will_payload = from_hex("BB");
    const byte_vector password = from_hex("DD");
    connect in;
    in.version = version;
    in.clean_start = true;
    in.keep_alive = 10;
    in.client_id = "c";
    in.will.emplace();
    in.will->topic = "w";
    in.will->payload = will_payload;
    in.will->qos = qos::exactly_once;
    in.will->retain = true;
    in.will->delay_interval = 5;
    in.user_name = "u";
    in.password = password;
    CHECK(encoded_hex(in, version) ==
          (version == v5 ? "102000044D51545405F6000A00" "000163" "051800000005" "000177" "0001BB"
                           "000175" "0001DD"
                         : "101900044D51545404F6000A" "000163" "000177" "0001BB" "000175"
                           "0001DD"));
}

TEST_CASE("properties are left out of a CONNECT of 3.1.1", "[connect]") {
    connect in;
    in.version = v3;
    in.client_id = "c";
    in.session_expiry_interval = 10;
    in.authentication_method = "M";
    CHECK(encoded_hex(in, v3) == "100D00044D51545404020000000163");
}

TEST_CASE("a CONNECT above the maximum packet size is not written", "[connect]") {
    const connect in{.client_id = "c"};
    wire_buffer out;
    CHECK_FALSE(encode(in, out, 15));
    CHECK(out.empty());
    CHECK(encode(in, out, 16));
    CHECK(out.size() == 16);
}

}  // namespace
}  // namespace fleetarium::test
