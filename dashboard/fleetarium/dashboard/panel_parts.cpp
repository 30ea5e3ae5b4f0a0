#include <fleetarium/dashboard/panel_parts.hpp>

#include <fleetarium/dashboard/item_names.hpp>

#include <algorithm>
#include <cmath>

namespace fleetarium::dashboard {

namespace {

constexpr float tile_ems = 9.2F;

void text_at(ImDrawList& list, ImFont* font, ImVec2 at, ImU32 colour, std::string_view words) {
    list.AddText(font, font->FontSize * ImGui::GetIO().FontGlobalScale,
                 {std::floor(at.x), std::floor(at.y)}, colour, words.data(),
                 words.data() + words.size());
}

}  // namespace

void coloured(ImU32 colour, std::string_view words) {
    ImGui::PushStyleColor(ImGuiCol_Text, colour);
    ImGui::TextUnformatted(words.data(), words.data() + words.size());
    ImGui::PopStyleColor();
}

void faint(std::string_view words) { coloured(colours().faint, words); }

bool button(const char* label, std::string_view name, std::string_view why_not,
            std::string_view hint) {
    const bool can = why_not.empty();
    ImGui::BeginDisabled(!can);
    const bool pressed = ImGui::Button(label);
    ImGui::EndDisabled();
    name_item(name);
    const std::string_view words = can ? hint : why_not;
    if (!words.empty() && ImGui::IsItemHovered(ImGuiHoveredFlags_AllowWhenDisabled)) {
        ImGui::SetTooltip("%.*s", static_cast<int>(words.size()), words.data());
    }
    return pressed && can;
}

void nothing_to_show(std::string_view words) {
    const ImVec2 room = ImGui::GetContentRegionAvail();
    const float wide = std::min(room.x * 0.8F, em(40));
    const ImVec2 size = ImGui::CalcTextSize(words.data(), words.data() + words.size(), false, wide);
    const ImVec2 from = ImGui::GetCursorPos();
    ImGui::SetCursorPos({from.x + std::max(0.0F, (room.x - size.x) / 2),
                         from.y + std::max(0.0F, (room.y - size.y) * 0.4F)});
    ImGui::PushTextWrapPos(ImGui::GetCursorPosX() + wide + 1);
    faint(words);
    ImGui::PopTextWrapPos();
}

void tiles(const char* id, const tile* begin, std::size_t count) {
    if (count == 0) {
        return;
    }
    const float room = ImGui::GetContentRegionAvail().x;
    const float gap = em(0.5F);
    const auto fitting =
        static_cast<std::size_t>(std::max(1.0F, std::floor((room + gap) / (em(tile_ems) + gap))));
    const std::size_t rows = (count + fitting - 1) / fitting;
    const std::size_t columns = (count + rows - 1) / rows;
    const float wide = std::floor((room + gap) / static_cast<float>(columns) - gap);
    const float line = ImGui::GetTextLineHeight();
    ImFont* const large = large_font();
    const float large_line = large->FontSize * ImGui::GetIO().FontGlobalScale;
    const float high = std::floor(2 * line + large_line + em(0.9F));
    const ImVec2 origin = ImGui::GetCursorScreenPos();
    ImDrawList& list = *ImGui::GetWindowDrawList();
    for (std::size_t i = 0; i < count; ++i) {
        const tile& each = begin[i];
        const ImVec2 from{origin.x + static_cast<float>(i % columns) * (wide + gap),
                          origin.y + static_cast<float>(i / columns) * (high + gap)};
        const ImVec2 to{from.x + wide, from.y + high};
        list.AddRectFilled(from, to, colours().panel, em(0.25F));
        list.PushClipRect({from.x + em(0.3F), from.y}, {to.x - em(0.2F), to.y}, true);
        const float x = from.x + em(0.5F);
        text_at(list, text_font(), {x, from.y + em(0.3F)}, colours().faint, each.title);
        text_at(list, large, {x, from.y + line + em(0.4F)},
                each.colour == 0 ? colours().text : each.colour, each.value);
        text_at(list, text_font(), {x, from.y + line + large_line + em(0.5F)}, colours().faint,
                each.below);
        list.PopClipRect();
        name_area(std::string(id) + "." + std::string(each.title), from, to);
    }
    ImGui::Dummy({room, static_cast<float>(rows) * (high + gap) - gap});
}

}  // namespace fleetarium::dashboard
