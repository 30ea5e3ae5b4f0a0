#include <fleetarium/sim/text_template.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

std::string rendered(std::string_view text, template_values values = {}) {
    const text_template made(text, template_use::reply);
    std::vector<std::uint32_t> walks(made.walk_count());
    values.walks = walks;
    std::string out;
    made.render(values, out);
    return out;
}

std::string fault_of(std::string_view text, template_use use) {
    auto made = text_template::parse(text, use);
    const auto* const fault = std::get_if<template_fault>(&made);
    REQUIRE(fault != nullptr);
    return "found " + fault->found + ", expected " + fault->expected +
           (fault->suggestion.empty() ? "" : " (" + fault->suggestion + "?)");
}

}  // namespace

TEST_CASE("names and numbers of a device stand where their placeholders stood", "[sim][template]") {
    const template_values values{
        .fleet = "doors", .index = 1234, .client_id = "d-1234", .sequence = 7, .request = "open!"};
    CHECK(rendered("{fleet}/{client_id}/x", values) == "doors/d-1234/x");
    CHECK(rendered("{index}", values) == "1234");
    CHECK(rendered("{index:06}", values) == "001234");
    CHECK(rendered("{index:2}", values) == "1234");
    CHECK(rendered("{index/100}-{index%100:03}", values) == "12-034");
    CHECK(rendered("{index/10%10}", values) == "3");
    CHECK(rendered("{seq} {seq:03}", values) == "7 007");
    CHECK(rendered("{request}", values) == "open!");
    CHECK(rendered("", values).empty());
}

TEST_CASE("a brace that no letter follows is text", "[sim][template]") {
    CHECK(rendered(R"({"a":{"b":[{}]}})") == R"({"a":{"b":[{}]}})");
    CHECK(rendered("{{seq}") == "{seq}");
    CHECK(rendered("}{") == "}{");
    CHECK(rendered(R"({"n":{seq}})") == R"({"n":1})");
}

TEST_CASE("time is virtual: since the run began, or a date from the year 2000", "[sim][template]") {
    const instant at{25h + 61s + 5ms};
    CHECK(rendered("{time}", {.now = at}) == "90061005");
    CHECK(rendered("{time:s}", {.now = at}) == "90061");
    CHECK(rendered("{time:iso}", {.now = at}) == "2000-01-02T01:01:01.005Z");
    CHECK(rendered("{time:iso}", {.now = instant(24h * 59)}) == "2000-02-29T00:00:00.000Z");
}

TEST_CASE("random numbers stay in their bounds and take all values there", "[sim][template]") {
    const text_template made("{random:-0.2..0.2}", template_use::payload);
    std::set<std::string> seen;
    for (std::uint64_t n = 1; n <= 500; ++n) {
        std::string out;
        made.render({.sequence = n}, out);
        seen.insert(out);
    }
    CHECK(seen == std::set<std::string>{"-0.2", "-0.1", "0.0", "0.1", "0.2"});
    CHECK(rendered("{random:5..5}") == "5");
    CHECK(rendered("{random:5..5:3}") == "5.000");
    CHECK(rendered("{random:-0.05..-0.05}") == "-0.05");
}

TEST_CASE("a walk goes on in steps from where it was, within its bounds", "[sim][template]") {
    const text_template made("{walk:18.0..24.0:0.2}", template_use::payload);
    REQUIRE(made.walk_count() == 1);
    std::vector<std::uint32_t> walks(1);
    int before = 0;
    std::set<int> seen;
    for (std::uint64_t n = 1; n <= 5000; ++n) {
        std::string out;
        made.render({.sequence = n, .walks = walks}, out);
        REQUIRE(out.size() == 4);
        REQUIRE(out[2] == '.');
        const int tenths = std::stoi(out.substr(0, 2) + out.substr(3));
        REQUIRE(tenths >= 180);
        REQUIRE(tenths <= 240);
        if (n > 1) {
            REQUIRE(std::abs(tenths - before) <= 2);
        }
        before = tenths;
        seen.insert(tenths);
    }
    CHECK(seen.size() > 50);
}

TEST_CASE("walks of one template are apart", "[sim][template]") {
    const text_template made("{walk:0..9:1} {walk:100..200:5}", template_use::payload);
    REQUIRE(made.walk_count() == 2);
    std::vector<std::uint32_t> walks(2);
    std::string out;
    made.render({.walks = walks}, out);
    CHECK(std::stoi(out) <= 9);
    CHECK(std::stoi(out.substr(2)) >= 100);
}

TEST_CASE("a wave begins at the first value and has the second in the middle of its period",
          "[sim][template]") {
    const auto at = [](duration time) {
        return rendered("{wave:2.00..10.00:24h}", {.now = instant(time)});
    };
    CHECK(at(0h) == "2.00");
    CHECK(at(6h) == "6.00");
    CHECK(at(12h) == "10.00");
    CHECK(at(18h) == "6.00");
    CHECK(at(24h) == "2.00");
    CHECK(at(3h) == "3.17");  // 6 - 4 cos 45 degrees
    CHECK(rendered("{wave:10..2:2h}", {.now = instant(1h)}) == "2");
}

