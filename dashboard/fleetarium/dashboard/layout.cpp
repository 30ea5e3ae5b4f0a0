#include <fleetarium/dashboard/layout.hpp>

#include <fleetarium/dashboard/item_names.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace fleetarium::dashboard {

namespace {

constexpr float rail_from_ems = 60;  // narrower screens have tabs
constexpr float rail_ems = 10.5F;
constexpr std::size_t notices_max = 5;
constexpr double save_after_seconds = 2;
constexpr float zoom_least = 0.5F;
constexpr float zoom_most = 3;

constexpr ImGuiWindowFlags bare = ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove |
                                  ImGuiWindowFlags_NoSavedSettings |
                                  ImGuiWindowFlags_NoBringToFrontOnFocus;
constexpr ImGuiWindowFlags still =
    ImGuiWindowFlags_NoScrollbar | ImGuiWindowFlags_NoScrollWithMouse;

/// A row over the whole width, of one line of buttons.
void bar(const char* name, float height, const std::function<void()>& draw) {
    const ImGuiStyle& style = ImGui::GetStyle();
    ImGui::PushStyleColor(ImGuiCol_ChildBg, colours().panel);
    ImGui::PushStyleVar(ImGuiStyleVar_ChildRounding, 0);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding,
                        ImVec2(style.WindowPadding.x, style.ItemSpacing.y));
    ImGui::BeginChild(name, ImVec2(0, height), false,
                      still | ImGuiWindowFlags_AlwaysUseWindowPadding);
    ImGui::PopStyleVar(2);
    ImGui::PopStyleColor();
    if (draw) {
        draw();
    }
    const ImVec2 from = ImGui::GetWindowPos();
    const ImVec2 size = ImGui::GetWindowSize();
    name_area(name, from, {from.x + size.x, from.y + size.y});
    ImGui::EndChild();
}

}  // namespace

layout::layout(key_table& keys, settings& kept) : keys_(keys), settings_(kept) {
    theme_ = settings_.text("theme", "dark") == "light" ? theme_kind::light : theme_kind::dark;
    zoom_ = std::clamp(static_cast<float>(settings_.number("zoom", 1)), zoom_least, zoom_most);
    const auto general = [&](std::string id, std::string words, std::vector<chord> with,
                             std::function<void()> run) {
        keys_.add({std::move(id), "everywhere", std::move(words), std::move(with), std::move(run),
                   false});
    };
    general("help", "this list", {'?', key::f1}, [this] { help_ = !help_; });
    general("theme", "dark or light", {key::f2}, [this] {
        set_theme(theme_ == theme_kind::dark ? theme_kind::light : theme_kind::dark);
    });
    general("larger", "everything larger", {ctrl(key::equal), ctrl(key::keypad_add)},
            [this] { set_zoom(zoom_ + 0.125F); });
    general("smaller", "everything smaller", {ctrl(key::minus), ctrl(key::keypad_subtract)},
            [this] { set_zoom(zoom_ - 0.125F); });
    general("usual_size", "as large as the display asks for", {ctrl(key::zero)},
            [this] { set_zoom(1); });
    general("next_view", "next view", {ctrl(key::page_down)}, [this] { step_view(1); });
    general("previous_view", "previous view", {ctrl(key::page_up)},
            [this] { step_view(views_.size() - 1); });
    if (!settings_.notice().empty()) {
        notify(settings_.notice());
    }
}

layout::~layout() { settings_.save(); }

void layout::add(view what) {
    if (what.id.empty() || what.name.empty() || !what.draw) {
        throw std::logic_error("a view needs an id, a name and something to draw");
    }
    const std::size_t place = views_.size();
    std::vector<chord> with;
    if (what.keys != chord()) {
        with.push_back(what.keys);
    }
    keys_.add({"view." + what.id, "views", what.words.empty() ? what.name : what.words,
               std::move(with), [this, place] { choose(place); }, false});
    if (settings_.text("view") == what.id && !chosen_by_user_) {
        current_ = place;
    }
    views_.push_back(std::move(what));
}

const std::string& layout::current() const {
    if (views_.empty()) {
        throw std::logic_error("there is no view yet");
    }
    return views_[current_].id;
}

void layout::show(std::string_view id) {
    for (std::size_t i = 0; i < views_.size(); ++i) {
        if (views_[i].id == id) {
            choose(i);
            return;
        }
    }
    throw std::logic_error("no view is called \"" + std::string(id) + "\"");
}

void layout::choose(std::size_t place) {
    chosen_by_user_ = true;
    select_tab_ = select_tab_ || place != current_;
    current_ = place;
    settings_.set("view", views_[place].id);
}

