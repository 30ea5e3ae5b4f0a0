#pragma once

#include <fleetarium/server/http_asset.hpp>

#include <vector>

namespace fleetarium::feed {

/// The files of the web page, dashboard/web, which the build puts into the program.
std::vector<broker::http_asset> page_assets();

}  // namespace fleetarium::feed
