#include <fleetarium/session/frame_reader.hpp>

#include <fleetarium/core/random.hpp>

#include <support/hex.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::test;

namespace {

/// Packets of all sizes of header: bodies of 0, 1, 2, 127, 128, 300, 16,383 and 16,384 bytes.
bytes packet_of(std::uint8_t first_byte, std::size_t body) {
    bytes made{first_byte};
    for (std::size_t left = body;;) {
        const auto low = static_cast<std::uint8_t>(left & 0x7F);
        left >>= 7;
        made.push_back(static_cast<std::uint8_t>(low | (left != 0 ? 0x80 : 0)));
        if (left == 0) {
            break;
        }
    }
    for (std::size_t i = 0; i < body; ++i) {
        made.push_back(static_cast<std::uint8_t>(i * 31 + body));
    }
    return made;
}

/// Hands `pieces` to a reader one after the other and gathers each packet, header left out.
class gatherer {
public:
    void read(bytes_view piece) {
        while (!piece.empty()) {
            frame out;
            const frame_result result = reader.next(piece, out, limits::packet_size_max);
            REQUIRE(result.broken == violation::none);
            if (!result.complete) {
                REQUIRE(piece.empty());
                break;
            }
            packets.push_back({out.first_byte});
            packets.back().insert(packets.back().end(), out.body.begin(), out.body.end());
        }
    }

    frame_reader reader;
    std::vector<bytes> packets;
};

struct stream {
    bytes whole;
    std::vector<bytes> packets;  // first byte and body

    void add(const bytes& packet, std::size_t body) {
        whole.insert(whole.end(), packet.begin(), packet.end());
        packets.push_back({packet[0]});
        packets.back().insert(packets.back().end(),
                              packet.end() - static_cast<std::ptrdiff_t>(body), packet.end());
    }
};

stream small_stream() {
    stream made;
    for (const std::size_t body : {0u, 1u, 2u, 0u, 127u, 128u, 5u, 300u, 0u}) {
        made.add(packet_of(0x30, body), body);
    }
    return made;
}

}  // namespace

TEST_CASE("a packet that lies whole in the input is not copied", "[frame_reader]") {
    const bytes input = packet_of(0x30, 10);
    frame_reader reader;
    CHECK(sizeof(reader) == sizeof(void*));
    bytes_view rest = input;
    frame out;
    CHECK(reader.next(rest, out, 100).complete);
    CHECK(rest.empty());
    CHECK(out.body.data() == input.data() + 2);
    CHECK(reader.memory_bytes() == 0);
}

TEST_CASE("a stream of packets is read the same however it is split in two or three",
          "[frame_reader]") {
    const stream given = small_stream();
    const bytes_view whole = given.whole;
    for (std::size_t first = 0; first <= whole.size(); ++first) {
        for (std::size_t second = first; second <= whole.size(); second += 1 + second % 7) {
            gatherer all;
            all.read(whole.subspan(0, first));
            all.read(whole.subspan(first, second - first));
            all.read(whole.subspan(second));
            REQUIRE(all.packets == given.packets);
        }
    }
}

