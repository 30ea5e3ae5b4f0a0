#pragma once

#include <fleetarium/codec/codec.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// Bytes as the tests write them down: hexadecimal, blanks anywhere.
namespace fleetarium::test {

using byte_vector = std::vector<std::uint8_t>;

inline unsigned hex_digit(char digit) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    const std::size_t value = digits.find(digit);
    if (value == std::string_view::npos) {
        throw std::invalid_argument("not a hexadecimal digit (upper case): " + std::string(1, digit));
    }
    return static_cast<unsigned>(value);
}

inline byte_vector from_hex(std::string_view text) {
    std::string digits;
    for (const char each : text) {
        if (each != ' ') {
            digits += each;
        }
    }
    if (digits.size() % 2 != 0) {
        throw std::invalid_argument("half a byte in: " + std::string(text));
    }
    byte_vector bytes;
    for (std::size_t at = 0; at < digits.size(); at += 2) {
        bytes.push_back(
            static_cast<std::uint8_t>(hex_digit(digits[at]) << 4 | hex_digit(digits[at + 1])));
    }
    return bytes;
}

inline std::string to_hex(bytes_view bytes) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 0x0F];
    }
    return text;
}

/// All bytes of `buffer`, in one piece.
inline byte_vector contents(const wire_buffer& buffer) {
    byte_vector bytes;
    buffer.for_each_part(
        [&bytes](bytes_view part) { bytes.insert(bytes.end(), part.begin(), part.end()); });
    return bytes;
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
    return contents(out);
}

template <class Packet>
std::string encoded_hex(const Packet& in, protocol_version version,
                        std::uint32_t packet_size_maximum = limits::packet_size_max) {
    return to_hex(encoded(in, version, packet_size_maximum));
}

/// The frame that `bytes` are; fails the test if they are not exactly one.
inline frame frame_of(bytes_view bytes) {
    frame made;
    const frame_result result = split_frame(bytes, made);
    REQUIRE(result.broken == violation::none);
    REQUIRE(result.complete);
    REQUIRE(bytes.empty());
    return made;
}

/// The first rule that `bytes` break, be it of framing or of the packet.
inline violation broken_by(bytes_view bytes, protocol_version version) {
    frame in;
    const frame_result result = split_frame(bytes, in);
    if (result.broken != violation::none) {
        return result.broken;
    }
    REQUIRE(result.complete);
    packet out;
    return decode(in, version, out);
}

inline violation broken_by(std::string_view hex, protocol_version version) {
    const byte_vector bytes = from_hex(hex);
    return broken_by(bytes, version);
}

/// A packet body with its first byte and Remaining Length put in front.
inline byte_vector with_fixed_header(std::uint8_t first_byte, const byte_vector& body) {
    byte_vector bytes{first_byte};
    std::size_t length = body.size();
    for (; length >= 0x80; length >>= 7) {
        bytes.push_back(static_cast<std::uint8_t>(length | 0x80));
    }
    bytes.push_back(static_cast<std::uint8_t>(length));
    bytes.insert(bytes.end(), body.begin(), body.end());
    return bytes;
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
        return fleetarium::test::to_hex({&byte, 1}) + " " +
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
