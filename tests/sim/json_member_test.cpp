#include <fleetarium/sim/json_member.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/text_template.hpp>
#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <variant>

using namespace fleetarium;
using namespace fleetarium::sim;
using sim::detail::find_json_member;

TEST_CASE("a member of a JSON text is found by its path, as it is written", "[json_member]") {
    constexpr std::string_view json =
        R"( { "a\"b" : "}\\" , "n":-1.5e3,"deep" : { "list":[1, {"x":2}],
        "text": "a, \"b\": {" , "none":null, "empty":{} } , "last" : true } )";
    CHECK(find_json_member(json, "n") == "-1.5e3");
    CHECK(find_json_member(json, "last") == "true");
    CHECK(find_json_member(json, R"(a\"b)") == R"("}\\")");
    CHECK(find_json_member(json, "deep.list") == R"([1, {"x":2}])");
    CHECK(find_json_member(json, "deep.text") == R"("a, \"b\": {")");
    CHECK(find_json_member(json, "deep.empty") == "{}");
    CHECK(find_json_member(json, "deep.none") == "");
    CHECK(find_json_member(json, "deep.x") == "");
    CHECK(find_json_member(json, "n.x") == "");
    CHECK(find_json_member(json, "x") == "");
}

TEST_CASE("of a text that is no JSON, whatever is found lies within it", "[json_member]") {
    const std::string json = R"({"a": {"b": [1, "x\"y", {"c": null}], "d": true}, "e": "f"})";
    for (std::size_t size = 0; size < json.size(); ++size) {
        for (const std::string_view path : {"a", "a.b", "a.d", "e", "a.b.c"}) {
            // A copy to the byte, so that tools see a read beyond its end.
            const std::string part = json.substr(0, size);
            const auto found = find_json_member(part, path);
            CHECK((found.empty() || (found.data() >= part.data() &&
                                     found.data() + found.size() <= part.data() + part.size())));
        }
    }
    for (const std::string_view text : {"", " ", "1", "[]", "{]", "{\"a\"", "{\"a\":", "{\"a\":}",
                                        "\\", "{\"\\", "}}", "{\"a\" 1}"}) {
        CHECK(find_json_member(text, "a") == "");
    }
}

TEST_CASE("replies show members of a JSON request, bare, and null where there is none",
          "[json_member][template]") {
    const text_template made(R"({"s":{request.state.desired},"t":{request.clientToken}})",
                             template_use::reply);
    std::string text;
    made.render({.request = R"({"state": {"desired": {"a": [1]}}, "version": 3})"}, text);
    CHECK(text == R"({"s":{"a": [1]},"t":null})");
    CHECK(text_template("{request.a}", template_use::reply).is_json_value());
    CHECK_FALSE(text_template("{request}", template_use::reply).is_json_value());
    for (const std::string_view wrong :
         {"{request.}", "{request..a}", "{request:a}", "{request.a.}"}) {
        CHECK(std::holds_alternative<template_fault>(
            text_template::parse(wrong, template_use::reply)));
    }
    CHECK(std::holds_alternative<template_fault>(
        text_template::parse("{request.a}", template_use::payload)));
}

TEST_CASE("in a scenario a member of the request stands bare in a JSON payload", "[json_member]") {
    const auto read = parse_scenario(R"({"name":"s","duration":"1h","fleets":[{"name":"f",
        "subscriptions":[{"filter":"a"}],
        "replies":[{"on":"a","to":"b","payload":{"r":"{request.x}","s":"<{request.y}>"}}]}]})",
                                     "s.json");
    REQUIRE(std::holds_alternative<scenario>(read));
    CHECK(std::get<scenario>(read).fleets[0].replies[0].payload ==
          R"({"r":{request.x},"s":"<{request.y}>"})");
}