TEST_CASE("a stream of packets is read the same in pieces of any one size", "[frame_reader]") {
    stream given = small_stream();
    given.add(packet_of(0x32, 16'383), 16'383);
    given.add(packet_of(0x32, 16'384), 16'384);
    given.add(packet_of(0xC0, 0), 0);
    const bytes_view whole = given.whole;
    for (std::size_t size = 1; size <= whole.size(); size += 1 + size / 20) {
        gatherer all;
        for (std::size_t at = 0; at < whole.size(); at += size) {
            all.read(whole.subspan(at, std::min(size, whole.size() - at)));
        }
        REQUIRE(all.packets == given.packets);
    }
}

TEST_CASE("a stream of packets is read the same however it is split at random",
          "[frame_reader][random]") {
    random_stream random(11, 0, "split");
    stream given;
    for (int i = 0; i < 300; ++i) {
        const auto body = static_cast<std::size_t>(random.below(random.below(8) == 0 ? 3'000 : 40));
        given.add(packet_of(static_cast<std::uint8_t>(0x10 + random.below(0xF0)), body), body);
    }
    for (int round = 0; round < 200; ++round) {
        gatherer all;
        const std::uint64_t largest = 1 + random.below(400);
        for (std::size_t at = 0; at < given.whole.size();) {
            const auto size = static_cast<std::size_t>(1 + random.below(largest));
            const std::size_t taken = std::min(size, given.whole.size() - at);
            all.read(bytes_view(given.whole).subspan(at, taken));
            at += taken;
        }
        REQUIRE(all.packets == given.packets);
    }
}

TEST_CASE("the copy of a split packet is freed by release, by the next packet and by reset",
          "[frame_reader]") {
    const bytes packet = packet_of(0x30, 100);
    frame_reader reader;
    const auto read_split = [&] {
        frame out;
        bytes_view first = bytes_view(packet).first(50);
        REQUIRE_FALSE(reader.next(first, out, 1'000).complete);
        bytes_view second = bytes_view(packet).subspan(50);
        REQUIRE(reader.next(second, out, 1'000).complete);
        REQUIRE(reader.memory_bytes() > 0);
    };
    read_split();
    reader.release();
    CHECK(reader.memory_bytes() == 0);

    read_split();
    frame out;
    bytes_view next = packet;
    CHECK(reader.next(next, out, 1'000).complete);
    CHECK(reader.memory_bytes() == 0);

    bytes_view part = bytes_view(packet).first(50);
    reader.next(part, out, 1'000);
    reader.release();  // not whole yet: stays
    CHECK(reader.memory_bytes() > 0);
    reader.reset();
    CHECK(reader.memory_bytes() == 0);
}

TEST_CASE("memory grows with the bytes that came, not with the length announced",
          "[frame_reader]") {
    frame_reader reader;
    frame out;
    const bytes header = from_hex("30 FF FF FF 7F 00 01");
    bytes_view input = header;
    const frame_result result = reader.next(input, out, limits::packet_size_max);
    CHECK_FALSE(result.complete);
    CHECK(result.packet_size == limits::packet_size_max);
    CHECK(reader.memory_bytes() <= 64);

    // The buffer doubles, but not beyond the packet.
    frame_reader small;
    const bytes packet = packet_of(0x30, 1'000);
    for (std::size_t at = 0; at + 1 < packet.size(); ++at) {
        bytes_view one = bytes_view(packet).subspan(at, 1);
        REQUIRE_FALSE(small.next(one, out, 2'000).complete);
        REQUIRE(small.memory_bytes() <= 2 * at + 64);
    }
    CHECK(small.memory_bytes() <= 1'024);
}

TEST_CASE("a packet above the maximum is refused at its header, whole or split", "[frame_reader]") {
    const bytes packet = packet_of(0x30, 200);  // 203 bytes
    const std::size_t split = GENERATE(0u, 1u, 2u, 3u);
    frame out;
    frame_reader reader;
    bytes_view first = bytes_view(packet).first(split);
    const frame_result before = reader.next(first, out, 202);
    if (before.broken == violation::none) {
        bytes_view rest = bytes_view(packet).subspan(split, 3 - split);
        CHECK(reader.next(rest, out, 202).broken == violation::packet_too_large);
    } else {
        CHECK(before.broken == violation::packet_too_large);
        CHECK(split == 3);
    }
    gatherer enough;
    bytes_view all = packet;
    CHECK(enough.reader.next(all, out, 203).complete);
}

TEST_CASE("a remaining length of five bytes is refused byte by byte", "[frame_reader]") {
    frame_reader reader;
    frame out;
    violation broken = violation::none;
    std::size_t taken = 0;
    for (const std::uint8_t each : from_hex("30 80 80 80 80 01")) {
        bytes_view one{&each, 1};
        broken = reader.next(one, out, limits::packet_size_max).broken;
        ++taken;
        if (broken != violation::none) {
            break;
        }
    }
    CHECK(broken == violation::remaining_length_malformed);
    CHECK(taken == 5);
}
