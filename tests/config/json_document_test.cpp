#include <fleetarium/core/limits.hpp>
#include <fleetarium/config/json_document.hpp>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <array>
#include <string>
#include <string_view>

using namespace fleetarium;
using namespace fleetarium::config;

namespace {

/// "line:column: found X, expected Y" of the only fault.
std::string fault_of(std::string_view text) {
    const auto document = parse_json(text);
    REQUIRE(document.faults.size() == 1);
    const auto& fault = document.faults.front();
    return std::to_string(fault.position.line) + ":" + std::to_string(fault.position.column) +
           ": found " + fault.found + ", expected " + fault.expected;
}

nlohmann::json other_tree(const json_value& value) {
    switch (value.kind) {
        case json_kind::null: return nullptr;
        case json_kind::boolean: return value.boolean;
        case json_kind::number: return nlohmann::json::parse(value.text);
        case json_kind::string: return value.text;
        case json_kind::array: {
            auto made = nlohmann::json::array();
            for (const auto& element : value.elements) {
                made.push_back(other_tree(element));
            }
            return made;
        }
        case json_kind::object: {
            auto made = nlohmann::json::object();
            for (const auto& member : value.members) {
                made[member.name] = other_tree(member.value);
            }
            return made;
        }
    }
    return {};
}

}  // namespace

TEST_CASE("a syntax error has its place, what was found and what was expected", "[config][json]") {
    struct mistake {
        std::string_view text;
        std::string_view message;
    };
    const auto [text, message] = GENERATE(values<mistake>({
        {"", R"(1:1: found the end of the text, expected a value)"},
        {"{\"a\": 1\n \"b\": 2}", R"(2:2: found "b", expected "," or "}" after the value)"},
        {"{\"a\": 1,\n}", R"(1:8: found "," before "}", expected no comma after the last value)"},
        {"[1, 2,]", R"(1:6: found "," before "]", expected no comma after the last value)"},
        {"{\"a\" 1}", R"(1:6: found "1", expected ":" after the name "a")"},
        {"{a: 1}", R"(1:2: found "a", expected a name in double quotes, or "}")"},
        {"{\"a\": 1, b: 2}",
         R"(1:10: found "b", expected a name in double quotes after ",")"},
        {"['x']", R"(1:2: found a single quote, expected a value; strings are in double quotes)"},
        {"{\"a\": yes}",
         R"(1:7: found "yes", expected a value; strings are in double quotes)"},
        {"[01]", R"(1:2: found "01", expected a number as JSON writes it, such as 42, -0.5 or )"
                 R"(1e6, or a string in double quotes)"},
        {"{\"d\": 20ms}",
         R"(1:7: found "20ms", expected a number as JSON writes it, such as 42, -0.5 or )"
         R"(1e6, or a string in double quotes)"},
        {"{\n  \"a\": [1,\n",
         R"(3:1: found the end of the text, expected "]" for the "[" of line 2)"},
        {"[\"abc\n\"]",
         R"(1:2: found a string without its end, expected a double quote on this line)"},
        {"[\"\\x\"]", R"(1:3: found the escape "\x", expected one of \" \\ \/ \b \f \n \r \t )"
                      R"(\uXXXX (four hex digits))"},
        {"[\"\\ud800x\"]", R"(1:3: found half of a surrogate pair, expected \uD8XX to \uDBXX )"
                           R"(followed by \uDCXX to \uDFXX)"},
        {"[\"\xC3\x28\"]", R"(1:3: found a byte that is not UTF-8, expected text in UTF-8)"},
        {"{} {}", R"(1:4: found "{", expected the end of the text: a file is one JSON value)"},
        {"{} /* never", R"(1:4: found a comment without its end, expected "*/")"},
        // Columns count characters, not bytes.
        {"[\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x9A\x9A\", oops]",
         R"(1:9: found "oops", expected a value; strings are in double quotes)"},
    }));
    CHECK_FALSE(parse_json(text).root);
    CHECK(fault_of(text) == message);
}

