#include <fleetarium/core/assert.hpp>
#include <fleetarium/session/frame_reader.hpp>

#include <fuzz/drawn_bytes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

// One byte chooses the largest packet, one says how many sizes of pieces follow, and the rest is a
// stream. Whatever the pieces, the frames are those of the whole, and so is the rule that is
// broken.

namespace {

using namespace fleetarium;

struct outcome {
    std::vector<std::vector<std::uint8_t>> packets;  // first byte and body
    violation broken = violation::none;
    std::size_t left = 0;  // bytes of a packet that is not whole
};

void note(outcome& to, const frame& in) {
    auto& made = to.packets.emplace_back(1, in.first_byte);
    made.insert(made.end(), in.body.begin(), in.body.end());
}

outcome read_whole(bytes_view stream, std::uint32_t maximum) {
    outcome out;
    for (;;) {
        frame in;
        const std::size_t before = stream.size();
        const frame_result result = split_frame(stream, in, maximum);
        out.broken = result.broken;
        if (result.broken != violation::none || !result.complete) {
            FLEETARIUM_ASSERT(stream.size() == before);
            break;
        }
        // No packet is complete with fewer bytes than were said to be its own.
        FLEETARIUM_ASSERT(before - stream.size() == result.packet_size);
        FLEETARIUM_ASSERT(result.packet_size <= maximum);
        note(out, in);
    }
    out.left = stream.size();
    return out;
}

outcome read_in_pieces(bytes_view stream, bytes_view sizes, std::uint32_t maximum) {
    outcome out;
    frame_reader reader;
    std::size_t at_size = 0;
    std::size_t begun = 0;  // bytes of the packet under way
    while (!stream.empty() && out.broken == violation::none) {
        const std::size_t wanted = sizes.empty() ? 1 : sizes[at_size++ % sizes.size()] + 1U;
        const bytes_view cut = stream.first(std::min(wanted, stream.size()));
        stream = stream.subspan(cut.size());
        // A block of its own: a frame that views what is gone is found.
        const std::vector<std::uint8_t> held(cut.begin(), cut.end());
        bytes_view piece = held;
        begun += piece.size();
        while (!piece.empty()) {
            frame in;
            const frame_result result = reader.next(piece, in, maximum);
            out.broken = result.broken;
            if (result.broken != violation::none) {
                break;
            }
            if (!result.complete) {
                FLEETARIUM_ASSERT(piece.empty());
                break;
            }
            begun = piece.size();
            note(out, in);
            if (begun % 2 == 0) {
                reader.release();
            }
        }
        // Grows with what came, not with what was announced.
        FLEETARIUM_ASSERT(reader.memory_bytes() <= 2 * begun + 1024);
    }
    reader.release();
    if (out.broken == violation::none) {
        FLEETARIUM_ASSERT(reader.is_between_packets() == (begun == 0));
    }
    out.left = begun;
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    test::drawn_bytes drawn(data, size);
    constexpr std::uint32_t maxima[] = {limits::packet_size_max, 1, 2, 5, 64, 128, 1000};
    const std::uint32_t maximum = drawn.one_of(maxima);
    const bytes_view sizes = drawn.take(drawn.below(16));
    const bytes_view stream = drawn.rest();
    const outcome whole = read_whole(stream, maximum);
    const outcome pieces = read_in_pieces(stream, sizes, maximum);
    FLEETARIUM_ASSERT(whole.packets == pieces.packets);
    FLEETARIUM_ASSERT(whole.broken == pieces.broken);
    FLEETARIUM_ASSERT(whole.broken != violation::none || whole.left == pieces.left);
    return 0;
}
