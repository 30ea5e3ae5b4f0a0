#include <fleetarium/dashboard/keyboard.hpp>

#include <fleetarium/dashboard/theme.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace fleetarium::dashboard {

namespace {

struct key_name {
    key code;
    const char* words;
};

constexpr key_name key_names[] = {{key::space, "Space"},
                                  {key::escape, "Esc"},
                                  {key::enter, "Enter"},
                                  {key::tab, "Tab"},
                                  {key::backspace, "Backspace"},
                                  {key::insert, "Insert"},
                                  {key::del, "Delete"},
                                  {key::right, "→"},
                                  {key::left, "←"},
                                  {key::down, "↓"},
                                  {key::up, "↑"},
                                  {key::page_up, "Page Up"},
                                  {key::page_down, "Page Down"},
                                  {key::home, "Home"},
                                  {key::end, "End"},
                                  {key::keypad_enter, "Keypad Enter"},
                                  {key::minus, "-"},
                                  {key::zero, "0"},
                                  {key::equal, "+"},
                                  {key::keypad_subtract, "Keypad -"},
                                  {key::keypad_add, "Keypad +"}};

bool is_function_key(key code) { return code >= key::f1 && code <= key::f12; }

std::string keys_words(const action& of) {
    std::string words;
    for (const chord& each : of.keys) {
        words += (words.empty() ? "" : "  ") + words_of(each);
    }
    return words;
}

bool works_in_text(const chord& keys) { return keys.control || is_function_key(keys.code); }

}  // namespace

std::string words_of(const chord& keys) {
    if (keys.character != 0) {
        return std::string(1, keys.character);
    }
    std::string words;
    if (keys.control) {
        words += "Ctrl+";
    }
    if (keys.shift) {
        words += "Shift+";
    }
    if (keys.code >= key::a && keys.code <= key::z) {
        words += static_cast<char>(keys.code);
        return words;
    }
    if (is_function_key(keys.code)) {
        return words + "F" +
               std::to_string(static_cast<int>(keys.code) - static_cast<int>(key::f1) + 1);
    }
    for (const key_name& each : key_names) {
        if (each.code == keys.code) {
            return words + each.words;
        }
    }
    return words;
}

bool is_pressed(const chord& keys, bool repeats) {
    const ImGuiIO& io = ImGui::GetIO();
    if (keys.character != 0) {
        // Letters are where the keyboard's layout has them, not where a key of that name would be.
        return std::any_of(
            io.InputQueueCharacters.begin(), io.InputQueueCharacters.end(),
            [&](ImWchar written) { return written == static_cast<unsigned char>(keys.character); });
    }
    return io.KeyCtrl == keys.control && io.KeyShift == keys.shift && !io.KeyAlt &&
           ImGui::IsKeyPressed(static_cast<int>(keys.code), repeats);
}

void map_keys(ImGuiIO& io) {
    const std::pair<ImGuiKey, key> keys[] = {
        {ImGuiKey_Tab, key::tab},
        {ImGuiKey_LeftArrow, key::left},
        {ImGuiKey_RightArrow, key::right},
        {ImGuiKey_UpArrow, key::up},
        {ImGuiKey_DownArrow, key::down},
        {ImGuiKey_PageUp, key::page_up},
        {ImGuiKey_PageDown, key::page_down},
        {ImGuiKey_Home, key::home},
        {ImGuiKey_End, key::end},
        {ImGuiKey_Insert, key::insert},
        {ImGuiKey_Delete, key::del},
        {ImGuiKey_Backspace, key::backspace},
        {ImGuiKey_Space, key::space},
        {ImGuiKey_Enter, key::enter},
        {ImGuiKey_Escape, key::escape},
        {ImGuiKey_KeyPadEnter, key::keypad_enter},
        {ImGuiKey_A, key::a},
        {ImGuiKey_C, key::c},
        {ImGuiKey_V, key::v},
        {ImGuiKey_X, key::x},
        {ImGuiKey_Y, key::y},
        {ImGuiKey_Z, key::z},
    };
    for (const auto& [theirs, ours] : keys) {
        io.KeyMap[theirs] = static_cast<int>(ours);
    }
}

void key_table::add(action what) {
    if (what.id.empty() || what.words.empty() || !what.run) {
        throw std::logic_error("an action needs an id, words and something to run");
    }
    for (const action& other : actions_) {
        if (other.id == what.id) {
            throw std::logic_error("two actions are called \"" + what.id + "\"");
        }
        for (const chord& keys : what.keys) {
            if (std::find(other.keys.begin(), other.keys.end(), keys) != other.keys.end()) {
                throw std::logic_error("the key " + words_of(keys) + " is both for \"" + other.id +
                                       "\" and \"" + what.id + "\"");
            }
        }
    }
    actions_.push_back(std::move(what));
}

