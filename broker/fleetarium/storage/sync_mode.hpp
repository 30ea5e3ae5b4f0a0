#pragma once

#include <cstdint>

namespace fleetarium::storage {

/// What a commit waits for.
enum class sync_mode : std::uint8_t {
    full,    ///< until the disk has it: nothing acknowledged is lost, whatever stops
    normal,  ///< until the operating system has it: a process that dies loses nothing, a power cut
             ///< the last moments
    off,     ///< as normal, but a power cut may leave the file damaged
};

}  // namespace fleetarium::storage
