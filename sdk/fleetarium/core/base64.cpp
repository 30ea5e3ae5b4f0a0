#include <fleetarium/core/base64.hpp>

#include <algorithm>
#include <cstddef>

namespace fleetarium {

namespace {

constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

void append_base64(std::string& to, bytes_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t left = std::min<std::size_t>(bytes.size() - i, 3);
        std::uint32_t group = std::uint32_t{bytes[i]} << 16;
        group |= left > 1 ? std::uint32_t{bytes[i + 1]} << 8 : 0U;
        group |= left > 2 ? std::uint32_t{bytes[i + 2]} : 0U;
        to += digits[group >> 18];
        to += digits[group >> 12 & 63];
        to += left > 1 ? digits[group >> 6 & 63] : '=';
        to += left > 2 ? digits[group & 63] : '=';
    }
}

std::optional<std::vector<std::uint8_t>> bytes_of_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    const std::string_view body = text.substr(0, text.size() - padding);
    std::vector<std::uint8_t> out;
    out.reserve(text.size() / 4 * 3);
    std::uint32_t group = 0;
    unsigned bits = 0;
    for (const char each : body) {
        const std::size_t value = digits.find(each);
        if (value == std::string_view::npos) {
            return std::nullopt;
        }
        group = group << 6 | static_cast<std::uint32_t>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out.push_back(static_cast<std::uint8_t>(group >> bits));
        }
    }
    if ((group & ((1U << bits) - 1)) != 0) {  // bits that no byte has
        return std::nullopt;
    }
    return out;
}

}  // namespace fleetarium
