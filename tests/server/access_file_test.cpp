#include <fleetarium/server/access_file.hpp>

#include <catch2/catch.hpp>

#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;

namespace {

access_policy policy_of(std::string_view text) {
    const auto read = parse_access_rules(text, "rules.acl");
    if (const auto* problems = std::get_if<std::vector<config::problem>>(&read)) {
        FAIL(config::to_string(*problems));
    }
    return access_policy(std::get<std::vector<access_rule>>(read));
}

/// The only problem of a text.
std::string problem_of(std::string_view text) {
    const auto read = parse_access_rules(text, "rules.acl");
    REQUIRE(std::holds_alternative<std::vector<config::problem>>(read));
    const auto& problems = std::get<std::vector<config::problem>>(read);
    REQUIRE(problems.size() == 1);
    return config::to_string(problems.front());
}

}  // namespace

TEST_CASE("an access file says who may do what", "[server][access]") {
    const auto policy = policy_of(
        "# the example of the header\r\n"
        "topic read news/#\n"
        "\n"
        "pattern write devices/%c/state\n"
        "  pattern deny +/secret\n"
        "user ann\n"
        "topic readwrite home/ann/#\n"
        "\ttopic deny\thome/ann/attic\n"
        "user bob of the house\n"
        "topic read home/with blanks\n"
        "topic read two words\n"
        "user ann\n"
        "topic write more");
    // Without a user name.
    CHECK(policy.may_subscribe("c", "", "news/today"));
    CHECK_FALSE(policy.may_publish("c", "", "news/today"));
    CHECK_FALSE(policy.may_subscribe("c", "ann", "news/today"));
    CHECK_FALSE(policy.may_subscribe("c", "", "news/+"));  // "news/secret" would come too
    // Everybody.
    CHECK(policy.may_publish("c", "", "devices/c/state"));
    CHECK(policy.may_publish("c", "ann", "devices/c/state"));
    CHECK_FALSE(policy.may_publish("c", "ann", "devices/d/state"));
    CHECK_FALSE(policy.may_publish("c", "ann", "any/secret"));
    // One user, from two sections.
    CHECK(policy.may_publish("c", "ann", "home/ann/door"));
    CHECK(policy.may_subscribe("c", "ann", "home/ann/+/door"));
    CHECK_FALSE(policy.may_publish("c", "ann", "home/ann/attic"));
    CHECK_FALSE(policy.may_subscribe("c", "ann", "home/ann/#"));
    CHECK(policy.may_publish("c", "ann", "more"));
    CHECK(policy.may_subscribe("c", "bob of the house", "home/with blanks"));
    CHECK_FALSE(policy.may_subscribe("c", "bob", "home/with blanks"));
    CHECK(policy.may_subscribe("c", "bob of the house", "two words"));
    CHECK_FALSE(policy.may_publish("c", "bob of the house", "two words"));
}

TEST_CASE("a rule without a word for the access is for reading and writing", "[server][access]") {
    const auto policy = policy_of("topic write\\only\ntopic readwrite read\npattern all/%u\n");
    CHECK(policy.may_publish("c", "", "write\\only"));
    CHECK(policy.may_subscribe("c", "", "write\\only"));
    CHECK(policy.may_publish("c", "", "read"));
    CHECK(policy.may_subscribe("c", "ann", "all/ann"));
    CHECK(policy.may_publish("c", "ann", "all/ann"));
}

TEST_CASE("an access file without a rule denies everything", "[server][access]") {
    for (const std::string_view text : {"", "\n\n", "# nothing\n", "user ann\n", "\xEF\xBB\xBF"}) {
        const auto policy = policy_of(text);
        CHECK_FALSE(policy.may_publish("c", "ann", "t"));
        CHECK_FALSE(policy.may_subscribe("c", "", "t"));
    }
}

