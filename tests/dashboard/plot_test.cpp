#include "golden.hpp"
#include "stage.hpp"

#include <fleetarium/dashboard/plot.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::dashboard;
using namespace fleetarium::dashboard::plot;

namespace {

/// A window that fills the screen, as a view does.
void on_screen(const std::function<void()>& draw) {
    ImGui::SetNextWindowPos({0, 0});
    ImGui::SetNextWindowSize(ImGui::GetIO().DisplaySize);
    ImGui::Begin(
        "screen", nullptr,
        ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoMove);
    draw();
    ImGui::End();
}

/// A series with made-up numbers: integers mixed, so that every machine has the same.
struct made_up {
    std::vector<double> times{};
    std::vector<double> values{};

    made_up(int count, double step, double base, double size, unsigned seed) {
        unsigned state = seed;
        for (int i = 0; i < count; ++i) {
            state = state * 1664525U + 1013904223U;
            times.push_back(i * step);
            const double noise = static_cast<double>(state >> 16) / 65536.0;
            const double hill = 1 - std::fabs(i - count * 0.6) / (count * 0.6);
            values.push_back(base + size * (hill + noise * 0.3));
        }
    }
    series as(std::string_view name, ImU32 colour) const { return {name, colour, times, values}; }
};

}  // namespace

TEST_CASE("the wheel over a chart zooms in time, and the page stays", "[plot]") {
    const made_up rate(600, 0.1, 10, 5, 1);
    time_axis axis;
    set_extent(axis, 0, 60);
    float scrolled = -1;
    test::stage stage([&] {
        on_screen([&] {
            ImGui::BeginChild("page", {0, 200});
            const series line = rate.as("rate", colours().ink(hue::blue));
            line_chart("chart", axis, {&line, 1}, {}, {.title = "rate"});
            ImGui::Dummy({1, 2000});
            scrolled = ImGui::GetScrollY();
            ImGui::EndChild();
        });
    });
    const ImVec4 plot = stage.place("chart");
    const ImVec2 middle = stage.middle("chart");
    stage.wheel(middle, 3);
    CHECK(axis.length() == Approx(60 * 0.8 * 0.8 * 0.8).epsilon(0.001));
    CHECK((axis.from + axis.to) / 2 == Approx(30).margin(0.2));
    CHECK(scrolled == 0);
    CHECK(axis.cursor == Approx(30).margin(0.2));
    stage.drag(middle, {middle.x + (plot.z - plot.x) / 8, middle.y});
    CHECK((axis.from + axis.to) / 2 == Approx(30 - axis.length() / 8).margin(0.5));
    stage.double_click(middle);
    CHECK(axis.whole);
}

TEST_CASE("the pointer in one chart is a line in all that share its time", "[plot]") {
    const made_up rate(60, 1, 10, 5, 1);
    time_axis axis;
    set_extent(axis, 0, 60);
    test::stage stage([&] {
        on_screen([&] {
            const series line = rate.as("rate", colours().ink(hue::blue));
            line_chart("upper", axis, {&line, 1}, {}, {});
            line_chart("lower", axis, {&line, 1}, {}, {});
        });
    });
    CHECK(std::isnan(axis.cursor));
    const ImVec4 upper = stage.place("upper");
    const ImVec4 lower = stage.place("lower");
    CHECK(upper.x == lower.x);
    CHECK(upper.z == lower.z);
    stage.move_away();
    const image before = stage.picture();
    stage.move_to(stage.middle("lower"));
    const image after = stage.picture();
    const int x = static_cast<int>((upper.x + upper.z) / 2);
    const int y = static_cast<int>(upper.y) + 3;
    bool differs = false;
    for (int i = x - 1; i <= x + 1; ++i) {
        differs = differs || before.at(i, y) != after.at(i, y);
    }
    CHECK(differs);
    stage.move_away();
    CHECK(std::isnan(axis.cursor));
}

