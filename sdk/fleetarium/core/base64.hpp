#pragma once

#include <fleetarium/core/bytes.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium {

/// Appends bytes in base64 (RFC 4648 section 4), with padding.
void append_base64(std::string& to, bytes_view bytes);

/// The bytes of a base64 text; none if it is not one. Padding is needed, white space not allowed.
std::optional<std::vector<std::uint8_t>> bytes_of_base64(std::string_view text);

}  // namespace fleetarium
