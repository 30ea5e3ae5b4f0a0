#include <fleetarium/codec/codec.hpp>
#include <fleetarium/codec/writer.hpp>

namespace fleetarium {

namespace {

constexpr std::uint8_t pingreq_byte = 0xC0;
constexpr std::uint8_t pingresp_byte = 0xD0;

violation decode_empty(const frame& in, std::uint8_t first_byte) {
    if (in.first_byte != first_byte) {
        return violation::fixed_header_flags_invalid;  // v5/MQTT-2.1.3-1, v3/MQTT-2.2.2-2
    }
    return in.body.empty() ? violation::none : violation::bytes_left_over;
}

bool encode_empty(std::uint8_t first_byte, wire_buffer& out, std::uint32_t packet_size_maximum) {
    if (!detail::packet_fits(0, packet_size_maximum)) {
        return false;
    }
    detail::write_fixed_header(out.extend(2), first_byte, 0);
    return true;
}

}  // namespace

violation decode(const frame& in, protocol_version, pingreq&) {
    return decode_empty(in, pingreq_byte);
}

violation decode(const frame& in, protocol_version, pingresp&) {
    return decode_empty(in, pingresp_byte);
}

bool encode(const pingreq&, protocol_version, wire_buffer& out, std::uint32_t packet_size_maximum) {
    return encode_empty(pingreq_byte, out, packet_size_maximum);
}

bool encode(const pingresp&, protocol_version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    return encode_empty(pingresp_byte, out, packet_size_maximum);
}

}  // namespace fleetarium