TEST_CASE("a name used twice is a fault and reading goes on", "[config][json]") {
    const auto document = parse_json("{\"a\": 1, \"b\": 2,\n \"a\": 3, \"b\": 4}");
    REQUIRE(document.root);
    REQUIRE(document.faults.size() == 2);
    CHECK(document.faults[0].found == R"("a" a second time)");
    CHECK(document.faults[0].position == text_position{2, 2, 0});
    CHECK(document.faults[1].position == text_position{2, 10, 0});
    CHECK(document.root->find("a")->text == "1");
}

TEST_CASE("names, values and their places come out in the order of the text", "[config][json]") {
    const auto document = parse_json(R"(// first a comment
{
    /* and another */ "count": 12, "list": [true, null, -0.5e2],
    "text": "a\u00e4\ud83d\ude9a\n" // last
})");
    REQUIRE(document.root);
    REQUIRE(document.faults.empty());
    const auto& members = document.root->members;
    REQUIRE(members.size() == 3);
    CHECK(members[0].name == "count");
    CHECK(members[0].position == text_position{3, 23, 0});
    CHECK(members[0].value.position == text_position{3, 32, 0});
    CHECK(json_integer(members[0].value) == 12);
    CHECK(members[1].value.elements[2].position == text_position{3, 57, 0});
    CHECK(json_integer(members[1].value.elements[2]) == -50);
    CHECK(members[2].value.text == "a\xC3\xA4\xF0\x9F\x9A\x9A\n");
    CHECK(json_compact(*document.root) ==
          "{\"count\":12,\"list\":[true,null,-0.5e2],\"text\":\"a\xC3\xA4\xF0\x9F\x9A\x9A\\n\"}");
}

TEST_CASE("numbers are whole if their value is, however they are written", "[config][json]") {
    const auto integer = [](std::string_view text) {
        return json_integer(parse_json(text).root.value());
    };
    CHECK(integer("1000") == 1000);
    CHECK(integer("1e3") == 1000);
    CHECK(integer("1000.0") == 1000);
    CHECK(integer("9223372036854775807") == 9'223'372'036'854'775'807);
    CHECK_FALSE(integer("0.5"));
    CHECK_FALSE(integer("1e300"));
    CHECK_FALSE(integer("\"1\""));
    CHECK_FALSE(json_double(parse_json("1e999").root.value()));
}

TEST_CASE("arrays and objects nest up to the bound", "[config][json]") {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    CHECK(parse_json(nested(limits::json_depth_max)).root);
    CHECK_FALSE(parse_json(nested(limits::json_depth_max + 1)).root);
    CHECK_FALSE(parse_json(std::string(10'000'000, '[')).root);
}

TEST_CASE("the reader takes and refuses what nlohmann::json does", "[config][json]") {
    const std::array<std::string_view, 62> texts = {
        "1", "-1", "-0", "0", "00", "1.", ".5", "1.5", "1e", "1e5", "1E+5", "1e-5", "+1", "-",
        "--1", "0x10", "true", "True", "false", "null", "nul", "nulll", "\"\"", "\"a", "a\"",
        "\"\\u12\"", "\"\\u1234\"", "\"\\uD834\\uDD1E\"", "\"\\uD834\"", "\"\\uDD1E\"", "\"\\/\"",
        "\"\\q\"", "\"\t\"", "\"\x7F\"", "\"\xC0\x80\"", "\"\xED\xA0\x80\"", "\"\xEF\xBF\xBF\"",
        "\"\xF4\x8F\xBF\xBF\"", "\"\xF4\x90\x80\x80\"", "\"\xE2\x82\"", "[]", "[", "]", "[,]",
        "[1,]", "[1 2]", "[1,2]", "{}", "{", "}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
        "{\"a\":{\"b\":[]}}", "{1:2}", "// c\n1", "/* c */ 1", "1 // c", "1 /* c", "1 2", " ", "/",
    };
    for (const auto text : texts) {
        const auto ours = parse_json(text);
        const auto theirs = nlohmann::json::parse(text, nullptr, false, true);
        INFO(text);
        CHECK(ours.root.has_value() == !theirs.is_discarded());
        if (ours.root && !theirs.is_discarded()) {
            CHECK(other_tree(*ours.root) == theirs);
            CHECK(nlohmann::json::parse(json_compact(*ours.root)) == theirs);
            CHECK(nlohmann::json::parse(json_pretty(*ours.root)) == theirs);
        }
    }
}
