#include <fleetarium/broker/access_policy.hpp>

#include <fleetarium/codec/topic.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;

namespace {

/// All texts of up to three levels from an alphabet of levels.
std::vector<std::string> combinations(const std::vector<std::string>& levels) {
    std::vector<std::string> made = levels;
    for (std::size_t begin = 0, round = 0; round < 2; ++round) {
        const std::size_t end = made.size();
        for (; begin < end; ++begin) {
            for (const auto& level : levels) {
                made.push_back(made[begin] + "/" + level);
            }
        }
    }
    return made;
}

}  // namespace

TEST_CASE("a filter covers another exactly if it matches all that the other matches",
          "[broker][access]") {
    // With a level "x" that no filter names, three levels are enough to tell two filters apart.
    const auto topics = combinations({"a", "b", "x", "$s", ""});
    std::size_t covered = 0;
    for (const auto& wide : combinations({"a", "b", "+", "#", "$s", ""})) {
        for (const auto& narrow : combinations({"a", "+", "#", "$s", ""})) {
            if (!is_valid_topic_filter(wide) || !is_valid_topic_filter(narrow)) {
                continue;
            }
            bool all = true;
            for (const auto& topic : topics) {
                all = all && (!is_valid_topic_name(topic) || !topic_matches(narrow, topic) ||
                              topic_matches(wide, topic));
            }
            // A topic of four levels stands for all that are deeper than the filters.
            const std::string deep = "a/a/a/a";
            for (const std::string& topic :
                 {deep, std::string("x/x/x/x"), std::string("/x/x/x"), std::string("$s/x/x/x"),
                  std::string("x/a/x/x"), std::string("x//x/x"), std::string("x/$s/x/x"),
                  std::string("x/x/a/x"), std::string("a/x/x/x"), std::string("a/a/x/x"),
                  std::string("a/x/a/x")}) {
                all = all && (!topic_matches(narrow, topic) || topic_matches(wide, topic));
            }
            INFO(wide << " over " << narrow);
            if (filter_covers(wide, narrow)) {
                ++covered;
                REQUIRE(all);
            } else if (!(narrow == "#" && wide == "+/#") &&
                       !(narrow == "/#" && (wide == "/+/#" || wide == "+/+/#"))) {
                REQUIRE_FALSE(all);
            }
        }
    }
    CHECK(covered > 100);
}

TEST_CASE("filters overlap exactly if a topic is matched by both", "[broker][access]") {
    // "x" stands for every level that no filter names, and "" is one too.
    const auto topics = combinations({"a", "b", "x", "$s", ""});
    const auto filters = combinations({"a", "b", "+", "#", "$s", ""});
    std::size_t overlapping = 0;
    for (const auto& left : filters) {
        for (const auto& right : filters) {
            if (!is_valid_topic_filter(left) || !is_valid_topic_filter(right)) {
                continue;
            }
            bool any = false;
            for (const auto& topic : topics) {
                any = any || (is_valid_topic_name(topic) && topic_matches(left, topic) &&
                              topic_matches(right, topic));
            }
            INFO(left << " and " << right);
            any = any || (left == "+" && right == "/#") || (left == "/#" && right == "+");
            if (filters_overlap(left, right) != any) {
                FAIL();
            }
            overlapping += any ? 1U : 0U;
        }
    }
    CHECK(overlapping > 100);
}

namespace {

using audience = access_rule::audience;

access_rule for_all(access_kind kind, std::string filter) {
    return {.whom = audience::everybody, .kind = kind, .filter = std::move(filter)};
}

access_rule for_user(std::string name, access_kind kind, std::string filter) {
    return {.whom = audience::user,
            .user_name = std::move(name),
            .kind = kind,
            .filter = std::move(filter)};
}

}  // namespace

TEST_CASE("without rules everything is allowed, with a list of none nothing", "[broker][access]") {
    CHECK(access_policy().allows_everything());
    CHECK(access_policy().may_publish("c", "u", "t"));
    CHECK(access_policy().may_subscribe("c", "", "#"));
    const access_policy closed(std::vector<access_rule>{});
    CHECK_FALSE(closed.allows_everything());
    CHECK_FALSE(closed.may_publish("c", "u", "t"));
    CHECK_FALSE(closed.may_subscribe("c", "", "t"));
}

TEST_CASE("rules for everybody, for a user and for those without a user name", "[broker][access]") {
    const access_policy policy(
        {for_all(access_kind::read, "news/#"),
         for_user("ann", access_kind::read_write, "home/#"),
         {.whom = audience::without_user_name, .kind = access_kind::write, .filter = "box"}});
    for (const std::string_view user : {"", "ann", "bob"}) {
        CHECK(policy.may_subscribe("c", user, "news/today"));
        CHECK_FALSE(policy.may_publish("c", user, "news/today"));
        CHECK(policy.may_publish("c", user, "home/door") == (user == "ann"));
        CHECK(policy.may_subscribe("c", user, "home/+") == (user == "ann"));
        CHECK(policy.may_publish("c", user, "box") == user.empty());
    }
}

