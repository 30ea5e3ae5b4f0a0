// Any bytes are cut into packets and decoded. What decodes has to encode, and what was encoded has
// to decode and encode to the same bytes again.

#include <fleetarium/codec/codec.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

using namespace fleetarium;

std::vector<std::uint8_t> flat(const wire_buffer& buffer) {
    std::vector<std::uint8_t> made;
    buffer.for_each_part(
        [&](bytes_view part) { made.insert(made.end(), part.begin(), part.end()); });
    return made;
}

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void check_round_trip(const packet& decoded, protocol_version version) {
    wire_buffer first;
    if (!encode(decoded, version, first)) {
        return;  // 3.1.1 has no form for it, for example a CONNACK code of 5.0
    }
    const std::vector<std::uint8_t> bytes = flat(first);
    bytes_view rest{bytes.data(), bytes.size()};
    frame again;
    const frame_result cut = split_frame(rest, again);
    require(cut.broken == violation::none && cut.complete && rest.empty());
    packet decoded_again;
    require(decode(again, version, decoded_again) == violation::none);
    wire_buffer second;
    require(encode(decoded_again, version, second));
    require(flat(second) == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    for (const auto version : {protocol_version::v3_1_1, protocol_version::v5}) {
        bytes_view input{data, size};
        for (;;) {
            frame next;
            const frame_result cut = split_frame(input, next);
            if (cut.broken != violation::none || !cut.complete) {
                break;
            }
            packet decoded;
            if (decode(next, version, decoded) != violation::none) {
                break;
            }
            check_round_trip(decoded, version);
        }
    }
    return 0;
}
