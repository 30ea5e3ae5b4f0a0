#include <fleetarium/codec/codec.hpp>

namespace fleetarium {

std::string_view name_of(packet_type type) {
    switch (type) {
        case packet_type::connect: return "CONNECT";
        case packet_type::connack: return "CONNACK";
        case packet_type::publish: return "PUBLISH";
        case packet_type::puback: return "PUBACK";
        case packet_type::pubrec: return "PUBREC";
        case packet_type::pubrel: return "PUBREL";
        case packet_type::pubcomp: return "PUBCOMP";
        case packet_type::subscribe: return "SUBSCRIBE";
        case packet_type::suback: return "SUBACK";
        case packet_type::unsubscribe: return "UNSUBSCRIBE";
        case packet_type::unsuback: return "UNSUBACK";
        case packet_type::pingreq: return "PINGREQ";
        case packet_type::pingresp: return "PINGRESP";
        case packet_type::disconnect: return "DISCONNECT";
        case packet_type::auth: return "AUTH";
    }
    return "reserved";
}

namespace {

template <class Packet>
violation decode_as(const frame& in, protocol_version version, packet& out) {
    return decode(in, version, out.emplace<Packet>());
}

bool encode_in_own_version(const connect& in, protocol_version, wire_buffer& out,
                           std::uint32_t packet_size_maximum) {
    return encode(in, out, packet_size_maximum);
}

template <class Packet>
bool encode_in_own_version(const Packet& in, protocol_version version, wire_buffer& out,
                           std::uint32_t packet_size_maximum) {
    return encode(in, version, out, packet_size_maximum);
}

}  // namespace

violation decode(const frame& in, protocol_version version, packet& out) {
    switch (in.type()) {
        case packet_type::connect: return decode(in, out.emplace<connect>());
        case packet_type::connack: return decode_as<connack>(in, version, out);
        case packet_type::publish: return decode_as<publish>(in, version, out);
        case packet_type::puback: return decode_as<puback>(in, version, out);
        case packet_type::pubrec: return decode_as<pubrec>(in, version, out);
        case packet_type::pubrel: return decode_as<pubrel>(in, version, out);
        case packet_type::pubcomp: return decode_as<pubcomp>(in, version, out);
        case packet_type::subscribe: return decode_as<subscribe>(in, version, out);
        case packet_type::suback: return decode_as<suback>(in, version, out);
        case packet_type::unsubscribe: return decode_as<unsubscribe>(in, version, out);
        case packet_type::unsuback: return decode_as<unsuback>(in, version, out);
        case packet_type::pingreq: return decode_as<pingreq>(in, version, out);
        case packet_type::pingresp: return decode_as<pingresp>(in, version, out);
        case packet_type::disconnect: return decode_as<disconnect>(in, version, out);
        case packet_type::auth: return decode_as<auth>(in, version, out);
    }
    return violation::packet_type_reserved;
}

bool encode(const packet& in, protocol_version version, wire_buffer& out,
            std::uint32_t packet_size_maximum) {
    return std::visit(
        [&](const auto& each) {
            return encode_in_own_version(each, version, out, packet_size_maximum);
        },
        in);
}

}  // namespace fleetarium
