#pragma once

#include <fleetarium/dashboard/image.hpp>
#include <fleetarium/dashboard/ui_context.hpp>

#include <functional>

namespace fleetarium::dashboard {

/// Draws the interface into pictures: no display, no GPU, no clock.
/// Thread rule: one thread, and no other ui_context while this is there.
class image_host {
public:
    /// Sizes in pixels.
    image_host(int width, int height, const appearance& looks = {});

    /// Lets `seconds` pass and runs one frame. Windows of ImGui need two or three frames until
    /// sizes that depend on content are settled.
    void frame(const std::function<void()>& draw, float seconds = 1.0F / 60.0F);

    /// The last frame, drawn anew into the same memory. Valid until the next call.
    const image& picture();

    ui_context& context() { return context_; }

private:
    ui_context context_;
    image picture_{};
};

}  // namespace fleetarium::dashboard
