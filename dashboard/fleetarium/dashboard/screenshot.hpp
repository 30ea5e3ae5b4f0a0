#pragma once

#include <fleetarium/dashboard/ui_context.hpp>
#include <fleetarium/feed/source_link.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fleetarium::dashboard {

struct screenshot_options {
    std::string file{};  ///< "OUT.png": of view `overview` it is OUT-overview.png
    std::string view{};  ///< only this one, into `file` itself; empty: all
    int width = 1280;    ///< in pixels
    int height = 800;
    appearance looks{};
    std::optional<double> at{};  ///< instant that is shown
    std::string device{};  ///< that device pages show; empty: one with a backlog, or the first
    std::optional<std::uint64_t> message{};  ///< that message pages show; none: one that says much
    double patience = 30;  ///< seconds of real time that answers may take, for each view
    /// Called again and again while answers are awaited, to let the source work; empty: waits.
    std::function<void()> pump{};
};

/// Draws views of a source without a display, each when all its answers are there, and writes PNG
/// files. Returns their paths. Throws std::invalid_argument: no such view; std::runtime_error: the
/// source does not answer, or a file cannot be written.
/// Thread rule: as image_host; the link's source may be on another thread.
std::vector<std::string> take_screenshots(feed::source_link& link,
                                          const screenshot_options& options);

}  // namespace fleetarium::dashboard
