#pragma once

#include <string_view>

namespace fleetarium::sim::detail {

/// The text of a member of a JSON object: "state.delta" is the member delta of the member state.
/// Empty if there is none, or if it is null. Names in the text are compared as they are written,
/// with their escapes. Linear, allocates nothing; of a text that is no JSON anything within it.
std::string_view find_json_member(std::string_view json, std::string_view path);

}  // namespace fleetarium::sim::detail
