#include "stage.hpp"

#include <fleetarium/dashboard/keyboard.hpp>

#include <catch2/catch.hpp>

using namespace fleetarium;
using namespace fleetarium::dashboard;

namespace {

action does(std::string id, std::vector<chord> keys, std::function<void()> run) {
    return {std::move(id), "group", "words", std::move(keys), std::move(run), false};
}

}  // namespace

TEST_CASE("a key runs its action once for each press", "[keyboard]") {
    key_table keys;
    int pauses = 0;
    int steps = 0;
    keys.add(does("pause", {key::space}, [&] { ++pauses; }));
    keys.add(does("step", {'.', shift(key::right)}, [&] { ++steps; }));
    test::stage stage([&] { keys.handle(); });
    stage.press(key::space);
    CHECK(pauses == 1);
    stage.press('.');
    stage.press(shift(key::right));
    stage.press(key::right);  // without Shift it is another key
    CHECK(steps == 2);
    CHECK(pauses == 1);
}

TEST_CASE("a key that repeats runs its action while it is held", "[keyboard]") {
    key_table keys;
    int once = 0;
    int often = 0;
    keys.add(does("once", {key::up}, [&] { ++once; }));
    action repeating = does("often", {key::down}, [&] { ++often; });
    repeating.repeats = true;
    keys.add(std::move(repeating));
    test::stage stage([&] { keys.handle(); });
    ImGui::GetIO().KeysDown[static_cast<int>(key::up)] = true;
    ImGui::GetIO().KeysDown[static_cast<int>(key::down)] = true;
    stage.frames(60);
    CHECK(once == 1);
    CHECK(often > 5);
}

TEST_CASE("while a text is edited only keys with Ctrl and F keys act", "[keyboard]") {
    key_table keys;
    std::string ran;
    keys.add(does("letter", {'p'}, [&] { ran += "p"; }));
    keys.add(does("space", {key::space}, [&] { ran += "_"; }));
    keys.add(does("find", {ctrl(key::f)}, [&] { ran += "F"; }));
    keys.add(does("f5", {key::f5}, [&] { ran += "5"; }));
    char text[32] = "";
    test::stage stage([&] {
        keys.handle();
        ImGui::SetNextWindowPos({0, 0});
        ImGui::Begin("w");
        ImGui::InputText("##text", text, sizeof text);
        name_item("text");
        ImGui::End();
    });
    stage.press('p');
    CHECK(ran == "p");
    stage.click("text");
    stage.type("p q");
    stage.press(ctrl(key::f));
    stage.press(key::f5);
    CHECK(ran == "pF5");
    CHECK(std::string(text) == "p q");
}

TEST_CASE("an id or a key that is taken is refused, and so is an action without words",
          "[keyboard]") {
    key_table keys;
    const auto nothing = [] {};
    keys.add(does("pause", {key::space}, nothing));
    CHECK_THROWS_WITH(keys.add(does("pause", {'p'}, nothing)), "two actions are called \"pause\"");
    CHECK_THROWS_WITH(keys.add(does("play", {'p', key::space}, nothing)),
                      "the key Space is both for \"pause\" and \"play\"");
    CHECK_THROWS_AS(keys.add({"silent", "group", "", {}, nothing, false}), std::logic_error);
    CHECK_THROWS_AS(keys.run("stop"), std::logic_error);
    CHECK(keys.actions().size() == 1);
}

TEST_CASE("keys are called as they are written on keyboards", "[keyboard]") {
    CHECK(words_of(chord('?')) == "?");
    CHECK(words_of(ctrl(key::f)) == "Ctrl+F");
    CHECK(words_of(shift(key::left)) == "Shift+←");
    CHECK(words_of(chord(key::f12)) == "F12");
    CHECK(words_of(ctrl(key::page_up)) == "Ctrl+Page Up");
    for (const key code : {key::space,
                           key::minus,
                           key::zero,
                           key::equal,
                           key::escape,
                           key::enter,
                           key::tab,
                           key::backspace,
                           key::insert,
                           key::del,
                           key::right,
                           key::left,
                           key::down,
                           key::up,
                           key::page_up,
                           key::page_down,
                           key::home,
                           key::end,
                           key::keypad_subtract,
                           key::keypad_add,
                           key::keypad_enter}) {
        CHECK_FALSE(words_of(chord(code)).empty());
    }
}