TEST_CASE("what is denied stays so whatever is allowed, in part or whole", "[broker][access]") {
    const access_policy policy({for_all(access_kind::read_write, "#"),
                                for_all(access_kind::deny, "plans/+/secret"),
                                for_user("bob", access_kind::deny, "bank/#"),
                                for_user("ann", access_kind::read, "plans/1/secret")});
    CHECK(policy.may_publish("c", "ann", "plans/1/open"));
    CHECK_FALSE(policy.may_publish("c", "ann", "plans/1/secret"));
    CHECK_FALSE(policy.may_subscribe("c", "ann", "plans/1/secret"));
    CHECK_FALSE(policy.may_subscribe("c", "ann", "$share/g/plans/1/secret"));
    // Would bring the secret ones with the others.
    CHECK_FALSE(policy.may_subscribe("c", "ann", "#"));
    CHECK_FALSE(policy.may_subscribe("c", "ann", "plans/#"));
    CHECK(policy.may_subscribe("c", "ann", "plans/+/open"));
    CHECK(policy.may_publish("c", "ann", "bank/1"));
    CHECK_FALSE(policy.may_publish("c", "bob", "bank/1"));
    CHECK_FALSE(policy.may_subscribe("c", "bob", "bank"));
    // "#" does not cover topics of the server [v5/MQTT-4.7.2-1].
    CHECK_FALSE(policy.may_subscribe("c", "ann", "$SYS/#"));
}

TEST_CASE("a rule allows what its filter covers and denies what it overlaps", "[broker][access]") {
    for (const auto& filter : combinations({"a", "ab", "+", "#", "$s", ""})) {
        if (!is_valid_topic_filter(filter)) {
            continue;
        }
        const access_policy allowing({for_all(access_kind::read_write, filter)});
        const access_policy denying({for_all(access_kind::read_write, "#"),
                                     for_all(access_kind::read_write, "$s/#"),
                                     for_all(access_kind::deny, filter)});
        for (const auto& asked : combinations({"a", "abc", "+", "#", "$s", ""})) {
            INFO(filter << " and " << asked);
            if (is_valid_topic_filter(asked)) {
                REQUIRE(allowing.may_subscribe("c", "", asked) == filter_covers(filter, asked));
                REQUIRE(denying.may_subscribe("c", "", asked) != filters_overlap(filter, asked));
            }
            if (is_valid_topic_name(asked)) {
                REQUIRE(allowing.may_publish("c", "", asked) == topic_matches(filter, asked));
                REQUIRE(denying.may_publish("c", "", asked) != topic_matches(filter, asked));
            }
        }
    }
}

TEST_CASE("%c and %u stand for the client's names, also inside of a level", "[broker][access]") {
    const access_policy policy({for_all(access_kind::write, "d/%u-%c/x%cx/+"),
                                for_all(access_kind::read, "%u/#"),
                                for_all(access_kind::read_write, "50%/%%/%d")});
    CHECK(policy.may_publish("c1", "ann", "d/ann-c1/xc1x/t"));
    CHECK_FALSE(policy.may_publish("c1", "ann", "d/ann-c1/xc1/t"));
    CHECK_FALSE(policy.may_publish("c1", "ann", "d/ann-c1/xc1xx/t"));
    CHECK_FALSE(policy.may_publish("c2", "ann", "d/ann-c1/xc1x/t"));
    CHECK_FALSE(policy.may_publish("c1", "", "d/-c1/xc1x/t"));
    CHECK(policy.may_subscribe("c1", "ann", "ann"));
    CHECK(policy.may_subscribe("c1", "ann", "ann/+/x/#"));
    CHECK_FALSE(policy.may_subscribe("c1", "ann", "anna"));
    CHECK_FALSE(policy.may_subscribe("c1", "", "/x"));
    // Another sign after % is just that.
    CHECK(policy.may_publish("c1", "ann", "50%/%%/%d"));
}

TEST_CASE("a name with levels or wildcards in it widens no rule and slips under none",
          "[broker][access]") {
    const access_policy allowing({for_all(access_kind::read_write, "m/%c/#")});
    CHECK_FALSE(allowing.may_subscribe("+", "", "m/+/#"));
    CHECK_FALSE(allowing.may_subscribe("#", "", "m/#"));
    CHECK_FALSE(allowing.may_publish("a/b", "", "m/a/b/c"));
    CHECK_FALSE(allowing.may_publish("", "", "m//c"));

    const access_policy denying(
        {for_all(access_kind::read_write, "#"), for_all(access_kind::deny, "m/%u/secret")});
    CHECK(denying.may_publish("c", "ann", "m/bob/secret"));
    CHECK_FALSE(denying.may_publish("c", "ann", "m/ann/secret"));
    CHECK_FALSE(denying.may_subscribe("c", "ann", "m/#"));
    CHECK_FALSE(denying.may_publish("c", "a/b", "m/a/b/secret"));
    CHECK_FALSE(denying.may_publish("c", "a/b", "open"));
    CHECK(denying.may_publish("c", "", "m//secret"));
}
