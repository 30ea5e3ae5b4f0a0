#pragma once

#include <string>

namespace fleetarium::cli {

/// The token in a file's first line; no token if no file is named. Throws usage_error where the
/// file has none.
std::string read_token(const std::string& file);

}  // namespace fleetarium::cli
