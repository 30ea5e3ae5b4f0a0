#include "watched_world.hpp"

#include <catch2/catch.hpp>

#include <chrono>

using namespace fleetarium;
using namespace fleetarium::dashboard;
using namespace std::chrono_literals;

TEST_CASE("the fleet map zooms by the wheel and goes back by Backspace", "[views]") {
    test::watched_world app;
    test::stage stage([&] { app.draw(); }, 1280, 800);
    stage.frames(5);
    REQUIRE(stage.shows("fleet.map"));
    const ImVec4 map = stage.place("fleet.map");
    // The second block is that of the meters.
    const fleet_block& block = app.fleet.placing().blocks.at(1);
    stage.wheel(ImVec2(map.x + 3, map.y + block.top + 3), 1);
    stage.frames(4);
    CHECK(app.fleet.part().group == "meters");
    stage.press(key::backspace);
    CHECK(app.fleet.part().is_all());
    stage.press('g');
    stage.press('m');
    stage.frames(4);
    CHECK(app.fleet.by() == feed::grouping::network);
    CHECK(app.fleet.show() == feed::measure::messages);
}

TEST_CASE("a cell is clicked, and its device is shown", "[views]") {
    test::watched_world app;
    test::stage stage([&] { app.draw(); }, 1280, 800);
    stage.frames(5);
    const ImVec4 map = stage.place("fleet.map");
    const fleet_placing& placing = app.fleet.placing();
    stage.click(ImVec2(map.x + 3.5F * placing.cell, map.y + placing.blocks.at(1).top + 3));
    stage.frames(4);
    CHECK(app.frame.current() == "device");
    CHECK(app.in.state.device == "meters[3]");
    CHECK(stage.shows("device.lanes"));
}

TEST_CASE("devices are searched, and the arrow keys and Enter open one", "[views]") {
    test::watched_world app;
    test::stage stage([&] { app.draw(); }, 1280, 800);
    stage.press('4');
    stage.frames(4);
    stage.press('/');
    stage.type("lamp");
    stage.frames(4);
    CHECK(app.devices.question().search == "lamp");
    CHECK(stage.shows("devices.row.lamps[0]"));
    CHECK_FALSE(stage.shows("devices.row.meters[0]"));
    stage.press(key::enter);
    stage.frames(2);
    stage.press(key::down);
    stage.press(key::enter);
    CHECK(app.in.state.device == "lamps[1]");
}

TEST_CASE("the topic tree opens level by level, and leads to a topic's messages", "[views]") {
    test::watched_world app;
    test::stage stage([&] { app.draw(); }, 1280, 800);
    stage.press('6');
    stage.frames(4);
    for (const char* const level : {"site", "site/0", "site/0/meter", "site/0/meter/00"}) {
        stage.click(std::string("topics.row.") + level);
        stage.frames(4);
    }
    CHECK(app.topics.open().size() == 4);
    stage.click("topics.row.site/0/meter/00/power");
    stage.frames(6);
    CHECK(app.in.state.topic == "site/0/meter/00/power");
    CHECK(stage.shows("topics.message"));
    stage.press('m');
    stage.frames(4);
    CHECK(app.frame.current() == "messages");
    CHECK(app.in.state.topic_filter == "site/0/meter/00/power");
    CHECK(stage.shows("messages.row.0"));
}

TEST_CASE("a topic's rate is what the run published meanwhile", "[views]") {
    test::watched_world app(20);
    test::stage stage([&] { app.draw(); }, 1280, 800);
    stage.press('6');
    stage.frames(6);
    app.world.run_for(5s);
    stage.frames(60);
    const auto rate = app.topics.rates().rate("site");
    REQUIRE(rate);
    CHECK(*rate > 5);
    CHECK(*rate < 40);
}

TEST_CASE("a message is chosen from the list, and its row and arrow find each other", "[views]") {
    test::watched_world app;
    test::stage stage([&] { app.draw(); }, 1280, 800);
    stage.press('7');
    stage.frames(4);
    stage.click("messages.row.2");
    stage.frames(4);
    CHECK(app.frame.current() == "message");
    REQUIRE(app.in.state.message);
    REQUIRE(stage.shows("message.delivery.0"));
    stage.move_to(stage.middle("message.delivery.0"));
    CHECK(app.message.lit() == 0U);
    REQUIRE(stage.shows("message.arrow.0"));
    const ImVec4 arrow = stage.place("message.arrow.0");
    stage.move_to(ImVec2(arrow.x + 2, arrow.y + 2));
    CHECK(app.message.lit() == 0U);
    stage.move_away();
    CHECK_FALSE(app.message.lit());
}
