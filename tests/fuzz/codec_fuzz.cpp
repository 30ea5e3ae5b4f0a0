#include <fleetarium/codec/codec.hpp>
#include <fleetarium/core/assert.hpp>

#include <support/hex.hpp>
#include <support/packet_text.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// Any bytes, as a stream of packets of each version. What decodes must encode; that must decode to
// the same packet; and encoding it once more must give the same bytes.

namespace {

using namespace fleetarium;

/// The version that a CONNECT names, else the one that the stream has.
protocol_version version_of(const packet& in, protocol_version stream) {
    const auto* const first = std::get_if<connect>(&in);
    return first != nullptr ? first->version : stream;
}

void check_forwarding(const publish& in, protocol_version version) {
    std::vector<std::uint8_t> block(forwardable_properties_size(in));
    FLEETARIUM_ASSERT(write_forwardable_properties(in, block.data()) ==
                      block.data() + block.size());
    publish read;
    read_forwardable_properties(block, read);
    FLEETARIUM_ASSERT(forwardable_properties_size(read) == block.size());

    encoded_publish message;
    message.topic = in.topic;
    message.forwardable_properties = block;
    message.payload = in.payload;
    message.packet_id = in.packet_id;
    message.qos = in.qos;
    message.dup = in.dup;
    message.retain = in.retain;
    message.message_expiry_interval = in.message_expiry_interval;
    message.topic_alias = in.topic_alias.value_or(std::uint16_t{0});
    std::vector<std::uint32_t> identifiers;
    in.subscription_identifiers.for_each(
        [&identifiers](std::uint32_t value) { identifiers.push_back(value); });
    message.subscription_identifiers = identifiers;
    wire_buffer out;
    FLEETARIUM_ASSERT(encode(message, version, out));
    const test::bytes wire = test::to_bytes(out);
    bytes_view rest = wire;
    frame again;
    FLEETARIUM_ASSERT(split_frame(rest, again).complete);
    publish decoded;
    FLEETARIUM_ASSERT(decode(again, version, decoded) == violation::none);
    FLEETARIUM_ASSERT(test::packet_text::of(decoded) == test::packet_text::of(in));
}

void check_packet(const frame& in, protocol_version stream) {
    packet first;
    if (decode(in, stream, first) != violation::none) {
        return;
    }
    const protocol_version version = version_of(first, stream);
    wire_buffer out;
    FLEETARIUM_ASSERT(encode(first, version, out));
    const test::bytes wire = test::to_bytes(out);
    // The shortest form is never longer than what came.
    FLEETARIUM_ASSERT(wire.size() <= in.body.size() + 5);
    bytes_view rest = wire;
    frame again;
    FLEETARIUM_ASSERT(split_frame(rest, again).complete && rest.empty());
    packet second;
    FLEETARIUM_ASSERT(decode(again, version, second) == violation::none);
    FLEETARIUM_ASSERT(test::packet_text::of(second) == test::packet_text::of(first));
    wire_buffer out_again;
    FLEETARIUM_ASSERT(encode(second, version, out_again));
    FLEETARIUM_ASSERT(test::to_bytes(out_again) == wire);
    if (const auto* const message = std::get_if<publish>(&first)) {
        check_forwarding(*message, version);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    for (const protocol_version version : {protocol_version::v3_1_1, protocol_version::v5}) {
        bytes_view rest{data, size};
        frame in;
        while (split_frame(rest, in).complete) {
            check_packet(in, version);
        }
    }
    return 0;
}
