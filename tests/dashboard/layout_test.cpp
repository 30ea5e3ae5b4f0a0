#include "golden.hpp"
#include "stage.hpp"

#include <fleetarium/dashboard/layout.hpp>
#include <fleetarium/dashboard/replace_file.hpp>

#include "support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <memory>

using namespace fleetarium;
using namespace fleetarium::dashboard;

namespace {

/// The frame with three views that say their names.
struct application {
    explicit application(const std::string& path = {}) : kept(path) {
        frame.set_transport([] {
            ImGui::Button("❚❚ Pause");
            ImGui::SameLine();
            ImGui::TextUnformatted("LIVE  0:12:34.5  1x");
        });
        frame.set_status([] { ImGui::TextDisabled("mqtt://127.0.0.1:1883  12,345 devices"); });
        frame.add({"overview", "Overview", "what happens now", '1', [this] { show("overview"); }});
        frame.add({"topics", "Topics", "rates by topic", '2', [this] { show("topics"); }});
        frame.add({"log", "Log", "", {}, [this] { show("log"); }});
    }
    void show(const char* what) {
        shown = what;
        ImGui::Text("This is the view \"%s\".", what);
        for (int i = 0; i < static_cast<int>(role::count); ++i) {
            const auto each = static_cast<role>(i);
            ImGui::TextColored(ImGui::ColorConvertU32ToFloat4(colours().ink(each)), "%s %s",
                               glyph_of(each), words_of(each));
            if (i % 4 != 3) {
                ImGui::SameLine(em(8) * static_cast<float>(i % 4 + 1));
            }
        }
    }
    void draw() { frame.draw(); }

    key_table keys{};
    settings kept;
    layout frame{keys, kept};
    std::string shown{};
};

}  // namespace

TEST_CASE("a view is chosen by its key, by the mouse and by stepping", "[layout]") {
    const int width = GENERATE(1280, 640);  // with a rail, with tabs
    application app;
    test::stage stage([&] { app.draw(); }, width);
    CHECK(app.frame.current() == "overview");
    stage.press('2');
    CHECK(app.shown == "topics");
    stage.click("view.log");
    CHECK(app.frame.current() == "log");
    CHECK(app.shown == "log");
    stage.press(ctrl(key::page_down));
    CHECK(app.shown == "overview");
    stage.press(ctrl(key::page_up));
    CHECK(app.shown == "log");
    app.keys.run("view.topics");
    stage.frames(2);
    CHECK(app.shown == "topics");
    CHECK_THROWS_AS(app.frame.show("no such view"), std::logic_error);
}

TEST_CASE("what the user chose is there at the next start", "[layout]") {
    const test::temporary_folder folder;
    const std::string path = folder.path() + "/dashboard.ini";
    {
        application app(path);
        test::stage stage([&] { app.draw(); });
        stage.press('2');
        stage.press(key::f2);
        stage.press(ctrl(key::equal));
        CHECK(app.frame.theme() == theme_kind::light);
    }
    application again(path);
    test::stage stage([&] { again.draw(); });
    CHECK(again.frame.current() == "topics");
    CHECK(again.frame.theme() == theme_kind::light);
    CHECK(again.frame.zoom() == 1.125F);
    // Also while it runs: a crash later does not lose it.
    stage.press('1');
    stage.frames(150);
    CHECK(settings(path).text("view") == "overview");
}

TEST_CASE("the view has the same place whatever the bars and notices say", "[layout]") {
    application app;
    test::stage stage([&] { app.draw(); }, 1280, 800);
    const ImVec4 before = stage.place("view");
    CHECK(before.w - before.y > 650);
    app.frame.notify("the connection was lost; trying again");
    app.frame.set_status(nullptr);
    app.frame.set_transport([] { ImGui::TextUnformatted("two\nlines"); });
    stage.frames(3);
    const ImVec4 after = stage.place("view");
    CHECK(before.x == after.x);
    CHECK(before.y == after.y);
    CHECK(before.z == after.z);
    CHECK(before.w == after.w);
}

TEST_CASE("a notice stays until it is dismissed; of many the newest are shown", "[layout]") {
    application app;
    test::stage stage([&] { app.draw(); });
    app.frame.notify("first");
    app.frame.notify("second");
    stage.frames(3);
    stage.click("dismiss.0");
    CHECK(app.frame.notices() == std::vector<std::string>{"second"});
    for (int i = 0; i < 9; ++i) {
        app.frame.notify("notice " + std::to_string(i));
    }
    CHECK(app.frame.notices().size() == 5);
    CHECK(app.frame.notices().back() == "notice 8");
}

TEST_CASE("settings that are not understood are told as a notice", "[layout]") {
    const test::temporary_folder folder;
    const std::string path = folder.path() + "/dashboard.ini";
    replace_file(path, "nonsense");
    application app(path);
    REQUIRE(app.frame.notices().size() == 1);
    CHECK(app.frame.notices()[0].find("are not understood") != std::string::npos);
    CHECK(app.frame.current() == "overview");
}

TEST_CASE("? shows every key, and Escape or a click outside closes the list", "[layout]") {
    application app;
    test::stage stage([&] { app.draw(); });
    stage.press('?');
    CHECK(app.frame.help_is_open());
    stage.press(key::escape);
    CHECK_FALSE(app.frame.help_is_open());
    stage.press(key::f1);
    CHECK(app.frame.help_is_open());
    stage.click(ImVec2(3, 3));
    CHECK_FALSE(app.frame.help_is_open());
}

TEST_CASE("the frame looks as it did", "[layout][golden]") {
    struct look {
        const char* name;
        theme_kind theme;
        float scale;
        int width;
        int height;
        bool help;
    };
    const auto [name, theme, scale, width, height, help] =
        GENERATE(look{"frame_dark", theme_kind::dark, 1, 800, 450, false},
                 look{"frame_light", theme_kind::light, 1, 800, 450, false},
                 look{"frame_rail_light", theme_kind::light, 1, 1000, 450, false},
                 look{"frame_dark_2x", theme_kind::dark, 2, 1600, 900, false},
                 look{"frame_keys_dark", theme_kind::dark, 1, 1000, 450, true});
    application app;
    app.frame.notify("a feed was lost; trying again in 2 s");
    test::stage stage([&] { app.draw(); }, width, height, {theme, scale, 1});
    if (help) {
        stage.press('?');
    }
    stage.frames(3);
    CHECK(test::differs_from_golden(stage.picture(), name) == "");
}
