#include <fleetarium/dashboard/ui_context.hpp>

#include <fleetarium/dashboard/embedded_fonts.hpp>
#include <fleetarium/dashboard/keyboard.hpp>

#include <algorithm>
#include <cmath>
#include <span>

namespace fleetarium::dashboard {

namespace {

constexpr float text_points = 15.0F;
constexpr float mono_points = 14.0F;
constexpr float large_points = 24.0F;

// European letters, marks of text, arrows, mathematics, shapes and signs. Topics and payloads may
// have more; those show as the mark for what no font has.
constexpr ImWchar text_glyphs[] = {0x0020, 0x024f, 0x0370, 0x03ff, 0x0400, 0x045f, 0x2010, 0x2027,
                                   0x2030, 0x205e, 0x2070, 0x209c, 0x20ac, 0x20ac, 0x2190, 0x21ff,
                                   0x2200, 0x22ff, 0x2300, 0x23ff, 0x2500, 0x25ff, 0x2600, 0x266f,
                                   0x26a0, 0x26a1, 0x2701, 0x27bf, 0xfffd, 0xfffd, 0};
constexpr ImWchar mono_glyphs[] = {0x0020, 0x024f, 0x0370, 0x03ff, 0x0400, 0x045f, 0x2010, 0x2027,
                                   0x2190, 0x2193, 0x2500, 0x25ff, 0xfffd, 0xfffd, 0};
constexpr ImWchar large_glyphs[] = {0x0020, 0x007e, 0x00b5, 0x00b5, 0x2012, 0x2014, 0};

void add_font(ImFontAtlas& atlas, std::span<const unsigned char> file, float pixels,
              const ImWchar* glyphs) {
    ImFontConfig config;
    // The atlas reads the file; ours stays where it is.
    config.FontDataOwnedByAtlas = false;
    // One texel a pixel and whole pixels from letter to letter: text is sharp, and digits have
    // one width.
    config.OversampleH = 1;
    config.OversampleV = 1;
    config.PixelSnapH = true;
    atlas.AddFontFromMemoryTTF(const_cast<unsigned char*>(file.data()),
                               static_cast<int>(file.size()), std::floor(pixels + 0.5F), &config,
                               glyphs);
}

void build_fonts(ImFontAtlas& atlas, float scale) {
    atlas.Clear();
    add_font(atlas, dejavu_sans(), text_points * scale, text_glyphs);
    add_font(atlas, dejavu_sans_mono(), mono_points * scale, mono_glyphs);
    add_font(atlas, dejavu_sans(), large_points * scale, large_glyphs);
    atlas.TexGlyphPadding = 1;
    atlas.Build();
}

appearance within_limits(appearance looks) {
    looks.scale = std::isfinite(looks.scale) ? std::clamp(looks.scale, 0.5F, 4.0F) : 1.0F;
    looks.density = std::isfinite(looks.density) ? std::clamp(looks.density, 0.5F, 4.0F) : 1.0F;
    return looks;
}

}  // namespace

ui_context::ui_context(const appearance& looks) {
    IMGUI_CHECKVERSION();
    context_ = ImGui::CreateContext();
    ImGui::SetCurrentContext(context_);
    ImGuiIO& io = ImGui::GetIO();
    io.IniFilename = nullptr;
    io.LogFilename = nullptr;
    io.ConfigWindowsMoveFromTitleBarOnly = true;
    map_keys(io);
    looks_.scale = 0;
    set_looks(looks);
}

ui_context::~ui_context() { ImGui::DestroyContext(context_); }

bool ui_context::set_looks(const appearance& looks) {
    const appearance next = within_limits(looks);
    const bool other_fonts = next.scale != looks_.scale || next.density != looks_.density;
    looks_ = next;
    ImGuiIO& io = ImGui::GetIO();
    if (other_fonts) {
        build_fonts(*io.Fonts, next.scale * next.density);
        io.FontGlobalScale = 1.0F / next.density;
    }
    apply_theme(next.theme, text_points * next.scale);
    return other_fonts;
}

}  // namespace fleetarium::dashboard
