#pragma once

#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fleetarium::detail {

// An encoder first computes the exact size of the packet, asks the wire_buffer for that much once,
// and then writes through a raw pointer with these functions. Each returns where the next field
// goes.

/// Bytes that `value` takes as a variable byte integer.
constexpr std::size_t variable_size(std::size_t value) {
    return std::size_t{1} + (value >= 0x80) + (value >= 0x4000) + (value >= 0x20'0000);
}

/// Bytes of a packet with that Remaining Length.
constexpr std::size_t packet_size(std::size_t remaining_length) {
    return 1 + variable_size(remaining_length) + remaining_length;
}

/// Whether a packet with that Remaining Length may be sent to a peer with that maximum.
constexpr bool packet_fits(std::size_t remaining_length, std::uint32_t packet_size_maximum) {
    return remaining_length <= limits::remaining_length_max &&
           packet_size(remaining_length) <= packet_size_maximum;
}

inline std::uint8_t* write_byte(std::uint8_t* at, std::uint8_t value) {
    *at = value;
    return at + 1;
}

inline std::uint8_t* write_two_bytes(std::uint8_t* at, std::size_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
    return at + 2;
}

inline std::uint8_t* write_four_bytes(std::uint8_t* at, std::uint32_t value) {
    return write_two_bytes(write_two_bytes(at, value >> 16), value);
}

inline std::uint8_t* write_variable(std::uint8_t* at, std::size_t value) {
    while (value >= 0x80) {
        *at++ = static_cast<std::uint8_t>(value | 0x80);
        value >>= 7;
    }
    return write_byte(at, static_cast<std::uint8_t>(value));
}

/// Copies without a call for the sizes that topics and sensor values have: a call of memcpy costs
/// more than moving that few bytes. Both ends of a size class are copied and may overlap.
inline std::uint8_t* write_bytes(std::uint8_t* at, const void* from, std::size_t count) {
    const auto* const source = static_cast<const std::uint8_t*>(from);
    if (count > 64) {
        std::memcpy(at, source, count);
    } else if (count > 32) {
        std::memcpy(at, source, 32);
        std::memcpy(at + count - 32, source + count - 32, 32);
    } else if (count >= 16) {
        std::memcpy(at, source, 16);
        std::memcpy(at + count - 16, source + count - 16, 16);
    } else if (count >= 8) {
        std::memcpy(at, source, 8);
        std::memcpy(at + count - 8, source + count - 8, 8);
    } else if (count >= 4) {
        std::memcpy(at, source, 4);
        std::memcpy(at + count - 4, source + count - 4, 4);
    } else if (count != 0) {
        at[0] = source[0];
        at[count / 2] = source[count / 2];
        at[count - 1] = source[count - 1];
    }
    return at + count;
}

inline std::uint8_t* write_binary(std::uint8_t* at, bytes_view value) {
    FLEETARIUM_ASSERT(value.size() <= limits::string_size_max);
    at = write_two_bytes(at, value.size());
    return write_bytes(at, value.data(), value.size());
}

inline std::uint8_t* write_text(std::uint8_t* at, std::string_view value) {
    return write_binary(at, as_bytes_view(value));
}

/// First byte and Remaining Length.
inline std::uint8_t* write_fixed_header(std::uint8_t* at, unsigned first_byte,
                                        std::size_t remaining_length) {
    return write_variable(write_byte(at, static_cast<std::uint8_t>(first_byte)), remaining_length);
}

}  // namespace fleetarium::detail
