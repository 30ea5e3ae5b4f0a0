#include "stage.hpp"

#include <fleetarium/dashboard/theme.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <map>
#include <set>

using namespace fleetarium;
using namespace fleetarium::dashboard;

namespace {

ImWchar first_of(const char* utf8) {
    // Three bytes at most: ImGui has characters of 16 bits.
    const auto byte = [&](int at) { return static_cast<unsigned>(utf8[at]) & 0xff; };
    if (byte(0) < 0x80) {
        return static_cast<ImWchar>(byte(0));
    }
    if (byte(0) < 0xe0) {
        return static_cast<ImWchar>((byte(0) & 0x1f) << 6 | (byte(1) & 0x3f));
    }
    return static_cast<ImWchar>((byte(0) & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f));
}

}  // namespace

TEST_CASE("contrast is that of WCAG 2", "[theme]") {
    CHECK(contrast(0xffff'ffff, 0xff00'0000) == Approx(21));
    CHECK(contrast(0xff77'7777, 0xffff'ffff) == Approx(4.48).margin(0.005));
    CHECK(contrast(0xff00'00ff, 0xff00'00ff) == Approx(1));
}

TEST_CASE("text of every colour can be read on every background, selected rows included",
          "[theme]") {
    const theme_kind theme = GENERATE(theme_kind::dark, theme_kind::light);
    const palette& colour = palette_of(theme);
    for (const ImU32 background : {colour.window, colour.panel, colour.selected}) {
        CHECK(contrast(colour.text, background) >= 7);
        CHECK(contrast(colour.faint, background) >= 4.5);
        for (const ImU32 ink : colour.inks) {
            INFO(std::hex << ink << " on " << background);
            CHECK(contrast(ink, background) >= 4.5);
        }
    }
}

TEST_CASE("what ImGui draws by itself can be read, too", "[theme]") {
    const theme_kind theme = GENERATE(theme_kind::dark, theme_kind::light);
    const ui_context context({.theme = theme});
    const auto style = [](int what) {
        return ImGui::ColorConvertFloat4ToU32(ImGui::GetStyle().Colors[what]);
    };
    for (const int background :
         {ImGuiCol_WindowBg, ImGuiCol_PopupBg, ImGuiCol_FrameBg, ImGuiCol_FrameBgHovered,
          ImGuiCol_FrameBgActive, ImGuiCol_Button, ImGuiCol_ButtonHovered, ImGuiCol_ButtonActive,
          ImGuiCol_Header, ImGuiCol_HeaderHovered, ImGuiCol_HeaderActive, ImGuiCol_Tab,
          ImGuiCol_TabHovered, ImGuiCol_TabActive, ImGuiCol_TableHeaderBg, ImGuiCol_TitleBg,
          ImGuiCol_TitleBgActive, ImGuiCol_MenuBarBg}) {
        CHECK(contrast(style(ImGuiCol_Text), style(background)) >= 7);
        CHECK(contrast(style(ImGuiCol_TextDisabled), style(background)) >= 4.5);
    }
}

TEST_CASE("hues differ from each other in both themes", "[theme]") {
    const theme_kind theme = GENERATE(theme_kind::dark, theme_kind::light);
    const palette& colour = palette_of(theme);
    CHECK(std::set<ImU32>(colour.inks.begin(), colour.inks.end()).size() == colour.inks.size());
    CHECK(std::set<ImU32>(colour.fills.begin(), colour.fills.end()).size() == colour.fills.size());
}

TEST_CASE("no two roles have the same glyph, so that none is known by its colour alone",
          "[theme]") {
    std::set<std::string> glyphs;
    std::set<std::string> words;
    for (int i = 0; i < static_cast<int>(role::count); ++i) {
        glyphs.insert(glyph_of(static_cast<role>(i)));
        words.insert(words_of(static_cast<role>(i)));
    }
    CHECK(glyphs.size() == static_cast<std::size_t>(role::count));
    CHECK(words.size() == static_cast<std::size_t>(role::count));
}

TEST_CASE("the font has every glyph that the dashboard uses", "[theme]") {
    const float scale = GENERATE(1.0F, 2.0F);
    const ui_context context({.scale = scale});
    for (int i = 0; i < static_cast<int>(role::count); ++i) {
        INFO(words_of(static_cast<role>(i)));
        CHECK(text_font()->FindGlyphNoFallback(first_of(glyph_of(static_cast<role>(i)))) !=
              nullptr);
    }
    for (const char* glyph : {"▶", "◀", "▲", "▼", "●", "○", "■", "◆", "✕", "✓", "→", "←", "↑", "↓",
                              "…", "µ", "·", "–", "×", "≤", "≥", "∞", "⚠", "é", "ß", "Ж", "λ"}) {
        INFO(glyph);
        CHECK(text_font()->FindGlyphNoFallback(first_of(glyph)) != nullptr);
    }
}

TEST_CASE("digits have one width in every font, so numbers do not jump", "[theme]") {
    const float scale = GENERATE(1.0F, 1.25F, 1.5F, 2.0F, 3.0F);
    const ui_context context({.scale = scale});
    for (ImFont* const font : {text_font(), mono_font(), large_font()}) {
        for (ImWchar digit = '1'; digit <= '9'; ++digit) {
            CHECK(font->GetCharAdvance(digit) == font->GetCharAdvance('0'));
        }
    }
    CHECK(mono_font()->GetCharAdvance('i') == mono_font()->GetCharAdvance('W'));
}

TEST_CASE("twice the scale is twice the size", "[theme]") {
    ui_context context({.scale = 1.0F});
    const float text = text_font()->FontSize;
    const float padding = ImGui::GetStyle().WindowPadding.x;
    CHECK(context.set_looks({.scale = 2.0F}));
    CHECK(text_font()->FontSize == 2 * text);
    CHECK(ImGui::GetStyle().WindowPadding.x == 2 * padding);
    CHECK_FALSE(context.set_looks({.theme = theme_kind::light, .scale = 2.0F}));
    CHECK(current_theme() == theme_kind::light);
    // What no display has is as good as the bound.
    context.set_looks({.scale = 1e9F});
    CHECK(context.looks().scale == 4);
    context.set_looks({.scale = std::numeric_limits<float>::quiet_NaN()});
    CHECK(context.looks().scale == 1);
}

TEST_CASE("the heat map's colours grow evenly lighter", "[theme]") {
    double before = 0;
    for (int i = 0; i <= 100; ++i) {
        const double lightness = contrast(cividis(i / 100.0), 0xff00'0000);
        CHECK(lightness > before);
        before = lightness;
    }
    CHECK(cividis(-1) == cividis(0));
    CHECK(cividis(7) == cividis(1));
    CHECK(cividis(std::numeric_limits<double>::quiet_NaN()) == cividis(0));
}
