#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace fleetarium {

/// Bytes owned by somebody else.
using bytes_view = std::span<const std::uint8_t>;

/// The bytes of a text, without a copy.
inline bytes_view as_bytes_view(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// Bytes seen as text, without a copy and without a check of their encoding.
inline std::string_view as_text(bytes_view bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace fleetarium
