#include <fleetarium/sim/access_policy.hpp>

#include <fleetarium/codec/topic.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;

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
          "[sim][access]") {
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
            for (const std::string& topic : {deep, std::string("x/x/x/x"), std::string("/x/x/x"),
                                             std::string("$s/x/x/x"), std::string("x/a/x/x"),
                                             std::string("x//x/x"), std::string("x/$s/x/x"),
                                             std::string("x/x/a/x"), std::string("a/x/x/x"),
                                             std::string("a/a/x/x"), std::string("a/x/a/x")}) {
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

TEST_CASE("users need their password, others a broker that lets anonymous clients in",
          "[sim][access]") {
    broker_spec broker;
    CHECK(access_policy(broker).admits(std::nullopt, ""));
    CHECK(access_policy(broker).admits("anybody", "whatever"));
    CHECK(access_policy(broker).allows_everything());
    broker.users = {{"meter", "secret"}};
    broker.allow_anonymous = false;
    const access_policy policy(broker);
    CHECK(policy.admits("meter", "secret"));
    CHECK_FALSE(policy.admits("meter", "Secret"));
    CHECK_FALSE(policy.admits("meter", ""));
    CHECK_FALSE(policy.admits("other", "secret"));
    CHECK_FALSE(policy.admits(std::nullopt, ""));
    CHECK_FALSE(policy.allows_everything());
}

TEST_CASE("an action needs a rule that covers it, for the client's user or for all",
          "[sim][access]") {
    broker_spec broker;
    broker.access = {{.publish = {"meters/%c/+"}, .subscribe = {"tariffs/+"}},
                     {.user_name = "office", .subscribe = {"meters/#", "%u/inbox"}}};
    const access_policy policy(broker);
    CHECK(policy.may_publish("m1", "", "meters/m1/reading"));
    CHECK_FALSE(policy.may_publish("m1", "", "meters/m2/reading"));
    CHECK_FALSE(policy.may_publish("m1", "", "meters/m1/reading/now"));
    CHECK(policy.may_subscribe("m1", "", "tariffs/region-1"));
    CHECK(policy.may_subscribe("m1", "", "tariffs/+"));
    CHECK_FALSE(policy.may_subscribe("m1", "", "tariffs/#"));
    CHECK_FALSE(policy.may_subscribe("m1", "", "meters/+/reading"));
    CHECK(policy.may_subscribe("o", "office", "meters/+/reading"));
    CHECK(policy.may_subscribe("o", "office", "$share/group/meters/#"));
    CHECK(policy.may_subscribe("o", "office", "office/inbox"));
    CHECK_FALSE(policy.may_subscribe("o", "other", "other/inbox"));
}

TEST_CASE("a client id with levels or wildcards in it widens no rule", "[sim][access]") {
    broker_spec broker;
    broker.access = {{.publish = {"meters/%c/+"}, .subscribe = {"meters/%c/#"}}};
    const access_policy policy(broker);
    CHECK_FALSE(policy.may_subscribe("+", "", "meters/+/#"));
    CHECK_FALSE(policy.may_subscribe("#", "", "meters/#"));
    CHECK_FALSE(policy.may_publish("a/b", "", "meters/a/b/c"));
    CHECK_FALSE(policy.may_publish("", "", "meters//c"));
}
