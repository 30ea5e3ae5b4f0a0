#pragma once

#include <fleetarium/dashboard/keyboard.hpp>
#include <fleetarium/dashboard/settings.hpp>
#include <fleetarium/dashboard/theme.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::dashboard {

/// A part of the dashboard that fills the screen between the bars.
struct view {
    std::string id{};     ///< "topics"; kept in the settings
    std::string name{};   ///< as it is listed
    std::string words{};  ///< what it shows, for the pointer and the help
    chord keys{};
    std::function<void()> draw{};
};

/// The frame of the application: transport bar, list of views, the view, status line. On a wide
/// screen the list is a rail at the left, on a narrow one a row of tabs. What the user chose is
/// kept in the settings.
///
/// Everything has its place and keeps it: bars have a fixed height, and a notice lies over the
/// view instead of moving it.
class layout {
public:
    /// Adds its own actions (help, theme, zoom, views) to `keys`. Both outlive this.
    layout(key_table& keys, settings& kept);
    layout(const layout&) = delete;
    layout& operator=(const layout&) = delete;
    /// Saves the settings.
    ~layout();

    /// Throws std::logic_error: the id or key is taken, or there is nothing to draw.
    void add(view what);
    /// One row each: what is played, and how; what is connected, and how it goes.
    void set_transport(std::function<void()> draw) { transport_ = std::move(draw); }
    void set_status(std::function<void()> draw) { status_ = std::move(draw); }

    /// The whole frame, keys included.
    void draw();

    /// The view that is shown. Throws std::logic_error before a view is added.
    const std::string& current() const;
    /// Throws std::logic_error: no such view.
    void show(std::string_view id);

    /// A sentence that stays at the bottom of the view until it is dismissed; at most the newest
    /// five are kept, the count of others is shown.
    void notify(std::string words);
    const std::vector<std::string>& notices() const { return notices_; }

    /// What the user wants; whoever has the window applies it (window_host::set_theme, set_zoom).
    theme_kind theme() const { return theme_; }
    void choose_theme(theme_kind theme) { set_theme(theme); }
    float zoom() const { return zoom_; }

    bool help_is_open() const { return help_; }

private:
    void set_theme(theme_kind theme);
    void set_zoom(float zoom);
    void step_view(std::size_t by);
    void choose(std::size_t place);
    void draw_rail(float height);
    void draw_tabs();
    void draw_notices();
    void keep_settings();

    key_table& keys_;
    settings& settings_;
    std::vector<view> views_{};
    std::size_t current_ = 0;
    bool chosen_by_user_ = false;
    bool select_tab_ = true;
    std::function<void()> transport_{};
    std::function<void()> status_{};
    std::vector<std::string> notices_{};
    std::size_t notices_dropped_ = 0;
    theme_kind theme_ = theme_kind::dark;
    float zoom_ = 1;
    bool help_ = false;
    bool notes_loaded_ = false;
    double changed_at_ = -1;
};

}  // namespace fleetarium::dashboard
