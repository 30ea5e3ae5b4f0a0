#pragma once

#include <imgui.h>

#include <array>
#include <cstdint>
#include <span>

namespace fleetarium::dashboard {

enum class theme_kind : std::uint8_t { dark, light };

/// What a colour says. It never says it alone: `glyph_of` and words stand beside it.
enum class role : std::uint8_t {
    connected,
    connecting,
    offline,
    faulted,
    violation,
    queued,
    dropped,
    retained,
    published,
    delivered,
    acknowledged,
    qos0,
    qos1,
    qos2,
    count
};

/// Hues that are told apart by those who see few colours (Okabe and Ito), in a fixed order for
/// series that have no role.
enum class hue : std::uint8_t { blue, orange, green, vermillion, purple, yellow, grey, count };

/// A filled glyph for a role, as UTF-8; every role of devices' states has one of its own.
const char* glyph_of(role what);
/// What the role is called on the screen.
const char* words_of(role what);

/// The colours of a theme. `ink` is for text and lines: contrast of 4.5 or more on every
/// background of this theme, selected rows included. `fill` is for areas.
struct palette {
    ImU32 window = 0;
    ImU32 panel = 0;     ///< menus, tables' heads, charts
    ImU32 selected = 0;  ///< the row or item that is chosen
    ImU32 control = 0;   ///< buttons and fields, on windows and panels
    ImU32 touched = 0;   ///< those under the pointer
    ImU32 text = 0;
    ImU32 faint = 0;  ///< text of less weight
    ImU32 line = 0;   ///< frames and grids
    std::array<ImU32, static_cast<std::size_t>(hue::count)> inks{};
    std::array<ImU32, static_cast<std::size_t>(hue::count)> fills{};

    ImU32 ink(hue of) const { return inks[static_cast<std::size_t>(of)]; }
    ImU32 fill(hue of) const { return fills[static_cast<std::size_t>(of)]; }
    ImU32 ink(role of) const;
    ImU32 fill(role of) const;
};

const palette& palette_of(theme_kind theme);

/// The palette of the theme that was applied last; panels take their colours from here.
const palette& colours();
theme_kind current_theme();

/// Gives the current ImGui context colours and sizes, all sizes in units of its font.
/// `unit` is the height of the text font in points.
void apply_theme(theme_kind theme, float unit);

/// The colour with another opacity, 0 to 1.
ImU32 with_opacity(ImU32 colour, float opacity);

/// How well two colours are told apart, 1 to 21, by the formula of WCAG 2.
double contrast(ImU32 a, ImU32 b);

/// The cividis colour map: 0 dark blue to 1 yellow, evenly lighter, the same to those who see few
/// colours. What is below 0 or above 1 has the colour at that end.
ImU32 cividis(double at);

/// Lengths in units of the font: `em(1)` is the height of text.
inline float em(float heights) { return ImGui::GetFontSize() * heights; }

/// Fonts of the current context; see fonts.hpp.
ImFont* text_font();
ImFont* mono_font();
/// Digits and capitals for a few large numbers.
ImFont* large_font();

}  // namespace fleetarium::dashboard
