#include <fleetarium/dashboard/image_host.hpp>

#include <fleetarium/dashboard/image_renderer.hpp>

#include <limits>

namespace fleetarium::dashboard {

image_host::image_host(int width, int height, const appearance& looks) : context_(looks) {
    ImGuiIO& io = ImGui::GetIO();
    io.DisplaySize = ImVec2(static_cast<float>(width), static_cast<float>(height));
    io.BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset;
    constexpr float nowhere = std::numeric_limits<float>::max();
    io.MousePos = ImVec2(-nowhere, -nowhere);
}

void image_host::frame(const std::function<void()>& draw, float seconds) {
    ImGui::GetIO().DeltaTime = seconds;
    ImGui::NewFrame();
    draw();
    ImGui::Render();
}

const image& image_host::picture() {
    render(*ImGui::GetDrawData(), colours().window, picture_);
    return picture_;
}

}  // namespace fleetarium::dashboard
