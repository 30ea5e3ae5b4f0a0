#include <support/packet_text.hpp>
#include <support/tsv.hpp>
#include <support/wire.hpp>

#include <catch2/catch.hpp>

#include <map>
#include <set>

// tests/vectors/vectors.tsv holds hand-made packets, checked against other implementations;
// codec_outcomes.tsv says what each decodes to, or which rule it breaks. Invalid vectors that
// decode break a rule that only the session can know.

namespace fleetarium::test {
namespace {

struct vector_row {
    std::string id;
    protocol_version version;
    bool valid;
    byte_vector wire;
    std::string expected;  // in words, with reason codes
    std::string outcome;
};

std::vector<vector_row> read_vectors() {
    std::map<std::string, std::string> outcomes;
    for (const auto& row : read_tsv("tests/vectors/codec_outcomes.tsv")) {
        outcomes[row[0]] = row[1];
    }
    std::vector<vector_row> rows;
    for (const auto& row : read_tsv("tests/vectors/vectors.tsv")) {
        REQUIRE(outcomes.contains(row[0]));
        rows.push_back({row[0],
                        row[1] == "5.0" ? protocol_version::v5 : protocol_version::v3_1_1,
                        row[2] == "valid", from_hex(row[5]), row[6], outcomes[row[0]]});
    }
    REQUIRE(rows.size() == outcomes.size());
    return rows;
}

/// What the bytes decode to as text, or the name of the rule that they break.
std::string outcome_of(const byte_vector& wire, protocol_version version, packet& out) {
    frame in;
    bytes_view rest = wire;
    const frame_result result = split_frame(rest, in);
    if (result.broken != violation::none) {
        return std::string(describe(result.broken).name);
    }
    REQUIRE(result.complete);
    REQUIRE(rest.empty());
    const violation broken = decode(in, version, out);
    return broken == violation::none ? packet_text::of(out)
                                     : std::string(describe(broken).name);
}

TEST_CASE("each vector decodes to what its description says, or breaks the rule it is made to",
          "[vectors]") {
    const std::vector<vector_row> rows = read_vectors();
    CHECK(rows.size() == 80);
    for (const vector_row& row : rows) {
        CAPTURE(row.id, hex_digits(row.wire));
        packet out;
        CHECK(outcome_of(row.wire, row.version, out) == row.outcome);
    }
}

TEST_CASE("each valid vector encodes back to its bytes, or to a shorter form of the same packet",
          "[vectors]") {
    // These two spell out the empty property block that an acknowledgement may leave out.
    const std::set<std::string> longer_than_needed{"V13", "V17"};
    for (const vector_row& row : read_vectors()) {
        if (!row.valid) {
            continue;
        }
        CAPTURE(row.id, hex_digits(row.wire));
        packet decoded;
        REQUIRE(outcome_of(row.wire, row.version, decoded) == row.outcome);
        wire_buffer out;
        REQUIRE(encode(decoded, row.version, out));
        const byte_vector again = to_bytes(out);
        if (longer_than_needed.contains(row.id)) {
            CHECK(again.size() + 1 == row.wire.size());
        } else {
            CHECK(hex_digits(again) == hex_digits(row.wire));
        }
        packet decoded_again;
        CHECK(outcome_of(again, row.version, decoded_again) == row.outcome);
    }
}

TEST_CASE("the rule that an invalid vector breaks has a reason code that the vector allows",
          "[vectors]") {
    int judged = 0;
    for (const vector_row& row : read_vectors()) {
        if (row.valid || row.expected.find("0x") == std::string::npos) {
            continue;
        }
        for (int index = 1; index <= static_cast<int>(violation::response_timeout); ++index) {
            const violation_info& info = describe(static_cast<violation>(index));
            if (info.name == row.outcome) {
                CAPTURE(row.id, row.expected, row.outcome);
                const auto code = static_cast<std::uint8_t>(info.code);
                CHECK(row.expected.find("0x" + hex_digits({&code, 1})) != std::string::npos);
                ++judged;
            }
        }
    }
    CHECK(judged == 30);
}

TEST_CASE("a vector cut short anywhere decodes to nothing", "[vectors]") {
    for (const vector_row& row : read_vectors()) {
        if (!row.valid) {
            continue;
        }
        CAPTURE(row.id);
        for (std::size_t size = 0; size < row.wire.size(); ++size) {
            frame in;
            bytes_view part{row.wire.data(), size};
            const frame_result result = split_frame(part, in);
            CHECK(result.broken == violation::none);
            CHECK_FALSE(result.complete);
            CHECK(part.size() == size);
        }
    }
}

}  // namespace
}  // namespace fleetarium::test
