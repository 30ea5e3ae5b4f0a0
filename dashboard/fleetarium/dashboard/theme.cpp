#include <fleetarium/dashboard/theme.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace fleetarium::dashboard {

namespace {

constexpr ImU32 rgb(std::uint32_t hex) {
    return 0xff00'0000 | (hex & 0xff) << 16 | (hex & 0xff00) | hex >> 16;
}

// Okabe and Ito's colours, made lighter or darker by as little as text on a selected row needs.
constexpr palette dark{.window = rgb(0x14171c),
                       .panel = rgb(0x1d2229),
                       .selected = rgb(0x2a3341),
                       .control = rgb(0x2b323c),
                       .touched = rgb(0x364050),
                       .text = rgb(0xe6e9ee),
                       .faint = rgb(0xa9b2bf),
                       .line = rgb(0x39424f),
                       .inks = {rgb(0x56b4e9), rgb(0xe69f00), rgb(0x2eaf8c), rgb(0xe08640),
                                rgb(0xd084ae), rgb(0xf0e442), rgb(0x9c9c9c)},
                       .fills = {rgb(0x56b4e9), rgb(0xe69f00), rgb(0x009e73), rgb(0xd55e00),
                                 rgb(0xcc79a7), rgb(0xf0e442), rgb(0x6f7782)}};

constexpr palette light{.window = rgb(0xfafaf8),
                        .panel = rgb(0xf0f1f3),
                        .selected = rgb(0xd5e3f2),
                        .control = rgb(0xe1e5ea),
                        .touched = rgb(0xcfdae6),
                        .text = rgb(0x1a1d21),
                        .faint = rgb(0x4a525c),
                        .line = rgb(0xc4c9cf),
                        .inks = {rgb(0x0067a0), rgb(0x835b00), rgb(0x007052), rgb(0xa24700),
                                 rgb(0x895170), rgb(0x6a641d), rgb(0x636363)},
                        .fills = {rgb(0x0072b2), rgb(0xe69f00), rgb(0x009e73), rgb(0xd55e00),
                                  rgb(0xcc79a7), rgb(0xf0e442), rgb(0x9aa1aa)}};

struct meaning {
    hue colour;
    const char* glyph;
    const char* words;
};

constexpr std::array<meaning, static_cast<std::size_t>(role::count)> meanings{{
    {hue::green, "●", "connected"},
    {hue::blue, "◐", "connecting"},
    {hue::grey, "○", "offline"},
    {hue::vermillion, "▲", "faulted"},
    {hue::purple, "◆", "violation"},
    {hue::orange, "■", "queued"},
    {hue::vermillion, "✕", "dropped"},
    {hue::yellow, "★", "retained"},
    {hue::blue, "→", "published"},
    {hue::green, "✓", "delivered"},
    {hue::purple, "↩", "acknowledged"},
    {hue::blue, "0", "QoS 0"},
    {hue::orange, "1", "QoS 1"},
    {hue::green, "2", "QoS 2"},
}};

const meaning& meaning_of(role what) { return meanings[static_cast<std::size_t>(what)]; }

theme_kind applied = theme_kind::dark;

/// A colour channel as light, by the definition of sRGB.
double light_of(ImU32 channel) {
    const double value = static_cast<double>(channel & 0xff) / 255.0;
    return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
}

double luminance(ImU32 colour) {
    return 0.2126 * light_of(colour) + 0.7152 * light_of(colour >> 8) +
           0.0722 * light_of(colour >> 16);
}

ImU32 channel(double value) { return static_cast<ImU32>(std::clamp(value, 0.0, 255.0) + 0.5); }

ImFont* font_at(int place) {
    const ImVector<ImFont*>& fonts = ImGui::GetIO().Fonts->Fonts;
    return place < fonts.Size ? fonts[place] : ImGui::GetFont();
}

}  // namespace

const char* glyph_of(role what) { return meaning_of(what).glyph; }
const char* words_of(role what) { return meaning_of(what).words; }

ImU32 palette::ink(role of) const { return ink(meaning_of(of).colour); }
ImU32 palette::fill(role of) const { return fill(meaning_of(of).colour); }

const palette& palette_of(theme_kind theme) { return theme == theme_kind::dark ? dark : light; }
const palette& colours() { return palette_of(applied); }
theme_kind current_theme() { return applied; }