TEST_CASE("a mistake in an access file has its place, what was found and what was expected",
          "[server][access]") {
    // Parts of several messages.
    const std::string line = R"(, expected "user NAME", or "topic" or "pattern" with a )"
                             R"(topic filter, or a comment after #)";
    const std::string access = ", expected read, write, readwrite or deny before the topic filter ";
    const std::string filter =
        ", expected a topic filter in UTF-8, with + and # only as whole levels and # only last";
    std::string text;
    std::string message;
    std::tie(text, message) = GENERATE_COPY(table<std::string, std::string>({
        {"topc read a", R"(1:1: found "topc")" + line + R"( (did you mean "topic"?))"},
        {"# one\n\n  User ann", R"(3:3: found "User")" + line + R"( (did you mean "user"?))"},
        {"allow a", R"(1:1: found "allow")" + line},
        {"user", R"(1:1: found "user" without a name, expected "user NAME")"},
        {"user   ", R"(1:1: found "user" without a name, expected "user NAME")"},
        {"user \xFF", "1:6: found \"\xFF\", expected a user name in UTF-8"},
        {"topic", R"(1:1: found "topic" without a topic filter, expected "topic" with a )"
                  R"(topic filter, such as "topic readwrite home/#")"},
        {"pattern deny", R"(1:1: found "pattern deny" without a topic filter, expected )"
                         R"("pattern" with a topic filter, such as "pattern readwrite deny")"},
        {"topic raed a/b", R"(1:7: found "raed")" + access + R"("a/b" (did you mean "read"?))"},
        {"topic a b", R"(1:7: found "a")" + access + R"("b")"},
        {"topic read a/#/b", R"(1:12: found "a/#/b")" + filter},
        {"topic \xC3\xA4+", "1:7: found \"\xC3\xA4+\"" + filter},
        {"pattern read a/x%c+", R"(1:14: found "a/x%c+")" + filter},
        {"topic read $share/g/a", R"(1:12: found "$share/g/a", expected the filter without )"
                                  "$share/NAME/: rules hold for shared subscriptions too"},
        {"topic read a/%c", R"(1:1: found "topic" with %c or %u in its filter, expected )"
                            R"("pattern", whose filters may have them)"},
    }));
    CHECK(problem_of(text) == "rules.acl:" + message);
}

TEST_CASE("filters in an access file have no more levels than the broker stores",
          "[server][access]") {
    std::string filter = "a";
    for (int i = 0; i < 127; ++i) {
        filter += "/a";
    }
    CHECK(policy_of("topic read " + filter).may_subscribe("c", "", filter));
    CHECK(problem_of("topic read /" + filter) ==
          "rules.acl:1:12: found 129 levels, expected at most 128");
}

TEST_CASE("every mistake of an access file is reported", "[server][access]") {
    const auto read = parse_access_rules("tpic a\ntopic read b\nuser\ntopic +a\n", "x");
    const auto& problems = std::get<std::vector<config::problem>>(read);
    REQUIRE(problems.size() == 3);
    CHECK(problems[0].line == 1);
    CHECK(problems[1].line == 3);
    CHECK(problems[2].line == 4);
}

TEST_CASE("an access file is read as a whole or not at all", "[server][access]") {
    const auto path =
        std::filesystem::temp_directory_path() / ("fleetarium-access-" + std::to_string(getpid()));
    std::ofstream(path) << "topic read a\n";
    const auto good = load_access_file(path);
    REQUIRE(std::holds_alternative<access_policy>(good));
    CHECK(std::get<access_policy>(good).may_subscribe("c", "", "a"));
    std::ofstream(path) << "topic read a\ntopic raed b\n";
    const auto bad = load_access_file(path);
    REQUIRE(std::holds_alternative<std::vector<config::problem>>(bad));
    CHECK(std::get<std::vector<config::problem>>(bad).front().file == path);
    std::filesystem::remove(path);
    const auto missing = load_access_file(path);
    REQUIRE(std::holds_alternative<std::vector<config::problem>>(missing));
    CHECK(config::to_string(std::get<std::vector<config::problem>>(missing)) ==
          path.string() +
              ": found no file that can be read (No such file or directory), expected an access "
              "file\n");
}
