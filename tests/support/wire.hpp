#pragma once

#include <fleetarium/codec/codec.hpp>

#include <support/hex.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

/// Packets as bytes, and bytes as packets.
namespace fleetarium::test {

using byte_vector = bytes;

/// As to_hex, without blanks.
inline std::string hex_digits(bytes_view in) {
    std::string text = to_hex(in);
    std::erase(text, ' ');
    return text;
}

/// The bytes of `in` in that version; fails the test if it cannot be encoded.
template <class Packet>
byte_vector encoded(const Packet& in, protocol_version version,
                    std::uint32_t packet_size_maximum = limits::packet_size_max) {
    wire_buffer out;
    if constexpr (std::is_same_v<Packet, connect>) {
        REQUIRE(version == in.version);
        REQUIRE(encode(in, out, packet_size_maximum));
    } else {
        REQUIRE(encode(in, version, out, packet_size_maximum));
    }
    return to_bytes(out);
}

template <class Packet>
std::string encoded_hex(const Packet& in, protocol_version version,
                        std::uint32_t packet_size_maximum = limits::packet_size_max) {
    return hex_digits(encoded(in, version, packet_size_maximum));
}

/// The frame that `bytes` are; fails the test if they are not exactly one.
inline frame frame_of(bytes_view wire) {
    frame made;
    const frame_result result = split_frame(wire, made);
    REQUIRE(result.broken == violation::none);
    REQUIRE(result.complete);
    REQUIRE(wire.empty());
    return made;
}

/// The first rule that `bytes` break, be it of framing or of the packet.
inline violation broken_by(bytes_view wire, protocol_version version) {
    frame in;
    const frame_result result = split_frame(wire, in);
    if (result.broken != violation::none) {
        return result.broken;
    }
    REQUIRE(result.complete);
    packet out;
    return decode(in, version, out);
}

inline violation broken_by(std::string_view hex, protocol_version version) {
    const byte_vector wire = from_hex(hex);
    return broken_by(wire, version);
}

/// A packet body with its first byte and Remaining Length put in front.
inline byte_vector with_fixed_header(std::uint8_t first_byte, const byte_vector& body) {
    byte_vector wire{first_byte};
    std::size_t length = body.size();
    for (; length >= 0x80; length >>= 7) {
        wire.push_back(static_cast<std::uint8_t>(length | 0x80));
    }
    wire.push_back(static_cast<std::uint8_t>(length));
    wire.insert(wire.end(), body.begin(), body.end());
    return wire;
}

/// The rule that a packet of this first byte and body (in hexadecimal) breaks.
inline violation broken_by_body(std::uint8_t first_byte, std::string_view body,
                                protocol_version version) {
    return broken_by(with_fixed_header(first_byte, from_hex(body)), version);
}

}  // namespace fleetarium::test

namespace Catch {

template <>
struct StringMaker<fleetarium::violation> {
    static std::string convert(fleetarium::violation value) {
        return std::string(fleetarium::describe(value).name);
    }
};

template <>
struct StringMaker<fleetarium::reason_code> {
    static std::string convert(fleetarium::reason_code value) {
        const auto byte = static_cast<std::uint8_t>(value);
        return fleetarium::test::hex_digits({&byte, 1}) + " " +
               std::string(fleetarium::name_of(value));
    }
};

template <>
struct StringMaker<fleetarium::protocol_version> {
    static std::string convert(fleetarium::protocol_version value) {
        return value == fleetarium::protocol_version::v5 ? "5.0" : "3.1.1";
    }
};

}  // namespace Catch