void layout::step_view(std::size_t by) {
    if (!views_.empty()) {
        choose((current_ + by) % views_.size());
    }
}

void layout::set_theme(theme_kind theme) {
    theme_ = theme;
    settings_.set("theme", theme == theme_kind::dark ? "dark" : "light");
}

void layout::set_zoom(float zoom) {
    zoom_ = std::clamp(zoom, zoom_least, zoom_most);
    settings_.set("zoom", static_cast<double>(zoom_));
}

void layout::notify(std::string words) {
    notices_.push_back(std::move(words));
    if (notices_.size() > notices_max) {
        notices_.erase(notices_.begin());
        ++notices_dropped_;
    }
}

void layout::draw() {
    if (!notes_loaded_) {
        notes_loaded_ = true;
        const std::string& notes = settings_.imgui_notes();
        if (!notes.empty()) {
            ImGui::LoadIniSettingsFromMemory(notes.data(), notes.size());
        }
    }
    keys_.handle();

    const ImGuiViewport& screen = *ImGui::GetMainViewport();
    ImGui::SetNextWindowPos(screen.WorkPos);
    ImGui::SetNextWindowSize(screen.WorkSize);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(0, 0));
    ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, ImVec2(0, 0));
    ImGui::Begin("fleetarium", nullptr, bare | still);
    ImGui::PopStyleVar(2);

    const float row = ImGui::GetFrameHeight() + 2 * ImGui::GetStyle().ItemSpacing.y;
    const ImVec2 all = ImGui::GetContentRegionAvail();
    const ImVec2 spacing = ImGui::GetStyle().ItemSpacing;
    const bool rail = all.x >= em(rail_from_ems);
    ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, ImVec2(0, 0));
    const auto inside = [&](const std::function<void()>& content) {
        ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, spacing);
        content();
        ImGui::PopStyleVar();
    };
    inside([&] {
        bar("transport", row, transport_);
        ImGui::SetCursorPosY(row);
    });
    const float below = rail ? row : 2 * row;
    if (!rail) {
        inside([&] {
            bar("tabs", row, [this] { draw_tabs(); });
            ImGui::SetCursorPosY(below);
        });
    }
    const float height = std::max(1.0F, all.y - below - row);
    if (rail) {
        inside([&] { draw_rail(height); });
        ImGui::SameLine(0, 0);
    }
    inside([&] {
        ImGui::BeginChild("view", ImVec2(0, height), false,
                          ImGuiWindowFlags_AlwaysUseWindowPadding);
        if (!views_.empty()) {
            ImGui::PushID(views_[current_].id.c_str());
            views_[current_].draw();
            ImGui::PopID();
        }
        const ImVec2 from = ImGui::GetWindowPos();
        const ImVec2 size = ImGui::GetWindowSize();
        name_area("view", from, {from.x + size.x, from.y + size.y});
        ImGui::EndChild();
        ImGui::SetCursorPosY(below + height);
        bar("status", row, status_);
    });
    ImGui::PopStyleVar();
    ImGui::End();

    draw_notices();
    keys_.draw_help(help_);
    keep_settings();
}

void layout::draw_rail(float height) {
    ImGui::PushStyleColor(ImGuiCol_ChildBg, colours().panel);
    ImGui::PushStyleVar(ImGuiStyleVar_ChildRounding, 0);
    ImGui::BeginChild("rail", ImVec2(em(rail_ems), height), false,
                      ImGuiWindowFlags_AlwaysUseWindowPadding);
    ImGui::PopStyleVar();
    ImGui::PopStyleColor();
    for (std::size_t i = 0; i < views_.size(); ++i) {
        const view& each = views_[i];
        const ImVec2 at = ImGui::GetCursorScreenPos();
        const float wide = ImGui::GetContentRegionAvail().x;
        const float high = ImGui::GetFrameHeight();
        ImGui::PushID(each.id.c_str());
        ImGui::PushStyleVar(ImGuiStyleVar_SelectableTextAlign, ImVec2(0, 0.5F));
        if (ImGui::Selectable("##view", i == current_, 0, ImVec2(0, high))) {
            choose(i);
        }
        ImGui::PopStyleVar();
        name_item("view." + each.id);
        if (!each.words.empty() && ImGui::IsItemHovered()) {
            ImGui::SetTooltip("%s", each.words.c_str());
        }
        ImGui::PopID();
        ImDrawList& list = *ImGui::GetWindowDrawList();
        const float text_y = at.y + (high - ImGui::GetTextLineHeight()) / 2;
        if (i == current_) {
            list.AddRectFilled({at.x - em(0.3F), at.y + em(0.15F)},
                               {at.x - em(0.1F), at.y + high - em(0.15F)},
                               colours().ink(hue::blue));
        }
        list.AddText({at.x + em(0.25F), text_y}, colours().text, each.name.c_str());
        if (each.keys != chord()) {
            const std::string keys = words_of(each.keys);
            const float width = ImGui::CalcTextSize(keys.c_str()).x;
            list.AddText({at.x + wide - width - em(0.25F), text_y}, colours().faint, keys.c_str());
        }
    }
    ImGui::EndChild();
}

