#pragma once

#include <fleetarium/dashboard/image.hpp>
#include <fleetarium/dashboard/ui_context.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

namespace fleetarium::dashboard {

/// No window can be shown; the sentence says why and what else there is.
class no_window : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Who turns a frame into pixels. Where OpenGL is software it takes several times as long as
/// image_renderer for what we draw, so `automatic` leaves it only the copy to the screen.
enum class drawing : std::uint8_t { automatic, by_opengl, in_memory };

struct window_options {
    std::string title = "Fleetarium";
    int width = 1280;  ///< in points of the system
    int height = 800;
    theme_kind theme = theme_kind::dark;
    float zoom = 1;       ///< times what the display asks for
    bool visible = true;  ///< false: drawn, but not shown
    drawing by = drawing::automatic;
};

/// What was drawn until now; times in seconds.
struct frame_times {
    std::uint64_t frames = 0;
    double last = 0;   ///< building, drawing and showing the last frame
    double worst = 0;  ///< of all but the first ten, in which caches fill
    double sum = 0;
};

/// A window with OpenGL 3.0 or newer, also in software, in which Dear ImGui draws. Frames are drawn
/// when there is something new: input, `wake`, or the time that `redraw_within` named; at most 60
/// frames a second, 20 while another window has the focus, none while it is minimised.
///
/// Thread rule: the main thread, except `wake`. One window at a time.
class window_host {
public:
    /// Throws no_window: there is no display, or it has no OpenGL 3.
    explicit window_host(const window_options& options = {});
    window_host(const window_host&) = delete;
    window_host& operator=(const window_host&) = delete;
    ~window_host();

    /// Calls `draw` for each frame, until the window is closed by the user or by `close`. An
    /// exception of `draw` passes through.
    void run(const std::function<void()>& draw);

    /// From `draw`: the next frame is due at the latest after so many seconds.
    void redraw_within(double seconds);
    /// From any thread: there is something new to draw.
    void wake() noexcept;
    void close();

    const appearance& looks() const;
    /// From the next frame on.
    void set_theme(theme_kind theme);
    /// Times what the display asks for, 0.5 to 3; from the next frame on.
    void set_zoom(float zoom);

    /// Hands the next frame, read back from the framebuffer, to `take`.
    void capture(std::function<void(const image&)> take);

    /// Never `automatic`.
    drawing drawn_by() const;
    bool has_focus() const;
    const frame_times& times() const;
    /// What draws: "llvmpipe (LLVM 15.0.6, 256 bits)".
    std::string renderer() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace fleetarium::dashboard
