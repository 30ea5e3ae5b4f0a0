#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/wire_buffer.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::test {

using bytes = std::vector<std::uint8_t>;

/// Bytes from hexadecimal digits; spaces are ignored, and `+41*200` stands for 200 bytes of 0x41.
inline bytes from_hex(std::string_view text) {
    bytes out;
    const auto digit = [&](char c) -> std::uint8_t {
        if (c >= '0' && c <= '9') {
            return static_cast<std::uint8_t>(c - '0');
        }
        if (c >= 'A' && c <= 'F') {
            return static_cast<std::uint8_t>(c - 'A' + 10);
        }
        if (c >= 'a' && c <= 'f') {
            return static_cast<std::uint8_t>(c - 'a' + 10);
        }
        throw std::invalid_argument("not hexadecimal: " + std::string(text));
    };
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] == ' ') {
            ++i;
            continue;
        }
        const bool repeated = text[i] == '+';
        i += repeated ? 1 : 0;
        const auto value =
            static_cast<std::uint8_t>(digit(text.at(i)) << 4 | digit(text.at(i + 1)));
        i += 2;
        std::size_t count = 1;
        if (repeated && i < text.size() && text[i] == '*') {
            std::size_t used = 0;
            count = std::stoul(std::string(text.substr(i + 1)), &used);
            i += 1 + used;
        }
        out.insert(out.end(), count, value);
    }
    return out;
}

/// "30 08 00 03 ..." with a space between bytes.
inline std::string to_hex(bytes_view in) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const std::uint8_t byte : in) {
        if (!out.empty()) {
            out += ' ';
        }
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

inline bytes to_bytes(const wire_buffer& in) {
    bytes out;
    in.for_each_part([&](bytes_view part) { out.insert(out.end(), part.begin(), part.end()); });
    return out;
}

}  // namespace fleetarium::test
