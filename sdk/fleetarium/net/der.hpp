#pragma once

#include <fleetarium/core/bytes.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

/// The few words of ASN.1 DER that certificates and keys are written with, and PEM around them.
namespace fleetarium::net::der {

inline constexpr std::uint8_t boolean = 0x01;
inline constexpr std::uint8_t integer = 0x02;
inline constexpr std::uint8_t bit_string = 0x03;
inline constexpr std::uint8_t octet_string = 0x04;
inline constexpr std::uint8_t object_identifier = 0x06;
inline constexpr std::uint8_t utf8_string = 0x0c;
inline constexpr std::uint8_t utc_time = 0x17;
inline constexpr std::uint8_t generalized_time = 0x18;
inline constexpr std::uint8_t sequence = 0x30;
inline constexpr std::uint8_t set = 0x31;

/// The tag [number] of a primitive or constructed value.
constexpr std::uint8_t context(std::uint8_t number) {
    return static_cast<std::uint8_t>(0x80 | number);
}
constexpr std::uint8_t constructed_context(std::uint8_t number) {
    return static_cast<std::uint8_t>(0xa0 | number);
}

/// Tag, length, and `parts` one behind the other.
std::string value(std::uint8_t tag, std::initializer_list<std::string_view> parts);

/// An INTEGER that is not negative, from big-endian bytes.
std::string unsigned_integer(bytes_view bytes);

/// A BIT STRING of whole bytes.
std::string bits(std::string_view bytes);

/// PEM: -----BEGIN LABEL-----, base64 in lines of 64, -----END LABEL-----.
std::string to_pem(std::string_view label, std::string_view der);

}  // namespace fleetarium::net::der
