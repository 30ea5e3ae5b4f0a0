#pragma once

#include <string>
#include <string_view>

namespace fleetarium::dashboard {

/// Puts a file in the place of what is at the path, or leaves that as it is. Throws
/// std::runtime_error that names the path and what the system says.
void replace_file(const std::string& path, std::string_view content);

}  // namespace fleetarium::dashboard