TEST_CASE("choices, digits and filler are as asked", "[sim][template]") {
    std::set<std::string> seen;
    for (std::uint64_t n = 1; n <= 100; ++n) {
        seen.insert(rendered("{choice:open,closed,}", {.sequence = n}));
    }
    CHECK(seen == std::set<std::string>{"open", "closed", ""});
    const auto hex = rendered("{hex:40}");
    CHECK(hex.size() == 40);
    CHECK(hex.find_first_not_of("0123456789abcdef") == std::string::npos);
    CHECK(hex.substr(0, 16) != hex.substr(16, 16));
    CHECK(rendered("{filler:64}").size() == 64);
    CHECK(rendered("{filler:1000}").size() == 1000);
    CHECK(rendered("{filler:1000}", {.sequence = 2}) == rendered("{filler:1000}"));
    std::set<std::size_t> sizes;
    for (std::uint64_t n = 1; n <= 100; ++n) {
        sizes.insert(rendered("{filler:0..4}", {.sequence = n}).size());
    }
    CHECK(sizes == std::set<std::size_t>{0, 1, 2, 3, 4});
}

TEST_CASE("a rendering depends on its values alone", "[sim][template]") {
    const std::string_view text = "{random:0..1000000000} {hex:16} {choice:a,b,c}";
    const template_values first{.sequence = 3, .random = make_random_key(1, 2, "payload")};
    template_values other = first;
    CHECK(rendered(text, first) == rendered(text, other));
    other.sequence = 4;
    CHECK(rendered(text, first) != rendered(text, other));
    other = first;
    other.random = make_random_key(1, 3, "payload");
    CHECK(rendered(text, first) != rendered(text, other));
    // Pinned: the same text on every machine and with every compiler.
    CHECK(rendered(text, first) == "543916966 9ed79d351a7c5546 b");
}

TEST_CASE("what a template is for decides which placeholders it may have", "[sim][template]") {
    CHECK(fault_of("{client_id}", template_use::client_id) ==
          R"(found the placeholder "{client_id}", expected {fleet} or {index} here)");
    CHECK(fault_of("a/{seq}", template_use::topic) ==
          R"(found the placeholder "{seq}", expected {fleet}, {index} or {client_id} here)");
    CHECK(fault_of("{request}", template_use::payload) ==
          R"(found the placeholder "{request}", expected {fleet}, {index}, {client_id}, {seq}, )"
          R"({time}, {random}, {walk}, {wave}, {choice}, {hex} or {filler} here)");
    CHECK(std::holds_alternative<text_template>(
        text_template::parse("{request}", template_use::reply)));
}

TEST_CASE("a placeholder with a mistake says what it should be", "[sim][template]") {
    const auto fault = [](std::string_view text) { return fault_of(text, template_use::payload); };
    CHECK(fault("{indx}").ends_with("({index}?)"));
    CHECK(fault("{seq").starts_with(R"(found the placeholder "{seq" without its "}")"));
    CHECK(fault("{random:5..1}") ==
          R"(found the placeholder "{random:5..1}", expected {random:MIN..MAX} or )"
          R"({random:MIN..MAX:DECIMALS} with MIN not above MAX, such as {random:18.5..23.5})");
    for (const std::string_view wrong : {"{fleet:3}",        "{index/0}",
                                         "{index:21}",       "{index:x}",
                                         "{index+1}",        "{seq:}",
                                         "{time:ms}",        "{random}",
                                         "{random:1}",       "{random:1..}",
                                         "{random:a..b}",    "{random:0.25..1:1}",
                                         "{random:0..1:10}", "{random:0..1:2:3}",
                                         "{walk:0..1}",      "{walk:0..1:0}",
                                         "{walk:1..0:1}",    "{walk:0..5000000000:1}",
                                         "{wave:0..1}",      "{wave:0..1:0s}",
                                         "{wave:0..1:day}",  "{choice}",
                                         "{choice:}",        "{hex}",
                                         "{hex:0}",          "{hex:9999}",
                                         "{filler:-1}",      "{filler:99999999999}",
                                         "{filler:5..4}",    "{filler:1..x}"}) {
        INFO(wrong);
        CHECK(std::holds_alternative<template_fault>(
            text_template::parse(wrong, template_use::payload)));
        CHECK_THROWS_AS(text_template(wrong, template_use::payload), std::invalid_argument);
    }
}

TEST_CASE("a template knows whether it is constant, differs by device or is a JSON value",
          "[sim][template]") {
    const auto made = [](std::string_view text) {
        return text_template(text, template_use::payload);
    };
    CHECK(made("plain {filler:5}").is_constant());
    CHECK_FALSE(made("plain {filler:5..6}").is_constant());
    CHECK_FALSE(made("{seq}").is_constant());
    CHECK(made("{index%5}").differs_by_device());
    CHECK(made("{client_id}").differs_by_device());
    CHECK_FALSE(made("{fleet}{seq}").differs_by_device());
    for (const std::string_view number :
         {"{index}", "{seq}", "{time}", "{time:s}", "{random:0..1}", "{walk:0..1:1}",
          "{wave:0..1:1h}", "{choice:1,2.5,null,true}"}) {
        INFO(number);
        CHECK(made(number).is_json_value());
    }
    for (const std::string_view text :
         {"{index:05}", "{time:iso}", "{hex:4}", "{choice:1,two}", "{seq} ", "{seq}{seq}", "7"}) {
        INFO(text);
        CHECK_FALSE(made(text).is_json_value());
    }
}

TEST_CASE("rendering allocates nothing once its buffer has grown", "[sim][template]") {
    const text_template made(R"({"v":{walk:18.0..24.0:0.2},"n":{seq},"t":"{time:iso}"})",
                             template_use::payload);
    std::vector<std::uint32_t> walks(made.walk_count());
    std::string out;
    made.render({.walks = walks}, out);
    out.reserve(200);
    const auto* const place = out.data();
    for (std::uint64_t n = 1; n <= 1000; ++n) {
        out.clear();
        made.render({.sequence = n, .walks = walks}, out);
    }
    CHECK(out.data() == place);
}