TEST_CASE("dragging with Shift or the right button selects, a click elsewhere does not pan",
          "[plot]") {
    const made_up rate(60, 1, 10, 5, 1);
    time_axis axis;
    set_extent(axis, 0, 100);
    test::stage stage([&] {
        on_screen([&] {
            const series line = rate.as("rate", colours().ink(hue::blue));
            line_chart("chart", axis, {&line, 1}, {}, {});
        });
    });
    const ImVec4 plot = stage.place("chart");
    const auto at = [&](float share) {
        return ImVec2(plot.x + (plot.z - plot.x) * share, (plot.y + plot.w) / 2);
    };
    stage.drag(at(0.75F), at(0.25F), 1);
    CHECK(axis.select_from == Approx(25).margin(0.3));
    CHECK(axis.select_to == Approx(75).margin(0.3));
    CHECK(axis.whole);
    stage.click(at(0.1F), 1);
    CHECK_FALSE(axis.has_selection());
    ImGui::GetIO().KeyShift = true;
    stage.drag(at(0.4F), at(0.6F));
    ImGui::GetIO().KeyShift = false;
    CHECK(axis.select_from == Approx(40).margin(0.3));
    CHECK(std::isnan(axis.clicked));
    stage.click(at(0.5F));
    CHECK(axis.clicked == Approx(50).margin(0.3));
    CHECK(axis.select_from == Approx(40).margin(0.3));
}

TEST_CASE("a loss in the funnel can be clicked, and so can a stage", "[plot]") {
    const std::array<funnel_loss, 2> losses{{{"queue full", 12}, {"expired", 0}}};
    const std::array<funnel_stage, 2> stages{
        {{"published", 100, colours().fill(role::published), {}},
         {"delivered", 88, colours().fill(role::delivered), losses}}};
    funnel_click last;
    test::stage stage([&] {
        on_screen([&] {
            const funnel_click now = funnel("qos1", stages);
            last = now.stage != none ? now : last;
        });
    });
    stage.click("qos1.delivered.queue full");
    CHECK(last.stage == 1);
    CHECK(last.loss == 0);
    stage.click("qos1.published");
    CHECK(last.stage == 0);
    CHECK(last.loss == none);
}

