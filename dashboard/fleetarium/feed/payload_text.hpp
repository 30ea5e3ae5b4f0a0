#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/feed/feed_types.hpp>

#include <cstddef>

namespace fleetarium::feed {

/// Bytes as a viewer gets them: as text if all of them are UTF-8, else in base64. Of more than
/// `bytes_max` only the beginning, cut between characters.
payload_view make_payload_view(bytes_view payload, std::size_t bytes_max);

inline constexpr std::size_t preview_bytes_max = 256;         ///< of a row
inline constexpr std::size_t payload_bytes_max = 256 * 1024;  ///< of a message that is looked at

}  // namespace fleetarium::feed
