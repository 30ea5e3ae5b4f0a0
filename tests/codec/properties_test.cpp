#include <support/packet_text.hpp>
#include <support/wire.hpp>

#include <catch2/catch.hpp>

#include <array>

// The table of MQTT 5 section 2.2.2.2, written down a second time and tried in every packet.

namespace fleetarium::test {
namespace {

struct property_row {
    unsigned id;
    const char* value;      // an encoded value that is allowed
    const char* allowed;    // packets, one letter each, see `places`
    const char* truncated;  // the value with its last byte missing
};

/// A packet with a hole for its property block.
struct place {
    char letter;
    std::uint8_t first_byte;
    const char* before;
    const char* behind;
};

constexpr place places[] = {
    {'C', 0x10, "00044D5154540502000A", "000161"},
    {'W', 0x10, "00044D5154540506000A 00 000161", "000177 000178"},
    {'c', 0x20, "0000", ""},
    {'P', 0x30, "000161", ""},
    {'a', 0x40, "000A00", ""},
    {'r', 0x50, "000A00", ""},
    {'l', 0x62, "000A00", ""},
    {'o', 0x70, "000A00", ""},
    {'S', 0x82, "000A", "00016100"},
    {'s', 0x90, "000A", "00"},
    {'U', 0xA2, "000A", "000161"},
    {'u', 0xB0, "000A", "00"},
    {'D', 0xE0, "00", ""},
    {'A', 0xF0, "18", ""},
};

const property_row properties[] = {
    {0x01, "01", "PW", ""},
    {0x02, "0000003C", "PW", "000000"},
    {0x03, "000174", "PW", "0002 74"},
    {0x08, "000172", "PW", "0002 72"},
    {0x09, "000200FF", "PW", "0002 00"},
    {0x0B, "C801", "PS", "C8"},
    {0x11, "0000003C", "CcD", "000000"},
    {0x12, "000161", "c", "0002 61"},
    {0x13, "001E", "c", "00"},
    {0x15, "00014D", "CcA", "0002 4D"},
    {0x16, "000101", "CcA", "0002 01"},
    {0x17, "01", "C", ""},
    {0x18, "00000005", "W", "000000"},
    {0x19, "01", "C", ""},
    {0x1A, "000161", "c", "0002 61"},
    {0x1C, "000161", "cD", "0002 61"},
    {0x1F, "000161", "carlosuDA", "0002 61"},
    {0x21, "0001", "Cc", "00"},
    {0x22, "0000", "Cc", "00"},
    {0x23, "0001", "P", "00"},
    {0x24, "01", "c", ""},
    {0x25, "00", "c", ""},
    {0x26, "00016B 000176", "CWcParloSsUuDA", "00016B 0001"},
    {0x27, "00000001", "Cc", "000000"},
    {0x28, "00", "c", ""},
    {0x29, "00", "c", ""},
    {0x2A, "00", "c", ""},
};

const property_row* find_row(unsigned id) {
    for (const property_row& row : properties) {
        if (row.id == id) {
            return &row;
        }
    }
    return nullptr;
}

std::string id_hex(unsigned id) {
    const auto byte = static_cast<std::uint8_t>(id);
    return hex_digits({&byte, 1});
}

/// The packet at `at` with the property block `block`.
byte_vector packet_with(const place& at, const std::string& block) {
    const byte_vector wire = from_hex(block);
    REQUIRE(wire.size() < 128);
    return with_fixed_header(
        at.first_byte, from_hex(at.before + id_hex(static_cast<unsigned>(wire.size())) + block +
                                at.behind));
}

violation broken_with(const place& at, const std::string& block) {
    return broken_by(packet_with(at, block), protocol_version::v5);
}

bool is_allowed(const property_row& row, const place& at) {
    return std::string_view(row.allowed).find(at.letter) != std::string_view::npos;
}

/// Authentication Data of CONNECT needs a method beside it.
std::string companion(const property_row& row, const place& at) {
    return row.id == 0x16 && at.letter == 'C' ? "15 00014D" : "";
}

TEST_CASE("each property identifier is taken in the packets of the standard's table only",
          "[properties]") {
    for (const place& at : places) {
        CHECK(broken_with(at, "") == violation::none);
        for (unsigned id = 0; id < 256; ++id) {
            CAPTURE(at.letter, id);
            const property_row* const row = find_row(id);
            if (row == nullptr) {
                CHECK(broken_with(at, id_hex(id) + "00") == violation::property_unknown);
                continue;
            }
            const std::string block = companion(*row, at) + id_hex(id) + row->value;
            CHECK(broken_with(at, block) ==
                  (is_allowed(*row, at) ? violation::none : violation::property_not_allowed));
        }
    }
}

TEST_CASE("each property is written as it was read", "[properties]") {
    for (const place& at : places) {
        for (const property_row& row : properties) {
            if (!is_allowed(row, at)) {
                continue;
            }
            CAPTURE(at.letter, row.id);
            const byte_vector wire =
                packet_with(at, companion(row, at) + id_hex(row.id) + row.value);
            packet out;
            REQUIRE(decode(frame_of(wire), protocol_version::v5, out) == violation::none);
            wire_buffer again;
            REQUIRE(encode(out, protocol_version::v5, again));
            CHECK(hex_digits(to_bytes(again)) == hex_digits(wire));
        }
    }
}

TEST_CASE("a property twice is refused, but for User Property and for Subscription Identifier in "
          "PUBLISH",
          "[properties]") {
    for (const place& at : places) {
        for (const property_row& row : properties) {
            if (!is_allowed(row, at)) {
                continue;
            }
            CAPTURE(at.letter, row.id);
            const std::string once = id_hex(row.id) + row.value;
            // Another property between the two makes no difference.
            const std::string between = "26 0000 0000";
            const bool repeatable = row.id == 0x26 || (row.id == 0x0B && at.letter == 'P');
            const violation expected = repeatable ? violation::none : violation::property_repeated;
            CHECK(broken_with(at, companion(row, at) + once + once) == expected);
            CHECK(broken_with(at, companion(row, at) + once + between + once) == expected);
        }
    }
}

TEST_CASE("a property value that runs past its block is refused", "[properties]") {
    for (const place& at : places) {
        for (const property_row& row : properties) {
            if (is_allowed(row, at)) {
                CAPTURE(at.letter, row.id);
                CHECK(broken_with(at, companion(row, at) + id_hex(row.id) + row.truncated) ==
                      violation::packet_truncated);
            }
        }
    }
}

TEST_CASE("a property block that runs past its packet is refused", "[properties]") {
    for (const place& at : places) {
        CAPTURE(at.letter);
        const std::string body = std::string(at.before) + "7F";
        CHECK(broken_by_body(at.first_byte, body, protocol_version::v5) ==
              violation::packet_truncated);
    }
}

TEST_CASE("a property length that is longer than needed is refused",
          "[properties][v5/MQTT-1.5.5-1]") {
    for (const place& at : places) {
        CAPTURE(at.letter);
        for (const auto* const length : {"8000", "808000", "8080808000"}) {
            CHECK(broken_by_body(at.first_byte, std::string(at.before) + length + at.behind,
                                 protocol_version::v5) ==
                  violation::variable_byte_integer_malformed);
        }
    }
}

TEST_CASE("a property value outside its range is refused", "[properties]") {
    struct range_row {
        char letter;
        const char* block;
        violation broken;
    };
    const range_row ranges[] = {
        {'P', "01 02", violation::property_value_invalid},
        {'W', "01 02", violation::property_value_invalid},
        {'P', "0B 00", violation::property_value_invalid},
        {'S', "0B 00", violation::property_value_invalid},
        {'P', "0B FFFFFF7F", violation::none},
        {'S', "0B FFFFFF7F", violation::none},
        {'S', "0B FFFFFFFF7F", violation::variable_byte_integer_malformed},
        {'S', "0B 8100", violation::variable_byte_integer_malformed},
        {'C', "17 02", violation::property_value_invalid},
        {'C', "19 02", violation::property_value_invalid},
        {'C', "17 00", violation::none},
        {'C', "21 0000", violation::property_value_invalid},
        {'c', "21 0000", violation::property_value_invalid},
        {'C', "21 FFFF", violation::none},
        {'P', "23 0000", violation::topic_alias_invalid},
        {'P', "23 FFFF", violation::none},
        {'c', "24 02", violation::property_value_invalid},
        {'c', "24 00", violation::none},
        {'c', "25 02", violation::property_value_invalid},
        {'C', "27 00000000", violation::property_value_invalid},
        {'c', "27 00000000", violation::property_value_invalid},
        {'C', "27 FFFFFFFF", violation::none},
        {'c', "28 02", violation::property_value_invalid},
        {'c', "29 FF", violation::property_value_invalid},
        {'c', "2A 02", violation::property_value_invalid},
        {'C', "11 FFFFFFFF", violation::none},
        {'P', "08 0000", violation::response_topic_invalid},
        {'W', "08 0000", violation::response_topic_invalid},
        {'W', "08 0003 612F23", violation::response_topic_invalid},
    };
    for (const range_row& row : ranges) {
        for (const place& at : places) {
            if (at.letter == row.letter) {
                CAPTURE(row.letter, row.block);
                CHECK(broken_with(at, row.block) == row.broken);
            }
        }
    }
}

TEST_CASE("all strings of properties are UTF-8 without U+0000",
          "[properties][v5/MQTT-1.5.4-1][v5/MQTT-1.5.4-2][v5/MQTT-3.3.2-13][v5/MQTT-3.3.2-19]") {
    for (const place& at : places) {
        for (const unsigned id : {0x03U, 0x08U, 0x12U, 0x15U, 0x1AU, 0x1CU, 0x1FU}) {
            if (is_allowed(*find_row(id), at)) {
                CAPTURE(at.letter, id);
                CHECK(broken_with(at, id_hex(id) + "0002 C328") == violation::string_not_utf8);
                CHECK(broken_with(at, id_hex(id) + "0002 6100") == violation::string_has_null);
            }
        }
    }
}

TEST_CASE("both halves of a User Property are UTF-8 strings", "[properties][v5/MQTT-1.5.7-1]") {
    for (const place& at : places) {
        CAPTURE(at.letter);
        CHECK(broken_with(at, "26 0001 FF 0001 76") == violation::string_not_utf8);
        CHECK(broken_with(at, "26 0001 6B 0001 FF") == violation::string_not_utf8);
        CHECK(broken_with(at, "26 0001 00 0001 76") == violation::string_has_null);
        CHECK(broken_with(at, "26 0001 6B 0001 00") == violation::string_has_null);
    }
}

TEST_CASE("binary properties may hold any bytes", "[properties]") {
    for (const place& at : places) {
        if (is_allowed(*find_row(0x09), at)) {
            CHECK(broken_with(at, "09 0003 00FFC3") == violation::none);
        }
        if (is_allowed(*find_row(0x16), at)) {
            CHECK(broken_with(at, "15 0001 4D 16 0003 00FFC3") == violation::none);
        }
    }
}

TEST_CASE("User Properties are found in their order among other properties", "[properties]") {
    const byte_vector wire = packet_with(
        places[3],
        "26 0001 61 0001 31 03 0001 74 26 0001 62 0001 32 0B 05 26 0001 61 0001 33 0B 06");
    publish out;
    REQUIRE(decode(frame_of(wire), protocol_version::v5, out) == violation::none);
    std::string seen;
    out.user_properties.for_each([&seen](const user_property& pair) {
        seen += std::string(pair.first) + std::string(pair.second) + ' ';
    });
    CHECK(seen == "a1 b2 a3 ");
    std::vector<std::uint32_t> identifiers;
    out.subscription_identifiers.for_each(
        [&identifiers](std::uint32_t value) { identifiers.push_back(value); });
    CHECK(identifiers == std::vector<std::uint32_t>{5, 6});
    CHECK(out.content_type == "t");
}

TEST_CASE("an empty property block is still written as its length 0",
          "[properties][v5/MQTT-2.2.2-1]") {
    const std::vector<reason_code> codes{reason_code::success};
    const std::vector<subscription_request> requests{{"a", {}}};
    const std::vector<std::string_view> filters{"a"};
    CHECK(encoded_hex(connect{.client_id = "a"}, protocol_version::v5) ==
          "100E00044D51545405020000" "00" "000161");
    CHECK(encoded_hex(connack{}, protocol_version::v5) == "20030000" "00");
    CHECK(encoded_hex(publish{.topic = "a"}, protocol_version::v5) == "3004000161" "00");
    CHECK(encoded_hex(subscribe{.packet_id = 1, .requests = subscription_requests(requests)},
                      protocol_version::v5) == "82070001" "00" "00016100");
    CHECK(encoded_hex(suback{.packet_id = 1, .codes = codes}, protocol_version::v5) ==
          "90040001" "00" "00");
    CHECK(encoded_hex(unsubscribe{.packet_id = 1, .filters = topic_filters(filters)},
                      protocol_version::v5) == "A2060001" "00" "000161");
    CHECK(encoded_hex(unsuback{.packet_id = 1, .codes = codes}, protocol_version::v5) ==
          "B0040001" "00" "00");
}

}  // namespace
}  // namespace fleetarium::test
