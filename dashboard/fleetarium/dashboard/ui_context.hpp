#pragma once

#include <fleetarium/dashboard/theme.hpp>

#include <imgui.h>

namespace fleetarium::dashboard {

/// How the interface looks on a display.
struct appearance {
    theme_kind theme = theme_kind::dark;
    float scale = 1.0F;    ///< size of everything; 1 is text of 15 points, 0.5 to 4
    float density = 1.0F;  ///< pixels in a point: above 1 where the system scales windows itself

    friend bool operator==(const appearance&, const appearance&) = default;
};

/// An ImGui context with our fonts, theme and keys, and no files of its own. It is the current
/// context until it is gone. Thread rule: that of its window, one thread.
class ui_context {
public:
    explicit ui_context(const appearance& looks = {});
    ui_context(const ui_context&) = delete;
    ui_context& operator=(const ui_context&) = delete;
    ~ui_context();

    const appearance& looks() const { return looks_; }

    /// Between frames. True: the atlas of fonts was made anew, so a texture of it is stale.
    bool set_looks(const appearance& looks);

private:
    ImGuiContext* context_;
    appearance looks_{};
};

}  // namespace fleetarium::dashboard