int key_table::handle() {
    const bool writing = ImGui::GetIO().WantTextInput;
    std::vector<const action*> pressed;
    for (const action& each : actions_) {
        const bool now = std::any_of(each.keys.begin(), each.keys.end(), [&](const chord& keys) {
            return (!writing || works_in_text(keys)) && is_pressed(keys, each.repeats);
        });
        if (now) {
            pressed.push_back(&each);
        }
    }
    for (const action* each : pressed) {
        each->run();
    }
    return static_cast<int>(pressed.size());
}

const action& key_table::find(std::string_view id) const {
    const auto found = std::find_if(actions_.begin(), actions_.end(),
                                    [&](const action& each) { return each.id == id; });
    if (found == actions_.end()) {
        throw std::logic_error("no action is called \"" + std::string(id) + "\"");
    }
    return *found;
}

void key_table::run(std::string_view id) const { find(id).run(); }

std::string key_table::keys_of(std::string_view id) const {
    const action& found = find(id);
    return found.keys.empty() ? std::string() : words_of(found.keys.front());
}

void key_table::draw_help(bool& open) const {
    if (!open) {
        return;
    }
    std::vector<std::string> groups;
    float widest = 0;
    float longest = 0;
    for (const action& each : actions_) {
        widest = std::max(widest, ImGui::CalcTextSize(keys_words(each).c_str()).x);
        if (!each.keys.empty()) {
            longest = std::max(longest, ImGui::CalcTextSize(each.words.c_str()).x);
        }
    }
    for (const action& each : actions_) {
        if (!each.keys.empty() &&
            std::find(groups.begin(), groups.end(), each.group) == groups.end()) {
            groups.push_back(each.group);
        }
    }
    const ImGuiViewport& screen = *ImGui::GetMainViewport();
    const ImVec2 middle = screen.GetWorkCenter();
    ImGui::SetNextWindowPos(middle, ImGuiCond_Always, ImVec2(0.5F, 0.5F));
    ImGui::SetNextWindowSizeConstraints(
        ImVec2(em(20), em(6)), ImVec2(screen.WorkSize.x * 0.94F, screen.WorkSize.y * 0.9F));
    ImGui::SetNextWindowFocus();
    ImGui::PushStyleColor(ImGuiCol_WindowBg, colours().panel);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, ImGui::GetStyle().PopupBorderSize);
    constexpr ImGuiWindowFlags flags = ImGuiWindowFlags_NoTitleBar | ImGuiWindowFlags_NoMove |
                                       ImGuiWindowFlags_AlwaysAutoResize |
                                       ImGuiWindowFlags_NoSavedSettings;
    ImGui::Begin("keys", nullptr, flags);
    ImGui::TextUnformatted("Keys");
    // Columns as even as whole groups allow, for a list that fits on the screen.
    const float column_width = widest + longest + em(2.5F) + em(1);
    const int fitting = std::max(1, static_cast<int>(screen.WorkSize.x * 0.92F / column_width));
    const int columns = std::min({3, fitting, static_cast<int>(groups.size())});
    if (columns > 0 && ImGui::BeginTable("groups", columns, ImGuiTableFlags_SizingFixedFit)) {
        std::size_t rows = 0;
        for (const action& each : actions_) {
            rows += each.keys.empty() ? 0 : 1;
        }
        rows += groups.size() * 2;
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        std::size_t used = 0;
        int column = 0;
        for (const std::string& group : groups) {
            if (column + 1 < columns && used * static_cast<std::size_t>(columns) >=
                                            rows * static_cast<std::size_t>(column + 1)) {
                ImGui::TableNextColumn();
                ++column;
            }
            ImGui::Spacing();
            ImGui::TextDisabled("%s", group.c_str());
            used += 2;
            for (const action& each : actions_) {
                if (each.keys.empty() || each.group != group) {
                    continue;
                }
                ++used;
                const float from = ImGui::GetCursorPosX();
                ImGui::TextColored(ImGui::ColorConvertU32ToFloat4(colours().ink(hue::blue)), "%s",
                                   keys_words(each).c_str());
                ImGui::SameLine();
                ImGui::SetCursorPosX(from + widest + em(1));
                ImGui::TextUnformatted(each.words.c_str());
                ImGui::SameLine(0, em(1.5F));
                ImGui::NewLine();
            }
        }
        ImGui::EndTable();
    }
    const bool outside = ImGui::IsMouseClicked(ImGuiMouseButton_Left) &&
                         !ImGui::IsWindowHovered(ImGuiHoveredFlags_AllowWhenBlockedByActiveItem |
                                                 ImGuiHoveredFlags_ChildWindows);
    if (is_pressed(key::escape) || (outside && !ImGui::IsWindowAppearing())) {
        open = false;
    }
    ImGui::End();
    ImGui::PopStyleVar();
    ImGui::PopStyleColor();
}

}  // namespace fleetarium::dashboard
