#include "golden.hpp"
#include "small_run.hpp"
#include "stage.hpp"

#include <fleetarium/dashboard/screenshot.hpp>
#include <fleetarium/dashboard/viewer.hpp>

#include "support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <set>

using namespace fleetarium;
using namespace fleetarium::dashboard;

namespace {

/// The dashboard of a small run; questions are answered between frames.
struct bench {
    explicit bench(double until, int width = 1280, int height = 800, const appearance& looks = {})
        : stage(draw_first(until), width, height, looks) {
        stage.frames(6);
    }

    std::function<void()> draw_first(double until) {
        run.run_until(until);
        return [this] {
            now += 0.05;
            of.draw(now);
            run.serve();
        };
    }
    view_state& state() { return of.context().state; }

    test::small_run run{};
    viewer of{run.link()};
    double now = 0;
    test::stage stage;
};

}  // namespace

TEST_CASE("every view draws, and its key shows it", "[viewer]") {
    bench on(40);
    const std::vector<std::string> views = on.of.views();
    REQUIRE(views.size() >= 5);
    const std::string digits = "1234567890";
    for (std::size_t i = 0; i < views.size(); ++i) {
        if (i < digits.size()) {
            on.stage.press(digits[i]);
        } else {
            on.of.frame().show(views[i]);
        }
        on.stage.frames(4);
        CHECK(on.of.frame().current() == views[i]);
    }
    CHECK(on.of.frame().notices().empty());
}

TEST_CASE("a click in a chart shows that moment in all views, and L goes back", "[viewer]") {
    bench on(40);
    const ImVec4 chart = on.stage.place("overview.in");
    on.stage.click(ImVec2((chart.x + chart.z) / 2, (chart.y + chart.w) / 2));
    REQUIRE(on.state().at.has_value());
    CHECK(*on.state().at == Approx(20).margin(1.5));
    on.stage.frames(4);
    REQUIRE(on.of.context().totals.answer() != nullptr);
    CHECK(on.of.context().totals.answer()->at == Approx(*on.state().at).margin(0.6));
    on.stage.press('l');
    CHECK_FALSE(on.state().at.has_value());
}

TEST_CASE("the scrubber and the arrows move through the run", "[viewer]") {
    bench on(60);
    const ImVec4 bar = on.stage.place("scrubber");
    const float y = (bar.y + bar.w) / 2;
    on.stage.drag(ImVec2(bar.x + 5, y), ImVec2(bar.x + (bar.z - bar.x) / 4, y));
    REQUIRE(on.state().at.has_value());
    CHECK(*on.state().at == Approx(15).margin(0.5));
    const double before = *on.state().at;
    on.stage.press(key::right);
    CHECK(*on.state().at > before);
    on.stage.press(key::left);
    CHECK(*on.state().at == Approx(before));
    on.stage.press(key::home);
    CHECK(on.state().at == 0.0);
    on.stage.press(key::end);
    CHECK_FALSE(on.state().at.has_value());
}

TEST_CASE("what cannot be done says why instead of doing nothing", "[viewer]") {
    bench on(10);  // a run whose owner lets nobody pause it
    on.stage.press(key::space);
    REQUIRE(on.of.frame().notices().size() == 1);
    CHECK(on.of.frame().notices()[0] == "Real clients or brokers take part: they would not wait.");
    on.stage.click("step");
    CHECK(on.of.frame().notices().size() == 1);
}

TEST_CASE("a loss in the funnel leads to its messages", "[viewer]") {
    bench on(60);
    on.of.frame().show("funnel");
    on.stage.frames(3);
    on.stage.click("funnel.loss.queue_full");
    CHECK(on.state().reason == "queue_full");
    CHECK_FALSE(on.state().qos.has_value());
    on.of.frame().show("funnel");
    on.stage.frames(3);
    on.stage.click("funnel.qos1.Sent.dropped by the broker");
    CHECK(on.state().reason == "queue_full");
    CHECK(on.state().qos == 1);
    on.stage.press('x');
    CHECK_FALSE(on.state().has_filter());
}

TEST_CASE("a fault is begun and healed with buttons, and lies over the charts", "[viewer]") {
    bench on(10);
    on.of.frame().show("faults");
    on.stage.frames(3);
    on.stage.click("faults.until_healed");
    on.stage.click("faults.kind.partition");
    on.stage.frames(20);
    REQUIRE(on.of.context().timeline.answer()->faults.size() == 1);
    const feed::fault_row begun = on.of.context().timeline.answer()->faults.front();
    CHECK(begun.kind == "partition");
    CHECK(begun.by_hand);
    CHECK(on.of.context().over().bands.size() == 1);
    on.run.run_until(12);
    on.stage.click("faults.heal." + std::to_string(begun.fault));
    on.stage.frames(20);
    CHECK(on.of.context().timeline.answer()->faults.front().until == 12.0);
    CHECK(on.of.frame().notices().empty());
}

TEST_CASE("a feed that is lost is told over the view, and what was shown stays", "[viewer]") {
    bench on(20);
    CHECK_FALSE(on.stage.shows("banner"));
    on.run.link().close("the run is gone");
    on.stage.frames(4);
    CHECK(on.stage.shows("banner"));
    CHECK(on.stage.shows("overview.in"));
    CHECK(on.of.frame().notices().empty());
}

TEST_CASE("the filter is edited in its window, opened with F", "[viewer]") {
    bench on(20);
    on.stage.press('f');
    on.stage.frames(2);
    on.stage.type("site/#");
    CHECK(on.state().topic_filter == "site/#");
    on.stage.press(key::enter);
    on.stage.frames(2);
    CHECK(on.stage.shows("filter_words"));
    CHECK_FALSE(on.stage.shows("filter.show"));
}

TEST_CASE("a picture of each view is written without a display", "[viewer]") {
    test::small_run run;
    run.run_until(40);
    const test::temporary_folder folder;
    screenshot_options options;
    options.file = folder.path() + "/out.png";
    options.pump = [&run] { run.serve(); };
    const std::vector<std::string> written = take_screenshots(run.link(), options);
    CHECK(written.front() == folder.path() + "/out-overview.png");
    std::set<std::uint64_t> different;
    for (const std::string& each : written) {
        const image picture = read_png(each);
        CHECK(picture.width == 1280);
        CHECK(picture.height == 800);
        different.insert(hash_of(picture));
    }
    CHECK(different.size() == written.size());
    options.view = "latencies";
    CHECK_THROWS_WITH(
        take_screenshots(run.link(), options),
        Catch::Contains("found no view \"latencies\"") && Catch::Contains("did you mean latency?"));
    options.view = "log";
    options.pump = {};
    options.patience = 0.1;
    CHECK_THROWS_WITH(take_screenshots(run.link(), options), "the source does not answer");
}

TEST_CASE("views look as they did", "[viewer][golden]") {
    struct look {
        const char* view;
        theme_kind theme;
    };
    const auto [view, theme] =
        GENERATE(look{"overview", theme_kind::dark}, look{"funnel", theme_kind::light},
                 look{"latency", theme_kind::dark}, look{"faults", theme_kind::light},
                 look{"log", theme_kind::dark});
    test::small_run run;
    run.run_until(45);
    const test::temporary_folder folder;
    screenshot_options options;
    options.file = folder.path() + "/view.png";
    options.view = view;
    options.width = 960;
    options.height = 540;
    options.looks.theme = theme;
    options.pump = [&run] { run.serve(); };
    take_screenshots(run.link(), options);
    CHECK(test::differs_from_golden(read_png(options.file), std::string("view_") + view) == "");
}
