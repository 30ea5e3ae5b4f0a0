#include <support/case_share.hpp>
#include <support/packet_text.hpp>
#include <support/random_packet.hpp>
#include <support/wire.hpp>

#include <catch2/catch.hpp>

#include <memory>

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

TEST_CASE("random packets of both versions decode to what was encoded", "[round_trip]") {
    const auto version = GENERATE(v3, v5);
    for (std::uint64_t seed = 0; seed < share_of(5'000U); ++seed) {
        random_packets packets(seed, version);
        const packet in = packets.next();
        wire_buffer out;
        INFO("seed " << seed);
        REQUIRE(encode(in, version, out));
        const byte_vector wire = to_bytes(out);
        packet again;
        const violation broken = decode(frame_of(wire), version, again);
        if (broken != violation::none || packet_text::of(again) != packet_text::of(in)) {
            CAPTURE(hex_digits(wire));
            REQUIRE(broken == violation::none);
            REQUIRE(packet_text::of(again) == packet_text::of(in));
        }
        // Encoding reads decoded packets, whose lists are bytes, as it reads given ones.
        wire_buffer out_again;
        REQUIRE(encode(again, version, out_again));
        REQUIRE(to_bytes(out_again) == wire);
    }
}

TEST_CASE("a packet of exactly the maximum size is written and a larger one never is",
          "[round_trip]") {
    const auto version = GENERATE(v3, v5);
    for (std::uint64_t seed = 0; seed < share_of(2'000U); ++seed) {
        random_packets packets(seed, version);
        const packet in = packets.next();
        const byte_vector whole = encoded(in, version);
        const auto size = static_cast<std::uint32_t>(whole.size());
        INFO("seed " << seed << " " << packet_text::of(in));
        wire_buffer exact;
        REQUIRE(encode(in, version, exact, size));
        REQUIRE(to_bytes(exact) == whole);
        wire_buffer smaller;
        if (encode(in, version, smaller, size - 1)) {
            // Something that only explains was left out; what is left is a whole packet.
            REQUIRE(smaller.size() < size);
            REQUIRE(broken_by(to_bytes(smaller), version) == violation::none);
        } else {
            REQUIRE(smaller.empty());
        }
    }
}

TEST_CASE("each prefix of a random packet's body decodes or is refused without reading beyond it",
          "[round_trip]") {
    const auto version = GENERATE(v3, v5);
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        random_packets packets(seed, version);
        const byte_vector wire = encoded(packets.next(), version);
        const frame whole = frame_of(wire);
        for (std::size_t size = 0; size < std::min<std::size_t>(whole.body.size(), 400); ++size) {
            // A copy of exactly that size, so that a sanitizer sees each byte read beyond it.
            const auto part = std::make_unique<std::uint8_t[]>(size);
            std::copy_n(whole.body.begin(), size, part.get());
            packet out;
            if (decode(frame{whole.first_byte, {part.get(), size}}, version, out) ==
                violation::none) {
                wire_buffer again;
                REQUIRE(encode(out, version, again));
            }
        }
    }
}

}  // namespace
}  // namespace fleetarium::test
