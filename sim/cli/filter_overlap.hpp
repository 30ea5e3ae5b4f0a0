#pragma once

#include <string_view>

namespace fleetarium::cli {

/// Whether a topic may match both of two valid filters, neither of them shared.
bool filters_overlap(std::string_view one, std::string_view other);

}  // namespace fleetarium::cli
