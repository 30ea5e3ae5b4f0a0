#pragma once

#include <fleetarium/dashboard/image_host.hpp>
#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/keyboard.hpp>

#include <imgui.h>

#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace fleetarium::test {

/// Dear ImGui without a window, and hands for it: a mouse, a keyboard, and a look at where things
/// are. A frame is a 60th of a second; nothing else is time.
class stage {
public:
    explicit stage(std::function<void()> draw, int width = 800, int height = 450,
                   const dashboard::appearance& looks = {})
        : host_(width, height, looks), names_(), draw_(std::move(draw)) {
        frames(3);
    }

    void frames(int count) {
        for (int i = 0; i < count; ++i) {
            names_.clear();
            host_.frame(draw_);
        }
    }

    /// Where something that was drawn with `name_item` is. Throws std::runtime_error.
    ImVec4 place(std::string_view name) const {
        const ImVec4* found = names_.find(name);
        if (found == nullptr) {
            throw std::runtime_error("nothing on the screen is named \"" + std::string(name) +
                                     "\"; there are: " + names_.list());
        }
        return *found;
    }
    bool shows(std::string_view name) const { return names_.find(name) != nullptr; }
    ImVec2 middle(std::string_view name) const {
        const ImVec4 at = place(name);
        return {(at.x + at.z) / 2, (at.y + at.w) / 2};
    }

    void move_to(ImVec2 point) {
        ImGui::GetIO().MousePos = point;
        frames(2);
    }
    void move_away() {
        constexpr float nowhere = std::numeric_limits<float>::max();
        move_to(ImVec2(-nowhere, -nowhere));
    }
    void press_button(int button = 0) {
        ImGui::GetIO().MouseDown[button] = true;
        frames(1);
    }
    void release_button(int button = 0) {
        ImGui::GetIO().MouseDown[button] = false;
        frames(2);
    }
    void click(ImVec2 point, int button = 0) {
        move_to(point);
        press_button(button);
        release_button(button);
        // Clicks in one place within this time would be a double click.
        host_.frame(draw_, 1.0F);
        frames(1);
    }
    void click(std::string_view name) { click(middle(name)); }
    void double_click(ImVec2 point) {
        move_to(point);
        for (int i = 0; i < 2; ++i) {
            press_button();
            release_button();
        }
    }
    void drag(ImVec2 from, ImVec2 to, int button = 0) {
        move_to(from);
        press_button(button);
        move_to(ImVec2((from.x + to.x) / 2, (from.y + to.y) / 2));
        move_to(to);
        release_button(button);
    }
    void wheel(ImVec2 point, float notches) {
        move_to(point);
        ImGui::GetIO().MouseWheel = notches;
        frames(1);
        frames(1);
    }

    void press(const dashboard::chord& keys) {
        ImGuiIO& io = ImGui::GetIO();
        if (keys.character != 0) {
            io.AddInputCharacter(static_cast<unsigned char>(keys.character));
            frames(2);
            return;
        }
        io.KeyCtrl = keys.control;
        io.KeyShift = keys.shift;
        io.KeysDown[static_cast<int>(keys.code)] = true;
        frames(1);
        io.KeysDown[static_cast<int>(keys.code)] = false;
        io.KeyCtrl = false;
        io.KeyShift = false;
        frames(2);
    }
    void type(std::string_view text) {
        for (const char letter : text) {
            ImGui::GetIO().AddInputCharacter(static_cast<unsigned char>(letter));
            frames(1);
        }
        frames(1);
    }

    const dashboard::image& picture() { return host_.picture(); }
    dashboard::ui_context& context() { return host_.context(); }

private:
    dashboard::image_host host_;
    dashboard::item_names names_;
    std::function<void()> draw_;
};

}  // namespace fleetarium::test
