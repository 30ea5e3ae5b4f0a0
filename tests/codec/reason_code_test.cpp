#include <support/wire.hpp>

#include <catch2/catch.hpp>

#include <set>
#include <string>

namespace fleetarium::test {
namespace {

/// The codes, in hexadecimal, that a packet of this first byte may hold.
void check_codes(std::uint8_t first_byte, const char* before, const char* behind,
                 const std::set<std::string>& allowed, protocol_version version,
                 violation otherwise = violation::reason_code_invalid) {
    for (unsigned code = 0; code < 256; ++code) {
        const auto byte = static_cast<std::uint8_t>(code);
        const std::string hex = hex_digits({&byte, 1});
        CAPTURE(hex);
        CHECK(broken_by_body(first_byte, before + hex + behind, version) ==
              (allowed.contains(hex) ? violation::none : otherwise));
    }
}

const std::set<std::string> publish_answer{"00", "10", "80", "83", "87", "90", "91", "97", "99"};
const std::set<std::string> release_answer{"00", "92"};

TEST_CASE("CONNACK holds only the codes of its table", "[reason_code][v5/MQTT-3.2.2-8]") {
    check_codes(0x20, "00", "00",
                {"00", "80", "81", "82", "83", "84", "85", "86", "87", "88", "89", "8A", "8C",
                 "90", "95", "97", "99", "9A", "9B", "9C", "9D", "9F"},
                protocol_version::v5);
}

TEST_CASE("CONNACK of 3.1.1 holds codes 0 to 5", "[reason_code]") {
    check_codes(0x20, "00", "", {"00", "01", "02", "03", "04", "05"}, protocol_version::v3_1_1);
}

TEST_CASE("PUBACK holds only the codes of its table", "[reason_code][v5/MQTT-3.4.2-1]") {
    check_codes(0x40, "000A", "", publish_answer, protocol_version::v5);
    check_codes(0x40, "000A", "00", publish_answer, protocol_version::v5);
}

TEST_CASE("PUBREC holds only the codes of its table", "[reason_code][v5/MQTT-3.5.2-1]") {
    check_codes(0x50, "000A", "", publish_answer, protocol_version::v5);
}

TEST_CASE("PUBREL holds only the codes of its table", "[reason_code][v5/MQTT-3.6.2-1]") {
    check_codes(0x62, "000A", "", release_answer, protocol_version::v5);
}

TEST_CASE("PUBCOMP holds only the codes of its table", "[reason_code][v5/MQTT-3.7.2-1]") {
    check_codes(0x70, "000A", "", release_answer, protocol_version::v5);
}

TEST_CASE("an acknowledgement of 3.1.1 holds no code", "[reason_code]") {
    const int first_byte = GENERATE(0x40, 0x50, 0x62, 0x70);
    check_codes(static_cast<std::uint8_t>(first_byte), "000A", "", {}, protocol_version::v3_1_1,
                violation::bytes_left_over);
}

TEST_CASE("SUBACK holds only the codes of its table", "[reason_code][v5/MQTT-3.9.3-2]") {
    check_codes(0x90, "000A00", "",
                {"00", "01", "02", "80", "83", "87", "8F", "91", "97", "9E", "A1", "A2"},
                protocol_version::v5);
}

TEST_CASE("SUBACK of 3.1.1 holds only 00, 01, 02 and 80", "[reason_code][v3/MQTT-3.9.3-2]") {
    check_codes(0x90, "000A", "", {"00", "01", "02", "80"}, protocol_version::v3_1_1);
    check_codes(0x90, "000A00", "02", {"00", "01", "02", "80"}, protocol_version::v3_1_1);
}

TEST_CASE("UNSUBACK holds only the codes of its table", "[reason_code][v5/MQTT-3.11.3-2]") {
    check_codes(0xB0, "000A00", "", {"00", "11", "80", "83", "87", "8F", "91"},
                protocol_version::v5);
}

TEST_CASE("DISCONNECT holds only the codes of its table", "[reason_code][v5/MQTT-3.14.2-1]") {
    check_codes(0xE0, "", "",
                {"00", "04", "80", "81", "82", "83", "87", "89", "8B", "8C", "8D", "8E", "8F",
                 "90", "93", "94", "95", "96", "97", "98", "99", "9A", "9B", "9C", "9D", "9E",
                 "9F", "A0", "A1", "A2"},
                protocol_version::v5);
}

TEST_CASE("AUTH holds only 00, 18 and 19", "[reason_code]") {
    check_codes(0xF0, "", "00", {"00", "18", "19"}, protocol_version::v5);
}

TEST_CASE("each code has its name and values that are no code have none", "[reason_code]") {
    CHECK(name_of(reason_code::granted_qos_0) == "Success");
    CHECK(name_of(reason_code::session_taken_over) == "Session taken over");
    CHECK(name_of(reason_code::wildcard_subscriptions_not_supported) ==
          "Wildcard Subscriptions not supported");
    CHECK(name_of(static_cast<reason_code>(0x03)) == "Unknown");
    std::set<std::string_view> names;
    for (unsigned code = 0; code < 256; ++code) {
        names.insert(name_of(static_cast<reason_code>(code)));
    }
    CHECK(names.size() == 43 + 1);
    CHECK_FALSE(is_failure(reason_code::re_authenticate));
    CHECK(is_failure(reason_code::unspecified_error));
}

TEST_CASE("each violation has a row with its own name and a failure code", "[violation]") {
    std::set<std::string_view> names;
    for (int index = 1; index <= static_cast<int>(violation::response_timeout); ++index) {
        const violation_info& info = describe(static_cast<violation>(index));
        CAPTURE(info.name);
        CHECK(names.insert(info.name).second);
        CHECK(is_failure(info.code));
        CHECK_FALSE(info.phrase.empty());
    }
    CHECK(describe(violation::none).name == "none");
    CHECK(describe(violation::qos_invalid).v5_id == "MQTT-3.3.1-4");
    CHECK(describe(violation::qos_invalid).v3_id == "MQTT-3.3.1-4");
}

}  // namespace
}  // namespace fleetarium::test
