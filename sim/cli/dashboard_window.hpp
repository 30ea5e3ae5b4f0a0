#pragma once

#include <fleetarium/feed/source_link.hpp>

#include <functional>
#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace fleetarium::cli {

/// How the dashboard is shown: in a window, or as pictures in files.
struct window_flags {
    std::string view;
    std::string at;
    std::string size = "1280x800";
    std::string theme;  // empty: as it was last time, or dark
    double scale = 1;
    std::string screenshot;
    unsigned frames = 0;  // to be measured, of each view; 0: none

    void add_to(CLI::App& command);
    /// What is wrong with them, as a sentence; empty: nothing.
    std::string check() const;
};

/// The dashboard's window. Thread rule: the main thread.
class dashboard_window {
public:
    /// Throws usage_error for a view that there is not, and std::runtime_error: there is no
    /// display, or this program was built without the dashboard.
    explicit dashboard_window(const window_flags& flags);
    ~dashboard_window();
    dashboard_window(const dashboard_window&) = delete;
    dashboard_window& operator=(const dashboard_window&) = delete;

    /// Shows a source until the window is closed, or `goes_on`, called a few times a second, says
    /// false.
    void show(feed::source_link& link, const std::function<bool()>& goes_on);

    /// Draws `window_flags::frames` frames of each view, or of the one that is named, and prints
    /// how long they took. Returns whether that is within the limit.
    bool measure(feed::source_link& link, const std::function<bool()>& goes_on);

private:
    class implementation;
    std::unique_ptr<implementation> implementation_;
};

/// Writes pictures of the views and prints their names. Throws as take_screenshots does, and
/// std::runtime_error: this program was built without the dashboard.
void write_screenshots(feed::source_link& link, const window_flags& flags);

}  // namespace fleetarium::cli
