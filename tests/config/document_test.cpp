#include <fleetarium/config/document.hpp>

#include <catch2/catch.hpp>

#include <unistd.h>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::config;
using namespace fleetarium::config::detail;
using namespace std::chrono_literals;

namespace {

enum class colour { red, green };

struct lamp {
    std::string name{};
    std::optional<std::uint8_t> brightness{};
};

struct inner_options {
    duration period = 1s;
    colour shade = colour::red;
};

struct house {
    inner_options options{};
    std::vector<lamp> lamps{};
    std::vector<std::string> words{};
    bool open = false;
};

const object_type<lamp>& lamp_type() {
    static const object_type<lamp> type{
        "lamp",
        "a lamp",
        "A lamp.",
        {make_field<lamp>("name", name_text(), &lamp::name, "Which.", R"("desk")", need::required),
         make_field<lamp>("brightness", optional_of(integer<std::uint8_t>(1)), &lamp::brightness,
                          "How bright.", "5")}};
    return type;
}

const object_type<house>& house_type() {
    static const std::vector<field<inner_options>> inner{
        make_field<inner_options>("period", duration_from(1ns), &inner_options::period,
                                  "How often.", R"("2s")"),
        make_field<inner_options>("shade", word<colour>({"red", "green"}), &inner_options::shade,
                                  "Which.", R"("green")")};
    static const object_type<house> type{
        "house",
        "a house",
        "A house.",
        {lifted<house>(inner[0], &house::options), lifted<house>(inner[1], &house::options),
         make_field<house>("lamps", list_of(object_of(lamp_type())), &house::lamps, "Lamps.",
                           R"([{"name": "desk"}])"),
         make_field<house>("words", list_of(text()), &house::words, "Words.", R"(["a"])"),
         make_field<house>("open", boolean(), &house::open, "Whether.", "true")}};
    return type;
}

std::string problems_of(document& read) { return to_string(read.take_problems()); }

}  // namespace

TEST_CASE("an object is written as it is read", "[config][document]") {
    house built;
    built.options.period = 1500ms;
    built.options.shade = colour::green;
    built.lamps = {{.name = "desk", .brightness = 7}, {.name = "door", .brightness = {}}};
    built.words = {"", "two"};
    built.open = true;
    const auto text = json_compact(write_object(house_type(), built));
    CHECK(text == R"({"period":"1s500ms","shade":"green","lamps":[{"name":"desk","brightness":7},)"
                  R"({"name":"door"}],"words":["","two"],"open":true})");
    document read(text, "text", "a house", "open=true");
    house again;
    again.words = {"from before"};
    read.read(house_type(), again);
    CHECK(problems_of(read).empty());
    CHECK(json_compact(write_object(house_type(), again)) == text);
    CHECK(again.lamps[1].brightness == std::nullopt);
}

TEST_CASE("options replace, add and append values, and their mistakes name them",
          "[config][document]") {
    document read(R"({"lamps": [{"name": "desk"}], "shade": "red"})", "file", "a house",
                  "open=true");
    read.set("shade=green", "--shade");
    read.set("lamps.desk.brightness=9", "--set 1");
    read.set("/lamps/-/name=door", "--set 2");
    read.set("lamps.1.brightness=10", "--set 3");
    read.set("period=5m", "--set 4");
    house made;
    read.read(house_type(), made);
    CHECK(problems_of(read).empty());
    CHECK(made.options.shade == colour::green);
    CHECK(made.options.period == 5min);
    REQUIRE(made.lamps.size() == 2);
    CHECK(made.lamps[0].brightness == 9);
    CHECK(made.lamps[1].name == "door");
    CHECK(made.lamps[1].brightness == 10);

    document bad(R"({"lamps": [{"name": "desk"}]})", "file", "a house", "open=true");
    bad.set("lamps.dsek.brightness=9", "--set 1");
    bad.set("open=maybe", "--open maybe");
    bad.report("--colour", "no lamp", "one");
    bad.read(house_type(), made);
    CHECK(problems_of(bad) ==
          "--colour: found no lamp, expected one\n"
          "--set 1: found \"dsek\", expected desk, or a number below 1 (did you mean \"desk\"?)\n"
          "--open maybe: /open: found \"maybe\", expected true or false\n");
}

TEST_CASE("a check of the whole gets places, and does not repeat what is known",
          "[config][document]") {
    document read("{\"open\": 1,\n \"lamps\": [{\"name\": \"desk\"}]}", "file", "a house",
                  "open=true");
    house made;
    read.read(house_type(), made);
    read.add_checked({{{}, 0, 0, "/lamps/0/name", "this", "that", {}},
                      {{}, 0, 0, "/open", "follows", "", {}},
                      {{}, 0, 0, "/period", "absent", "", {}}});
    CHECK(problems_of(read) ==
          "file:1:1: /period: found absent\n"
          "file:1:10: /open: found 1, expected true or false\n"
          "file:2:21: /lamps/0/name: found this, expected that\n");
}

TEST_CASE("a text without a value has its syntax as the only problem", "[config][document]") {
    document read("{\"open\" true}", "file", "a house", "open=true");
    CHECK(read.root() == nullptr);
    read.set("open=true", "--open");
    house made;
    read.read(house_type(), made);
    read.add_checked({{{}, 0, 0, "/open", "unseen", "", {}}});
    CHECK(problems_of(read) ==
          "file:1:9: found \"true\", expected \":\" after the name \"open\"\n");
}

TEST_CASE("a file is read up to a bound", "[config][document]") {
    const auto path =
        std::filesystem::temp_directory_path() / ("fleetarium-text-" + std::to_string(getpid()));
    std::ofstream(path) << "0123456789";
    CHECK(std::get<std::string>(read_text_file(path, 10, "a file")) == "0123456789");
    const auto long_one = read_text_file(path, 9, "a short file");
    CHECK(to_string(std::get<std::vector<problem>>(long_one)) ==
          path.string() + ": found more than 9 bytes, expected a short file\n");
    std::filesystem::remove(path);
    CHECK(std::holds_alternative<std::vector<problem>>(read_text_file(path, 9, "a file")));
    const auto folder = read_text_file(std::filesystem::temp_directory_path(), 9, "a file");
    CHECK(std::holds_alternative<std::vector<problem>>(folder));
}
