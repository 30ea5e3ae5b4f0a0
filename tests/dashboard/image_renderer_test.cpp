#include "stage.hpp"

#include <fleetarium/dashboard/image_renderer.hpp>
#include <fleetarium/dashboard/plot.hpp>
#include <fleetarium/dashboard/theme.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::dashboard;

namespace {

constexpr ImU32 red = 0xff00'00ff;
constexpr ImU32 green = 0xff00'ff00;
constexpr ImU32 blue = 0xffff'0000;

/// What a drawing upon all of a small picture looks like.
template <class Draw>
image drawn(Draw draw, int width = 16, int height = 16, ImU32 background = 0xff00'0000) {
    image_host host(width, height);
    host.frame([&] {
        ImDrawList& list = *ImGui::GetBackgroundDrawList();
        list.Flags = ImDrawListFlags_AllowVtxOffset;  // no soft edges, unless asked for
        draw(list);
    });
    image picture;
    render(*ImGui::GetDrawData(), background, picture);
    return picture;
}

int count_of(const image& picture, ImU32 colour) {
    return static_cast<int>(std::count(picture.pixels.begin(), picture.pixels.end(), colour));
}

}  // namespace

TEST_CASE("a rectangle covers the pixels whose centres are in it", "[image]") {
    const image whole = drawn([](ImDrawList& list) { list.AddRectFilled({2, 3}, {6, 5}, red); });
    CHECK(count_of(whole, red) == 4 * 2);
    CHECK(whole.at(2, 3) == red);
    CHECK(whole.at(5, 4) == red);
    CHECK(whole.at(6, 4) == 0xff00'0000);

    const image halves = drawn([](ImDrawList& list) {
        list.AddRectFilled({2.5F, 3.51F}, {6.49F, 5.5F}, red);
    });
    CHECK(count_of(halves, red) == 4 * 1);
    CHECK(halves.at(2, 4) == red);
    CHECK(halves.at(5, 4) == red);
}

TEST_CASE("a rectangle is the same whether it is drawn as one or as two triangles", "[image]") {
    const image one = drawn([](ImDrawList& list) {
        list.AddRectFilled({1.3F, 2.7F}, {11.9F, 8.2F}, red);
    });
    const image two = drawn([](ImDrawList& list) {
        list.AddTriangleFilled({1.3F, 2.7F}, {11.9F, 2.7F}, {11.9F, 8.2F}, red);
        list.AddTriangleFilled({1.3F, 2.7F}, {11.9F, 8.2F}, {1.3F, 8.2F}, red);
    });
    CHECK(one.pixels == two.pixels);
}

TEST_CASE("neighbouring triangles share no pixel and leave none out", "[image]") {
    // Half transparent: a pixel drawn twice would be darker than one drawn once.
    const ImU32 glass = 0x80ff'ffff;
    const image fan = drawn(
        [&](ImDrawList& list) {
            for (int i = 0; i < 12; ++i) {
                const auto corner = [](int at) {
                    const ImVec2 ring[] = {{60, 32}, {56, 46}, {46, 56}, {32, 60},
                                           {18, 56}, {8, 46},  {4, 32},  {8, 18},
                                           {18, 8},  {32, 4},  {46, 8},  {56, 18}};
                    return ring[at % 12];
                };
                list.AddTriangleFilled({32.4F, 31.7F}, corner(i), corner(i + 1), glass);
            }
        },
        64, 64);
    const ImU32 once = 0xff80'8080;
    CHECK(count_of(fan, once) + count_of(fan, 0xff00'0000) == 64 * 64);
    CHECK(count_of(fan, once) == 2328);  // the area of the polygon
}

TEST_CASE("the order of a triangle's corners does not matter", "[image]") {
    const image forth = drawn([](ImDrawList& list) {
        list.AddTriangleFilled({1, 1}, {14, 4}, {5, 13}, green);
    });
    const image back = drawn([](ImDrawList& list) {
        list.AddTriangleFilled({5, 13}, {14, 4}, {1, 1}, green);
    });
    CHECK(forth.pixels == back.pixels);
    CHECK(count_of(forth, green) > 60);
}

TEST_CASE("a transparent colour is mixed with what is below, each channel to the nearest",
          "[image]") {
    const image mixed = drawn(
        [](ImDrawList& list) {
            list.AddRectFilled({0, 0}, {16, 16}, 0x4000'ff80);
        },
        16, 16, 0xff10'2030);
    const auto channel = [](double under, double over) {
        return static_cast<ImU32>(std::lround(under + (over - under) * 0x40 / 255.0));
    };
    CHECK(mixed.at(7, 7) ==
          (0xff00'0000 | channel(0x10, 0) << 16 | channel(0x20, 0xff) << 8 | channel(0x30, 0x80)));
    CHECK(count_of(mixed, mixed.at(7, 7)) == 256);
}

TEST_CASE("nothing is drawn outside of the area that a command is clipped to", "[image]") {
    const image clipped = drawn([](ImDrawList& list) {
        list.PushClipRect({4, 4}, {8, 7});
        list.AddRectFilled({-1000, -1000}, {1000, 1000}, blue);
        list.AddTriangleFilled({-1e9F, -1e9F}, {1e9F, -1e9F}, {0, 1e9F}, blue);
        list.PopClipRect();
    });
    CHECK(count_of(clipped, blue) == 4 * 3);
    CHECK(clipped.at(4, 4) == blue);
    CHECK(clipped.at(7, 6) == blue);
}

TEST_CASE("a gradient runs evenly from corner to corner", "[image]") {
    const image ramp = drawn(
        [](ImDrawList& list) {
            list.AddRectFilledMultiColor({0, 0}, {256, 4}, 0xff00'0000, 0xff00'00ff, 0xff00'00ff,
                                         0xff00'0000);
        },
        256, 4);
    for (int x = 0; x < 256; ++x) {
        const int value = static_cast<int>(ramp.at(x, 1) & 0xff);
        CHECK(std::abs(value - x) <= 1);
        CHECK(ramp.at(x, 1) == ramp.at(x, 2));
    }
}

TEST_CASE("numbers that are no places on the screen do no harm", "[image]") {
    const float infinite = std::numeric_limits<float>::infinity();
    const float none = std::numeric_limits<float>::quiet_NaN();
    const image picture = drawn([&](ImDrawList& list) {
        list.AddTriangleFilled({none, 3}, {infinite, 4}, {2, -infinite}, red);
        list.AddRectFilled({none, none}, {9, 9}, red);
        list.AddRectFilled({2, 2}, {2, 9}, red);
    });
    CHECK(picture.width == 16);
}

TEST_CASE("a letter's pixels are the texels of the atlas", "[image]") {
    image_host host(64, 32);
    host.frame([] { ImGui::GetBackgroundDrawList()->AddText({10, 5}, 0xffff'ffff, "g"); });
    image picture;
    render(*ImGui::GetDrawData(), 0xff00'0000, picture);

    const ImFontGlyph& glyph = *text_font()->FindGlyph('g');
    unsigned char* texels = nullptr;
    int width = 0;
    int height = 0;
    ImGui::GetIO().Fonts->GetTexDataAsAlpha8(&texels, &width, &height);
    const int from_x = static_cast<int>(glyph.U0 * static_cast<float>(width) + 0.5F);
    const int from_y = static_cast<int>(glyph.V0 * static_cast<float>(height) + 0.5F);
    int dark = 0;
    for (int y = 0; y < static_cast<int>(glyph.Y1 - glyph.Y0); ++y) {
        for (int x = 0; x < static_cast<int>(glyph.X1 - glyph.X0); ++x) {
            const auto texel = static_cast<ImU32>(texels[(from_y + y) * width + from_x + x]);
            CHECK(picture.at(10 + static_cast<int>(glyph.X0) + x,
                             5 + static_cast<int>(glyph.Y0) + y) ==
                  (0xff00'0000 | texel << 16 | texel << 8 | texel));
            dark += static_cast<int>(texel > 128);
        }
    }
    CHECK(dark > 20);
}

TEST_CASE("pixels of a display that has more of them than points are all drawn", "[image]") {
    image_host host(40, 30, {.density = 2.0F});
    ImGui::GetIO().DisplayFramebufferScale = ImVec2(2, 2);
    host.frame([] { ImGui::GetBackgroundDrawList()->AddRectFilled({10, 10}, {20, 15}, red); });
    const image& picture = host.picture();
    CHECK(picture.width == 80);
    CHECK(picture.height == 60);
    CHECK(count_of(picture, red) == 20 * 10);
}

TEST_CASE("more corners than 16 bits can number are drawn", "[image]") {
    const image many = drawn(
        [](ImDrawList& list) {
            for (int i = 0; i < 40'000; ++i) {
                const auto x = static_cast<float>(i % 200);
                const auto y = static_cast<float>(i / 200);
                list.AddRectFilled({x, y}, {x + 1, y + 1}, i % 2 == 0 ? red : green);
            }
        },
        200, 200);
    CHECK(count_of(many, red) == 20'000);
    CHECK(count_of(many, green) == 20'000);
}

TEST_CASE("a texture that the renderer does not know is refused", "[image]") {
    image_host host(16, 16);
    host.frame([] {
        ImGui::GetBackgroundDrawList()->AddImage(reinterpret_cast<ImTextureID>(1), {0, 0}, {9, 9});
    });
    CHECK_THROWS_AS(host.picture(), std::logic_error);
}

TEST_CASE("soft lines, curves and text are the same to the bit under every compiler", "[image]") {
    const image picture = drawn(
        [](ImDrawList& list) {
            list.Flags = ImDrawListFlags_AntiAliasedLines | ImDrawListFlags_AntiAliasedFill |
                         ImDrawListFlags_AntiAliasedLinesUseTex;
            list.AddLine({3.3F, 4.1F}, {120.7F, 77.9F}, 0xff22'bbee, 1.5F);
            list.AddLine({3.3F, 90.1F}, {120.7F, 7.9F}, 0x8822'bbee, 5.0F);
            list.AddCircleFilled({64, 48}, 30.5F, 0x6633'ff11);
            list.AddCircle({64, 48}, 37.5F, 0xffff'8811, 0, 2.0F);
            list.AddRectFilled({10, 60}, {60, 90}, 0xcc55'44dd, 7.0F);
            list.AddText({14, 64}, 0xffff'ffff, "9.81 m/s²");
        },
        128, 96, 0xff20'1810);
    CHECK(hash_of(picture) == 0x73e7'e813'69cf'a8da);
}

TEST_CASE("a frame full of charts and text is drawn within a few milliseconds",
          "[slow_build][image]") {
    std::vector<double> times;
    std::vector<double> values;
    for (int i = 0; i < 20'000; ++i) {
        times.push_back(i * 0.1);
        values.push_back(i % 700 + (i * 37) % 260);
    }
    plot::time_axis axis;
    plot::set_extent(axis, 0, 2000);
    image_host host(1280, 800);
    const auto draw = [&] {
        ImGui::SetNextWindowPos({0, 0});
        ImGui::SetNextWindowSize({1280, 800});
        ImGui::Begin("screen", nullptr, ImGuiWindowFlags_NoDecoration);
        const std::array<plot::series, 2> lines{
            {{"messages", colours().ink(hue::blue), times, values},
             {"drops", colours().ink(hue::vermillion), {times.data(), 300}, {values.data(), 300}}}};
        plot::line_chart("a", axis, lines, {}, {.height = 8, .filled = true});
        plot::stacked_chart("b", axis, lines, {}, {.height = 8});
        for (int row = 0; row < 18; ++row) {
            ImGui::Text(
                "device %05d  ● connected  %5d msg/s  p99 8.1 ms  building/%d/floor/%d/"
                "celsius  QoS 1  in flight 3  queued 17  firmware 2.1.%d",
                row * 37, row * 11, row, row % 7, row);
            ImGui::SameLine();
            plot::sparkline("c", {values.data() + row * 100, 100}, colours().ink(hue::green),
                            {em(10), em(1)});
        }
        ImGui::End();
    };
    host.frame(draw);
    host.frame(draw);
    host.picture();
    auto best = std::chrono::nanoseconds::max();
    for (int i = 0; i < 10; ++i) {
        const auto start = std::chrono::steady_clock::now();  // tidy: allow(clock) it measures
        host.picture();
        const auto taken = std::chrono::steady_clock::now() - start;  // tidy: allow(clock) same
        best = std::min(best, std::chrono::duration_cast<std::chrono::nanoseconds>(taken));
    }
    WARN("a frame of " << ImGui::GetDrawData()->TotalIdxCount / 3 << " triangles takes "
                       << static_cast<double>(best.count()) / 1e6 << " ms");
    CHECK(best < std::chrono::milliseconds(200));  // far from what it takes, for slow machines
}