void apply_theme(theme_kind theme, float unit) {
    applied = theme;
    const palette& from = palette_of(theme);
    ImGuiStyle style;
    const auto lengths = [&](float x, float y) {
        return ImVec2(std::floor(x * unit + 0.5F), std::floor(y * unit + 0.5F));
    };
    style.WindowPadding = lengths(0.6F, 0.5F);
    style.FramePadding = lengths(0.45F, 0.2F);
    style.CellPadding = lengths(0.4F, 0.12F);
    style.ItemSpacing = lengths(0.5F, 0.3F);
    style.ItemInnerSpacing = lengths(0.35F, 0.25F);
    style.IndentSpacing = lengths(1.2F, 0).x;
    style.ScrollbarSize = lengths(0.8F, 0).x;
    style.GrabMinSize = lengths(0.7F, 0).x;
    style.WindowRounding = 0;
    style.ChildRounding = lengths(0.25F, 0).x;
    style.FrameRounding = lengths(0.25F, 0).x;
    style.PopupRounding = lengths(0.35F, 0).x;
    style.ScrollbarRounding = lengths(0.4F, 0).x;
    style.GrabRounding = lengths(0.25F, 0).x;
    style.TabRounding = lengths(0.25F, 0).x;
    style.WindowBorderSize = 0;
    style.ChildBorderSize = std::max(1.0F, std::floor(unit / 15.0F));
    style.PopupBorderSize = style.ChildBorderSize;
    style.FrameBorderSize = 0;
    style.CurveTessellationTol = 1.25F;

    const auto set = [&](ImGuiCol what, ImU32 colour) {
        style.Colors[what] = ImGui::ColorConvertU32ToFloat4(colour);
    };
    const ImU32 accent = from.fill(hue::blue);
    set(ImGuiCol_Text, from.text);
    set(ImGuiCol_TextDisabled, from.faint);
    set(ImGuiCol_WindowBg, from.window);
    set(ImGuiCol_ChildBg, with_opacity(from.window, 0));
    set(ImGuiCol_PopupBg, from.panel);
    set(ImGuiCol_Border, from.line);
    set(ImGuiCol_BorderShadow, with_opacity(from.line, 0));
    set(ImGuiCol_FrameBg, from.control);
    set(ImGuiCol_FrameBgHovered, from.touched);
    set(ImGuiCol_FrameBgActive, from.touched);
    set(ImGuiCol_TitleBg, from.panel);
    set(ImGuiCol_TitleBgActive, from.panel);
    set(ImGuiCol_TitleBgCollapsed, from.panel);
    set(ImGuiCol_MenuBarBg, from.panel);
    set(ImGuiCol_ScrollbarBg, with_opacity(from.panel, 0.6F));
    set(ImGuiCol_ScrollbarGrab, from.line);
    set(ImGuiCol_ScrollbarGrabHovered, from.faint);
    set(ImGuiCol_ScrollbarGrabActive, from.faint);
    set(ImGuiCol_CheckMark, from.ink(hue::blue));
    set(ImGuiCol_SliderGrab, from.ink(hue::blue));
    set(ImGuiCol_SliderGrabActive, from.ink(hue::blue));
    set(ImGuiCol_Button, from.control);
    set(ImGuiCol_ButtonHovered, from.touched);
    set(ImGuiCol_ButtonActive, from.touched);
    set(ImGuiCol_Header, from.selected);
    set(ImGuiCol_HeaderHovered, from.selected);
    set(ImGuiCol_HeaderActive, from.selected);
    set(ImGuiCol_Separator, from.line);
    set(ImGuiCol_SeparatorHovered, accent);
    set(ImGuiCol_SeparatorActive, accent);
    set(ImGuiCol_ResizeGrip, from.line);
    set(ImGuiCol_ResizeGripHovered, accent);
    set(ImGuiCol_ResizeGripActive, accent);
    set(ImGuiCol_Tab, from.panel);
    set(ImGuiCol_TabHovered, from.selected);
    set(ImGuiCol_TabActive, from.selected);
    set(ImGuiCol_TabUnfocused, from.panel);
    set(ImGuiCol_TabUnfocusedActive, from.selected);
    set(ImGuiCol_PlotLines, from.ink(hue::blue));
    set(ImGuiCol_PlotLinesHovered, from.ink(hue::orange));
    set(ImGuiCol_PlotHistogram, from.fill(hue::blue));
    set(ImGuiCol_PlotHistogramHovered, from.fill(hue::orange));
    set(ImGuiCol_TableHeaderBg, from.panel);
    set(ImGuiCol_TableBorderStrong, from.line);
    set(ImGuiCol_TableBorderLight, with_opacity(from.line, 0.6F));
    set(ImGuiCol_TableRowBg, with_opacity(from.panel, 0));
    set(ImGuiCol_TableRowBgAlt, with_opacity(from.panel, 0.55F));
    set(ImGuiCol_TextSelectedBg, with_opacity(accent, 0.35F));
    set(ImGuiCol_DragDropTarget, from.ink(hue::orange));
    set(ImGuiCol_NavHighlight, from.ink(hue::blue));
    set(ImGuiCol_NavWindowingHighlight, from.text);
    set(ImGuiCol_NavWindowingDimBg, with_opacity(from.window, 0.6F));
    set(ImGuiCol_ModalWindowDimBg, with_opacity(from.window, 0.6F));
    ImGui::GetStyle() = style;
}

ImU32 with_opacity(ImU32 colour, float opacity) {
    const float alpha = std::clamp(opacity, 0.0F, 1.0F) * 255.0F + 0.5F;
    return (colour & 0x00ff'ffff) | static_cast<ImU32>(alpha) << 24;
}

double contrast(ImU32 a, ImU32 b) {
    const double first = luminance(a) + 0.05;
    const double second = luminance(b) + 0.05;
    return std::max(first, second) / std::min(first, second);
}

ImU32 cividis(double at) {
    // Polynomials fitted to the map of Nuñez, Anderton and Renslow (2018).
    const double t = at >= 0 ? std::min(at, 1.0) : 0.0;
    const double red =
        -4.54 - t * (35.34 - t * (2381.73 - t * (6402.7 - t * (7024.72 - t * 2710.57))));
    const double green =
        32.49 + t * (170.73 + t * (52.82 - t * (131.46 - t * (176.58 - t * 67.37))));
    const double blue =
        81.24 + t * (442.36 - t * (2482.43 - t * (6167.24 - t * (6614.94 - t * 2475.67))));
    return 0xff00'0000 | channel(blue) << 16 | channel(green) << 8 | channel(red);
}

ImFont* text_font() { return font_at(0); }
ImFont* mono_font() { return font_at(1); }
ImFont* large_font() { return font_at(2); }

}  // namespace fleetarium::dashboard