void layout::draw_tabs() {
    if (!ImGui::BeginTabBar("views",
                            ImGuiTabBarFlags_FittingPolicyScroll | ImGuiTabBarFlags_NoTooltip)) {
        return;
    }
    const bool select = std::exchange(select_tab_, false);
    for (std::size_t i = 0; i < views_.size(); ++i) {
        const view& each = views_[i];
        const ImGuiTabItemFlags flags =
            select && i == current_ ? ImGuiTabItemFlags_SetSelected : ImGuiTabItemFlags_None;
        const bool open =
            ImGui::BeginTabItem((each.name + "###" + each.id).c_str(), nullptr, flags);
        name_item("view." + each.id);
        if (ImGui::IsItemClicked()) {
            choose(i);
        }
        if (open) {
            ImGui::EndTabItem();
        }
    }
    ImGui::EndTabBar();
}

void layout::draw_notices() {
    if (notices_.empty()) {
        return;
    }
    const ImGuiViewport& screen = *ImGui::GetMainViewport();
    const float row = ImGui::GetFrameHeight() + 2 * ImGui::GetStyle().ItemSpacing.y;
    const float wide = std::min(screen.WorkSize.x - em(2), em(42));
    ImGui::SetNextWindowPos({screen.WorkPos.x + screen.WorkSize.x - em(1),
                             screen.WorkPos.y + screen.WorkSize.y - row - em(0.5F)},
                            ImGuiCond_Always, {1, 1});
    ImGui::SetNextWindowSize({wide, 0});
    ImGui::PushStyleColor(ImGuiCol_WindowBg, colours().panel);
    ImGui::PushStyleColor(ImGuiCol_Border, colours().ink(hue::orange));
    ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, ImGui::GetStyle().PopupBorderSize);
    ImGui::Begin("notices", nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove |
                     ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_AlwaysAutoResize |
                     ImGuiWindowFlags_NoFocusOnAppearing);
    std::size_t dismissed = notices_.size();
    for (std::size_t i = 0; i < notices_.size(); ++i) {
        ImGui::PushID(static_cast<int>(i));
        ImGui::AlignTextToFramePadding();
        ImGui::TextColored(ImGui::ColorConvertU32ToFloat4(colours().ink(hue::orange)), "⚠");
        ImGui::SameLine();
        const float button = ImGui::CalcTextSize("Dismiss").x +
                             2 * ImGui::GetStyle().FramePadding.x + ImGui::GetStyle().ItemSpacing.x;
        ImGui::PushTextWrapPos(wide - ImGui::GetStyle().WindowPadding.x - button);
        ImGui::TextUnformatted(notices_[i].c_str());
        ImGui::PopTextWrapPos();
        name_item("notice." + std::to_string(i));
        ImGui::SameLine(wide - ImGui::GetStyle().WindowPadding.x - button +
                        ImGui::GetStyle().ItemSpacing.x);
        if (ImGui::Button("Dismiss")) {
            dismissed = i;
        }
        name_item("dismiss." + std::to_string(i));
        ImGui::PopID();
    }
    if (notices_dropped_ > 0) {
        ImGui::TextDisabled("%zu older notices are not shown", notices_dropped_);
    }
    ImGui::End();
    ImGui::PopStyleVar();
    ImGui::PopStyleColor(2);
    if (dismissed < notices_.size()) {
        notices_.erase(notices_.begin() + static_cast<std::ptrdiff_t>(dismissed));
        notices_dropped_ = notices_.empty() ? 0 : notices_dropped_;
    }
}

void layout::keep_settings() {
    ImGuiIO& io = ImGui::GetIO();
    if (io.WantSaveIniSettings) {
        io.WantSaveIniSettings = false;
        std::size_t size = 0;
        const char* const notes = ImGui::SaveIniSettingsToMemory(&size);
        settings_.set_imgui_notes({notes, size});
    }
    if (!settings_.changed()) {
        changed_at_ = -1;
    } else if (changed_at_ < 0) {
        changed_at_ = ImGui::GetTime();
    } else if (ImGui::GetTime() - changed_at_ >= save_after_seconds) {
        changed_at_ = -1;
        if (!settings_.save()) {
            notify(settings_.notice());
        }
    }
}

}  // namespace fleetarium::dashboard
