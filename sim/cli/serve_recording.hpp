#pragma once

#include <string>

namespace fleetarium::cli {

/// Serves the web page and the feed of a recording until Ctrl-C; the exit status. Throws
/// recording::recording_error for what is none, std::runtime_error if it cannot listen.
int serve_recording(const std::string& file, const std::string& address, const std::string& token);

}  // namespace fleetarium::cli
