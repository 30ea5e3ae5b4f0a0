#include <fleetarium/codec/topic.hpp>
#include <fleetarium/codec/utf8.hpp>

#include <support/wire.hpp>

#include <catch2/catch.hpp>

namespace fleetarium::test {
namespace {

struct text_row {
    const char* hex;
    violation broken;
};

const text_row rows[] = {
    {"", violation::none},
    {"61", violation::none},
    {"7F", violation::none},
    {"01", violation::none},
    {"00", violation::string_has_null},
    {"61 00 62", violation::string_has_null},
    {"C2 80", violation::none},           // U+0080, the first of two bytes
    {"DF BF", violation::none},           // U+07FF
    {"C0 80", violation::string_not_utf8},  // overlong U+0000
    {"C0 AF", violation::string_not_utf8},
    {"C1 BF", violation::string_not_utf8},
    {"C3 28", violation::string_not_utf8},
    {"C3", violation::string_not_utf8},
    {"80", violation::string_not_utf8},
    {"BF", violation::string_not_utf8},
    {"E0 A0 80", violation::none},          // U+0800
    {"E0 80 80", violation::string_not_utf8},
    {"E0 9F BF", violation::string_not_utf8},
    {"ED 9F BF", violation::none},          // U+D7FF
    {"ED A0 80", violation::string_not_utf8},  // surrogates
    {"ED BF BF", violation::string_not_utf8},
    {"EE 80 80", violation::none},          // U+E000
    {"EF BB BF", violation::none},          // U+FEFF
    {"EF BF BF", violation::none},          // U+FFFF, a non-character
    {"EF B7 90", violation::none},          // U+FDD0, a non-character
    {"E2 82", violation::string_not_utf8},
    {"E2 82 28", violation::string_not_utf8},
    {"E2 28 A1", violation::string_not_utf8},
    {"F0 90 80 80", violation::none},       // U+10000
    {"F0 80 80 80", violation::string_not_utf8},
    {"F0 8F BF BF", violation::string_not_utf8},
    {"F4 8F BF BF", violation::none},       // U+10FFFF
    {"F4 90 80 80", violation::string_not_utf8},
    {"F5 80 80 80", violation::string_not_utf8},
    {"F0 90 80", violation::string_not_utf8},
    {"F0 90 28 80", violation::string_not_utf8},
    {"F0 90 80 28", violation::string_not_utf8},
    {"FE", violation::string_not_utf8},
    {"FF", violation::string_not_utf8},
};

TEST_CASE("a string is well-formed UTF-8 without U+0000, wherever in it the character stands",
          "[utf8][v5/MQTT-1.5.4-1][v5/MQTT-1.5.4-2][v3/MQTT-1.5.3-1][v3/MQTT-1.5.3-2]") {
    for (const text_row& row : rows) {
        const byte_vector middle = from_hex(row.hex);
        // All alignments to the words that the check reads, and all sizes up to three of them.
        for (std::size_t before = 0; before < 18; ++before) {
            for (std::size_t behind = 0; behind < 10; ++behind) {
                byte_vector text(before, 'a');
                text.insert(text.end(), middle.begin(), middle.end());
                text.insert(text.end(), behind, 'z');
                CAPTURE(hex_digits(text));
                CHECK(detail::check_string(as_text(text)) == row.broken);
                CHECK(detail::check_topic_name(as_text(text)) == row.broken);
                CHECK(is_valid_string(as_text(text)) == (row.broken == violation::none));
            }
        }
    }
}

TEST_CASE("each pair of bytes is judged as a decoder of one character at a time judges it",
          "[utf8]") {
    for (unsigned first = 0; first < 256; ++first) {
        for (unsigned second = 0; second < 256; ++second) {
            const byte_vector text{static_cast<std::uint8_t>(first),
                                   static_cast<std::uint8_t>(second)};
            const bool ascii = first < 0x80 && second < 0x80;
            const bool two_byte_character =
                first >= 0xC2 && first <= 0xDF && second >= 0x80 && second <= 0xBF;
            const bool has_null = first == 0 || (first < 0x80 && second == 0);
            violation expected = violation::string_not_utf8;
            if (has_null) {
                expected = violation::string_has_null;
            } else if (ascii || two_byte_character) {
                expected = violation::none;
            }
            if (detail::check_string(as_text(text)) != expected) {
                FAIL_CHECK(hex_digits(text));
            }
        }
    }
}

TEST_CASE("a wildcard anywhere in a topic name is found", "[utf8]") {
    for (const char wildcard : {'+', '#'}) {
        for (std::size_t size = 1; size < 40; ++size) {
            for (std::size_t at = 0; at < size; ++at) {
                std::string name(size, '/');
                name[at] = wildcard;
                CHECK(detail::check_topic_name(name) == violation::topic_name_has_wildcard);
                CHECK(detail::check_string(name) == violation::none);
            }
        }
    }
    // The neighbours of the two characters are no wildcards.
    CHECK(detail::check_topic_name("!\"$%&'()*,-./3;") == violation::none);
    CHECK(detail::check_topic_name("\xC3\xA9/+") == violation::topic_name_has_wildcard);
}

TEST_CASE("U+FEFF is a character like any other and stays in a topic",
          "[utf8][v5/MQTT-1.5.4-3][v3/MQTT-1.5.3-3]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    publish message;
    message.topic = "\xEF\xBB\xBF" "a/\xEF\xBB\xBF";
    const byte_vector wire = encoded(message, version);
    publish again;
    REQUIRE(decode(frame_of(wire), version, again) == violation::none);
    CHECK(again.topic == message.topic);
    CHECK(again.topic.size() == 8);
}

}  // namespace
}  // namespace fleetarium::test
