#pragma once

#include <functional>
#include <string_view>

namespace fleetarium::net {

/// Whether a web page of this origin ("https://example.org") may open a WebSocket; browsers say
/// in the header Origin which page asks, other programs send none and are not asked about. Empty:
/// all may. Any thread.
using origin_check = std::function<bool(std::string_view origin)>;

}  // namespace fleetarium::net