TEST_CASE("charts of nothing, of one point and of no numbers do no harm", "[plot]") {
    const double number = GENERATE(0.0, 5.0, -3.0, nothing, 1e300, 1e-300);
    const std::array<double, 1> times{1};
    const std::array<double, 1> values{number};
    time_axis axis;
    set_extent(axis, 0, 0);
    test::stage stage([&] {
        on_screen([&] {
            const series one{"one", 0xff00'00ff, times, values};
            line_chart("a", axis, {&one, 1}, {}, {.least = nothing});
            line_chart("b", axis, {}, {}, {});
            stacked_chart("c", axis, {&one, 1}, {}, {});
            heat_map("d", axis, {}, {}, {});
            histogram("e", {}, {}, {});
            sparkline("f", values, 0xff00'00ff, {40, 10});
            sparkline("g", {}, 0xff00'00ff, {40, 10});
            funnel("h", {});
        });
    });
    CHECK(stage.shows("e"));
}

TEST_CASE("numbers that do not fit together are refused", "[plot]") {
    time_axis axis;
    const std::array<double, 3> three{1, 2, 3};
    const std::array<double, 2> zero{0, 1};
    const std::array<double, 2> two{1, 2};
    test::stage stage([&] {
        on_screen([&] {
            const series odd{"odd", 0, three, two};
            CHECK_THROWS_WITH(line_chart("a", axis, {&odd, 1}, {}, {}),
                              "the series \"odd\" has 3 times, but 2 values");
            CHECK_THROWS_AS(heat_map("b", axis, {three, three, two}, {}, {}),
                            std::invalid_argument);
            CHECK_THROWS_AS(heat_map("c", axis, {two, zero, {two.data(), 1}}, {}, {}),
                            std::invalid_argument);
            const bucket below{0, 1, 5};
            CHECK_THROWS_AS(histogram("d", {&below, 1}, {}, {}), std::invalid_argument);
        });
    });
}

TEST_CASE("charts look as they did", "[plot][golden]") {
    struct look {
        const char* name;
        theme_kind theme;
        float scale;
        int width;
        int height;
        bool pointer;
    };
    const auto [name, theme, scale, width, height, pointer] =
        GENERATE(look{"plot_dark", theme_kind::dark, 1, 800, 450, false},
                 look{"plot_light", theme_kind::light, 1, 800, 450, true},
                 look{"plot_dark_2x", theme_kind::dark, 2, 1600, 900, true});
    const made_up published(6000, 0.1, 900, 300, 1);
    const made_up delivered(600, 1, 700, 250, 7);
    made_up lost(600, 1, 0, 40, 9);
    for (int i = 200; i < 260; ++i) {
        lost.values[static_cast<std::size_t>(i)] = nothing;
    }
    time_axis axis;
    set_extent(axis, 0, 600);
    axis.playhead = 450;
    axis.select_from = 60;
    axis.select_to = 130;
    test::stage stage(
        [&] {
            on_screen([&] {
                const palette& colour = colours();
                const std::array<band, 2> bands{
                    {{200, 260, colour.ink(role::faulted), "▲ link cut"},
                     {230, 330, colour.ink(role::violation), "◆ broker slow"}}};
                const std::array<mark, 1> marks{{{400, colour.ink(hue::orange), "firmware 2.1"}}};
                const overlay over{bands, marks};
                const std::array<series, 3> lines{
                    {published.as("published", colour.ink(role::published)),
                     delivered.as("delivered", colour.ink(role::delivered)),
                     lost.as("dropped", colour.ink(role::dropped))}};
                line_chart("lines", axis, lines, over,
                           {.title = "Messages",
                            .unit = "msg/s",
                            .height = 7,
                            .filled = true,
                            .shows_time = false});
                stacked_chart("layers", axis, {lines.data() + 1, 2}, over,
                              {.title = "By outcome", .height = 6});
            });
        },
        width, height, {theme, scale, 1});
    if (pointer) {
        const ImVec4 plot = stage.place("lines");
        stage.move_to({plot.x + (plot.z - plot.x) * 0.6F, (plot.y + plot.w) / 2});
    }
    CHECK(test::differs_from_golden(stage.picture(), name) == "");
}

TEST_CASE("distributions look as they did", "[plot][golden]") {
    const auto [name, theme, pointer] = GENERATE(table<const char*, theme_kind, bool>(
        {{"latency_dark", theme_kind::dark, true}, {"latency_light", theme_kind::light, false}}));
    std::vector<double> times;
    std::vector<double> bounds;
    std::vector<bucket> buckets;
    for (int i = 0; i <= 120; ++i) {
        times.push_back(i * 5);
    }
    double bound = 1e-4;
    for (int j = 0; j <= 24; ++j, bound *= 1.5) {
        bounds.push_back(bound);
    }
    std::vector<double> counts;
    for (int i = 0; i < 120; ++i) {
        for (int j = 0; j < 24; ++j) {
            const int peak = i > 40 && i < 55 ? 15 : 7;
            const int off = std::abs(j - peak);
            counts.push_back(off > 6 ? 0 : 10'000 >> (2 * off) >> ((i * 7 + j * 3) % 3));
        }
    }
    for (std::size_t j = 0; j < 24; ++j) {
        double sum = 0;
        for (std::size_t i = 0; i < 120; ++i) {
            sum += counts[i * 24 + j];
        }
        buckets.push_back({bounds[j], bounds[j + 1], sum});
    }
    time_axis axis;
    set_extent(axis, 0, 600);
    const made_up rate(400, 1, 10, 5, 3);
    test::stage stage(
        [&] {
            on_screen([&] {
                const palette& colour = colours();
                const std::array<value_mark, 3> marks{
                    {{2.1e-3, "p50", colour.ink(hue::green)},
                     {3.1e-3, "p99", colour.ink(hue::orange)},
                     {0.08, "p99.9", colour.ink(hue::vermillion)}}};
                ImGui::Columns(2, "columns", false);
                histogram("histogram", buckets, marks,
                          {.title = "Latency", .kind = value_kind::duration, .height = 7});
                ImGui::NextColumn();
                const std::array<band, 1> bands{{{200, 275, colour.ink(role::faulted), "▲ slow"}}};
                heat_map("heat", axis, {times, bounds, counts}, {bands, {}},
                         {.title = "Over time", .kind = value_kind::duration, .height = 7});
                ImGui::Columns(1);
                ImGui::Spacing();
                const std::array<funnel_loss, 3> routed{
                    {{"no subscriber", 1200}, {"not allowed", 0}, {"too large", 3}}};
                const std::array<funnel_loss, 1> sent{{{"queue full", 40'817}}};
                const std::array<funnel_stage, 4> stages{
                    {{"published", 1'234'567, colour.fill(role::published), {}},
                     {"routed", 1'233'364, colour.fill(role::queued), routed},
                     {"delivered", 1'192'547, colour.fill(role::delivered), sent},
                     {"acknowledged", 1'192'540, colour.fill(role::acknowledged), {}}}};
                funnel("funnel", stages);
                ImGui::TextUnformatted("rate");
                ImGui::SameLine();
                sparkline("spark", rate.values, colour.ink(hue::blue), {em(10), em(1.2F)});
            });
        },
        800, 450, {theme, 1, 1});
    if (pointer) {
        const ImVec4 plot = stage.place("heat");
        stage.move_to({plot.x + (plot.z - plot.x) * 0.4F, plot.y + (plot.w - plot.y) * 0.35F});
    }
    CHECK(test::differs_from_golden(stage.picture(), name) == "");
}
