#pragma once

#include <span>

namespace fleetarium::dashboard {

// DejaVu's outline fonts as files in memory; the build puts them into the library, so they are not
// needed where it runs.
std::span<const unsigned char> dejavu_sans();
std::span<const unsigned char> dejavu_sans_mono();

}  // namespace fleetarium::dashboard
