#include <fleetarium/codec/topic.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace fleetarium {
namespace {

struct match_row {
    const char* filter;
    std::vector<const char*> matches;
    std::vector<const char*> misses;
};

const match_row match_rows[] = {
    {"a/b/#", {"a/b", "a/b/", "a/b/c", "a/b/c/d"}, {"a", "a/bc"}},
    {"#", {"a", "/", "a/b"}, {"$SYS/a", "$a"}},
    {"a/#", {"a", "a/", "a/b"}, {"b", "ab"}},
    {"/#", {"/", "/a", "/a/b"}, {"a"}},
    {"+", {"a", " "}, {"a/b", "/a", "/", "$a"}},
    {"a/+", {"a/b", "a/"}, {"a", "a/b/c"}},
    {"+/+", {"/a", "a/b", "/", "a/"}, {"a", "a/b/c", "$a/b"}},
    {"/+", {"/a", "/"}, {"a", "/a/b"}},
    {"+/b/#", {"a/b", "/b", "a/b/c/d"}, {"b", "$a/b"}},
    {"a/+/c", {"a/b/c", "a//c"}, {"a/c", "a/b/b/c"}},
    {"+/#", {"a", "a/b", "/"}, {"$a", "$a/b"}},
    {"$SYS/#", {"$SYS", "$SYS/a/b"}, {"SYS/a"}},
    {"$SYS/+", {"$SYS/a"}, {"$SYS/a/b"}},
    {"a/$x", {"a/$x"}, {"a/x"}},
    {"+/$x", {"a/$x"}, {"$x/$x"}},
    {"a/b", {"a/b"}, {"a", "a/b/", "A/b", "a/b "}},
    {"", {}, {"a", "/"}},
};

TEST_CASE("a filter matches the names that it should and no others",
          "[topic][v5/MQTT-4.7.2-1][v3/MQTT-4.7.2-1]") {
    for (const match_row& row : match_rows) {
        for (const char* const name : row.matches) {
            CAPTURE(row.filter, name);
            CHECK(topic_matches(row.filter, name));
        }
        for (const char* const name : row.misses) {
            CAPTURE(row.filter, name);
            CHECK_FALSE(topic_matches(row.filter, name));
        }
    }
}

TEST_CASE("topics are compared byte by byte, without normalisation or case folding",
          "[topic][v5/MQTT-4.7.3-4][v3/MQTT-4.7.3-4]") {
    CHECK_FALSE(topic_matches("\xC3\xA9", "e\xCC\x81"));
    CHECK_FALSE(topic_matches("caf\xC3\xA9", "CAF\xC3\x89"));
    CHECK(topic_matches("caf\xC3\xA9/+", "caf\xC3\xA9/x"));
}

TEST_CASE("`#` stands alone or behind a separator, and last",
          "[topic][v5/MQTT-4.7.1-1][v3/MQTT-4.7.1-2]") {
    CHECK(is_valid_topic_filter("#"));
    CHECK(is_valid_topic_filter("a/#"));
    CHECK(is_valid_topic_filter("/#"));
    CHECK(is_valid_topic_filter("+/#"));
    for (const auto* const filter : {"a#", "#a", "a/#/b", "##", "#/", "#/a", "a/b#", "a/#b"}) {
        CAPTURE(filter);
        CHECK_FALSE(is_valid_topic_filter(filter));
    }
}

TEST_CASE("`+` fills a level alone, at any level",
          "[topic][v5/MQTT-4.7.1-2][v3/MQTT-4.7.1-3]") {
    for (const auto* const filter : {"+", "+/a", "a/+", "a/+/c", "+/+/+", "/+", "+/"}) {
        CAPTURE(filter);
        CHECK(is_valid_topic_filter(filter));
    }
    for (const auto* const filter : {"+a", "a+", "a/+b", "a/b+/c", "++", "+#", "#+"}) {
        CAPTURE(filter);
        CHECK_FALSE(is_valid_topic_filter(filter));
    }
}

TEST_CASE("topic names and filters have at least one character",
          "[topic][v5/MQTT-4.7.3-1][v3/MQTT-4.7.3-1]") {
    CHECK_FALSE(is_valid_topic_name(""));
    CHECK_FALSE(is_valid_topic_filter(""));
    CHECK(is_valid_topic_name("/"));
    CHECK(is_valid_topic_filter("/"));
    CHECK(is_valid_topic_name(" "));
}

TEST_CASE("topic names and filters hold no U+0000",
          "[topic][v5/MQTT-4.7.3-2][v3/MQTT-4.7.3-2]") {
    CHECK_FALSE(is_valid_topic_name(std::string_view("a\0b", 3)));
    CHECK_FALSE(is_valid_topic_filter(std::string_view("a/\0/#", 5)));
}

TEST_CASE("topic names and filters have at most 65,535 bytes",
          "[topic][v5/MQTT-4.7.3-3][v3/MQTT-4.7.3-3]") {
    const std::string longest(65'535, 'a');
    CHECK(is_valid_topic_name(longest));
    CHECK(is_valid_topic_filter(longest));
    CHECK_FALSE(is_valid_topic_name(longest + 'a'));
    CHECK_FALSE(is_valid_topic_filter(longest + 'a'));
    // Bytes count, not characters.
    std::string accents;
    for (int count = 0; count < 32'768; ++count) {
        accents += "\xC3\xA9";
    }
    CHECK_FALSE(is_valid_topic_name(accents));
}

TEST_CASE("a topic name has no wildcard",
          "[topic][v5/MQTT-4.7.0-1][v3/MQTT-4.7.1-1]") {
    CHECK(is_valid_topic_name("a/b"));
    for (const auto* const name : {"a/+", "#", "a#", "+"}) {
        CAPTURE(name);
        CHECK_FALSE(is_valid_topic_name(name));
        CHECK(has_wildcard(name));
    }
    CHECK_FALSE(has_wildcard("a/b"));
}

TEST_CASE("a shared filter has a share name of at least one character",
          "[topic][v5/MQTT-4.8.2-1]") {
    const auto parts = parse_shared_filter("$share/group/a/+/#");
    REQUIRE(parts);
    CHECK(parts->share_name == "group");
    CHECK(parts->filter == "a/+/#");
    CHECK(is_shared_filter("$share//a"));
    CHECK_FALSE(parse_shared_filter("$share//a"));
    CHECK_FALSE(is_shared_filter("$share"));
    CHECK_FALSE(is_shared_filter("$shared/g/a"));
    CHECK_FALSE(parse_shared_filter("a/b"));
}

TEST_CASE("a share name holds no separator or wildcard and a valid filter follows it",
          "[topic][v5/MQTT-4.8.2-2]") {
    for (const auto* const filter : {"$share/g", "$share/g/", "$share/g+/a", "$share/#/a",
                                     "$share/g/a#", "$share/", "$share/g#"}) {
        CAPTURE(filter);
        CHECK_FALSE(parse_shared_filter(filter));
    }
    CHECK(parse_shared_filter("$share/g//"));
    CHECK(parse_shared_filter("$share/g/#"));
}

TEST_CASE("a topic has one level more than separators", "[topic]") {
    CHECK(topic_level_count("a") == 1);
    CHECK(topic_level_count("/") == 2);
    CHECK(topic_level_count("a/b/c") == 3);
    CHECK(topic_level_count("a//c/") == 4);
}

}  // namespace
}  // namespace fleetarium
